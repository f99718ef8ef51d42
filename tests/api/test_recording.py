"""The two-channel recorder: what passes is what is written; a failing disk costs no call."""

import wave
from pathlib import Path

import numpy as np
import pytest

from api.recording import RecordedPeer
from voice_loop.audio import Samples


class Parrot:
    """Says each frame back, twice as loud; says nothing to silence."""

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:
        return (heard * 2).astype(np.int16) if heard.any() else None


def frame(level: int) -> Samples:
    return np.full(160, level, dtype=np.int16)


async def test_both_sides_are_written(tmp_path: Path) -> None:
    path = tmp_path / "below" / "call.wav"
    peer = RecordedPeer(Parrot(), path, 8000)
    assert peer.exchange(frame(7), 0.0, 0.0) is not None  # before the answer: not recorded
    peer.start()
    for level in (100, 0, 300):
        peer.exchange(frame(level), 0.0, 0.0)
    assert await peer.close()
    assert (peer.seconds, peer.bytes) == (0.06, path.stat().st_size)
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 8000, 480)
        audio = np.frombuffer(file.readframes(480), "<i2").reshape(-1, 2)
    assert audio[::160].tolist() == [[100, 200], [0, 0], [300, 600]]


async def test_nothing_heard_is_no_recording(tmp_path: Path) -> None:
    peer = RecordedPeer(Parrot(), tmp_path / "call.wav", 8000)
    peer.start()
    assert not await peer.close()
    assert not (tmp_path / "call.wav").exists()


async def test_a_failing_disk_ends_the_recording_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    peer = RecordedPeer(Parrot(), tmp_path / "file" / "call.wav", 8000)
    peer.start()
    peer.exchange(frame(1), 0.0, 0.0)
    assert not await peer.close()
    assert "given up" in caplog.text
    assert peer.exchange(frame(2), 0.0, 0.0) is not None
