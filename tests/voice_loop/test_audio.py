"""Frames, levels and rates."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_loop.audio import (
    Doubler,
    Halver,
    Resampler,
    Samples,
    frame_samples,
    level_dbfs,
    resample,
    silence,
)


def test_frames_are_20_ms() -> None:
    assert frame_samples(8000) == silence(8000).size == 160
    assert frame_samples(16000) == silence(16000).size == 320
    assert silence(8000, 500).size == 4000
    assert silence(8000).dtype == np.int16


@pytest.mark.parametrize(
    ("samples", "dbfs"),
    [([], -96), ([0] * 160, -96), ([32767] * 160, 0), ([3277, -3277] * 80, -20), ([1], -90.3)],
)
def test_levels(samples: list[int], dbfs: float) -> None:
    assert level_dbfs(np.array(samples, dtype=np.int16)) == pytest.approx(dbfs, abs=0.1)


def test_the_level_of_many_frames_is_that_of_all_they_hold() -> None:
    frames = np.array([[3277, -3277], [0, 0]], dtype=np.int16)
    assert level_dbfs(frames) == pytest.approx(-23, abs=0.1)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=20), st.sampled_from([8000, 16000]))
def test_streaming_resamples_like_one_piece(sizes: list[int], target: int) -> None:
    seconds = np.arange(sum(sizes)) / 22050
    tone = (8000 * np.sin(2 * np.pi * 300 * seconds)).astype(np.int16)
    resampler = Resampler(22050, target)
    parts = [resampler.push(chunk) for chunk in np.split(tone, np.cumsum(sizes)[:-1])]
    parts.append(resampler.push(tone[:0], last=True))
    streamed = np.concatenate(parts)
    whole = resample(tone, 22050, target)
    np.testing.assert_allclose(streamed, whole, atol=4)  # rounding is dithered
    assert streamed.size == pytest.approx(tone.size * target / 22050, abs=2)


def test_equal_rates_pass_through() -> None:
    tone = np.arange(100, dtype=np.int16)
    assert resample(tone, 8000, 8000) is tone


def tone_of(rate: int, hertz: float) -> Samples:
    """A second of it, in frames."""
    wave = 8000 * np.sin(2 * np.pi * hertz / rate * np.arange(rate))
    frames: Samples = wave.astype(np.int16).reshape(-1, frame_samples(rate))
    return frames


def level_after(frames: Samples, push: Callable[[Samples], Samples]) -> float:
    """dB by which a tone is louder behind it."""
    heard = np.concatenate([push(frame) for frame in frames])
    return level_dbfs(heard[heard.size // 2 :]) - level_dbfs(frames.reshape(-1))


@pytest.mark.parametrize("hertz", [100, 1000, 3000, 3400])
def test_half_the_rate_keeps_what_a_telephone_carries(hertz: int) -> None:
    assert level_after(tone_of(16000, hertz), Halver().push) == pytest.approx(0, abs=0.5)
    assert level_after(tone_of(8000, hertz), Doubler().push) == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize("hertz", [4700, 6000, 7900])
def test_half_the_rate_leaves_out_what_it_cannot_carry(hertz: int) -> None:
    assert level_after(tone_of(16000, hertz), Halver().push) < -45


def test_twice_the_rate_has_no_image() -> None:
    heard = np.concatenate([*map(Doubler().push, tone_of(8000, 1000))])[8000:].astype(float)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(heard.size)))
    peak = int(np.argmax(spectrum))
    assert peak * 16000 / heard.size == 1000
    assert spectrum[4000 * heard.size // 16000 :].max() < spectrum[peak] / 200


def test_each_frame_comes_out_whole() -> None:
    full = np.full(320, 32767, np.int16)
    assert Halver().push(full).size == 160
    assert Doubler().push(full).size == 640
    assert Halver().push(full).dtype == np.int16
