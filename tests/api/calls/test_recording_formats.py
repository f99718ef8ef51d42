"""Opus recordings: a tenth of the size, both sides told apart, playable whatever happens."""

import io
import os
import time
import wave
from pathlib import Path
from typing import Final

import av
import numpy as np
import pytest

from api.calls.recording import RecordedPeer
from api.calls.recording_formats import FORMATS
from pbx.testbed import personas
from tests.api.calls.test_recording import Parrot, frame
from voice_loop.audio import Resampler, Samples

RATES: Final = (8000, 16_000)
SOUNDS: Final = Path(personas.__file__).with_name("sounds")


def decoded(path: Path, rate: int) -> Samples:
    """By FFmpeg's own decoder, which is another one than the encoder's library has."""
    with av.open(io.BytesIO(path.read_bytes()), "r") as file:
        (stream,) = file.streams.audio
        assert (stream.codec_context.name, stream.channels) == ("opus", 2)
        resampler = av.AudioResampler("s16", "stereo", rate)
        parts = [
            part.to_ndarray()
            for one in [*file.decode(stream), None]
            for part in resampler.resample(one)
        ]
    return np.concatenate(parts, axis=1).astype(np.int16).reshape(-1, 2)


def conversation(rate: int) -> Samples:
    """Two people who speak in turns, and for a while at once."""
    said = []
    for name in ("speaking", "other_time", "no_more_calls", "at_home"):
        with wave.open(str(SOUNDS / f"{name}.wav")) as file:
            said.append(np.frombuffer(file.readframes(file.getnframes()), "<i2"))
    gap = np.zeros(4000, dtype=np.int16)
    left = np.concatenate([said[0], gap, 0 * said[1], gap, said[2], gap])
    right = np.concatenate([0 * said[0], gap, said[1], gap, said[3][: len(said[2])]])
    right = np.pad(right, (0, len(left) - len(right)))
    both = [Resampler(8000, rate).push(side, last=True) for side in (left, right)]
    return np.stack(both, axis=1)


def alike(one: Samples, other: Samples) -> float:
    """Their correlation, where they match best: a codec may shift by a sample."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    most = max(float(a @ np.roll(b, shift)) for shift in (-1, 0, 1))
    return most / float(np.sqrt((a @ a) * (b @ b)))


@pytest.mark.parametrize("rate", RATES)
def test_each_side_is_what_it_was_at_a_tenth_of_the_size(tmp_path: Path, rate: int) -> None:
    whole = conversation(rate)
    path = tmp_path / "call.opus"
    with path.open("wb") as file:
        writer = FORMATS["opus"].writer(file, rate)
        for start in range(0, len(whole), rate):
            writer.write(whole[start : start + rate])
        writer.close()
    heard = decoded(path, rate)
    assert len(heard) == len(whole)
    assert 4 * len(whole) / path.stat().st_size > 8
    for side in (0, 1):
        assert alike(whole[:, side], heard[:, side]) > 0.95
        assert alike(whole[:, side], heard[:, 1 - side]) < 0.2
    quiet = (whole[:, 1] == 0) & (whole[:, 0] != 0)
    leaked = np.square(heard[quiet, 1].astype(np.float64)).mean()
    spoken = np.square(whole[quiet, 0].astype(np.float64)).mean()
    assert 10 * np.log10(leaked / spoken) < -25


async def test_what_a_crash_leaves_can_be_played(tmp_path: Path) -> None:
    path = tmp_path / "call.opus"
    peer = RecordedPeer(Parrot(), path, 8000, "opus")
    peer.start(time.time())
    peer.name_kept()
    for _ in range(5):
        for _ in range(50):
            peer.exchange(frame(3000), 0.0, 0.0)
        await peer._flush()
    left = tmp_path / "left.opus"
    left.write_bytes(path.read_bytes())
    assert 4.0 <= len(decoded(left, 8000)) / 8000 <= 5.0
    assert await peer.close(time.time())
    assert len(decoded(path, 8000)) == 250 * 160 == round(peer.seconds * 8000)
    assert peer.bytes == path.stat().st_size


async def test_a_full_disk_leaves_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "call.opus"
    peer = RecordedPeer(Parrot(), path, 8000, "opus")
    peer.start(time.time())
    peer.name_kept()
    for _ in range(150):
        peer.exchange(frame(3000), 0.0, 0.0)
    await peer._flush()
    assert peer._raw is not None
    peer._raw.flush()
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, peer._raw.fileno())
    os.close(full)
    for _ in range(150):
        peer.exchange(frame(3000), 0.0, 0.0)
    assert await peer.close(time.time())
    assert 2.0 <= len(decoded(path, 8000)) / 8000 <= 3.0
