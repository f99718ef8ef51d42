"""A conversation holds half a minute of audio: it goes with its last user, not with a collector."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from tests.voice_loop.scripted import RATE, Detector, Ears, HandSet, Mind, Mouth, settle
from voice_loop.audio import FRAME_MS, silence
from voice_loop.config import ConversationConfig
from voice_loop.conversation import Conversation
from voice_loop.floor import FloorConfig
from voice_loop.ports import Engines

SILENCE_MS = 400


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def conversation(mouth: Mouth) -> Conversation:
    config = ConversationConfig(
        "hi", first_sentence_mode="none", floor=FloorConfig(silence_ms=SILENCE_MS)
    )
    engines = Engines(Ears(), Mind({}), mouth, lambda _: Detector())
    return Conversation("call", config, engines, RATE, lambda _: None)


async def test_nothing_of_it_waits_for_the_garbage_collector() -> None:
    one = conversation(Mouth())
    left = weakref.ref(one)
    del one
    assert left() is None


async def test_nothing_of_one_that_ended_amid_a_line_waits_for_it() -> None:
    mouth = Mouth()
    one = conversation(mouth)
    left = weakref.ref(one)
    await one.prepare()
    run = asyncio.create_task(one.run(HandSet()))
    await settle()
    mouth.fault.gate = asyncio.Event()
    for _ in range(2 * SILENCE_MS // FRAME_MS):
        one.exchange(silence(RATE), 0.0, 0.0)
        await settle()
    assert mouth.open == 1, "it is being asked whether they are there"
    one.hung_up()
    await run
    del one, run
    await settle()
    assert left() is None
