"""Silero's network on numpy, beside onnxruntime's reading of the same file."""

import math
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from models.silero import ASSET, Silero, Weights, read_weights, think, weights_for
from tests.models.test_speech_engines import recorded
from voice_loop.audio import FULL_SCALE, Samples, frame_samples, resample
from voice_loop.ports import EngineError


def frames_of(samples: Samples, rate: int) -> Samples:
    size = frame_samples(rate)
    return samples[: samples.size // size * size].reshape(-1, size)


def probabilities(samples: Samples, rate: int) -> list[float]:
    silero = Silero(weights_for(rate))
    found = []
    for frame in frames_of(samples, rate):
        silero.hear(frame)
        _, logits = think([silero])
        found.append(1 / (1 + math.exp(-float(logits[0]))))
    return found


def by_onnxruntime(samples: Samples) -> list[float]:
    """16 kHz; a window of 36 ms that ends with the frame, as ours."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(ASSET), options, providers=["CPUExecutionProvider"])
    heard = np.pad(samples / np.float32(FULL_SCALE), (256, 0)).astype(np.float32)
    h = c = np.zeros((1, 1, 128), np.float32)
    found = []
    for end in range(576, heard.size + 1, 320):
        output, h, c = session.run(None, {"input": heard[None, end - 576 : end], "h": h, "c": c})
        found.append(float(output[0]))
    return found


def test_it_says_what_the_graph_says() -> None:
    wideband = resample(recorded("who"), 8000, 16000)
    wideband = wideband[: wideband.size // 320 * 320]
    # What is left out above 4 kHz, where a telephone has next to nothing, is the difference.
    assert probabilities(wideband, 16000) == pytest.approx(by_onnxruntime(wideband), abs=0.05)


def test_a_line_of_8_khz_needs_no_resampling() -> None:
    said = recorded("leave")
    narrow = np.array(probabilities(said, 8000))
    wide = np.array(probabilities(resample(said, 8000, 16000), 16000))
    size = min(narrow.size, wide.size)
    assert np.abs(narrow[:size] - wide[:size]).mean() < 0.02
    assert narrow.max() > 0.9


def test_it_hears_what_it_did_not_think_about() -> None:
    """Sound of the last 32 ms is in its window, whether or not the network ran."""
    before, after = np.split(frames_of(recorded("leave"), 8000)[:4], 2)
    idle, late = Silero(weights_for(8000)), Silero(weights_for(8000))
    for frame in before:
        idle.hear(frame)
    for one in (idle, late):
        one.hear(after[0])
    assert not np.array_equal(think([idle])[0], think([late])[0])


def test_weights_are_read_once() -> None:
    assert weights_for(8000) is weights_for(8000)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="install faster-whisper again"):
        read_weights(tmp_path / "silero.onnx")


@pytest.mark.parametrize(
    "damage", [b"\x0f", b"\x3a\xff", b"no ONNX file at all", b"\x3a\x02\x2a\x09"]
)
def test_a_damaged_file_is_named(tmp_path: Path, damage: bytes) -> None:
    file = tmp_path / "silero.onnx"
    file.write_bytes(damage)
    with pytest.raises(EngineError, match=r"silero\.onnx"):
        Weights(8000, file)


def test_a_file_that_was_cut_off_is_named(tmp_path: Path) -> None:
    file = tmp_path / "silero.onnx"
    file.write_bytes(ASSET.read_bytes()[:500_000])
    with pytest.raises(EngineError, match=r"silero\.onnx"):
        Weights(8000, file)


def test_another_network_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "silero.onnx"
    file.write_bytes(ASSET.read_bytes().replace(b"LSTM_209", b"LSTM_999"))
    with pytest.raises(EngineError, match="another network than Silero v6"):
        Weights(8000, file)
