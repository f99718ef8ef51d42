"""The net of onsets: what it hears, that it loads, and that it is quick."""

import time
from pathlib import Path

import numpy as np
import pytest

from models.onset import (
    BANDS,
    FRAMES,
    HOP,
    NET,
    RATE,
    SAMPLES,
    WINDOW,
    OnsetNet,
    mel_frames,
    net_input,
)
from voice_loop.audio import Samples, resample
from voice_loop.ports import EngineError


def sweep(samples: int, level: float = 8000, rate: int = RATE) -> Samples:
    """A tone that rises from 200 to 2000 Hz."""
    seconds = np.arange(samples) / rate
    return (level * np.sin(2 * np.pi * (200 + 900 * seconds) * seconds)).astype(np.int16)


def test_frames_lie_wholly_within_the_speech() -> None:
    assert mel_frames(sweep(WINDOW - 1)).shape == (0, BANDS)
    assert mel_frames(sweep(WINDOW)).shape == (1, BANDS)
    assert mel_frames(sweep(WINDOW + 2 * HOP - 1)).shape == (2, BANDS)
    assert mel_frames(sweep(2 * SAMPLES)).shape == (FRAMES, BANDS)


def test_a_frame_is_where_its_pitch_is() -> None:
    frames = mel_frames(sweep(SAMPLES))
    highest = frames.argmax(1)
    assert highest[0] < highest[30] < highest[-1]


def test_the_level_on_the_line_does_not_matter_and_what_is_unknown_is_nothing() -> None:
    loud, soft = (net_input(mel_frames(sweep(3000, level))) for level in (16_000, 4_000))
    known = mel_frames(sweep(3000)).shape[0]
    assert np.abs(loud - soft).max() < 0.05
    assert loud[:, :known].max() == 1
    assert not loud[:, known:].any()


@pytest.fixture(scope="module")
def net() -> OnsetNet:
    return OnsetNet()


@pytest.mark.parametrize("samples", [0, 100, 2000, 20_000])
def test_whatever_it_hears_it_gives_a_probability(net: OnsetNet, samples: int) -> None:
    assert 0 <= net.takes_floor(sweep(samples), RATE) <= 1
    assert 0 <= net.takes_floor(np.zeros(samples, np.int16), RATE) <= 1


def test_a_wideband_line_sounds_the_same(net: OnsetNet) -> None:
    narrow = sweep(3200)
    wide = resample(narrow, RATE, 2 * RATE)
    assert net.takes_floor(wide, 2 * RATE) == pytest.approx(net.takes_floor(narrow, RATE), abs=0.1)


def test_it_fits_into_a_tick(net: OnsetNet) -> None:
    speech, took = sweep(4000), []
    for _ in range(50):
        began = time.thread_time()
        net.takes_floor(speech, RATE)
        took.append(time.thread_time() - began)
    assert np.median(took) < 0.002


def test_a_net_that_is_none_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "onset.onnx"
    broken.write_bytes(b"no net")
    with pytest.raises(EngineError, match="cannot load the net"):
        OnsetNet(broken)
    assert NET.stat().st_size < 300 * 1024
