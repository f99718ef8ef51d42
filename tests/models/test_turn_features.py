"""What the model of turn ends sees is of the voice, not of the line."""

import numpy as np
import pytest

from models.turn_features import (
    AFTER,
    BANDS,
    CHANNELS,
    FRAMES,
    HEARD_FRAMES,
    RATE,
    SECONDS,
    Floats,
    features,
    turn_features,
)
from voice_loop.audio import Samples

VOICING, PITCH = BANDS + 1, BANDS + 2


def buzz(hz: Floats, rms: float = 2000.0) -> Samples:
    """A voice with this pitch at each sample."""
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    sound = np.sum([np.sin(n * phase) / n for n in range(1, 9)], axis=0)
    return np.asarray(rms * sound / np.sqrt(np.mean(sound**2)), np.int16)


def noise(seconds: float, rms: float) -> Samples:
    return np.random.default_rng(0).normal(0, rms, int(seconds * RATE)).astype(np.int16)


def level(seconds: float) -> Floats:
    """A pitch that neither rises nor falls."""
    return np.full(int(seconds * RATE), 140.0, np.float32)


def test_the_level_of_the_line_does_not_matter() -> None:
    said = np.concatenate([buzz(level(3.0)), noise(1.0, 20)])
    loud, quiet = turn_features(said), turn_features((said / 5).astype(np.int16))
    assert loud.shape == (CHANNELS, FRAMES)
    assert np.mean(np.abs(loud - quiet)) < 0.05


@pytest.mark.parametrize("hz", [80.0, 130.0, 210.0])
def test_a_fall_of_the_pitch_is_seen_whoever_speaks(hz: float) -> None:
    # Level for three seconds, then down by a quarter of an octave.
    octaves = np.concatenate([np.zeros(3 * RATE), np.linspace(0, -0.25, RATE)])
    seen = features(buzz((hz * 2**octaves).astype(np.float32)))
    assert seen[VOICING, 20:-5].min() > 0.5
    assert np.abs(seen[PITCH, 40:180]).max() < 0.1
    # It is told in half octaves.
    assert seen[PITCH, -10] == pytest.approx(-0.5, abs=0.1)


def test_noise_has_no_pitch() -> None:
    assert features(noise(SECONDS, 2000))[VOICING].mean() < 0.4


def test_the_last_vowel_is_at_the_same_place_however_long_the_pause() -> None:
    said = buzz(level(2.0))
    early, late = (turn_features(np.concatenate([said, noise(s, 20)])) for s in (0.2, 0.7))
    for one in (early, late):
        assert one[BANDS, FRAMES - AFTER - 8] > 0.5
        assert one[BANDS, FRAMES - AFTER + 4] < 0.2


@pytest.mark.parametrize("size", [0, 1, 100, RATE, 10 * RATE])
def test_any_length_of_speech_will_do(size: int) -> None:
    heard = np.resize(buzz(level(1.0)), size)
    assert features(heard).shape == (CHANNELS, HEARD_FRAMES)
    seen = turn_features(heard)
    assert seen.shape == (CHANNELS, FRAMES)
    assert np.isfinite(seen).all()
