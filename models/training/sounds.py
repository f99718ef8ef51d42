"""The sounds beside the agent's voice, made of nothing but arithmetic.

`python -m models.training.sounds --out models/sounds` writes them all, the same at every run.
Each is a ring: whatever is placed over its end goes on at its beginning, and noise is made of
whole waves only, so that it repeats without a seam. Telephones carry 300 to 3400 Hz: what is to
be heard lies there.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from models.sounds import RATE, encoded

Floats = npt.NDArray[np.float64]
Random = np.random.Generator

#: RMS of every sound at full volume, dBFS: some 10 dB below speech. Keys are mostly silence.
_LEVEL: Final = -27.0
_KEYS_LEVEL: Final = -33.0
#: Peaks above it are bent.
_PEAK: Final = 0.7


class Ring:
    """Samples in a ring, silent at first."""

    def __init__(self, seconds: float) -> None:
        self.samples: Floats = np.zeros(int(RATE * seconds))

    def put(self, at_s: float, sound: Floats, gain: float = 1.0) -> None:
        """Add `sound` from `at_s` seconds on; past the end it goes on at the beginning."""
        where = (int(at_s * RATE) + np.arange(sound.size)) % self.samples.size
        np.add.at(self.samples, where, gain * sound)

    def noise(self, rng: Random, low: float, high: float, tilt: float = 0.0) -> Floats:
        """Noise of RMS 1 between two frequencies (Hz), falling by `tilt` powers of frequency."""
        hz = np.fft.rfftfreq(self.samples.size, 1 / RATE)
        weight = np.where((hz >= low) & (hz <= high), np.maximum(hz, 1.0) ** -tilt, 0.0)
        waves = weight * np.exp(2j * np.pi * rng.random(hz.size))
        noise: Floats = np.fft.irfft(waves, self.samples.size)
        noise /= np.sqrt(np.mean(noise**2))
        return noise

    def swell(self, rng: Random, depth: float, waves: int = 4) -> Floats:
        """A slow rise and fall between `1 - depth` and 1."""
        turn = 2 * np.pi * np.arange(self.samples.size) / self.samples.size
        slow = np.zeros(turn.size)
        for n in range(1, waves + 1):
            slow += np.sin(n * turn + rng.uniform(0, 2 * np.pi)) / n
        slow -= slow.min()
        swell: Floats = 1 - depth / slow.max() * slow
        return swell

    def room(self, rng: Random, decay_s: float, wet: float) -> None:
        """Let it sound as in a room whose echo falls by 60 dB in `decay_s`."""
        at = np.arange(int(decay_s * RATE)) / RATE
        echo = np.zeros(self.samples.size)
        echo[: at.size] = rng.standard_normal(at.size) * np.exp(-6.9 * at / decay_s)
        echo *= wet / np.sqrt(np.sum(echo**2))
        echo[0] += 1 - wet
        spectrum = np.fft.rfft(self.samples) * np.fft.rfft(echo)
        self.samples = np.fft.irfft(spectrum, self.samples.size)

    def levelled(self, dbfs: float) -> Floats:
        """At this RMS, below the peak, without what no telephone carries."""
        spectrum = np.fft.rfft(self.samples)
        spectrum[np.fft.rfftfreq(self.samples.size, 1 / RATE) < 90] = 0
        samples = np.fft.irfft(spectrum, self.samples.size)
        samples *= 10 ** (dbfs / 20) / np.sqrt(np.mean(samples**2))
        return _PEAK * np.tanh(samples / _PEAK)


# What the sounds are put together from ----------------------------------------------------


def _times(seconds: float) -> Floats:
    return np.arange(int(seconds * RATE)) / RATE


def _hill(size: int, edge: float = 0.3) -> Floats:
    """From 0 up to 1 and back to 0; each slope is a share of the whole."""
    at = np.linspace(0, 1, size)
    return np.sin(np.clip(np.minimum(at, 1 - at) / edge, 0, 1) * np.pi / 2) ** 2


#: First three formants of some vowels, Hz.
_VOWELS: Final = (
    (730, 1090, 2440),
    (530, 1840, 2480),
    (270, 2290, 3010),
    (570, 840, 2410),
    (300, 870, 2240),
    (660, 1720, 2410),
    (490, 1350, 1690),
)


def _syllable(rng: Random, pitch: float, tract: float) -> Floats:
    """A vowel, often with a hiss before it: the sound of talk, without a word."""
    at = _times(rng.uniform(0.11, 0.26))
    glide = pitch * (1 + rng.uniform(-0.12, 0.12) * at / at[-1])
    phase = 2 * np.pi * np.cumsum(glide) / RATE
    vowel = _VOWELS[rng.integers(len(_VOWELS))]
    voice = np.zeros(at.size)
    for n in range(1, int(3600 / pitch)):
        hz = n * pitch
        loud = sum(
            1 / (1 + ((hz - tract * formant) / (60 + 30 * k)) ** 2) / (1 + k)
            for k, formant in enumerate(vowel)
        )
        voice += loud / n**0.5 * np.sin(n * phase)
    voice *= _hill(at.size)
    if rng.random() < 0.5:
        hiss = np.diff(rng.standard_normal(int(rng.uniform(0.03, 0.08) * RATE)), prepend=0.0)
        voice = np.concatenate([0.05 * hiss * _hill(hiss.size), voice])
    return voice


def _talk(ring: Ring, rng: Random, gain: float) -> None:
    """One person, who speaks in phrases with pauses, once round the ring."""
    seconds = ring.samples.size / RATE
    pitch, tract = rng.uniform(95, 230), rng.uniform(0.95, 1.15)
    start = at = rng.uniform(0, seconds)
    while at < start + seconds - 0.5:
        for _ in range(rng.integers(3, 9)):
            sound = _syllable(rng, pitch * rng.uniform(0.9, 1.15), tract)
            ring.put(at, sound, gain * rng.uniform(0.5, 1.0))
            at += sound.size / RATE * 0.95
        at += rng.uniform(0.2, 1.2)


def _key(rng: Random, hz: float) -> Floats:
    """A key that is struck and comes back up."""
    at = _times(0.035)
    down = rng.standard_normal(at.size) * np.exp(-at / 0.003)
    down += 0.8 * np.sin(2 * np.pi * hz * rng.uniform(0.9, 1.1) * at) * np.exp(-at / 0.006)
    down += 0.6 * np.sin(2 * np.pi * 320 * at) * np.exp(-at / 0.010)
    up = 0.35 * rng.standard_normal(at.size) * np.exp(-at / 0.002)
    key = np.zeros(int(0.12 * RATE) + at.size)
    key[: at.size] += down
    lift = int(rng.uniform(0.06, 0.11) * RATE)
    key[lift : lift + at.size] += up
    return key


def _type(ring: Ring, rng: Random, *, per_second: float, hz: float, gain: float = 1.0) -> None:
    """Words of keys with short pauses, once round the ring."""
    seconds = ring.samples.size / RATE
    at = 0.05
    while at < seconds - 0.3:
        for _ in range(rng.integers(3, 9)):
            ring.put(at, _key(rng, hz), gain * rng.uniform(0.6, 1.0))
            at += rng.uniform(0.6, 1.5) / per_second
        at += rng.uniform(0.15, 0.45)


def _steps(ring: Ring, rng: Random, count: int, gain: float) -> None:
    """Somebody walks past."""
    start = rng.uniform(0, ring.samples.size / RATE)
    at = _times(0.09)
    for n in range(count):
        step = np.sin(2 * np.pi * 190 * at) * np.exp(-at / 0.02)
        step += 0.5 * rng.standard_normal(at.size) * np.exp(-at / 0.008)
        ring.put(start + n * 0.55, step, gain * np.sin(np.pi * (n + 1) / (count + 1)))


def _bird(rng: Random) -> Floats:
    """A few short whistles that slide."""
    calls = []
    base = rng.uniform(1900, 2700)
    for _ in range(rng.integers(2, 6)):
        at = _times(rng.uniform(0.06, 0.16))
        slide = base + rng.uniform(-350, 600) * at / at[-1] + 60 * np.sin(2 * np.pi * 28 * at)
        calls.append(np.sin(2 * np.pi * np.cumsum(slide) / RATE) * _hill(at.size))
        calls.append(np.zeros(int(rng.uniform(0.03, 0.09) * RATE)))
    return np.concatenate(calls)


def _note(midi: float, seconds: float) -> Floats:
    """A plucked, bell-like note."""
    hz = 440 * 2 ** ((midi - 69) / 12)
    at = _times(seconds)
    wave = sum(
        loud * np.sin(2 * np.pi * n * hz * at) * np.exp(-at * n / 0.9)
        for n, loud in ((1, 1.0), (2, 0.45), (3, 0.2), (4, 0.08))
    )
    edge = np.minimum(1, np.minimum(at / 0.008, (at[-1] - at) / 0.05))
    return np.asarray(wave * edge)


# The sounds -------------------------------------------------------------------------------


def _office(rng: Random) -> Floats:
    ring = Ring(6)
    for _ in range(2):
        _talk(ring, rng, 0.5)
    _type(ring, rng, per_second=5, hz=1500, gain=0.25)
    ring.room(rng, 0.5, 0.6)
    ring.samples += 0.05 * ring.noise(rng, 90, 7000, 1.0)
    return ring.levelled(_LEVEL)


def _office_ambience(rng: Random) -> Floats:
    ring = Ring(6)
    for _ in range(4):
        _talk(ring, rng, 0.25)
    _type(ring, rng, per_second=4, hz=1300, gain=0.2)
    _type(ring, rng, per_second=7, hz=1900, gain=0.1)
    _steps(ring, rng, 7, 0.5)
    ring.room(rng, 0.8, 0.7)
    ring.samples += 0.06 * ring.noise(rng, 90, 7000, 0.9)
    return ring.levelled(_LEVEL)


def _city(rng: Random) -> Floats:
    ring = Ring(6)
    ring.samples += 0.5 * ring.noise(rng, 90, 7000, 1.0) * ring.swell(rng, 0.4)
    for _ in range(3):
        passing = ring.noise(rng, 200, 7000, 0.8)[: int(2.8 * RATE)]
        ring.put(rng.uniform(0, 6), passing * _hill(passing.size, 0.5) ** 2, rng.uniform(0.4, 0.9))
    at = _times(0.35)
    horn = sum(np.sin(2 * np.pi * hz * n * at) / n for hz in (392, 494) for n in range(1, 5))
    for start in (1.9, 2.35):
        ring.put(start, np.asarray(horn) * _hill(at.size, 0.1), 0.7)
    _steps(ring, rng, 8, 0.4)
    ring.room(rng, 0.9, 0.4)
    return ring.levelled(_LEVEL)


def _forest(rng: Random) -> Floats:
    ring = Ring(6)
    for _ in range(7):
        ring.put(rng.uniform(0, 6), _bird(rng), rng.uniform(0.15, 0.7))
    ring.room(rng, 1.2, 0.4)
    ring.samples += 0.25 * ring.noise(rng, 150, 7000, 0.8) * ring.swell(rng, 0.7)
    ring.samples += 0.06 * ring.noise(rng, 1500, 7000, 0.2) * ring.swell(rng, 0.8, 9)
    return ring.levelled(_LEVEL)


def _crowded_room(rng: Random) -> Floats:
    ring = Ring(6)
    for _ in range(14):
        _talk(ring, rng, rng.uniform(0.4, 1.0))
    at = _times(0.25)
    for _ in range(5):
        hz = rng.uniform(2100, 3200)
        glass = sum(np.sin(2 * np.pi * hz * n * at) / n for n in (1, 1.51, 2.3))
        ring.put(rng.uniform(0, 6), np.asarray(glass) * np.exp(-at / 0.05), 0.35)
    ring.room(rng, 0.8, 0.6)
    return ring.levelled(_LEVEL)


def _keyboard(rng: Random) -> Floats:
    ring = Ring(6)
    _type(ring, rng, per_second=6, hz=1500)
    ring.room(rng, 0.15, 0.2)
    return ring.levelled(_KEYS_LEVEL)


def _keyboard2(rng: Random) -> Floats:
    ring = Ring(6)
    _type(ring, rng, per_second=9, hz=2300)
    ring.room(rng, 0.25, 0.25)
    return ring.levelled(_KEYS_LEVEL)


#: A tune of our own: MIDI note (0 is a rest) and length in beats, 16 beats in all.
_TUNE: Final = (
    *((67, 1), (72, 0.5), (74, 0.5), (76, 1.5), (74, 0.5)),
    *((69, 1), (72, 0.5), (76, 0.5), (74, 2)),
    *((65, 1), (69, 0.5), (72, 0.5), (74, 1), (72, 1)),
    *((71, 0.5), (67, 0.5), (69, 0.5), (71, 0.5), (67, 1.5), (0, 0.5)),
)
_CHORDS: Final = ((48, 55, 64), (45, 52, 60), (53, 57, 60), (43, 55, 59))


def _hold_music(rng: Random) -> Floats:
    ring = Ring(12)
    beat = 12 / 16
    at = 0.0
    for note, beats in _TUNE:
        if note:
            ring.put(at, _note(note, 1.6), 0.9)
        at += beats * beat
    for bar, chord in enumerate(_CHORDS):
        for n in range(8):
            ring.put((4 * bar + n / 2) * beat, _note(chord[(0, 1, 2, 1)[n % 4]] + 12, 1.2), 0.45)
    ring.room(rng, 1.2, 0.25)
    return ring.levelled(_LEVEL)


SOUNDS: Final[Mapping[str, Callable[[Random], Floats]]] = {
    "office": _office,
    "office-ambience": _office_ambience,
    "city-ambience": _city,
    "forest-ambience": _forest,
    "crowded-room": _crowded_room,
    "keyboard-typing": _keyboard,
    "keyboard-typing2": _keyboard2,
    "hold_music": _hold_music,
}


def make(name: str) -> npt.NDArray[np.int16]:
    """One of `SOUNDS` at `models.sounds.RATE`."""
    rng = np.random.default_rng([ord(letter) for letter in name])
    samples: npt.NDArray[np.int16] = np.rint(SOUNDS[name](rng) * 32767).astype(np.int16)
    return samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    out: Path = parser.parse_args().out
    for name in SOUNDS:
        file = out / f"{name}.au"
        file.write_bytes(encoded(make(name)))
        print(f"{file}: {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
