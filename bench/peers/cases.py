"""Cases from recordings of people: turns with pauses, noise, and words into the agent's speech.

Turns are orders with their dips made as long as people's pauses are, as in `bench.turn_taking`:
that looks at each pause by itself, here a turn is heard from its beginning to its end.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.peers.exchange import FRAME_MS, RATE, Case, Kind, Span
from bench.turn_taking import CONDITIONS, Condition, noises, people_last
from models.recordings import Part, recordings
from models.training.turn_data import PAUSE, Floats, Random, Voice, voice

#: A clean line, a soft voice, and a kitchen behind it.
LINES: Final = CONDITIONS[:3]
#: The levels at which one speaks into the agent's speech, dBFS.
LOUD: Final = -20.0
SOFT: Final = -30.0
#: Noise alone: its level, dBFS, and how much of each recording.
NOISE_ALONE: Final = -25.0
NOISE_S: Final = 30
NOISES: Final = ("noise/kitchen.flac", "noise/people_talking.flac")
#: Before the person speaks, and after, ms: every framework has given its answer by then.
LEAD_MS: Final = 1000
TAIL_MS: Final = 4500
#: The agent has been heard so long when somebody speaks into it, and would go on for as long, ms.
OVERLAP_MS: Final = 3000
BACKCHANNELS: Final = ("right", "wow", "yes")
INTERRUPTIONS: Final = ("no", "stop")
#: What is so much less powerful than the loudest speech (-15 dB) is a breath or a click.
BREATH: Final = 10**-1.5
#: So much of the sound of a dip, s, is kept as the beginning of the pause.
KEPT_S: Final = (0.08, 0.2)


@dataclass(frozen=True)
class Turn:
    """What one person says, in stretches with room for a pause between."""

    voice: Voice
    spoken: Sequence[tuple[int, int]]
    """Samples."""
    words: Sequence[str]

    def at_level(self, dbfs: float) -> float:
        """The factor by which the speech is at a level."""
        spoken = np.concatenate([self.voice.audio[begin:end] for begin, end in self.spoken])
        return gain(spoken, dbfs)

    def said(self, rng: Random, lead_ms: int, pauses_ms: Sequence[float]) -> Floats:
        """All of it; the last pause is what follows."""
        parts = [self.voice.noise(rng, samples(lead_ms))]
        followed = [*(begin for begin, _ in self.spoken[1:]), self.voice.audio.size]
        for (begin, end), following, ms in zip(self.spoken, followed, pauses_ms, strict=True):
            natural = min(following - end, int(rng.uniform(*KEPT_S) * RATE))
            parts.append(self.voice.paused(rng, end, natural, samples(ms), begin))
        return np.concatenate(parts)

    def spans(self, lead_ms: int, pauses_ms: Sequence[float]) -> Sequence[Span]:
        """When `said` has speech, ms."""
        at, found = samples(lead_ms), []
        for (begin, end), ms in zip(self.spoken, pauses_ms, strict=True):
            found.append((ms_of(at), ms_of(at + end - begin)))
            at += end - begin + samples(ms)
        return found


def cases(
    folder: Path, orders: int, part: Part = "closed"
) -> Iterator[tuple[Case, NDArray[np.int16]]]:
    """Make cases of a folder of recordings (`models.recordings`).

    Args:
        folder: with the manifest.
        orders: turns on a clean line, each with a pause; a third as many on the others.
        part: of the recordings.
    """
    rng = np.random.default_rng(14)
    found = turns(folder, "orders", part)
    chosen = [one for one in rng.permutation(np.array(found, object)) if len(one.spoken) > 1]
    heard = noises(folder, part)
    for at, line in enumerate(LINES):
        some = chosen[: orders if at == 0 else -(-orders // 3)]
        yield from turn_cases(line, some, heard)
    for name in NOISES:
        if name in heard:
            noise = np.resize(heard[name], NOISE_S * RATE)
            yield case(f"{Path(name).stem}.wav", "noise", noise * gain(noise, NOISE_ALONE))
    words = turns(folder, "words", part)
    kinds: Sequence[tuple[Kind, Sequence[str]]] = (
        ("backchannel", BACKCHANNELS),
        ("interruption", INTERRUPTIONS),
    )
    for kind, texts in kinds:
        said = [one for one in words if one.words[0] in texts]
        for index, (one, level) in enumerate(product(said, (LOUD, SOFT))):
            yield overlap(f"{kind}-{index}.wav", kind, one, level)
    for index, one in enumerate(chosen[: orders // 4]):
        yield overlap(f"interruption-order-{index}.wav", "interruption", one, LOUD)


def turns(folder: Path, set_: str, part: Part) -> Sequence[Turn]:
    """What people say in the recordings of a set."""
    found = []
    for recording in recordings(folder, (set_,), part):
        if (own := voice(recording)) is not None:
            words = [recording.text] if recording.text else recording.words_in_it
            found.append(Turn(own, stretches(own), words))
    return found


def stretches(own: Voice) -> Sequence[tuple[int, int]]:
    """Those of a voice that a pause can part, without breaths."""
    power = [float(np.mean(own.audio[begin:end] ** 2)) for begin, end in own.spoken]
    found: list[tuple[int, int]] = []
    for (begin, end), loud in zip(own.spoken, power, strict=True):
        if loud < BREATH * max(power):
            continue
        if found and begin - found[-1][1] < PAUSE:
            found[-1] = (found[-1][0], end)
        else:
            found.append((begin, end))
    return found


def turn_cases(
    line: Condition, some: Sequence[Turn], heard: dict[str, Floats]
) -> Iterator[tuple[Case, NDArray[np.int16]]]:
    """Turns on one line, their pauses spread as people's are."""
    rng = np.random.default_rng(14)
    count = sum(len(one.spoken) - 1 for one in some)
    lasting = iter(people_last((rng.permutation(count) + 0.5) / max(1, count)))
    for index, one in enumerate(some):
        pauses = [*(float(next(lasting)) for _ in one.spoken[1:]), float(TAIL_MS)]
        audio = one.said(rng, LEAD_MS, pauses) * one.at_level(line.level_dbfs)
        if line.noise is not None:
            whole = heard[line.noise]
            noise = np.resize(np.roll(whole, -int(rng.integers(whole.size))), audio.size)
            audio = audio + noise * gain(noise, line.level_dbfs - line.snr_db)
        speech = one.spans(LEAD_MS, pauses)
        holds = [(end, begin) for (_, end), (begin, _) in pairwise(speech)]
        name = f"{line.name}-{index}.wav".replace(" ", "")
        yield case(name, "turn", audio, speech=speech, holds=holds, conditions=line.name)


def overlap(file: str, kind: Kind, one: Turn, level: float) -> tuple[Case, NDArray[np.int16]]:
    """A person speaks into the agent's speech."""
    rng = np.random.default_rng(14)
    pauses = [ms_of(begin - end) for (_, end), (begin, _) in pairwise(one.spoken)]
    pauses.append(OVERLAP_MS)
    audio = one.said(rng, OVERLAP_MS, pauses) * one.at_level(level)
    speech = one.spans(OVERLAP_MS, pauses)
    return case(file, kind, audio, speech=speech, text=" ".join(one.words))


def case(
    file: str,
    kind: Kind,
    audio: Floats,
    *,
    speech: Sequence[Span] = (),
    holds: Sequence[Span] = (),
    text: str = "",
    conditions: str = "clean",
) -> tuple[Case, NDArray[np.int16]]:
    """A case with its audio, full scale 1, in whole frames."""
    size = samples(FRAME_MS)
    whole = np.clip(audio[: audio.size // size * size], -1, 1) * 32767
    truth = Case(file, ms_of(whole.size), kind, tuple(speech), tuple(holds), text, conditions)
    return truth, whole.astype(np.int16)


def gain(audio: Floats, dbfs: float) -> float:
    """The factor by which audio is at a level."""
    return float(10 ** (dbfs / 20) / (np.sqrt(np.mean(audio.astype(float) ** 2)) + 1e-9))


def samples(ms: float) -> int:
    return int(ms * RATE / 1000)


def ms_of(samples_: int) -> int:
    return samples_ * 1000 // RATE
