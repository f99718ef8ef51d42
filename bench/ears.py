"""How well the speech detector tells people from everything else on a line, beside the rule before.

    python -m bench.ears --audio DIR [--part tune|closed] [--json]

`DIR` has recordings of 8 kHz and their manifest (`models/recordings.py`). What is tuned is tuned on
`tune`; `closed` is what is reported. Of each recording of noise, the first half is of `tune`.

Noise, music and the telephone's own tones alone, a minute of each after a second of silence: starts
(the agent silent) and interruptions (it speaks), by the `Floor` as it is configured by default.

People order coffee, each recording between 2 s and 0.7 s of the line's noise, at a level that is
that of their speech (RMS), with a noise so many dB below it. What is speech is read off the clean
recording, by its levels and Silero (`models.training.ears_data.segments_of` says how); frames of
20 ms at the edge of it are neither.
"""

import argparse
import json
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.recordings import PARTS, RATE, Part, recordings
from models.sounds import load_sound
from models.training.ears_data import (
    FRAME,
    Audio,
    Labels,
    as_frames,
    at_level,
    labels_of,
    noises,
    segments_of,
)
from models.vad import Ears, WebRtcDetector
from voice_loop.audio import FRAME_MS, FRAMES_PER_SECOND, Samples, level_dbfs
from voice_loop.floor import Floor, FloorConfig, SpeechStarted
from voice_loop.ports import NeuralDetector, SpeechDetector
from voice_loop.turn_detection import TurnDetector

Verdicts = NDArray[np.bool_]

DETECTORS: Final[Mapping[str, Callable[[int], SpeechDetector]]] = {
    "rule before": WebRtcDetector,
    "now": Ears().detector,
}
#: Levels of what is alone on the line, dBFS.
ALONE_DBFS: Final = (-25, -35)
ALONE_S: Final = 60
MUSIC: Final = ("hold_music", "crowded-room")
#: Tones: their frequencies in Hz, seconds on and off.
TONES: Final[Mapping[str, tuple[tuple[float, ...], float, float]]] = {
    "ringback": ((440, 480), 2.0, 4.0),
    "busy": ((480, 620), 0.5, 0.5),
    "ringback, Europe": ((425,), 1.0, 4.0),
    "dial tone": ((350, 440), 60.0, 0.0),
    "keys (DTMF)": ((770, 1336), 0.1, 0.1),
}
#: Beside people: what, how many dB below them, and their level, dBFS.
LINES: Final[Sequence[tuple[str, float, float]]] = (
    ("", 0, -20),
    ("", 0, -30),
    ("", 0, -40),
    ("kitchen", 15, -20),
    ("kitchen", 5, -20),
    ("people_talking", 10, -20),
)
BEFORE_S: Final = 2.0
AFTER_S: Final = 0.7
#: Every so many of the orders.
STEP: Final = 4
LONGEST_S: Final = 12


@dataclass(frozen=True)
class Order:
    """What one person said, and what of it is speech."""

    samples: Audio
    """As recorded, `BEFORE_S` and `AFTER_S` of next to nothing around it; whole frames."""
    labels: Labels
    segments: Sequence[tuple[int, int]]
    """Begin and end of what was said without a gap, in steps of 10 ms."""

    @property
    def speech_dbfs(self) -> float:
        """RMS of what is speech."""
        return level_dbfs(self.samples.reshape(-1, FRAME)[self.labels == 1].astype(np.int16))


def orders(folder: Path, part: Part) -> Iterator[Order]:
    """What people say, labelled as said above."""
    random = np.random.default_rng(1)
    before, after = (
        random.integers(-1, 2, int(seconds * RATE), dtype=np.int16)
        for seconds in (BEFORE_S, AFTER_S)
    )
    for one in recordings(folder, ["orders"], part)[::STEP]:
        spoken = one.samples()[: LONGEST_S * RATE]
        spoken = spoken[: spoken.size // FRAME * FRAME]
        samples = np.concatenate([before, spoken, after])
        ahead = int(100 * BEFORE_S)
        segments = [(ahead + begin, ahead + end) for begin, end in segments_of(spoken)]
        labels = labels_of(segments, samples.size // FRAME)
        yield Order(samples.astype(float), labels, segments)


def alone(folder: Path, part: Part) -> Iterator[tuple[str, Audio]]:
    """What is not speech, a minute of each."""
    size = ALONE_S * RATE
    for name, noise in noises(folder, part).items():
        yield name, np.resize(noise, size)
    for name in MUSIC:
        yield name, np.resize(load_sound(name).at(RATE).astype(float), size)
    for name in TONES:
        yield name, tone(name, ALONE_S)
    yield "white noise", np.random.default_rng(1).normal(size=size)
    yield "bursts", bursts(ALONE_S)


def tone(name: str, seconds: int) -> Audio:
    """One of `TONES`, from its beginning."""
    frequencies, on, off = TONES[name]
    when = np.arange(seconds * RATE) / RATE
    waves = np.array([np.sin(2 * np.pi * frequency * when) for frequency in frequencies])
    return np.asarray(waves.sum(axis=0) * (when % (on + off) < on), np.float64)


def bursts(seconds: int) -> Audio:
    """A knock every 1.7 s."""
    when = np.arange(seconds * RATE) / RATE
    return np.random.default_rng(1).normal(size=when.size) * np.exp(-(when % 1.7) * 25)


@dataclass(frozen=True)
class Heard:
    """What a detector makes of each frame."""

    speech: Verdicts
    convinced: Verdicts


def heard_by(detector: SpeechDetector, frames: Samples) -> Heard:
    """Have a detector hear all frames."""
    neural = detector if isinstance(detector, NeuralDetector) else None
    found = [(detector.is_speech(frame), neural is None or neural.convinced) for frame in frames]
    return Heard(*np.array(found).T)


def verdicts(detector: SpeechDetector, frames: Samples) -> Verdicts:
    """Whether the detector takes each frame for speech."""
    return heard_by(detector, frames).speech


def starts(heard: Heard, *, agent_speaks: bool) -> Sequence[int]:
    """Frames in which the floor says that somebody began to speak."""
    config = FloorConfig()
    turns = TurnDetector(config.end_of_turn_ms, config.longest_pause_ms, "en")
    floor = Floor(config, turns)
    return [
        index
        for index, (is_speech, convinced) in enumerate(
            zip(heard.speech.tolist(), heard.convinced.tolist(), strict=True)
        )
        for event in floor.push(is_speech, agent_speaks, convinced=convinced)
        if isinstance(event, SpeechStarted)
    ]


def not_speech(folder: Path, part: Part) -> dict[str, dict[str, dict[str, float]]]:
    """Starts and interruptions a minute, by what is heard at which level."""
    second = np.zeros(RATE)
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, audio in alone(folder, part):
        for level in ALONE_DBFS:
            frames = as_frames(np.concatenate([second, at_level(audio, level)]))
            row = found[f"{name}, {level} dBFS"] = {}
            for which, detector in DETECTORS.items():
                heard = heard_by(detector(RATE), frames)
                row[which] = {
                    "starts": len(starts(heard, agent_speaks=False)) * 60 / ALONE_S,
                    "interruptions": len(starts(heard, agent_speaks=True)) * 60 / ALONE_S,
                }
    return found


@dataclass
class Judgement:
    """Of one detector on one line, over all orders."""

    speech: int = 0
    heard: int = 0
    other: int = 0
    false: int = 0
    orders: int = 0

    def __post_init__(self) -> None:
        self.onsets_ms: list[int] = []
        self.ends_ms: list[int] = []
        self.pauses: dict[str, list[bool]] = {"100-200 ms": [], "from 200 ms": []}

    def add(self, order: Order, heard: Heard) -> None:
        """Count one order in."""
        found = heard.speech
        self.orders += 1
        self.speech += int((order.labels == 1).sum())
        self.heard += int(found[order.labels == 1].sum())
        self.other += int((order.labels == 0).sum())
        self.false += int(found[order.labels == 0].sum())
        begun = starts(heard, agent_speaks=False)
        first = order.segments[0][0] * 10
        if later := [at for at in begun if (at + 1) * FRAME_MS > first]:
            self.onsets_ms.append((later[0] + 1) * FRAME_MS - first)
        end = order.segments[-1][1] * 10
        # The end of the last word is where 100 ms without speech begin.
        silent = np.convolve(~found, np.ones(5), "valid") == 5
        after = end // FRAME_MS - 5
        self.ends_ms.append((after + int(np.argmax(silent[after:]))) * FRAME_MS - end)
        for (_, left), (right, _) in zip(order.segments, order.segments[1:], strict=False):
            gap = found[left * 10 // FRAME_MS : -(-right * 10 // FRAME_MS)]
            seen = bool((~gap[:-1] & ~gap[1:]).any())
            if right - left >= 20:
                self.pauses["from 200 ms"].append(seen)
            elif right - left >= 10:
                self.pauses["100-200 ms"].append(seen)

    def figures(self) -> dict[str, float]:
        """In per cent, and ms."""
        onset, late_onset = np.percentile(self.onsets_ms, [50, 90])
        end, late_end = np.percentile(self.ends_ms, [50, 90])
        return {
            "heard": 100 * self.heard / self.speech,
            "false": 100 * self.false / self.other,
            "started": 100 * len(self.onsets_ms) / self.orders,
            "onset_ms": float(onset),
            "onset_p90_ms": float(late_onset),
            "end_ms": float(end),
            "end_p90_ms": float(late_end),
            **{f"pauses {name}": 100 * float(np.mean(seen)) for name, seen in self.pauses.items()},
        }


def people(folder: Path, part: Part) -> dict[str, dict[str, dict[str, float]]]:
    """How people are heard, by line."""
    said, beside = list(orders(folder, part)), noises(folder, part)
    random = np.random.default_rng(2)
    found: dict[str, dict[str, dict[str, float]]] = {}
    for noise, below, level in LINES:
        row = {which: Judgement() for which in DETECTORS}
        for order in said:
            audio = order.samples * 10 ** ((level - order.speech_dbfs) / 20)
            if noise:
                begin = random.integers(beside[noise].size)
                around = np.resize(np.roll(beside[noise], -begin), audio.size)
                audio = audio + at_level(around, level - below)
            for which, detector in DETECTORS.items():
                row[which].add(order, heard_by(detector(RATE), as_frames(audio)))
        name = f"{noise} at {below} dB" if noise else "clean"
        found[f"{name}, {level} dBFS"] = {which: one.figures() for which, one in row.items()}
    return found


def cost(folder: Path, part: Part) -> dict[str, dict[str, float]]:
    """CPU of one call, as a share of a core, and its memory, with so many calls in turn.

    Half of the time somebody speaks, on a quiet line.
    """
    frames = as_frames(np.concatenate([order.samples for order in orders(folder, part)]))
    speaking = np.concatenate(
        [frames[:750], as_frames(np.random.default_rng(1).normal(0, 3, 15 * RATE))]
    )
    found: dict[str, dict[str, float]] = {}
    for which, detector in DETECTORS.items():
        row = found[which] = {}
        detector(RATE)
        tracemalloc.start()
        many = [detector(RATE) for _ in range(100)]
        row["kB"] = tracemalloc.get_traced_memory()[0] / len(many) / 1024
        tracemalloc.stop()
        batched = [one for one in many if isinstance(one, NeuralDetector)]
        for calls in (1, 20, 100):
            ticks = speaking[: max(300, len(speaking) // calls)]
            shift = [index * len(speaking) // calls for index in range(calls)]
            begun = time.thread_time()
            for tick in range(len(ticks)):
                heard = [speaking[(tick + ahead) % len(speaking)] for ahead in shift]
                for neural, frame in zip(batched, heard, strict=False):
                    neural.expect(frame)
                for one, frame in zip(many, heard, strict=False):
                    one.is_speech(frame)
            used = time.thread_time() - begun
            row[f"{calls} calls"] = 100 * used / (len(ticks) / FRAMES_PER_SECOND * calls)
    return found


TABLES: Final[Mapping[str, Callable[[Path, Part], dict[str, Any]]]] = {
    "not speech": not_speech,
    "people": people,
    "cost": cost,
}


def report(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures as tables, one column for each detector."""
    tables = {
        f"{table}: {name}": row
        for table, rows in figures.items()
        for name, row in ({"": rows} if table == "cost" else rows).items()
    }
    lines = []
    for title, row in tables.items():
        lines.append(f"{title:52}" + "".join(f"{which:>14}" for which in row))
        for figure in next(iter(row.values())):
            cells = "".join(f"{one[figure]:14.3g}" for one in row.values())
            lines.append(f"  {figure:50}{cells}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--audio", type=Path, required=True, help="recordings with a manifest")
    parser.add_argument("--part", choices=PARTS, default="closed")
    parser.add_argument("--only", choices=TABLES, nargs="+", default=TABLES)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = {name: TABLES[name](options.audio, options.part) for name in options.only}
    sys.stdout.write((json.dumps(figures, indent=2) if options.json else report(figures)) + "\n")


if __name__ == "__main__":
    main()
