"""A recording is as long as its call, over real RTP, whatever happens to the line or to us."""

import asyncio
import time
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from api.calls.recording import RecordedPeer
from pbx.codecs import PCMU
from pbx.media import MediaLeg, MediaServer
from tests.pbx.test_media import FarEnd
from voice_loop.audio import Samples, frame_samples

pytestmark = pytest.mark.bed

RATE: Final = 8000
#: So far a recording may be from its call, and a sound from its place.
OFF_S: Final = 0.020
LEVEL: Final = 8000


class Agent:
    """Says a tone all the time."""

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:
        return np.full(frame_samples(RATE), LEVEL, dtype=np.int16)


class Line:
    """A person at the far end of a leg, who is recorded."""

    def __init__(self, server: MediaServer, leg: MediaLeg, peer: RecordedPeer) -> None:
        self.server, self.leg, self.peer = server, leg, peer
        self.far = FarEnd()
        leg.connect(self.far.address)

    async def talks(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for index in range(round(seconds * 50)):
            await asyncio.sleep(max(0.0, began + index * 0.02 - loop.time()))
            self.far.say(self.server, np.full(frame_samples(RATE), LEVEL, dtype=np.int16))

    def closed(self) -> None:
        self.leg.close()
        self.far.close()


@pytest.fixture
async def server() -> AsyncIterator[MediaServer]:
    server = MediaServer("127.0.0.1", 41000, 41099)
    await server.start()
    yield server
    await server.close()


async def recorded(server: MediaServer, path: Path, *happens: str) -> tuple[list[float], Samples]:
    """What was recorded of a call in which this happens, and when each was over, in seconds."""
    over: list[float] = []
    leg = server.open_leg(PCMU)
    peer = RecordedPeer(Agent(), path, RATE)
    leg.attach(peer)
    line = Line(server, leg, peer)
    writing = asyncio.create_task(peer.write())
    began = time.time()
    peer.start(began)
    peer.name_kept()
    for event in happens:
        match event:
            case "talk":
                await line.talks(0.5)
            case "quiet":  # a gap in RTP, as on hold
                await asyncio.sleep(0.7)
            case "stall":
                time.sleep(0.5)  # noqa: ASYNC251 - what stalls the loop
            case "stream":  # a new SSRC, from elsewhere
                line.far.close()
                line.far = FarEnd()
                leg.connect(line.far.address)
            case "nobody":
                address = line.far.address
                leg.disconnect()
                await asyncio.sleep(0.3)
                leg.connect(address)
        over.append(time.time() - began)
    ended = time.time()
    assert await peer.close(ended)
    await writing
    line.closed()
    with wave.open(str(path)) as file:
        audio = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    assert peer.seconds == pytest.approx(len(audio) / RATE)
    return [*over[:-1], ended - began], audio


@pytest.mark.parametrize(
    "happens",
    [
        ("talk", "talk"),
        ("talk", "quiet", "talk"),
        ("talk", "stall", "talk"),
        ("talk", "stall"),
        ("stall", "talk"),
        ("talk", "stall", "stall", "talk", "stall", "talk"),
        ("talk", "stream", "talk"),
        ("talk", "quiet", "stream", "talk", "stall", "talk"),
        ("talk", "nobody", "talk"),
    ],
    ids="-".join,
)
async def test_it_is_as_long_as_the_call(
    server: MediaServer, tmp_path: Path, happens: tuple[str, ...]
) -> None:
    over, audio = await recorded(server, tmp_path / "call.wav", *happens)
    assert len(audio) / RATE == pytest.approx(over[-1], abs=OFF_S)


async def test_what_comes_after_a_stall_stands_where_it_was(
    server: MediaServer, tmp_path: Path
) -> None:
    """The agent's tone is heard before and after; between them is as much silence as there was."""
    over, audio = await recorded(server, tmp_path / "call.wav", "talk", "stall", "talk")
    talked, stalled, _ = over
    silent = np.flatnonzero(audio[:, 1] == 0) / RATE
    silent = silent[silent > talked - 0.1]
    assert silent[0] == pytest.approx(talked, abs=0.06)
    assert silent[-1] == pytest.approx(stalled, abs=0.06)
    assert len(silent) / RATE == pytest.approx(stalled - talked, abs=0.06)
