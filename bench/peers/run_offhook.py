"""Offhook's conversation as it is by default, on a folder of cases.

    python -m bench.peers.run_offhook FOLDER OUTCOMES [--whisper DIR] [--patience P]

The whole voice loop with the engines' own ears; a reply is there at once, and no longer than it
must be. A transcript comes when it is due, as with the others.
"""

from bench.peers import simulated_time

LOOP = simulated_time.begin()

import argparse
import asyncio
import logging
import subprocess
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.peers.exchange import (
    FRAME_MS,
    RATE,
    TRANSCRIPT_MS,
    About,
    Case,
    Outcome,
    Span,
    frames,
    read_cases,
    write_outcomes,
)
from models.assembly import registry_of
from models.load import STARTER_DIR, EngineConfig, load_engines
from models.registry import Wanted
from voice_loop.audio import Samples
from voice_loop.config import ConversationConfig
from voice_loop.conversation import Conversation
from voice_loop.floor import FloorConfig, SpeechStarted
from voice_loop.playout import is_voiced
from voice_loop.ports import Engines, SpeechToText, Transcript

DECISIONS: Final = logging.getLogger("voice_loop.conversation.decisions")
#: What the agent says while somebody speaks into it: longer than any case.
LONG: Final = "and then we go on with the next part of it " * 10
LONG_CHAR_MS: Final = 60
#: A reply is over before anybody could speak into it.
BRIEF_CHAR_MS: Final = 1
#: An agent's `end_of_turn_patience` where nothing is said of it.
USUAL_PATIENCE: Final = 0.5


@dataclass
class Punctual:
    """Speech recognition that takes the same time whatever it hears."""

    stt: SpeechToText
    cpu_s: float = 0.0
    """What it took: the others' has none."""

    async def transcribe(self, speech: Samples, rate: int, language: str) -> Transcript:
        await asyncio.sleep(TRANSCRIPT_MS / 1000)
        began = time.process_time()
        transcript = await self.stt.transcribe(speech, rate, language)
        self.cpu_s += time.process_time() - began
        return transcript


class Brief:
    """A language model that is short about it."""

    async def stream(self, *_: Any, **__: Any) -> AsyncGenerator[str, None]:
        yield "ok"

    def release(self, cache_key: str) -> None:
        """Keeps nothing."""


@dataclass(frozen=True)
class Hum:
    """A voice that is never silent within a sentence."""

    char_ms: int
    rate: int = RATE

    async def stream(self, text: str, *_: Any) -> AsyncGenerator[Samples, None]:
        size = len(text) * self.char_ms * RATE // 1000
        yield (3000 * np.sin(np.arange(size) * 2 * np.pi * 180 / RATE)).astype(np.int16)


class Starts(logging.Handler):
    """Notes when a conversation hears a person begin."""

    def __init__(self) -> None:
        super().__init__()
        self.at: list[float] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().endswith(f" {SpeechStarted.__name__}"):
            self.at.append(time.monotonic())


class Line:
    """The line of a call that nobody hangs up."""

    id = "line"
    rate = RATE

    async def hang_up(self) -> None:
        """Takes no time."""

    async def send_digits(self, digits: str) -> None:
        """Sends none."""


async def converse(folder: Path, case: Case, engines: Engines, patience: float) -> Outcome:
    """Take one case through a conversation of its own, of an agent with that patience."""
    speaks = case.kind in ("backchannel", "interruption")
    engines = replace(engines, tts=Hum(LONG_CHAR_MS if speaks else BRIEF_CHAR_MS))
    config = ConversationConfig(
        "",
        first_sentence=LONG if speaks else "",
        first_sentence_mode="static" if speaks else "none",
        silence_prompts=100,
        floor=FloorConfig().patient(patience),
    )
    starts = Starts()
    DECISIONS.addHandler(starts)
    conversation = Conversation(case.file, config, engines, RATE, on_turn=lambda _turn: None)
    await conversation.prepare()
    running = asyncio.create_task(conversation.run(Line()))
    await asyncio.sleep(0)
    begun = time.monotonic()
    voiced = []
    for index, frame in enumerate(frames(folder, case)):
        now = begun + (index + 1) * FRAME_MS / 1000
        await asyncio.sleep(now - time.monotonic())
        said = conversation.exchange(np.frombuffer(frame, "<i2"), now, now)
        voiced.append(said is not None and is_voiced(said))
    conversation.hung_up()
    await running
    DECISIONS.removeHandler(starts)
    heard = spans(voiced)
    return Outcome(
        case.file,
        starts=tuple(round((at - begun) * 1000) for at in starts.at),
        ends=tuple(begin for begin, _ in heard),
        agent=heard,
    )


def spans(voiced: Sequence[bool]) -> tuple[Span, ...]:
    """When the agent is heard, ms; the frame that goes out with the first one heard ends it."""
    edges = np.flatnonzero(np.diff([False, *voiced, False]))
    times = ((edges + 1) * FRAME_MS).tolist()
    return tuple(zip(times[::2], times[1::2], strict=True))


def model_set(folder: Path, whisper: Path) -> EngineConfig:
    """The starter models in a folder, with another recogniser, believed as one usually is."""
    for file in STARTER_DIR.iterdir():
        if file.name == "set.json":
            continue
        (folder / file.name).symlink_to(whisper if file.name == "whisper" else file)
    return EngineConfig(set_name=folder.name, directory=folder.parent, threads=1)


def version() -> str:
    """The commit; empty where there is none."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


async def main(folder: Path, file: Path, whisper: Path | None, patience: float) -> None:
    """Take all cases, one after the other."""
    with tempfile.TemporaryDirectory() as temporary:
        config = EngineConfig(threads=1)
        if whisper is not None:
            config = model_set(Path(temporary), whisper)
        loaded = load_engines(config)
        punctual = Punctual(loaded.stt)
        engines = replace(registry_of(loaded).engines(Wanted("en")), stt=punctual, llm=Brief())
        cases = read_cases(folder)
        began = time.process_time()
        outcomes = [await converse(folder, case, engines, patience) for case in cases]
        about = About(
            "Offhook",
            version(),
            f"{'Whisper base' if whisper else 'starter models'}, default settings"
            + (f", end_of_turn_patience {patience:g}" if patience != USUAL_PATIENCE else ""),
            cpu_s=time.process_time() - began - punctual.cpu_s,
            audio_s=sum(case.length for case in cases) / 1000,
        )
        loaded.close()
    write_outcomes(file, about, outcomes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("outcomes", type=Path)
    parser.add_argument("--whisper", type=Path, help="a Whisper for CTranslate2")
    parser.add_argument("--patience", type=float, default=USUAL_PATIENCE, help="0 to 1")
    options = parser.parse_args()
    DECISIONS.setLevel(logging.DEBUG)
    DECISIONS.propagate = False
    LOOP.run_until_complete(
        main(options.folder, options.outcomes, options.whisper, options.patience)
    )
