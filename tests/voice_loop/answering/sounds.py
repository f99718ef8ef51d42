"""What is heard on a line, made here: tones, speech as a detector takes it, and silence."""

from collections.abc import Iterator, Sequence

import numpy as np

from voice_loop.audio import Samples, frame_samples

RATE = 8000

#: Cadences of ITU-T E.180's supplement: frequencies, Hz, then seconds on and off, by country.
RINGING = {
    "United States": ((440, 480), (2, 4)),
    "United Kingdom": ((400, 450), (0.4, 0.2, 0.4, 2)),
    "Germany": ((425,), (1, 4)),
    "France": ((440,), (1.5, 3.5)),
    "Spain": ((425,), (1.5, 3)),
    "Italy": ((425,), (1, 4)),
    "Brazil": ((425,), (1, 4)),
    "China": ((450,), (1, 4)),
    "Poland": ((425,), (1, 4)),
    "Sweden": ((425,), (1, 5)),
    "Belgium": ((425,), (1, 3)),
    "Russia": ((425,), (1, 4)),
    "New Zealand": ((400, 450), (0.4, 0.2, 0.4, 2)),
    "Hong Kong": ((440, 480), (0.4, 0.2, 0.4, 3)),
}
BUSY = {
    "United States": ((480, 620), (0.5, 0.5)),
    "United States, congestion": ((480, 620), (0.25, 0.25)),
    "United Kingdom": ((400,), (0.375, 0.375)),
    "Germany": ((425,), (0.48, 0.48)),
    "Germany, congestion": ((425,), (0.24, 0.24)),
    "France": ((440,), (0.5, 0.5)),
    "Spain": ((425,), (0.2, 0.2)),
    "Italy": ((425,), (0.5, 0.5)),
    "Brazil": ((425,), (0.25, 0.25)),
    "China": ((450,), (0.35, 0.35)),
    "Russia": ((425,), (0.4, 0.4)),
    "Japan": ((400,), (0.5, 0.5)),
    "Netherlands": ((425,), (0.5, 0.5)),
    "Hong Kong": ((480, 620), (0.5, 0.5)),
}
#: The three tones of SIT, Hz and ms, as E.180 has them and as North America's four kinds do.
SIT = {
    "E.180": ((950, 330), (1400, 330), (1800, 330)),
    "intercept": ((913.8, 274), (1370.6, 274), (1776.7, 380)),
    "vacant code": ((985.2, 380), (1370.6, 274), (1776.7, 380)),
    "reorder": ((913.8, 274), (1428.5, 380), (1776.7, 380)),
    "no circuit": ((985.2, 380), (1428.5, 380), (1776.7, 380)),
}


def tone(pitches: Sequence[float], ms: float, dbfs: float = -18.0) -> Samples:
    """A tone of one or several frequencies, Hz."""
    times = np.arange(round(RATE * ms / 1000)) / RATE
    sines = np.zeros(times.size)
    for pitch in pitches:
        sines += np.sin(2 * np.pi * pitch * times)
    level = 32768 * 10 ** (dbfs / 20)
    return np.asarray(sines * level / max(sines.std(), 1e-9), dtype=np.int16)


def quiet(ms: float) -> Samples:
    """Line noise of -60 dBFS."""
    noise = np.random.default_rng(round(ms)).normal(0, 32, round(RATE * ms / 1000))
    return np.asarray(noise, dtype=np.int16)


def cadence(pitches: Sequence[float], seconds: Sequence[float], times: int) -> Samples:
    """A tone that goes on and off, so often."""
    once = [
        quiet(span * 1000) if index % 2 else tone(pitches, span * 1000)
        for index, span in enumerate(seconds)
    ]
    return np.concatenate(once * times)


def frames(sound: Samples) -> Iterator[Samples]:
    size = frame_samples(RATE)
    padded = np.concatenate([sound, np.zeros(-sound.size % size, np.int16)])
    yield from padded.reshape(-1, size)
