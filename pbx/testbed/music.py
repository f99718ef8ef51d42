"""Music on hold, made here: chords that follow each other, each plucked."""

import wave
from pathlib import Path
from typing import Final

import numpy as np

from voice_loop.audio import Samples

RATE: Final = 8000
_CHORDS: Final = ((262, 330, 392), (220, 262, 330), (175, 220, 262), (196, 247, 294))
_CHORD_S: Final = 0.8
_SECONDS: Final = 16


def tune() -> Samples:
    """Make 16 s of it at 8 kHz."""
    times = np.arange(round(RATE * _CHORD_S)) / RATE
    fading = np.exp(-2 * times)
    bars = []
    for index in range(round(_SECONDS / _CHORD_S)):
        chord = _CHORDS[index % len(_CHORDS)]
        sound = sum(
            np.sin(2 * np.pi * pitch * overtone * times) / overtone
            for pitch in chord
            for overtone in (1, 2, 3)
        )
        bars.append(sound * fading)
    sound = np.concatenate(bars)
    return np.asarray(sound * 6000 / np.abs(sound).max(), dtype=np.int16)


def write_music(path: Path) -> None:
    """Write it to a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(tune().astype("<i2").tobytes())
