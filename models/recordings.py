"""Recordings of people, for training and judging what hears.

A folder of them has a `manifest.csv`: set, file, speaker, language, text (word for word, where it
is known), words_in_it (between bars), seconds, licence_and_source. Those of a speaker belong to one
part: what is tuned on `tune` is judged on `closed`.
"""

import csv
import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import av
import numpy as np

from voice_loop.audio import Samples, resample

Part = Literal["tune", "closed"]
PARTS: Final[Sequence[Part]] = ("tune", "closed")
#: What they are given at, Hz: the rate of a telephone line.
RATE: Final = 8000


@dataclass(frozen=True)
class Recording:
    """One line of a manifest."""

    set: str
    name: str
    """Its file, within the folder."""
    path: Path
    speaker: str
    """Empty where that is not known."""
    language: str
    text: str
    words_in_it: tuple[str, ...]
    licence_and_source: str

    @property
    def part(self) -> Part:
        """To which it belongs: by its speaker, or else by its file."""
        digest = hashlib.sha256((self.speaker or self.name).encode()).digest()
        return "tune" if digest[-1] % 2 else "closed"

    def samples(self) -> Samples:
        """What is heard, at `RATE`. Raises OSError and av.FFmpegError where it cannot be read."""
        with av.open(str(self.path)) as container:
            rate = container.streams.audio[0].rate
            whole = np.concatenate([part.to_ndarray()[0] for part in container.decode(audio=0)])
        if whole.dtype == np.int32:
            whole = whole >> 16
        return resample(whole.astype(np.int16), rate, RATE)


def recordings(
    folder: Path, sets: Collection[str] = (), part: Part | None = None
) -> Sequence[Recording]:
    """Those of a folder, as its manifest has them.

    Args:
        folder: with the manifest.
        sets: wanted; none are all.
        part: wanted; None is both.

    Raises OSError without a manifest, KeyError where that lacks a column.
    """
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = [
        Recording(
            row["set"],
            row["file"],
            folder / row["file"],
            row["speaker"],
            row["language"],
            row["text"],
            tuple(filter(None, row["words_in_it"].split("|"))),
            row["licence_and_source"],
        )
        for row in rows
        if not sets or row["set"] in sets
    ]
    return [one for one in found if part is None or one.part == part]
