"""Recordings by what a scenario asks for: those given, then those that ship."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import av
import numpy as np

from api.lab.spans import spoken_spans
from models.recordings import RATE, Part, Recording, recordings
from voice_loop.audio import Samples, level_dbfs

SHIPPED: Final = Path(__file__).with_name("recordings")
DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class LibraryError(Exception):
    """There is no such recording; the message says what there is, and the fix."""


@dataclass(frozen=True)
class Library:
    """Recordings of one part.

    Args:
        part: those to take; what is no person's (noise) is cut in two by its time instead.
        folder: searched before those that ship.
    """

    part: Part
    folder: Path | None = None

    def check(self, wanted: str) -> None:
        """Raises LibraryError where there is nothing of that name."""
        self.of(wanted)

    def of(self, wanted: str) -> Sequence[Recording]:
        """What `wanted` names: a file, a set, or `set:text` with words that are in it.

        Raises LibraryError.
        """
        for folder in filter(None, (self.folder, SHIPPED)):
            if found := _named(_in(folder), wanted, self.part):
                return found
        raise LibraryError(
            f"there is no recording {wanted!r} of the part {self.part!r}: name a file of a "
            f"manifest, a set ({', '.join(self._sets())}), or `set:text` as `words:stop`; more "
            "recordings come by --audio"
        )

    def speech(self, wanted: str, pick: int) -> Recording:
        """One of those; another pick is another one, as far as there are others."""
        found = self.of(wanted)
        return found[pick % len(found)]

    def digit(self, digit: str, pick: int) -> Recording:
        """One of somebody who says a digit. Raises LibraryError."""
        word = DIGITS[int(digit)]
        for name in (f"digits:{word}", f"words:{word}"):
            try:
                return self.speech(name, pick)
            except LibraryError:
                continue
        raise LibraryError(f"there is no recording of the digit {word!r}; they come by --audio")

    def noise(self, wanted: str) -> Samples:
        """The part's half of a noise, at full level. Raises LibraryError."""
        samples = samples_of(self.of(wanted)[0])
        middle = samples.size // 2
        return samples[:middle] if self.part == "tune" else samples[middle:]

    def _sets(self) -> list[str]:
        folders = filter(None, (self.folder, SHIPPED))
        return sorted({one.set for folder in folders for one in _in(folder)})


@lru_cache(maxsize=4)
def _in(folder: Path) -> Sequence[Recording]:
    try:
        return recordings(folder)
    except (OSError, KeyError) as error:
        raise LibraryError(
            f"{folder} has no manifest.csv of recordings ({error}); docs/lab.md has its form"
        ) from error


def _named(found: Sequence[Recording], wanted: str, part: Part) -> list[Recording]:
    name, _, text = wanted.partition(":")
    if exact := [one for one in found if one.name == wanted]:
        return exact
    return [
        one
        for one in found
        if one.set == name
        and (one.part == part or one.set == "noise")
        and (not text or text in (one.text, *one.words_in_it))
    ]


@lru_cache(maxsize=256)
def samples_of(recording: Recording) -> Samples:
    """What is heard. Raises LibraryError where its file cannot be read."""
    try:
        return recording.samples()
    except (OSError, av.FFmpegError) as error:
        raise LibraryError(f"{recording.path} cannot be read: {error}") from error


def at_level(samples: Samples, dbfs: float) -> Samples:
    """The same, with its speech at that level (RMS over its voiced moments)."""
    spans = spoken_spans(samples)
    voiced = [samples[round(one.start * RATE) : round(one.end * RATE)] for one in spans]
    return scaled(samples, dbfs - level_dbfs(np.concatenate(voiced) if voiced else samples))


def scaled(samples: Samples, gain_db: float) -> Samples:
    """The same, louder by that much; what does not fit is clipped."""
    louder = samples.astype(np.float64) * 10 ** (gain_db / 20)
    return np.clip(np.rint(louder), -32768, 32767).astype(np.int16)
