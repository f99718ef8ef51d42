"""Frames, levels and rates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_loop.audio import Resampler, frame_samples, level_dbfs, resample, silence


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
