"""A caller without a browser: another library's whole peer (aiortc's `RTCPeerConnection`)."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from fractions import Fraction

import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame

from voice_loop.audio import Samples

RATE = 48_000
_FRAME = RATE // 50


class Microphone(MediaStreamTrack):
    """Plays what it is given, in real time, and silence after it."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Samples] = []
        self._count = 0
        self._from: float | None = None

    def say(self, samples: Samples) -> None:
        """At 48 kHz."""
        whole = samples[: samples.size // _FRAME * _FRAME]
        self.waiting += list(whole.reshape(-1, _FRAME))

    async def recv(self) -> AudioFrame:
        self._from = self._from or time.monotonic()
        await asyncio.sleep(max(0.0, self._from + self._count * 0.02 - time.monotonic()))
        samples = self.waiting.pop(0) if self.waiting else np.zeros(_FRAME, dtype=np.int16)
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = (
            RATE,
            self._count * _FRAME,
            Fraction(1, RATE),
        )
        self._count += 1
        return frame


class Caller:
    """One peer with a microphone; keeps what it hears."""

    def __init__(self, *, speaks: bool = True, codecs: tuple[str, ...] = ()) -> None:
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.microphone = Microphone()
        self.heard: list[Samples] = []
        self.rate = 0
        self._listening: list[asyncio.Task[None]] = []
        self._codecs = codecs
        if speaks:
            self.peer.addTrack(self.microphone)
        else:
            self.peer.addTransceiver("audio", direction="recvonly")
        self.peer.on("track", self._take)

    async def offer(self) -> str:
        """Its offer, with every candidate."""
        await self.peer.setLocalDescription(await self.peer.createOffer())
        sdp = self.peer.localDescription.sdp
        return _only(sdp, self._codecs) if self._codecs else sdp

    async def take(self, answer: str) -> None:
        await self.peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def connected(self) -> None:
        async with asyncio.timeout(10):
            while self.peer.connectionState != "connected":
                await asyncio.sleep(0.02)

    def hear(self, last_s: float = 0.5) -> Samples:
        """The latest of what it heard; at `rate`, left channel."""
        frames = self.heard[-int(last_s * 50) :]
        return np.concatenate(frames) if frames else np.zeros(0, dtype=np.int16)

    async def close(self) -> None:
        await self.peer.close()
        for task in self._listening:
            task.cancel()
        await asyncio.gather(*self._listening, return_exceptions=True)

    def _take(self, track: MediaStreamTrack) -> None:
        self._listening.append(asyncio.create_task(self._listen(track)))

    async def _listen(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                assert isinstance(frame, AudioFrame)
                self.rate = frame.sample_rate
                channels = len(frame.layout.channels)
                samples = frame.to_ndarray().ravel().reshape(-1, channels)[:, 0]
                self.heard.append(samples.astype(np.int16))


def tone(hz: float, seconds: float, rate: int = RATE, level: float = 8000) -> Samples:
    at = np.arange(int(rate * seconds)) / rate
    return (np.sin(2 * np.pi * hz * at) * level).astype(np.int16)


def pitch(samples: Samples, rate: int) -> float:
    """The loudest frequency, Hz; 0 for silence."""
    if samples.size == 0 or np.abs(samples).max() < 200:
        return 0.0
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    return float(np.argmax(spectrum) * rate / samples.size)


def _only(sdp: str, codecs: tuple[str, ...]) -> str:
    """The offer with these payload types alone."""
    lines = []
    for line in sdp.split("\r\n"):
        if line.startswith("m=audio"):
            line = " ".join([*line.split(" ")[:3], *codecs])  # noqa: PLW2901
        lines.append(line)
    return "\r\n".join(lines)


@contextlib.asynccontextmanager
async def caller(*, speaks: bool = True, codecs: tuple[str, ...] = ()) -> AsyncIterator[Caller]:
    one = Caller(speaks=speaks, codecs=codecs)
    try:
        yield one
    finally:
        await one.close()
