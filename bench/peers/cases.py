"""Cases from recordings of people: turns with pauses, noise, and words into the agent's speech.

Turns are orders, their inner pauses lengthened as pauses are spread in eot-bench: half last more
than 0.4 s, one in twenty more than 1.4 s.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.peers.exchange import FRAME_MS, RATE, Case, Kind, Span
from models.recordings import Part, Recording, recordings

Audio = NDArray[np.float64]

#: Speech is at this level, dBFS.
LOUD: Final = -20.0
SOFT: Final = -30.0
#: Kitchen noise under speech, dB below it.
NOISE_BELOW: Final = 15.0
#: Noise alone, dBFS.
NOISE_ALONE: Final = -25.0
NOISE_S: Final = 30
#: Before the person speaks, and after, ms. Every framework has given its answer by then.
LEAD_MS: Final = 1000
TAIL_MS: Final = 4500
#: The agent has been heard this long when somebody speaks into it, ms, and would go on this long.
OVERLAP_LEAD_MS: Final = 3000
OVERLAP_TAIL_MS: Final = 3000
BACKCHANNELS: Final = ("right", "wow", "yes")
INTERRUPTIONS: Final = ("no", "stop")
#: A dip so long, ms, becomes a pause. Pauses last so long at least, and half of them so long; with
#: their spread (of a logarithm).
SHORTEST_DIP_MS: Final = 100
SHORTEST_HOLD_MS: Final = 200
MEDIAN_HOLD_MS: Final = 400
HOLD_SPREAD: Final = 0.76

#: What is so much less powerful than the loudest speech (-15 dB) is a breath or a click.
BREATH: Final = 10**-1.5

_HOP: Final = RATE // 100


def cases(
    folder: Path, orders: int, part: Part = "closed"
) -> Iterator[tuple[Case, NDArray[np.int16]]]:
    """Make cases of a folder of recordings (`models.recordings`).

    Args:
        folder: with the manifest.
        orders: turns under the first condition, each with a pause; half as many under others.
        part: of the recordings.
    """
    random = np.random.default_rng(14)
    found = [
        one
        for one in recordings(folder, ("orders",), part)
        if len(spans(one.samples() / 32768)) > 1
    ]
    chosen = [found[at] for at in random.permutation(len(found))[:orders]]
    kitchen = next(one for one in recordings(folder, ("noise",)) if "kitchen" in one.name)
    noise = second_half(kitchen)
    conditions = (("clean", LOUD, False), ("soft", SOFT, False), ("kitchen", LOUD, True))
    for at, (name, level, noisy) in enumerate(conditions):
        for index, order in enumerate(chosen if at == 0 else chosen[: orders // 2]):
            audio, speech, holds = turn(order, level, np.random.default_rng(index))
            if noisy:
                audio = audio + at_level(piece(noise, audio.size, random), level - NOISE_BELOW)
            yield case(
                f"{name}-{index}.wav", "turn", audio, speech=speech, holds=holds, conditions=name
            )
    for one in recordings(folder, ("noise",)):
        if "kitchen" in one.name or "people" in one.name:
            audio = at_level(piece(second_half(one), NOISE_S * RATE, random), NOISE_ALONE)
            yield case(f"{Path(one.name).stem}.wav", "noise", audio)
    kinds: tuple[tuple[Kind, tuple[str, ...]], ...] = (
        ("backchannel", BACKCHANNELS),
        ("interruption", INTERRUPTIONS),
    )
    for kind, texts in kinds:
        words = [one for one in recordings(folder, ("words",), part) if one.text in texts]
        for index, (word, level) in enumerate(product(words, (LOUD, SOFT))):
            yield overlap(f"{kind}-{index}.wav", kind, word, level)
    for index, order in enumerate(chosen[: orders // 4]):
        yield overlap(f"interruption-order-{index}.wav", "interruption", order, LOUD)


def case(
    file: str,
    kind: Kind,
    audio: Audio,
    *,
    speech: Sequence[Span] = (),
    holds: Sequence[Span] = (),
    text: str = "",
    conditions: str = "clean",
) -> tuple[Case, NDArray[np.int16]]:
    """A case with its audio, in whole frames."""
    size = RATE * FRAME_MS // 1000
    samples = np.clip(audio[: audio.size // size * size], -1, 1) * 32767
    length = samples.size * 1000 // RATE
    truth = Case(file, length, kind, tuple(speech), tuple(holds), text, conditions)
    return truth, samples.astype(np.int16)


def turn(
    order: Recording, level: float, random: np.random.Generator
) -> tuple[Audio, Sequence[Span], Sequence[Span]]:
    """A turn with its pauses lengthened: audio, when there is speech, and the pauses within."""
    audio = speech_at_level(order, level)
    spoken = spans(audio)
    quiet = background(audio, spoken)
    parts = [like(quiet, LEAD_MS * RATE // 1000, random)]
    speech: list[Span] = []
    holds: list[Span] = []
    for index, (begin, end) in enumerate(spoken):
        at = sum(part.size for part in parts)
        parts.append(audio[begin:end])
        speech.append((at * 1000 // RATE, (at + end - begin) * 1000 // RATE))
        if index + 1 == len(spoken):
            break
        wanted = int(MEDIAN_HOLD_MS * np.exp(HOLD_SPREAD * random.standard_normal()))
        pause = max(SHORTEST_HOLD_MS, min(wanted, 3000)) * RATE // 1000
        parts.append(like(quiet, pause, random))
        holds.append((speech[-1][1], speech[-1][1] + pause * 1000 // RATE))
    parts.append(like(quiet, TAIL_MS * RATE // 1000, random))
    return np.concatenate(parts), speech, holds


def overlap(file: str, kind: Kind, word: Recording, level: float) -> tuple[Case, NDArray[np.int16]]:
    """A person speaks into the agent's speech."""
    audio = speech_at_level(word, level)
    spoken = spans(audio)
    begin, end = spoken[0][0], spoken[-1][1]
    lead = OVERLAP_LEAD_MS * RATE // 1000
    random = np.random.default_rng(0)
    quiet = background(audio, spoken)
    whole = np.concatenate([like(quiet, lead, random), audio[begin:end], like(quiet, lead, random)])
    onset, over = OVERLAP_LEAD_MS, OVERLAP_LEAD_MS + (end - begin) * 1000 // RATE
    return case(
        file, kind, whole, speech=[(onset, over)], text=word.text or " ".join(word.words_in_it)
    )


def spans(audio: Audio, shortest_dip_ms: int = SHORTEST_DIP_MS) -> Sequence[tuple[int, int]]:
    """When there is speech in a clean recording, in samples: what stands out of its own floor."""
    size = audio.size // _HOP
    power = (audio[: size * _HOP].reshape(size, _HOP) ** 2).mean(1)
    level = np.convolve(10 * np.log10(power + 1e-10), np.ones(3) / 3, "same")
    top, floor = np.percentile(level, (95, 10))
    loud = np.flatnonzero(level > min(max(floor + 8, top - 30), top - 12))
    breaks = np.flatnonzero(np.diff(loud) > 1)
    begins = loud[np.concatenate(([0], breaks + 1))]
    ends = loud[np.concatenate((breaks, [loud.size - 1]))] + 1
    found: list[tuple[int, int]] = []
    for begin, end in zip(begins, ends, strict=True):
        if end - begin < 5:
            continue
        if found and (begin * _HOP - found[-1][1]) * 1000 < shortest_dip_ms * RATE:
            found[-1] = (found[-1][0], int(end) * _HOP)
        else:
            found.append((int(begin) * _HOP, int(end) * _HOP))
    levels = [np.mean(audio[begin:end] ** 2) for begin, end in found]
    return [one for one, own in zip(found, levels, strict=True) if own > BREATH * max(levels)]


def background(audio: Audio, spoken: Sequence[tuple[int, int]]) -> Audio:
    """What is heard where nobody speaks; silence where that is too short to tell."""
    quiet = np.ones(audio.size, bool)
    for begin, end in spoken:
        quiet[max(0, begin - 5 * _HOP) : end + 5 * _HOP] = False
    return audio[quiet]


def like(quiet: Audio, size: int, random: np.random.Generator) -> Audio:
    """That much more of a background: overlapping grains of it, so that nothing recurs."""
    grain = 8 * _HOP
    if quiet.size < 2 * grain:
        return random.normal(0, 1e-4, size)
    window = np.sqrt(np.hanning(grain))
    out = np.zeros(size + grain)
    for at in range(0, size, grain // 2):
        begin = random.integers(quiet.size - grain)
        out[at : at + grain] += window * quiet[begin : begin + grain]
    return out[:size]


def speech_at_level(recording: Recording, level: float) -> Audio:
    """A recording, its speech at a level in dBFS."""
    audio = recording.samples() / 32768
    spoken = np.concatenate([audio[begin:end] for begin, end in spans(audio)])
    return audio * _gain(spoken, level)


def at_level(audio: Audio, level: float) -> Audio:
    """The audio at a level in dBFS."""
    return audio * _gain(audio, level)


def piece(audio: Audio, size: int, random: np.random.Generator) -> Audio:
    """So much of a longer recording, from anywhere; one that is shorter comes again."""
    begin = random.integers(max(1, audio.size - size))
    return np.resize(audio[begin:] if audio.size - begin >= size else audio, size)


def second_half(noise: Recording) -> Audio:
    """The half of a noise that nothing is tuned on."""
    audio = noise.samples() / 32768
    return audio[audio.size // 2 :]


def _gain(audio: Audio, level: float) -> float:
    return float(10 ** (level / 20) / (np.sqrt(np.mean(audio**2)) + 1e-9))
