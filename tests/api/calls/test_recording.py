"""The two-channel recorder: what passes is what is written; a failing disk costs no call."""

import asyncio
import errno
import os
import random
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from api.calls.recording import RecordedPeer
from api.calls.recording_formats import Format
from pbx.pacer import Pacer
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
    began = time.time()
    peer.start(began)
    peer.name_kept()
    for level in (100, 0, 300):
        peer.exchange(frame(level), 0.0, 0.0)
    assert await peer.close(began + 0.06)
    assert (peer.seconds, peer.bytes) == (0.06, path.stat().st_size)
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 8000, 480)
        audio = np.frombuffer(file.readframes(480), "<i2").reshape(-1, 2)
    assert audio[::160].tolist() == [[100, 200], [0, 0], [300, 600]]


async def test_nothing_heard_is_no_recording(tmp_path: Path) -> None:
    peer = RecordedPeer(Parrot(), tmp_path / "call.wav", 8000)
    peer.start(time.time())
    peer.name_kept()
    assert not await peer.close(time.time())
    assert not (tmp_path / "call.wav").exists()


async def test_a_failing_disk_ends_the_recording_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    peer = RecordedPeer(Parrot(), tmp_path / "file" / "call.wav", 8000)
    peer.start(time.time())
    peer.name_kept()
    peer.exchange(frame(1), 0.0, 0.0)
    assert not await peer.close(time.time())
    assert "given up" in caplog.text
    assert peer.exchange(frame(2), 0.0, 0.0) is not None


async def test_nothing_is_written_before_the_name_is_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    peer = RecordedPeer(Parrot(), path, 8000)
    writing = asyncio.create_task(peer.write())
    peer.start(time.time())
    peer.exchange(frame(1), 0.0, 0.0)
    assert not await peer.close(time.time())
    await writing
    assert not path.exists()


async def test_a_disk_that_fills_up_leaves_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a recording is one that its attempt names; nothing of it is no file."""
    for seconds_before in (1, 0):
        path = tmp_path / f"{seconds_before}.wav"
        peer = RecordedPeer(Parrot(), path, 8000)
        peer.start(time.time())
        peer.name_kept()
        for _ in range(50 * seconds_before):
            peer.exchange(frame(1), 0.0, 0.0)
        await peer._flush()
        with monkeypatch.context() as full:

            def refuse(*_: object) -> None:
                raise OSError(errno.ENOSPC, "No space left on device")

            full.setattr(wave.Wave_write, "writeframes", refuse)
            peer.exchange(frame(1), 0.0, 0.0)
            assert await peer.close(time.time()) == bool(seconds_before)
        assert path.exists() == bool(seconds_before)
    with wave.open(str(tmp_path / "1.wav")) as file:
        assert file.getnframes() == 8000


async def test_a_recording_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "call.wav"
    before = os.umask(0)
    try:
        peer = RecordedPeer(Parrot(), path, 8000)
        peer.start(time.time())
        peer.name_kept()
        peer.exchange(frame(1), 0.0, 0.0)
        assert await peer.close(time.time())
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


async def test_ticks_that_were_made_up_for_make_it_no_longer(tmp_path: Path) -> None:
    """Several come at once, the last of them before their time."""
    path = tmp_path / "call.wav"
    peer = RecordedPeer(Parrot(), path, 8000)
    began = time.time()
    peer.start(began)
    peer.name_kept()
    for _ in range(52):
        peer.exchange(frame(100), 0.0, 0.0)
    assert await peer.close(began + 1)
    with wave.open(str(path)) as file:
        assert file.getnframes() == 8000


async def test_audio_that_a_stuck_disk_cost_is_silence(tmp_path: Path) -> None:
    """What comes after it stands where it was."""
    path = tmp_path / "call.wav"
    peer = RecordedPeer(Parrot(), path, 8000)
    peer.start(time.time())
    for _ in range(3010):
        peer.exchange(frame(50), 0.0, 0.0)
    peer.exchange(frame(300), 0.0, 0.0)
    peer.name_kept()
    assert await peer.close(time.time())
    assert peer.dropped_frames == 11
    with wave.open(str(path)) as file:
        audio = np.frombuffer(file.readframes(3011 * 160), "<i2").reshape(-1, 2)[::160, 0]
    assert audio.tolist() == [0] * 11 + [50] * 2999 + [300]


async def test_nothing_that_was_not_to_be_recorded_is_on_disk(tmp_path: Path) -> None:
    """Silence stands for it, and no byte of it is in the folder at any time."""
    peer = RecordedPeer(Parrot(), tmp_path / "call.wav", 8000)
    secret = np.arange(160, dtype=np.int16) + 1234
    peer.start(time.time())
    peer.name_kept()
    for _ in range(2):
        peer.exchange(frame(100), 0.0, 0.0)
    peer.listen(False)
    for _ in range(3):
        peer.exchange(secret, 0.0, 0.0)
        await peer._flush()
    peer.listen(True)
    peer.exchange(frame(300), 0.0, 0.0)
    assert await peer.close(time.time())
    with wave.open(str(tmp_path / "call.wav")) as file:
        assert file.getnframes() == 6 * 160
        audio = np.frombuffer(file.readframes(6 * 160), "<i2").reshape(-1, 2)
    assert audio[::160, 0].tolist() == [100, 100, 0, 0, 0, 300]
    assert not audio[320:800].any()


@pytest.mark.parametrize("seed", range(40))
async def test_every_frame_stands_where_it_was(tmp_path: Path, seed: int) -> None:
    """Ticks as the media server's pacer has them on a machine that stalls for a while now and
    then, whatever the answer's place between two of them."""
    rng = random.Random(seed)
    peer = RecordedPeer(Parrot(), tmp_path / "call.wav", 8000)
    began = time.time()
    peer.start(began)
    peer.name_kept()
    answered = peer._answered_at
    pacer, passed = Pacer(answered - rng.random() * 0.02), list[float]()
    now = answered
    while now < answered + 8:
        stalls = rng.random() < 0.05
        now += rng.random() * 0.12 if stalls else rng.random() * 0.009
        now = max(now, pacer.deadline)
        skipped = pacer.tick(now)
        due = pacer.deadline - 0.02
        peer.miss(skipped)
        passed.append(due - answered)
        peer.exchange(frame(len(passed)), now, now)
    lasted = now - answered
    assert await peer.close(began + lasted)
    with wave.open(str(tmp_path / "call.wav")) as file:
        audio = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    assert len(audio) / 8000 == pytest.approx(lasted, abs=0.02)
    places = {int(level): at * 0.02 for at, level in enumerate(audio[::160, 0]) if level}
    assert len(places) >= len(passed) - 2  # those that reach over the end
    off = [places[one] - due for one, due in enumerate(passed, 1) if one in places]
    assert max(map(abs, off)) <= 0.021


@pytest.mark.parametrize("kept_as", ["wav", "opus"])
async def test_what_is_discarded_is_deleted_at_once(tmp_path: Path, kept_as: Format) -> None:
    path = tmp_path / "call.wav"
    peer = RecordedPeer(Parrot(), path, 8000, kept_as)
    writing = asyncio.create_task(peer.write())
    peer.start(time.time())
    peer.name_kept()
    peer.exchange(frame(100), 0.0, 0.0)
    await peer._flush()
    assert path.exists()
    peer.discard()
    async with asyncio.timeout(0.5):
        while path.exists():
            await asyncio.sleep(0.001)
    assert peer.exchange(frame(200), 0.0, 0.0) is not None
    assert not await peer.close(time.time())
    await writing
    assert not path.exists()
