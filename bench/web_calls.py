"""What a web call takes: delay on the wire beside a phone call's, and CPU time of many at once.

    python -m bench.web_calls [--calls 20] [--seconds 10]

Every far end sends a packet of PCMU each 20 ms, mostly silence, and now and then a loud one; our
end gives each frame back in the tick that hears it. Told is how long after a loud packet was sent
its sound came back: over RTP as with a PBX, then over ICE and DTLS-SRTP with aiortc's own peers,
first one of each, then many. Both ends share the process, so the CPU time is that of both.
"""

import argparse
import asyncio
import socket
import statistics
import struct
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from pbx.codecs import PCMU
from pbx.media import MediaServer
from pbx.webrtc.gateway import WebConfig, WebGateway
from voice_loop.audio import Samples, frame_samples

_HEADER: Final = struct.Struct("!BBHII")
_SILENT: Final = PCMU.encode(np.zeros(frame_samples(8000), dtype=np.int16))
_LOUD: Final = PCMU.encode(np.full(frame_samples(8000), 12_000, dtype=np.int16))
_EVERY: Final = 25  # packets between two loud ones
_PORTS: Final = (43_000, 43_050)


class Echo:
    """Gives each frame back."""

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:  # noqa: ARG002
        return heard


class FarEnd:
    """Sends packets, and times the loud ones."""

    def __init__(self, ssrc: int) -> None:
        self.delays: list[float] = []
        self._ssrc = ssrc
        self._count = 0
        self._sent_at: float | None = None

    def packet(self) -> bytes:
        """The next one."""
        loud = self._count % _EVERY == _EVERY - 1
        header = _HEADER.pack(0x80, 0, self._count & 0xFFFF, self._count * 160, self._ssrc)
        self._count += 1
        if loud:
            self._sent_at = time.monotonic()
        return header + (_LOUD if loud else _SILENT)

    def take(self, payload: bytes) -> None:
        """What came back."""
        loud = int(np.abs(PCMU.decode(payload)).max(initial=0)) > 4000
        if loud and self._sent_at is not None:
            self.delays.append((time.monotonic() - self._sent_at) * 1000)
            self._sent_at = None


class Nobody(MediaStreamTrack):
    """A microphone that brings nothing: packets are written here."""

    kind = "audio"

    async def recv(self) -> Any:
        return await asyncio.get_running_loop().create_future()


async def over_rtp(media: MediaServer, seconds: float) -> list[float]:
    """A phone call's delays, ms."""
    end, loop = FarEnd(1), asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.setblocking(False)
        far.bind(("127.0.0.1", 0))
        leg = media.open_leg(PCMU)
        leg.connect(far.getsockname())
        leg.attach(Echo())
        loop.add_reader(far, lambda: end.take(far.recv(2048)[12:]))
        await _paced([lambda: far.sendto(end.packet(), media.address)], seconds)
        loop.remove_reader(far)
        leg.close()
    return end.delays


async def over_webrtc(media: MediaServer, calls: int, seconds: float) -> list[float]:
    """The delays of so many web calls at once, ms."""
    gateway = WebGateway(media, WebConfig())
    peers, attempts, ends, tasks = [], [], [], set[asyncio.Task[None]]()
    sends: list[Callable[[], object]] = []
    for ssrc in range(calls):
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        sender = peer.addTrack(Nobody())
        await peer.setLocalDescription(await peer.createOffer())
        sdp = peer.localDescription.sdp.replace("UDP/TLS/RTP/SAVPF 96 9 0 8", "UDP/TLS/RTP/SAVPF 0")
        attempt, answer = await gateway.answer_call(gateway.read(sdp))
        end = FarEnd(ssrc + 1)
        receiver: Any = peer.getReceivers()[0]

        async def take(packet: Any, *, end: FarEnd = end, **_: Any) -> None:
            end.take(packet.payload)

        receiver._handle_rtp_packet = take
        await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        attempt.begin("127.0.0.1")
        attempt.attach(Echo())
        while peer.connectionState != "connected":  # noqa: ASYNC110 - it tells by a callback alone
            await asyncio.sleep(0.02)

        def send(end: FarEnd = end, sender: Any = sender) -> None:
            task = asyncio.create_task(sender.transport._send_rtp(end.packet()))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        peers.append(peer)
        attempts.append(attempt)
        ends.append(end)
        sends.append(send)
    await asyncio.sleep(0.5)
    await _paced(sends, seconds)
    for peer in peers:
        await peer.close()
    await gateway.close()
    return [one for end in ends for one in end.delays]


async def _paced(sends: list[Callable[[], object]], seconds: float) -> None:
    begun = time.monotonic()
    for count in range(int(seconds * 50)):
        await asyncio.sleep(max(0.0, begun + count * 0.02 - time.monotonic()))
        for send in sends:
            send()


def _told(name: str, delays: list[float], cpu_s: float, seconds: float) -> str:
    middle = statistics.median(delays) if delays else float("nan")
    high = sorted(delays)[len(delays) * 95 // 100] if delays else float("nan")
    return (
        f"{name:>14}: delay p50 {middle:5.1f} ms, p95 {high:5.1f} ms ({len(delays)} sounds), "
        f"CPU {100 * cpu_s / seconds:4.1f} % of a core"
    )


async def main(calls: int, seconds: float) -> None:
    """Run it and print the figures."""
    media = MediaServer("127.0.0.1", *_PORTS)
    await media.start()
    runs: dict[str, Callable[[], Awaitable[list[float]]]] = {
        "phone": lambda: over_rtp(media, seconds),
        "web": lambda: over_webrtc(media, 1, seconds),
        f"{calls} web calls": lambda: over_webrtc(media, calls, seconds),
    }
    for name, run in runs.items():
        cpu, begun = time.process_time(), time.monotonic()
        delays = await run()
        passed = time.monotonic() - begun
        print(_told(name, delays, time.process_time() - cpu, passed))
        late = media.lateness()
        print(f"{'':>16}tick late by {late.p50_ms:.1f} ms (p50), {late.p99_ms:.1f} ms (p99)")
    await media.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=10.0)
    asked = parser.parse_args()
    asyncio.run(main(asked.calls, asked.seconds))
