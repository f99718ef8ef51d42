"""A scripted conversation with a black box, and the replay of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from api.blackbox.archive import Box, pack
from api.blackbox.engines import witnessed, witnessed_tools
from api.blackbox.held import held_json, held_of
from api.blackbox.recorder import BlackBox
from api.replay.replaying import Replay, Replayed, VirtualPace
from api.replay.virtual_time import run
from tests.voice_loop.scripted import RATE, Detector, PhoneCall
from voice_loop.config import ConversationConfig
from voice_loop.conversation import Conversation
from voice_loop.ports import Engines


class BoxedCall(PhoneCall):
    """A phone call whose conversation a black box witnesses."""

    def box_in(self, folder: Path, **options: Any) -> BlackBox:
        """Make the conversation anew, with a box."""
        engines = Engines(
            self.ears,
            self.mind,
            self.mouth,
            self.new_detector,
            turn_end=self.turn_end,
            onset=self.onset,
        )
        config = self.config
        header = {
            "call_id": "call-1",
            "attempt": 1,
            "build": "test",
            "began_at": 0.0,
            "rate": RATE,
            "voice_rate": RATE,
            "min_confidence": engines.min_confidence,
            "has_turn_end": engines.turn_end is not None,
            "has_onset": engines.onset is not None,
            "conversation": held_json(config),
        }
        box = BlackBox(folder / "call-1.blackbox", 10**8, header, **options)
        box.name_kept()
        self.conversation = Conversation(
            "call-1",
            replace(config, tools=witnessed_tools(config.tools, box)),
            witnessed(engines, box),
            RATE,
            self.turns.append,
            witness=box,
        )
        return box


async def packed(box: BlackBox, folder: Path) -> Path:
    """The archive of a box whose call is over."""
    await box.close()
    archive = folder / "box.zip"
    with archive.open("wb") as file:
        pack(folder / "call-1.blackbox", file)
    return archive


def replayed(box: Box, **fields: Any) -> Replayed:
    """Hold it once more; `fields` of its configuration are others."""
    held = held_of(box.header["conversation"])
    config = ConversationConfig(**{**held, **fields})
    today = Engines(None, None, None, lambda _: Detector())  # type: ignore[arg-type]

    async def work() -> Replayed:
        return await Replay(box, config, today, VirtualPace()).run()

    return run(work())
