"""How well a Whisper hears people on a telephone, and how well it knows when it does not.

    python -m bench.recognition --whisper DIR --audio DIR [--part tune|closed] [--json]

`DIR` of the audio has recordings of 8 kHz and a `manifest.csv` of them: set (`words`, `digits`,
`orders`, `noise`), file, speaker, text (word for word), words_in_it (of which each must be heard).
`tune` is for choosing thresholds, `closed` is what is reported. No speaker of words or digits is
in both.

`--looks FILE` writes what the decoder offered for short utterances, for the tests of the rule.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.recordings import PARTS, Recording, recordings
from models.recordings import RATE as LINE_RATE
from models.registry import MIN_CONFIDENCE
from models.whisper import RATE, SHORTEST_WINDOW, FasterWhisper, sounding
from voice_loop.audio import FULL_SCALE, Samples, resample
from voice_loop.phrases import plain_words
from voice_loop.ports import Transcript

SETS: Final = ("words", "digits", "orders", "noise")
#: Pieces of noise, seconds: as long as a word, two, a sentence.
PIECES_S: Final = (0.5, 1.1, 2.0)
#: Every so many of a set's recordings, so that a run takes minutes.
STEP: Final = {"digits": 10, "orders": 8}
FIGURES: Final = {
    "0": "zero",
    "1": "one",
    "2": "two",
    "3": "three",
    "4": "four",
    "5": "five",
    "6": "six",
    "7": "seven",
    "8": "eight",
    "9": "nine",
}


@dataclass(frozen=True)
class Utterance:
    """Something to be heard."""

    set: str
    name: str
    part: str
    said: str
    """Word for word; for orders, what must be in it, between bars; empty for noise."""
    samples: Samples

    def is_right(self, text: str) -> bool:
        """Whether all that matters was heard, a figure in letters or not."""
        heard = " ".join(FIGURES.get(word, word) for word in plain_words(text).split())
        if self.set == "orders":
            return all(part in heard for part in self.said.split("|"))
        return heard == self.said


@dataclass(frozen=True)
class Result:
    """What became of it."""

    utterance: Utterance
    transcript: Transcript
    ms: float
    cpu_ms: float

    @property
    def acted_on(self) -> bool:
        return bool(self.transcript.text) and self.transcript.confidence >= MIN_CONFIDENCE


def utterances(folder: Path, part: str, sets: Sequence[str] = SETS) -> Iterator[Utterance]:
    """Those of one part."""
    for of_set in sets:
        for one in recordings(folder, [of_set])[:: STEP.get(of_set, 1)]:
            if of_set == "noise":
                yield from (piece for piece in _pieces(one) if piece.part == part)
            elif one.part == part:
                said = "|".join(one.words_in_it) if of_set == "orders" else one.text
                yield Utterance(of_set, one.name, part, said, one.samples())


def _pieces(recording: Recording) -> Iterator[Utterance]:
    """Noise in pieces; three of them belong to a part, the next three to the other."""
    noise = recording.samples()
    step = max(LINE_RATE // 2, noise.size // 30)
    for index, begin in enumerate(range(0, noise.size - LINE_RATE, step)):
        length = int(PIECES_S[index % 3] * LINE_RATE)
        name = f"{recording.name}@{begin}"
        yield Utterance("noise", name, PARTS[index // 3 % 2], "", noise[begin : begin + length])


async def hear(engine: FasterWhisper, utterance: Utterance) -> Result:
    """Transcribe one."""
    begun, cpu = time.perf_counter(), time.process_time()
    transcript = await engine.transcribe(utterance.samples, LINE_RATE, "en")
    took, used = time.perf_counter() - begun, time.process_time() - cpu
    return Result(utterance, transcript, took * 1000, used * 1000)


def figures(results: list[Result]) -> dict[str, Any]:
    """Of one set: shares of what was right and wrong, and of these acted on."""
    right = [one for one in results if one.utterance.is_right(one.transcript.text)]
    wrong = [one for one in results if one.transcript.text and one not in right]
    took = sorted(one.ms for one in results)
    return {
        "utterances": len(results),
        "right": len(right),
        "right_acted_on": sum(one.acted_on for one in right),
        "wrong": len(wrong),
        "wrong_acted_on": sum(one.acted_on for one in wrong),
        "ms": statistics.median(took),
        "ms_p95": took[int(0.95 * (len(took) - 1))],
        "cpu_ms": statistics.mean(one.cpu_ms for one in results),
    }


def report(by_set: dict[str, dict[str, Any]]) -> str:
    """The figures as a table."""
    lines = [
        f"{'':8}{'heard':>7}{'right':>7}{'of them':>9}{'wrong':>7}{'of them':>9}"
        f"{'ms':>7}{'(95 %)':>8}{'CPU ms':>8}",
        f"{'':8}{'':7}{'':7}{'acted on':>9}{'':7}{'acted on':>9}",
    ]
    for name, one in by_set.items():
        lines.append(
            f"{name:8}{one['utterances']:7}{one['right']:7}{one['right_acted_on']:9}"
            f"{one['wrong']:7}{one['wrong_acted_on']:9}{one['ms']:7.0f}{one['ms_p95']:8.0f}"
            f"{one['cpu_ms']:8.0f}"
        )
    return "\n".join(lines)


def looks(engine: FasterWhisper, part: str, folder: Path) -> list[dict[str, Any]]:
    """What the decoder offers for short utterances, every third of a part."""
    found = []
    for index, one in enumerate(utterances(folder, part, ("words", "noise"))):
        audio = sounding(resample(one.samples, LINE_RATE, RATE).astype(np.float32) / FULL_SCALE)
        if index % 3 == 0 and audio.size:
            look = asdict(engine.look(audio, SHORTEST_WINDOW, "en"))
            found.append({"set": one.set, "name": one.name, "said": one.said, **look})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--whisper", type=Path, required=True, help="a CTranslate2 model")
    parser.add_argument("--audio", type=Path, required=True, help="recordings with a manifest")
    parser.add_argument("--part", choices=PARTS, default="closed")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--looks", type=Path, help="write them there instead")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    engine = FasterWhisper(options.whisper, threads=options.threads)
    engine.warm_up()
    try:
        if options.looks:
            found = looks(engine, options.part, options.audio)
            lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in found)
            options.looks.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
            return
        results = [
            asyncio.run(hear(engine, one))
            for one in utterances(options.audio, options.part, options.sets)
        ]
    finally:
        engine.close()
    by_set = {
        name: figures([one for one in results if one.utterance.set == name])
        for name in options.sets
    }
    sys.stdout.write((json.dumps(by_set, indent=2) if options.json else report(by_set)) + "\n")


if __name__ == "__main__":
    main()
