"""A conversation holds half a minute of audio: it goes with its last user, not with a collector."""

import gc
import weakref

from tests.voice_loop.scripted import Detector, Ears, Mind, Mouth
from voice_loop.config import ConversationConfig
from voice_loop.conversation import Conversation
from voice_loop.ports import Engines


async def test_nothing_of_it_waits_for_the_garbage_collector() -> None:
    engines = Engines(Ears(), Mind({}), Mouth(), lambda _: Detector())
    gc.disable()
    try:
        one = Conversation("call", ConversationConfig("hi"), engines, 8000, lambda _: None)
        left = weakref.ref(one)
        del one
        assert left() is None
    finally:
        gc.enable()
