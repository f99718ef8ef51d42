"""What people say into the agent's sentence, and whether it goes on or falls silent.

    python -m bench.barge_in --audio DIR [--whisper DIR] [--part tune|closed] [--json]

`DIR` has recordings of people (`models.recordings`). Their words, orders and noises are said into
the middle of a sentence, in ticks of 20 ms through a conversation's own door, with the speech
detector and the net of onsets that calls have. What was said is known to a recogniser 200 ms
later: Whisper, or one that reads the manifest.

A listener ("yes", "right", "wow") and a noise should make no gap, a taker ("no", "stop", an order)
silence. Times count from the first sound, as an energy threshold finds it.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.onset import OnsetNet
from models.recordings import PARTS, RATE, Recording, recordings
from models.vad import SileroDetector
from models.whisper import FasterWhisper
from tests.voice_loop.scripted import PhoneCall
from voice_loop.audio import FRAME_MS, Samples, frame_samples, level_dbfs
from voice_loop.config import ConversationConfig
from voice_loop.floor import FloorConfig
from voice_loop.ports import OnsetModel, Transcript
from voice_loop.prompts import CALL_ANSWERED

SENTENCE: Final = "our doctors are here from monday to friday and on the first saturday. " * 3
#: What is said comes so long after the agent began, and is waited for so long after it ended.
BEFORE_MS: Final = 2000
AFTER_MS: Final = 2500
#: Between the end of what was said, or a pause in it, and its transcript.
RECOGNITION_MS: Final = 200
#: A gap of this length is heard.
GAP_MS: Final = 40
LINE_DBFS: Final = -62.0
SPEECH_DBFS: Final = -22.0

LISTENED: Final = frozenset({"yes", "right", "wow"})
TAKEN: Final = frozenset({"no", "stop"})
ORDERS: Final = 30
#: Interruptions are silenced by then, ms.
MARKS: Final = (260, 400, 600)


@dataclass(frozen=True)
class Said:
    """Something said into the agent's sentence."""

    kind: str
    """`listener`, `noise`, `taker`, `order`, or `word`: any other."""
    text: str
    samples: Samples
    onset: int
    """Its first sound, in samples."""


@dataclass(frozen=True)
class Result:
    """What came of it."""

    said: Said
    silent_ms: float | None
    """From its first sound until the agent was silent; None where it never was."""
    gap_ms: int
    """How long it was silent until it went on, or in all."""
    went_on: bool
    """It said the whole sentence."""


class Recogniser:
    """Knows what was said `RECOGNITION_MS` later, by audio time."""

    def __init__(self, call: PhoneCall, said: Said, whisper: FasterWhisper | None) -> None:
        self._call = call
        self._said = said
        self._whisper = whisper
        self.idle = asyncio.Event()
        """Cleared while audio time has to stand still for it."""
        self.idle.set()
        self.late = False
        """Nobody waits for audio time any more."""

    async def transcribe(self, speech: Samples, rate: int, language: str) -> Transcript:
        due_ms = self._call.ms + RECOGNITION_MS
        transcript = Transcript(self._said.text, 0.9 if self._said.text else 0.0)
        if self._whisper is not None:
            self.idle.clear()
            try:
                transcript = await self._whisper.transcribe(speech, rate, language)
            finally:
                self.idle.set()
        while self._call.ms < due_ms and not self.late:  # noqa: ASYNC110 - audio time passes with the ticks
            await asyncio.sleep(0)
        return transcript


def first_sound(samples: Samples) -> int:
    """Where the level comes within 25 dB of the loudest, and stays there for most of 60 ms."""
    hop = RATE // 100
    levels = np.array([level_dbfs(samples[at : at + hop]) for at in range(0, samples.size, hop)])
    loud = levels > max(levels.max() - 25, np.percentile(levels, 10) + 8)
    steady = [
        index for index in range(loud.size) if loud[index] and loud[index : index + 6].sum() > 3
    ]
    return (steady[0] if steady else 0) * hop


def levelled(recording: Samples) -> Samples:
    """The same with its loudest 200 ms at `SPEECH_DBFS`."""
    size = RATE // 5
    loudest = max(level_dbfs(recording[at : at + size]) for at in range(0, recording.size, size))
    scaled = recording.astype(np.float32) * 10 ** ((SPEECH_DBFS - loudest) / 20)
    clipped: Samples = np.clip(np.rint(scaled), -32768, 32767).astype(np.int16)
    return clipped


def sayings(folder: Path, part: str) -> Iterable[Said]:
    """All that one part has."""
    orders = 0
    for one in recordings(folder, ["words", "orders", "noise"]):
        if one.set == "noise":
            yield from _noises(one, part)
            continue
        if one.part != part or (one.set == "orders" and orders >= ORDERS):
            continue
        samples = levelled(one.samples())
        kind = "word"
        if one.set == "orders":
            orders, kind = orders + 1, "order"
        elif one.text in LISTENED:
            kind = "listener"
        elif one.text in TAKEN:
            kind = "taker"
        text = " ".join(one.words_in_it) if kind == "order" else one.text
        yield Said(kind, text, samples, first_sound(samples))


def _noises(recording: Recording, part: str) -> Iterable[Said]:
    """Pieces of 400 ms; the first half of a recording is for tuning."""
    samples = recording.samples()
    half = samples.size // 2
    samples = samples[:half] if part == PARTS[0] else samples[half:]
    for at in np.linspace(0, max(0, samples.size - RATE // 2), 8).astype(int):
        piece = levelled(samples[at : at + RATE * 4 // 10])
        yield Said("noise", "", piece, first_sound(piece))


async def hear(
    said: Said, floor: FloorConfig, onset: OnsetModel | None, whisper: FasterWhisper | None
) -> Result:
    """Say it into the agent's sentence."""
    config = ConversationConfig("talk", floor=floor, first_sentence_mode="none")
    call = PhoneCall({f"{CALL_ANSWERED} [pressed #]": SENTENCE}, config, SileroDetector)
    call.onset = onset
    ears = Recogniser(call, said, whisper)
    call.ears = ears  # type: ignore[assignment]
    call.connect()
    random = np.random.default_rng(1)
    size = frame_samples(RATE)
    line = 32768 * 10 ** (LINE_DBFS / 20)
    await call.answer()
    call.conversation.press("#", 0.0)
    await call.until(lambda: call.voiced[-1])
    begun = len(call.voiced) - 1
    before = BEFORE_MS // FRAME_MS * size
    padded = np.pad(said.samples, (before, AFTER_MS // FRAME_MS * size))
    noisy = padded + random.normal(0, line, padded.size)
    heard: Samples = np.clip(np.rint(noisy), -32768, 32767).astype(np.int16)
    for at in range(0, heard.size - size + 1, size):
        await call.tick(heard[at : at + size])
        await ears.idle.wait()
    voiced = np.array(call.voiced[begun + 1 :])
    first_ms = BEFORE_MS + said.onset / RATE * 1000
    frames = np.arange(voiced.size)
    silent = frames[~voiced & (frames * FRAME_MS >= first_ms)]
    silent_ms = None if not silent.size else float(silent[0] * FRAME_MS - first_ms)
    gave_up = any(turn.interrupted for turn in call.turns)
    again = frames[voiced & (frames > silent[0])] if silent.size else frames[:0]
    end = int(again[0]) if again.size else voiced.size
    gap_ms = 0 if not silent.size else (end - int(silent[0])) * FRAME_MS
    ears.late = True
    call.conversation.hung_up()
    await call.end()
    return Result(said, silent_ms, gap_ms, not gave_up)


def figures(results: Sequence[Result]) -> dict[str, Any]:
    """Of one kind."""
    silent = [one.silent_ms for one in results if one.silent_ms is not None]
    count = len(results)
    return {
        "said": count,
        "no gap": sum(one.gap_ms <= GAP_MS for one in results),
        "went on": sum(one.went_on for one in results),
        **{f"silent by {mark} ms": sum(ms <= mark for ms in silent) for mark in MARKS},
        "p50 ms": round(float(np.percentile(silent, 50))) if silent else None,
        "p95 ms": round(float(np.percentile(silent, 95))) if silent else None,
    }


async def run(options: argparse.Namespace) -> dict[str, Any]:
    """All figures, by setting and kind."""
    said = list(sayings(options.audio, options.part))
    whisper = None
    if options.whisper:
        whisper = FasterWhisper(options.whisper, threads=1)
        whisper.warm_up()
    net = OnsetNet(options.net) if options.net else OnsetNet()
    settings: Mapping[str, tuple[FloorConfig, OnsetModel | None]] = {
        "any speech, after 160 ms (before)": (FloorConfig(barge_in_lasts_ms=0), None),
        "without the net": (FloorConfig(), None),
        **{f"sensitivity {one}": (FloorConfig().interrupted(one), net) for one in options.at},
    }
    found: dict[str, Any] = {}
    for name, (floor, onset) in settings.items():
        results = [await hear(one, floor, onset, whisper) for one in said]
        if options.verbose:
            for one in results:
                print(
                    name, one.said.kind, one.said.text[:30], one.silent_ms, one.gap_ms, one.went_on
                )
        kinds = dict.fromkeys(one.kind for one in said)
        found[name] = {
            kind: figures([one for one in results if one.said.kind == kind]) for kind in kinds
        }
    if whisper is not None:
        whisper.close()
    return found


def report(found: Mapping[str, Any]) -> str:
    """The figures as tables."""
    lines = []
    for name, kinds in found.items():
        columns = list(next(iter(kinds.values())))
        lines += ["", name, f"{'':10}" + "".join(f"{column:>17}" for column in columns)]
        for kind, values in kinds.items():
            shown = ("–" if value is None else value for value in values.values())
            lines.append(f"{kind:10}" + "".join(f"{value:>17}" for value in shown))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--audio", type=Path, required=True, help="recordings with a manifest")
    parser.add_argument("--whisper", type=Path, help="a CTranslate2 model")
    parser.add_argument("--net", type=Path, help="another net of onsets")
    parser.add_argument("--part", choices=PARTS, default="closed")
    parser.add_argument("--at", type=float, nargs="+", default=[0.25, 0.5, 0.75])
    parser.add_argument("--verbose", action="store_true", help="print each one")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = asyncio.run(run(options))
    sys.stdout.write((json.dumps(found, indent=2) if options.json else report(found)) + "\n")


if __name__ == "__main__":
    main()
