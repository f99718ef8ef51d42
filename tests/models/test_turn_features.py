"""What the model of turn ends sees is of the voice, not of the line."""

import numpy as np
import pytest

from models.turn_features import (
    BANDS,
    CHANNELS,
    FRAMES,
    RATE,
    SECONDS,
    turn_features,
)
from voice_loop.audio import Samples

VOICING, PITCH = BANDS + 1, BANDS + 2


def voice(hz: np.ndarray, rms: float = 2000.0) -> Samples:
    """A buzz with this pitch at each sample."""
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    buzz = sum(np.sin(n * phase) / n for n in range(1, 9))
    return np.asarray(rms * buzz / np.sqrt(np.mean(buzz**2)), np.int16)


def test_the_level_of_the_line_does_not_matter() -> None:
    said = voice(np.full(SECONDS * RATE, 140.0))
    said[-RATE:] = 0
    loud, quiet = turn_features(said), turn_features((said / 10).astype(np.int16))
    assert loud.shape == (CHANNELS, FRAMES)
    assert np.mean(np.abs(loud - quiet)) < 0.05


@pytest.mark.parametrize("hz", [80.0, 130.0, 210.0])
def test_a_fall_of_the_pitch_is_seen_whoever_speaks(hz: float) -> None:
    # Level for three seconds, then down by a quarter of an octave.
    octaves = np.concatenate([np.zeros(3 * RATE), np.linspace(0, -0.25, RATE)])
    seen = turn_features(voice(hz * 2**octaves))
    assert seen[VOICING, 20:-5].min() > 0.5
    assert np.abs(seen[PITCH, 40:180]).max() < 0.1
    # It is told in half octaves.
    assert seen[PITCH, -10] == pytest.approx(-0.5, abs=0.1)


def test_noise_has_no_pitch() -> None:
    noise = np.random.default_rng(0).normal(0, 2000, SECONDS * RATE).astype(np.int16)
    assert turn_features(noise)[VOICING].mean() < 0.4


@pytest.mark.parametrize("size", [0, 1, 100, RATE, 10 * RATE])
def test_any_length_of_speech_will_do(size: int) -> None:
    seen = turn_features(np.resize(voice(np.full(RATE, 120.0)), size))
    assert seen.shape == (CHANNELS, FRAMES)
    assert np.isfinite(seen).all()
