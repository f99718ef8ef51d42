"""An agent whose own voice comes back on the line: what it takes for a person's, and what it costs.

    python -m bench.echo --audio DIR [--whisper DIR] [--part tune|closed] [--json]

Whole conversations in which nobody speaks tell how often the agent stops or answers itself, with
the canceller and without it. Single words and orders of people (`models.recordings`) are spoken
into the agent's opening, at -20 and -30 dBFS, over the echo and without one: how much later the
agent heeds them, and with `--whisper` which of them are understood. It falls silent when it
heeds them.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from models.load import STARTER_DIR
from models.piper import Piper
from models.recordings import PARTS, Recording, recordings
from models.vad import SileroDetector
from models.whisper import FasterWhisper
from pbx.codecs import PCMA, PCMU
from tests.voice_loop.echoing import GREETING, Echo, EchoingCall, EchoingLine, frames
from tests.voice_loop.scripted import RATE, end_all
from voice_loop.audio import FRAME_MS, FULL_SCALE, Samples, frame_samples, resample
from voice_loop.echo import EchoCanceller, Heard
from voice_loop.floor import FloorConfig
from voice_loop.phrases import plain_words

LEVELS_DB: Final = (0, -6, -12, -20, -30)
DELAYS_MS: Final = (60, 200)
#: A hybrid, a handset and a loudspeaker in a room.
PATHS: Final = ((0, 0, PCMU), (40, 0.5, PCMA), (100, 0.5, PCMU))
NOISE_DBFS: Final = -60
SINGLE_WORDS: Final = ("no", "stop", "yes", "right")
ORDERS_STEP: Final = 12
#: When the person begins, ms after the agent.
BEGINS_MS: Final = (400, 2600)
SPOKEN_DBFS: Final = (-20, -30)
SPOKEN_OVER: Final = (None, Echo(-6, 61.3, 40, 0.5), Echo(-12, 200, 100, 0.5), Echo(-20, 60, 0))


class Deaf(EchoCanceller):
    """A canceller that does nothing."""

    def hear(self, frame: Samples) -> Heard:
        return Heard(frame)


async def alone(voice: Piper, canceller: type[EchoCanceller]) -> list[dict[str, Any]]:
    """The opening into echoes while nobody speaks."""
    rows = []
    for level in LEVELS_DB:
        calls = stopped = turns = 0
        for delay in DELAYS_MS:
            for room, drive, codec in PATHS:
                with patch("voice_loop.conversation.EchoCanceller", canceller):
                    call = EchoingCall(voice, Echo(level, delay, room, drive, codec), NOISE_DBFS)
                await call.answer()
                await call.quiet(15_000)
                calls += 1
                stopped += any(turn.interrupted for turn in call.turns if turn.speaker == "agent")
                turns += sum(turn.speaker == "person" for turn in call.turns)
                await end_all()
        rows.append({"level_db": level, "calls": calls, "stopped": stopped, "turns": turns})
    return rows


@dataclass(frozen=True)
class Attempt:
    """What became of something said into the opening."""

    heeded_ms: int | None
    """From its first sound; None for never."""
    heard: Samples


def at_level(samples: Samples, dbfs: float) -> NDArray[np.float64]:
    """Speech at that level, of its louder 40 %."""
    floats = samples.astype(np.float64)
    louder = np.sort(floats**2)[-int(0.4 * floats.size) :]
    scaled: NDArray[np.float64] = floats * 10 ** (dbfs / 20) * FULL_SCALE / np.sqrt(louder.mean())
    return scaled


def speak(
    ours: Sequence[Samples], theirs: NDArray[np.float64], begin: int, echo: Echo | None
) -> Attempt:
    """Speak into the opening from that frame on; the agent falls silent once it heeds that."""
    size, config = frame_samples(RATE), FloorConfig()
    need, window = config.barge_in_ms // FRAME_MS, config.barge_in_window_ms // FRAME_MS
    canceller, detector = EchoCanceller(RATE), SileroDetector(RATE)
    line = EchoingLine(echo or Echo(-200), RATE)
    noise = np.random.default_rng(1)
    first = begin + int(np.flatnonzero(np.abs(theirs) > 0.1 * np.abs(theirs).max())[0]) // size
    ends = begin + theirs.size // size
    said = np.zeros((ends + 25) * size)
    said[begin * size : ends * size] = theirs[: (ends - begin) * size]
    heard: list[Samples] = []
    speech: list[bool] = []
    heeded = None
    for index, person in enumerate(said.reshape(-1, size)):
        scale = 10 ** (NOISE_DBFS / 20) * FULL_SCALE
        cleaned = canceller.hear(line.hear(person + noise.normal(scale=scale, size=size)))
        heard.append(cleaned.frame)
        speech.append(detector.is_speech(cleaned.frame) and not cleaned.is_echo)
        if heeded is None and index >= first and speech[-1] and sum(speech[-window:]) >= need:
            heeded = index
        sent = None if heeded is not None else ours[index % len(ours)]
        canceller.sent(sent)
        line.send(sent)
    ms = None if heeded is None else (heeded + 1 - first) * FRAME_MS
    return Attempt(ms, np.concatenate(heard[max(0, begin - 10) :]))


async def over_it(
    ours: Sequence[Samples], said: Sequence[Recording], whisper: FasterWhisper | None
) -> list[dict[str, Any]]:
    """What people say into the opening, over each echo."""
    rows = []
    for of_set in ("words", "orders"):
        chosen = [one for one in said if one.set == of_set]
        for dbfs in SPOKEN_DBFS:
            for echo in SPOKEN_OVER:
                took: list[int] = []
                attempts = right = 0
                for index, one in enumerate(chosen):
                    begin = BEGINS_MS[index % len(BEGINS_MS)] // FRAME_MS
                    attempt = speak(ours, at_level(one.samples(), dbfs), begin, echo)
                    attempts += 1
                    took += [] if attempt.heeded_ms is None else [attempt.heeded_ms]
                    if whisper is not None:
                        transcript = await whisper.transcribe(attempt.heard, RATE, "en")
                        words = plain_words(transcript.text)
                        wanted = one.words_in_it or (one.text,)
                        right += all(plain_words(word) in words for word in wanted)
                rows.append(
                    {
                        "said": of_set,
                        "dbfs": dbfs,
                        "echo_db": None if echo is None else echo.level_db,
                        "attempts": attempts,
                        "heeded": len(took),
                        "ms_p50": float(np.median(took)),
                        "ms_p95": float(np.percentile(took, 95)),
                        "understood": None if whisper is None else right,
                    }
                )
    return rows


def cost(ours: Sequence[Samples], theirs: NDArray[np.float64] | None, echo: Echo | None) -> float:
    """CPU per tick while the agent speaks, µs."""
    canceller, line = EchoCanceller(RATE), EchoingLine(echo or Echo(-200), RATE)
    size, noise, spent = frame_samples(RATE), np.random.default_rng(1), 0
    for index, sent in enumerate(ours):
        person = noise.normal(scale=20, size=size)
        if theirs is not None:
            person += np.resize(theirs, (theirs.size // size, size))[index % (theirs.size // size)]
        heard = line.hear(person)
        began = time.thread_time_ns()
        canceller.hear(heard)
        canceller.sent(sent)
        spent += time.thread_time_ns() - began
        line.send(sent)
    return spent / len(ours) / 1000


def report(found: dict[str, Any]) -> str:
    """The figures as tables."""
    lines = [f"{'echo':>8}{'calls':>7}{'stops itself':>14}{'answers itself':>16}   (without)"]
    for now, before in zip(found["alone"], found["alone_without"], strict=True):
        lines.append(
            f"{now['level_db']:5} dB{now['calls']:7}{now['stopped']:14}{now['turns']:16}"
            f"   ({before['stopped']}, {before['turns']})"
        )
    lines.append(f"\n{'said over':<10}{'dBFS':>6}{'echo':>8}{'heeded':>10}{'ms':>6}{'(95 %)':>8}")
    for row in found["over_it"]:
        echo = "none" if row["echo_db"] is None else f"{row['echo_db']} dB"
        understood = "" if row["understood"] is None else f"   understood {row['understood']}"
        lines.append(
            f"{row['said']:<10}{row['dbfs']:6}{echo:>8}{row['heeded']:>6}/{row['attempts']:<3}"
            f"{row['ms_p50']:6.0f}{row['ms_p95']:8.0f}{understood}"
        )
    lines.append("")
    lines += [f"{name}: {spent:.1f} µs a tick" for name, spent in found["cpu_us"].items()]
    return "\n".join(lines)


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All figures."""
    voice = Piper(STARTER_DIR / "voice.onnx")
    greeting = [part async for part in voice.stream(GREETING)]
    ours = frames(resample(np.concatenate(greeting), voice.rate, RATE))
    words = recordings(options.audio, ["words"], options.part)
    said = [one for one in words if one.text in SINGLE_WORDS]
    said += recordings(options.audio, ["orders"], options.part)[::ORDERS_STEP]
    theirs = at_level(said[-1].samples(), -20)
    whisper = None if options.whisper is None else FasterWhisper(options.whisper, threads=1)
    try:
        return {
            "alone": await alone(voice, EchoCanceller),
            "alone_without": await alone(voice, Deaf),
            "over_it": await over_it(ours, said, whisper),
            "cpu_us": {
                "agent speaks, quiet line": cost(ours * 3, None, None),
                "agent and person speak, no echo": cost(ours * 3, theirs, None),
                "agent speaks, echo": cost(ours * 3, None, Echo(-12, 120, 60, 0.5)),
            },
        }
    finally:
        voice.close()
        if whisper is not None:
            whisper.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--audio", type=Path, required=True, help="recordings with a manifest")
    parser.add_argument("--whisper", type=Path, help="a CTranslate2 model")
    parser.add_argument("--part", choices=PARTS, default="closed")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = asyncio.run(measure(options))
    sys.stdout.write((json.dumps(found, indent=2) if options.json else report(found)) + "\n")


if __name__ == "__main__":
    main()
