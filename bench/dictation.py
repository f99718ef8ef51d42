"""Whether telephone numbers that people dictate are heard to their end, and kept whole.

    python -m bench.dictation --audio DIR --whisper DIR [--part tune|closed] [--json]

`DIR` has recordings of people (`models.recordings`). Numbers of ten digits are made of the digits
that one person says, with silence between them: of one length, of any from 0.2 to 0.9 s, or short
within groups and long between them, as one reads a number out. Each is said to an agent that has
asked for a telephone number, and to one that has not, through a conversation as calls have it with
the Whisper that is given. Time is simulated (`bench.peers.simulated_time`): a transcript comes
250 ms after it is asked for.

A number is cut where its turn is over to the agent before its last digit is. It is kept where one
turn of the transcript has all of its digits and no others; that counts for those that the same
Whisper hears right when it is given the whole number at once.
"""

from bench.peers.run_offhook import LOOP  # it sets the clock

# isort: split

import argparse
import asyncio
import json
import logging
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from api.lab.figures import digits_of
from api.lab.library import DIGITS, at_level, samples_of
from bench.peers.run_offhook import DECISIONS, Brief, Hum, Line, model_set
from models.assembly import registry_of
from models.load import load_engines
from models.recordings import PARTS, RATE, Recording, recordings
from models.registry import Wanted
from models.training.ears_data import segments_of
from voice_loop.audio import FRAME_MS, FULL_SCALE, Samples, frame_samples, silence
from voice_loop.config import ConversationConfig
from voice_loop.conversation import Conversation
from voice_loop.events import Turn
from voice_loop.floor import TurnEnded
from voice_loop.ports import Engines, SpeechToText, Transcript

#: Between the end of what is said and its transcript.
RECOGNITION_MS: Final = 250
#: Silences between digits, ms: each as short or as long as that, by what the way is called.
Gaps = Callable[[random.Random, int], float]
GAPS: Final[Mapping[str, Gaps]] = {
    "0.2 s": lambda _, __: 200,
    "0.3 s": lambda _, __: 300,
    "0.45 s": lambda _, __: 450,
    "0.6 s": lambda _, __: 600,
    "0.9 s": lambda _, __: 900,
    "any of these": lambda rng, _: rng.uniform(200, 900),
    "in groups": lambda rng, place: rng.uniform(600, 900) if place in (3, 6) else 200,
}
OPENINGS: Final = {
    "asked for": "what is your telephone number?",
    "not asked for": "hello, this is the dental practice.",
}
CHAR_MS: Final = 30
#: The person begins so long after the agent's words, and is silent for so long at the end.
BEFORE_MS: Final = 600
AFTER_MS: Final = 3000
SPEECH_DBFS: Final = -20.0
#: Noise of every other line; the rest are silent.
LINE_DBFS: Final = -60.0
COUNTRY: Final = "US"


@dataclass(frozen=True)
class Number:
    """A number that somebody dictates."""

    gaps: str
    """One of `GAPS`."""
    voice: str
    digits: str
    samples: Samples


@dataclass(frozen=True)
class Outcome:
    """What became of a number."""

    number: Number
    opening: str
    """One of `OPENINGS`."""
    cut: bool
    latency_ms: float | None
    """From its last sound until its turn was over; None where it was cut, or never over."""
    texts: Sequence[str]
    """Of the person's turns."""

    @property
    def kept(self) -> bool:
        """Whether all of its digits are in one turn."""
        return self.number.digits in map(digits_of, self.texts)


@dataclass
class Punctual:
    """Speech recognition that takes the same time whatever it hears; once for the same audio."""

    stt: SpeechToText
    known: dict[bytes, Transcript]

    async def transcribe(self, speech: Samples, rate: int, language: str) -> Transcript:
        await asyncio.sleep(RECOGNITION_MS / 1000)
        key = speech.tobytes()
        if key not in self.known:
            self.known[key] = await self.stt.transcribe(speech, rate, language)
        return self.known[key]


class Ends(logging.Handler):
    """Notes when turns are over to a conversation."""

    def __init__(self) -> None:
        super().__init__()
        self.at: list[float] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().endswith(f" {TurnEnded.__name__}"):
            self.at.append(time.monotonic())


def voices(folder: Path, part: str) -> dict[str, dict[str, list[Recording]]]:
    """Who says all ten digits, and how; those who say only some are one voice together."""
    by_speaker: dict[str, dict[str, list[Recording]]] = defaultdict(lambda: defaultdict(list))
    for one in recordings(folder, ["digits", "words"]):
        if one.part == part and one.text in DIGITS:
            by_speaker[one.speaker][str(DIGITS.index(one.text))].append(one)
    whole = {name: said for name, said in by_speaker.items() if len(said) == len(DIGITS)}
    several: dict[str, list[Recording]] = defaultdict(list)
    for name, said in by_speaker.items():
        if name not in whole:
            for digit, found in said.items():
                several[digit] += found
    return {**whole, "several": several} if len(several) == len(DIGITS) else whole


def numbers(folder: Path, part: str, each: int) -> Iterator[Number]:
    """So many of each way and voice; the same at every run."""
    rng = random.Random(14)
    for name, said in voices(folder, part).items():
        for gaps in GAPS:
            for index in range(each):
                digits = f"{rng.choice('23456789')}{rng.randrange(100):02}"
                digits += f"{rng.choice('23456789')}{rng.randrange(1_000_000):06}"
                parts = []
                for place, digit in enumerate(digits):
                    if place:
                        parts.append(silence(RATE, round(GAPS[gaps](rng, place))))
                    recording = rng.choice(said[digit])
                    parts.append(at_level(spoken(recording), SPEECH_DBFS))
                samples = np.concatenate(parts)
                if index % 2:
                    samples = noisy(samples)
                yield Number(gaps, name, digits, samples)


def spoken(recording: Recording) -> Samples:
    """From its first sound to its last: some have noise before and after."""
    samples = samples_of(recording)
    found = segments_of(samples)
    step = RATE // 100
    return samples[found[0][0] * step : found[-1][1] * step] if found else samples


def noisy(samples: Samples) -> Samples:
    """The same on a line with a noise of its own."""
    level = FULL_SCALE * 10 ** (LINE_DBFS / 20)
    noise = np.random.default_rng(1).normal(0, level, samples.size)
    whole: Samples = np.clip(np.rint(samples + noise), -32768, 32767).astype(np.int16)
    return whole


async def dictate(number: Number, opening: str, engines: Engines) -> Outcome:
    """Have one number dictated in a conversation of its own."""
    engines = replace(engines, tts=Hum(CHAR_MS))
    said = OPENINGS[opening]
    config = ConversationConfig(
        "", first_sentence=said, first_sentence_mode="static", silence_prompts=100, country=COUNTRY
    )
    turns: list[Turn] = []
    ends = Ends()
    DECISIONS.addHandler(ends)
    conversation = Conversation("dictation", config, engines, RATE, on_turn=turns.append)
    await conversation.prepare()
    running = asyncio.create_task(conversation.run(Line()))
    await asyncio.sleep(0)
    begun = time.monotonic()
    before_ms = config.opening_delay_ms + len(said) * CHAR_MS + BEFORE_MS
    audio = [silence(RATE, before_ms), number.samples, silence(RATE, AFTER_MS)]
    whole, size = np.concatenate(audio), frame_samples(RATE)
    for index in range(whole.size // size):
        now = begun + (index + 1) * FRAME_MS / 1000
        await asyncio.sleep(now - time.monotonic())
        conversation.exchange(whole[index * size : (index + 1) * size], now, now)
    conversation.hung_up()
    await running
    DECISIONS.removeHandler(ends)
    over_ms = before_ms + number.samples.size * 1000 / RATE
    late = [(at - begun) * 1000 - over_ms for at in ends.at]
    cut = any(one < 0 for one in late)
    latency = None if cut or not late else late[0]
    texts = [one.text for one in turns if one.speaker == "person"]
    return Outcome(number, opening, cut, latency, texts)


async def at_one_go(number: Number, stt: SpeechToText) -> str:
    """The digits that are heard when all of a number is given at once."""
    quiet = silence(RATE, 200)
    whole = np.concatenate([quiet, number.samples, quiet])
    return digits_of((await stt.transcribe(whole, RATE, "en")).text)


def figures(outcomes: Sequence[Outcome], heard: Sequence[bool]) -> dict[str, Any]:
    """What is told of some numbers; `heard`: whether each is heard right at one go."""
    late = [one.latency_ms for one in outcomes if one.latency_ms is not None]
    kept = [one.kept for one in outcomes]
    return {
        "numbers": len(outcomes),
        "cut": sum(one.cut for one in outcomes),
        "heard_at_one_go": sum(heard),
        "kept": sum(kept),
        "kept_of_heard": sum(a and b for a, b in zip(kept, heard, strict=True)),
        "end_ms_mean": round(float(np.mean(late))) if late else None,
        "end_ms_p95": round(float(np.percentile(late, 95))) if late else None,
    }


async def run(options: argparse.Namespace) -> dict[str, Any]:
    """All figures, by opening and by gaps."""
    with tempfile.TemporaryDirectory() as temporary:
        loaded = load_engines(model_set(Path(temporary), options.whisper.resolve()))
        stt = Punctual(loaded.stt, {})
        engines = replace(registry_of(loaded).engines(Wanted("en")), stt=stt, llm=Brief())
        found = list(numbers(options.audio, options.part, options.each))
        heard = [await at_one_go(one, stt) == one.digits for one in found]
        told: dict[str, Any] = {}
        for opening in OPENINGS:
            outcomes = [await dictate(one, opening, engines) for one in found]
            if options.verbose:
                for one, whole in zip(outcomes, heard, strict=True):
                    number = one.number
                    print(
                        f"{opening}, {number.gaps}, {number.voice}: {number.digits}"
                        f" {'heard' if whole else '-'} {'kept' if one.kept else '-'}"
                        f" {'CUT' if one.cut else one.latency_ms} {one.texts}"
                    )
            told[opening] = {"all": figures(outcomes, heard)}
            for gaps in GAPS:
                some = [at for at, one in enumerate(found) if one.gaps == gaps]
                told[opening][gaps] = figures(
                    [outcomes[at] for at in some], [heard[at] for at in some]
                )
        loaded.close()
    return told


def report(told: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """The figures as tables."""
    lines = []
    for opening, rows in told.items():
        columns = list(rows["all"])
        lines += ["", f"{opening:14}" + "".join(f"{column:>16}" for column in columns)]
        for gaps, row in rows.items():
            shown = ("–" if value is None else value for value in row.values())
            lines.append(f"{gaps:14}" + "".join(f"{value:>16}" for value in shown))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--audio", type=Path, required=True, help="recordings with a manifest")
    parser.add_argument("--whisper", type=Path, required=True, help="a CTranslate2 model")
    parser.add_argument("--part", choices=PARTS, default="closed")
    parser.add_argument("--each", type=int, default=4, help="numbers of each voice and way")
    parser.add_argument("--verbose", action="store_true", help="print each one")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    DECISIONS.setLevel(logging.DEBUG)
    DECISIONS.propagate = False
    told = LOOP.run_until_complete(run(options))
    sys.stdout.write((json.dumps(told, indent=2) if options.json else report(told)) + "\n")


if __name__ == "__main__":
    main()
