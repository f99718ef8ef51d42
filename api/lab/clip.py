"""What a caller says in one breath: samples at their level, with what is known of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from api.lab.library import DIGITS, Library, at_level, samples_of
from api.lab.spans import Span, spoken_spans
from models.recordings import RATE
from voice_loop.audio import Samples, silence


@dataclass(frozen=True)
class Clip:
    """Something to say. Times in seconds since its first sample."""

    samples: Samples
    text: str
    words: tuple[str, ...]
    voiced: tuple[Span, ...]
    dictated: str = ""

    def timed_words(self) -> list[tuple[float, str]]:
        """Its words, each with the moment of its middle, if each takes as long as its letters."""
        words = self.text.split() or [word for one in self.words for word in one.split()]
        voiced_s = sum(one.length for one in self.voiced)
        letters = sum(map(len, words))
        timed, before = [], 0
        for word in words:
            timed.append((self._moment((before + len(word) / 2) / letters * voiced_s), word))
            before += len(word)
        return timed

    def _moment(self, voiced_s: float) -> float:
        """When as many seconds of voice are over."""
        for one in self.voiced:
            if voiced_s <= one.length:
                return one.start + voiced_s
            voiced_s -= one.length
        return self.voiced[-1].end


def recorded(
    library: Library, wanted: str, pick: int, dbfs: float, pauses_ms: Sequence[int] = ()
) -> Clip:
    """A recording, from its first word to its last.

    Args:
        library: has it.
        wanted: which, as `Library.of` has it.
        pick: which of several.
        dbfs: level of the speech.
        pauses_ms: lengths that its longest inner pauses are brought to, where they are shorter.

    Raises LibraryError.
    """
    found = library.speech(wanted, pick)
    samples = _trimmed(at_level(samples_of(found), dbfs))
    samples, voiced = _with_pauses(samples, spoken_spans(samples), pauses_ms)
    return Clip(samples, found.text, found.words_in_it, tuple(voiced))


def dictation(library: Library, digits: str, pick: int, dbfs: float, gap_ms: int) -> Clip:
    """Digits, one after the other, with `gap_ms` of silence between two of them.

    Raises LibraryError.
    """
    parts: list[Samples] = []
    voiced: list[Span] = []
    at = 0.0
    for index, digit in enumerate(digits):
        one = _trimmed(at_level(samples_of(library.digit(digit, pick + index)), dbfs))
        parts += [one, silence(RATE, gap_ms)]
        voiced.append(Span(at, at + one.size / RATE))
        at = voiced[-1].end + gap_ms / 1000
    text = " ".join(DIGITS[int(digit)] for digit in digits)
    samples = np.concatenate(parts[:-1])
    return Clip(samples, text, tuple(text.split()), tuple(voiced), digits)


def _trimmed(samples: Samples) -> Samples:
    spans = spoken_spans(samples)
    if not spans:
        return samples
    return samples[round(spans[0].start * RATE) : round(spans[-1].end * RATE)]


def _with_pauses(
    samples: Samples, voiced: Sequence[Span], pauses_ms: Sequence[int]
) -> tuple[Samples, list[Span]]:
    """The longest gaps between these spans brought to these lengths, by more of what is in them."""
    spans = list(voiced)
    gaps = [Span(a.end, b.start) for a, b in pairwise(spans)]
    order = sorted(range(len(gaps)), key=lambda index: -gaps[index].length)
    wanted = dict(zip(order, sorted(pauses_ms, reverse=True), strict=False))
    for index in sorted(wanted, reverse=True):  # the last first: what is before stays in its place
        gap = gaps[index]
        missing = round(wanted[index] / 1000 * RATE) - round(gap.length * RATE)
        if missing <= 0:
            continue
        middle = round((gap.start + gap.end) / 2 * RATE)
        eighth = max(1, round(gap.length / 8 * RATE))
        room = np.resize(samples[middle - eighth : middle + eighth], missing)
        samples = np.concatenate([samples[:middle], room, samples[middle:]])
        later = [one.later(missing / RATE) for one in spans[index + 1 :]]
        spans = [*spans[: index + 1], *later]
    return samples, spans
