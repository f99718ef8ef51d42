"""How often a pause is taken for the end of the turn, and how late a turn's end is noticed.

    python -m bench.turn_taking --audio DIR [--part tune|closed] [--model FILE]
                                [--smart-turn FILE] [--json]

`DIR` has recordings of 8 kHz and a `manifest.csv` of them (see `models.recordings`). Of each of its
`orders`, the last speech is the end of a turn and every dip of 100 ms or more within is a pause of
the person's, made as long as people's pauses are: 42, 21, 14, 10 and 5 % last longer than 400, 600,
800, 980 and 1420 ms, none is shorter than 200 ms. Of `watson`, calls and speeches, the pauses are
taken as they are. What is heard in a pause is the recording's own background going on, at the end
of a turn alike.

Each way of deciding has one number that makes it wait longer. Turned up and down, it gives a curve:
the share of the pauses that are cut off over the mean time after which the ends are noticed.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.recordings import PARTS, RATE, Part, recordings
from models.training.turn_data import Floats, Place, Voice, places, voice
from models.turn_end import SHIPPED, TurnEnd
from models.vad import WebRtcDetector
from voice_loop.audio import FRAME_MS, FULL_SCALE, Samples, frame_samples
from voice_loop.ports import SpeechDetector

#: Shares of people's pauses, of those that last 200 ms, that last longer than so many ms.
LONGER: Final = {200: 1.0, 400: 0.42, 600: 0.21, 800: 0.14, 980: 0.10, 1420: 0.05, 3000: 0.0}
#: Latencies (ms) at which the share of cut pauses is told, and shares at which the latency is.
AT_MS: Final = (300, 400, 600, 800)
AT_SHARE: Final = (0.05, 0.10)
#: When a pause is listened to, ms after its beginning; by Smart Turn, which takes long, but once.
LISTENED_MS: Final = (120, 200, 300, 400, 600)
LISTENED_ONCE_MS: Final = (200,)
SMART_TURN: Final = "Smart Turn"
#: Nobody is waited for longer.
LONGEST_MS: Final = 3000


@dataclass(frozen=True)
class Condition:
    """How well a line carries what is said."""

    name: str
    level_dbfs: float = -20.0
    """Of the speech."""
    noise: str | None = None
    """Its recording."""
    snr_db: float = 15.0


CONDITIONS: Final = (
    Condition("clean"),
    Condition("-30 dBFS", level_dbfs=-30.0),
    Condition("kitchen", noise="noise/kitchen.flac"),
    Condition("babble", noise="noise/people_talking.flac"),
)


@dataclass(frozen=True)
class Case:
    """A pause, or the end of a turn."""

    place: Place
    lasts_ms: float | None
    """None for an end."""
    seed: int

    @property
    def name(self) -> str:
        return f"{self.place.voice.recording.name}@{self.place.at}"

    def heard(self, condition: Condition, noises: Mapping[str, Floats]) -> tuple[Samples, int]:
        """All up to the longest silence, and where that begins."""
        own, rng = self.place.voice, np.random.default_rng(self.seed)
        natural = self.place.natural
        if self.place.voice.recording.set == "orders":
            natural = min(natural, int(rng.uniform(0.08, 0.2) * RATE))
        begin = max(0, self.place.at - 8 * RATE)
        sound = own.paused(rng, self.place.at, natural, LONGEST_MS * RATE // 1000, begin)
        sound = sound / _speech_rms(own)
        if condition.noise is not None:
            whole = noises[condition.noise]
            noise = np.resize(np.roll(whole, -int(rng.integers(whole.size))), sound.size)
            noise = noise / np.sqrt(np.mean(noise**2))
            sound = sound + 10 ** (-condition.snr_db / 20) * noise
        loud = 10 ** (condition.level_dbfs / 20) * FULL_SCALE * sound
        samples = np.clip(np.round(loud), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
        return samples, self.place.at - begin


def _speech_rms(own: Voice) -> float:
    spoken = np.concatenate([own.audio[begin:end] for begin, end in own.spoken])
    return float(np.sqrt(np.mean(spoken**2)))


def people_last(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """How long (ms) a pause is that this share of people's outlast; between what is known, as if
    it ended with the same probability at every moment."""
    known = np.array(sorted(LONGER.items(), reverse=True))
    logs = np.log(np.maximum(known[:, 1], 0.01))
    return np.asarray(np.interp(np.log(np.maximum(share, 0.01)), logs, known[:, 0]))


def cases(voices: Sequence[Voice], seed: int = 0) -> list[Case]:
    """Those of some recordings; the same at every run."""
    rng = np.random.default_rng(seed)
    own = [place for one in voices for place in places(one)]
    ends = [one for one in own if one.ends and one.voice.recording.set == "orders"]
    made = [one for one in own if one.kind == "pause" and one.voice.recording.set == "orders"]
    found = [
        one
        for one in own
        if one.kind == "pause"
        and one.voice.recording.set == "watson"
        and one.natural >= 200 * RATE // 1000
    ]
    spread = people_last((rng.permutation(len(made)) + 0.5) / max(1, len(made)))
    lasting: list[tuple[Place, float | None]] = [
        *((one, None) for one in ends),
        *((one, float(ms)) for one, ms in zip(made, spread, strict=True)),
        *((one, one.natural / RATE * 1000) for one in found),
    ]
    return [Case(place, ms, index) for index, (place, ms) in enumerate(lasting)]


#: By one number, when each case is decided to be an end, ms after its beginning.
Decisions = Callable[[float], NDArray[np.float64]]


@dataclass(frozen=True)
class Curve:
    """What a way of deciding does as its number is turned up."""

    cut: NDArray[np.float64]
    """Share of the pauses that were taken for an end."""
    latency_ms: NDArray[np.float64]
    """Mean over the ends; rising."""

    def cut_at(self, ms: float) -> float:
        """At a mean latency, the lowest share."""
        return float(np.interp(ms, self.latency_ms, np.minimum.accumulate(self.cut)))

    def latency_at(self, share: float) -> float:
        """At a share of cut pauses, the lowest mean latency, ms; infinite where none is as low."""
        falling = np.minimum.accumulate(self.cut)
        if falling[-1] > share:
            return float("inf")
        return float(np.interp(-share, -falling, self.latency_ms))


def curve(own: Sequence[Case], decisions: Decisions, numbers: Iterable[float]) -> Curve:
    """Over all numbers that are given."""
    ends = np.array([one.lasts_ms is None for one in own])
    lasts = np.array([one.lasts_ms or 0.0 for one in own])
    points = []
    for number in numbers:
        decided = decisions(number)
        points.append((np.mean(decided[ends]), np.mean(decided[~ends] < lasts[~ends])))
    latency, cut = np.array(sorted(points)).T
    return Curve(cut, latency)


def after_silence(own: Sequence[Case], wait_ms: float) -> NDArray[np.float64]:
    """A constant wait from the very end of the speech."""
    return np.full(len(own), wait_ms)


def after_heard_silence(runs: Sequence[NDArray[np.int64]], wait_ms: float) -> NDArray[np.float64]:
    """A constant wait by what a speech detector calls silence.

    Args:
        runs: of each case, frames of silence in a row, counted at each frame after its beginning.
        wait_ms: how many ms of them.
    """
    needed = round(wait_ms / FRAME_MS)
    found = [np.flatnonzero(run >= needed) for run in runs]
    return np.array([float(FRAME_MS) * (one[0] + 1) if one.size else LONGEST_MS for one in found])


def heard_silence(samples: Samples, at: int, detector: SpeechDetector) -> NDArray[np.int64]:
    """Frames of silence in a row, counted at each frame after `at`."""
    frame = frame_samples(RATE)
    begin = at % frame
    run, runs = 0, []
    for place in range(begin, samples.size - frame + 1, frame):
        run = 0 if detector.is_speech(samples[place : place + frame]) else run + 1
        if place >= at:
            runs.append(run)
    return np.array(runs)


def by_odds(
    scores: NDArray[np.float64], patience: float, moments: Sequence[int] = LISTENED_MS
) -> NDArray[np.float64]:
    """Waits until so few pauses of people last longer that an end is the likelier by a factor.

    Args:
        scores: (cases, moments) the probability of the end at each moment; the newest counts.
        patience: that factor's inverse; more waits longer.
        moments: ms after the beginning of the pause.
    """
    odds = scores / (1 - scores)
    waits = people_last(np.minimum(1.0, odds / patience))
    decided = np.full(len(scores), float(LONGEST_MS))
    until = [*moments[1:], np.inf]
    for index in reversed(range(len(moments))):
        wait = np.maximum(waits[:, index], moments[index])
        decided = np.where(wait < until[index], np.minimum(wait, LONGEST_MS), decided)
    return decided


def scores(
    heard: Sequence[tuple[Samples, int]], model: TurnEnd, moments: Sequence[int]
) -> tuple[NDArray[np.float64], float]:
    """The probability of the end at each moment of each pause, and the mean ms of CPU that one
    took."""
    begun = time.process_time()
    found = [
        [model.judge(samples[: at + ms * RATE // 1000], RATE) for ms in moments]
        for samples, at in heard
    ]
    used = time.process_time() - begun
    return np.clip(found, 1e-4, 1 - 1e-4), used / max(1, len(heard) * len(moments)) * 1000


def area(ends: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    """How often an end has the higher score than a pause: the area under the ROC curve."""
    difference = score[ends][:, None] - score[~ends]
    return float(np.mean((difference > 0) + 0.5 * (difference == 0)))


def area_range(
    ends: NDArray[np.bool_], score: NDArray[np.float64], speakers: NDArray[np.int64]
) -> tuple[float, float]:
    """Between what the area lies with 95 %, had other recordings been drawn."""
    rng = np.random.default_rng(0)
    names = np.unique(speakers)
    of_name = {name: np.flatnonzero(speakers == name) for name in names}
    drawn = []
    for _ in range(300):
        chosen = np.concatenate([of_name[name] for name in rng.choice(names, names.size)])
        if 0 < ends[chosen].sum() < chosen.size:
            drawn.append(area(ends[chosen], score[chosen]))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def noises(folder: Path, part: Part) -> dict[str, Floats]:
    """Of each recording of noise the half that belongs to a part."""
    halves = {}
    for one in recordings(folder, ["noise"]):
        whole = one.samples().astype(np.float32)
        first, second = np.array_split(whole, 2)
        halves[one.name] = first if part == "tune" else second
    return halves


def figures(of: Curve) -> dict[str, float]:
    """What is told of a curve."""
    return {
        **{f"cut_at_{ms}_ms": of.cut_at(ms) for ms in AT_MS},
        **{f"latency_at_{share:.0%}": of.latency_at(share) for share in AT_SHARE},
    }


def measure(
    own: Sequence[Case],
    condition: Condition,
    noise: Mapping[str, Floats],
    models: Mapping[str, TurnEnd],
) -> dict[str, Any]:
    """All ways of deciding under one condition."""
    heard = [one.heard(condition, noise) for one in own]
    ends = np.array([one.lasts_ms is None for one in own])
    _, speakers = np.unique([one.place.voice.recording.name for one in own], return_inverse=True)
    runs = [heard_silence(samples, at, WebRtcDetector(RATE)) for samples, at in heard]
    waits = np.arange(200, 2000, FRAME_MS)
    told: dict[str, Any] = {
        "ideal silence": figures(curve(own, partial(after_silence, own), waits)),
        "silence": figures(curve(own, partial(after_heard_silence, runs), waits)),
    }
    for name, model in models.items():
        moments = LISTENED_ONCE_MS if name == SMART_TURN else LISTENED_MS
        score, cpu_ms = scores(heard, model, moments)
        decided = partial(by_odds, score, moments=moments)
        at_200 = score[:, moments.index(200)]
        low, high = area_range(ends, at_200, speakers)
        told[name] = {
            **figures(curve(own, decided, np.geomspace(1e-4, 1e4, 400))),
            "area": area(ends, at_200),
            "area_low": low,
            "area_high": high,
            "cpu_ms": cpu_ms,
        }
    return told


def table(by_condition: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """The figures for people."""
    heads = [*(f"{ms} ms" for ms in AT_MS), *(f"{share:.0%}" for share in AT_SHARE)]
    lines = [f"{'':12}{'':16}" + "".join(f"{head:>9}" for head in heads) + "     area"]
    for condition, ways in by_condition.items():
        for way, one in ways.items():
            cut = "".join(f"{100 * one[f'cut_at_{ms}_ms']:7.1f} %" for ms in AT_MS)
            late = "".join(f"{one[f'latency_at_{share:.0%}']:9.0f}" for share in AT_SHARE)
            seen = (
                f"     {one['area']:.3f} ({one['area_low']:.3f}-{one['area_high']:.3f})"
                f" {one['cpu_ms']:.1f} ms CPU"
                if "area" in one
                else ""
            )
            lines.append(f"{condition:12}{way:16}{cut}{late}{seen}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.turn_taking", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--audio", type=Path, required=True, help="recordings and their manifest")
    parser.add_argument("--part", choices=PARTS, default="closed")
    parser.add_argument("--model", type=Path, default=SHIPPED, help="another model of turn ends")
    parser.add_argument("--smart-turn", type=Path, help="Smart Turn v3's ONNX, to compare with")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)

    models = {"model": TurnEnd(chosen.model)}
    if chosen.smart_turn is not None:
        models[SMART_TURN] = TurnEnd(chosen.smart_turn)
    found = map(voice, recordings(chosen.audio, ["orders", "watson"], chosen.part))
    own = cases([one for one in found if one is not None])
    noise = noises(chosen.audio, chosen.part)
    ends = sum(one.lasts_ms is None for one in own)
    print(f"{len(own) - ends} pauses, {ends} ends ({chosen.part})", file=sys.stderr)
    told = {one.name: measure(own, one, noise, models) for one in CONDITIONS}
    for model in models.values():
        model.close()
    print(json.dumps(told, indent=1) if chosen.json else table(told))


if __name__ == "__main__":
    main()
