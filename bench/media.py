"""What the media path costs: echo calls without models, against a load generator of its own.

    python -m bench.media [--calls 50 200] [--seconds 10] [--strays 0] [--json]

Each number of calls is run three times: through `pbx.media.MediaServer` (one socket and one ticker
for all calls) with RTP as Asterisk speaks it, with headerless datagrams as FreeSWITCH's `unicast`
speaks them, and with one socket and one task per call around the same parser, jitter buffer and
codec, as a voice agent is usually written. The generator is a process of its own on loopback; it
spreads the calls evenly over the 20 ms, as a PBX does. With `--strays`, another process sends so
many RTP packets a second from an address that has no call, and the first port gets them all.
"""

import argparse
import asyncio
import json
import multiprocessing
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import cast

from pbx.codecs import PCMU, UNICAST8, Encoding
from pbx.framing import RtpFraming, framing_of
from pbx.jitter import JitterBuffer
from pbx.media import MediaServer
from pbx.pacer import Lateness, Pacer
from pbx.rtp import RtpError, parse
from voice_loop.audio import FRAMES_PER_SECOND, Samples

LOOPBACK = "127.0.0.1"
WARM_UP_S = 1.0
VOICE = bytes(range(96)) + bytes(range(128, 192))  # without µ-law's second zero, 0x7F
SLOTS = 20  # steps of 1 ms that the generator spreads its calls over

Address = tuple[str, int]
Figures = Callable[[], Lateness]


@dataclass(frozen=True)
class Result:
    """One run."""

    way: str
    calls: int
    seconds: float
    cpu_ms_per_call_second: float
    """Milliseconds of CPU per second of one call; a tenth of it is per cent of a core."""
    frame_us: float
    """Microseconds of CPU per echoed frame: receive, decode, encode, send."""
    lateness_p50_ms: float
    lateness_p99_ms: float
    skipped_ticks: int
    loss_percent: float
    """Of the packets that the generator sent, those whose echo it did not get."""


class Echo:
    """A peer that says what it hears."""

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:  # noqa: ARG002
        return heard


class PerCall(asyncio.DatagramProtocol):
    """One call with a socket and a task of its own."""

    def __init__(self, remote: Address) -> None:
        self.pacer = Pacer(time.monotonic())
        self._remote = remote
        self._buffer = JitterBuffer(PCMU.rate)
        self._framing = RtpFraming(PCMU)
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | int, int]) -> None:
        if addr != self._remote:
            return
        try:
            packet = parse(data)
        except RtpError:
            return
        self._buffer.push(packet, PCMU.decode(packet.payload), time.monotonic())

    async def run(self) -> None:
        peer = Echo()
        assert self._transport is not None
        while True:
            await asyncio.sleep(max(0.0, self.pacer.deadline - time.monotonic()))
            now = time.monotonic()
            self._framing.skip(self.pacer.tick(now))
            heard = self._buffer.pop(now)
            reply = peer.exchange(heard.frame, heard.arrived_at, now)
            payload = PCMU.encode(reply if reply is not None else self._buffer.silence)
            self._transport.sendto(self._framing.write(payload), self._remote)


@asynccontextmanager
async def one_socket(
    encoding: Encoding, remotes: list[Address]
) -> AsyncIterator[tuple[list[Address], Figures]]:
    """All calls through the media server."""
    server = MediaServer(LOOPBACK, 44000, 44999, max_legs=len(remotes))
    await server.start()
    for remote in remotes:
        leg = server.open_leg(encoding)
        leg.attach(Echo())
        leg.connect(remote)
    yield [server.address], server.lateness
    await server.close()


@asynccontextmanager
async def socket_per_call(remotes: list[Address]) -> AsyncIterator[tuple[list[Address], Figures]]:
    """Each call with a socket and a task of its own."""
    loop = asyncio.get_running_loop()
    sockets = []
    for _ in remotes:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        udp.bind((LOOPBACK, 0))
        sockets.append(udp)
    endpoints = []
    for udp, remote in zip(sockets, remotes, strict=True):
        endpoints.append(await loop.create_datagram_endpoint(partial(PerCall, remote), sock=udp))
    tasks = []
    for _, call in endpoints:
        tasks.append(asyncio.create_task(call.run()))
        await asyncio.sleep(0.02 / len(remotes))  # calls do not begin at the same instant

    def figures() -> Lateness:
        each = [call.pacer.lateness() for _, call in endpoints]
        return Lateness(
            ticks=sum(one.ticks for one in each),
            p50_ms=sorted(one.p50_ms for one in each)[len(each) // 2],
            p99_ms=sum(one.p99_ms for one in each) / len(each),
            skipped=sum(one.skipped for one in each),
        )

    yield [udp.getsockname() for udp in sockets], figures
    for task in tasks:
        task.cancel()
    for transport, _ in endpoints:
        transport.close()
    await asyncio.gather(*tasks, return_exceptions=True)


def generate(parent: Connection, way: str, calls: int, seconds: float) -> None:
    """The far ends of all calls: sends in real time, counts the echoes. Runs in its own process."""
    sockets = []
    for _ in range(calls):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        udp.bind((LOOPBACK, 0))
        sockets.append(udp)
    parent.send([udp.getsockname() for udp in sockets])
    targets = parent.recv()
    encoding, _ = WAYS[way]
    framings = [framing_of(encoding) for _ in sockets]
    voice = VOICE * (encoding.frame_bytes // len(VOICE))
    sent = echoed = 0
    begin = time.monotonic()
    for slot in range(int(seconds * FRAMES_PER_SECOND) * SLOTS):
        time.sleep(max(0.0, begin + slot * 0.02 / SLOTS - time.monotonic()))
        for call in range(slot % SLOTS, calls, SLOTS):
            udp = sockets[call]
            udp.sendto(framings[call].write(voice), targets[call % len(targets)])
            sent += 1
            echoed += _drain(udp, voice)
    time.sleep(0.3)
    echoed += sum(_drain(udp, voice) for udp in sockets)
    parent.send((sent, echoed))


def stray(target: Address, rate: int, seconds: float) -> None:
    """Sends `rate` RTP packets a second for `seconds` from nobody's address, in steps of 1 ms."""
    packet = RtpFraming(PCMU).write(VOICE)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        begin = time.monotonic()
        sent = 0
        while (passed := time.monotonic() - begin) < seconds:
            for _ in range(int(passed * rate) - sent):
                udp.sendto(packet, target)
                sent += 1
            time.sleep(0.001)


def _drain(udp: socket.socket, voice: bytes) -> int:
    """How many echoes of `voice` have come; silence and concealment are not counted."""
    echoed = 0
    while True:
        try:
            echoed += udp.recv(2048).endswith(voice)
        except BlockingIOError:
            return echoed


Way = Callable[[list[Address]], AbstractAsyncContextManager[tuple[list[Address], Figures]]]

WAYS: dict[str, tuple[Encoding, Way]] = {
    "RTP": (PCMU, partial(one_socket, PCMU)),
    "unicast": (UNICAST8, partial(one_socket, UNICAST8)),
    "socket per call": (PCMU, socket_per_call),
}


async def measure(way: str, calls: int, seconds: float, strays: int) -> Result:
    """One run of `calls` echo calls for `seconds` after the warm-up, amid `strays` a second."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    lasts = seconds + 2 * WARM_UP_S
    _, serve = WAYS[way]
    far_ends = (theirs, way, calls, lasts)
    generator = context.Process(target=generate, args=far_ends, daemon=True)
    generator.start()
    crowd = None
    try:
        async with serve(await asyncio.to_thread(ours.recv)) as (targets, figures):
            ours.send(targets)
            if strays:
                nobody = (targets[0], strays, lasts)
                crowd = context.Process(target=stray, args=nobody, daemon=True)
                crowd.start()
            await asyncio.sleep(WARM_UP_S)
            cpu, wall = time.process_time(), time.monotonic()
            await asyncio.sleep(seconds)
            cpu, wall = time.process_time() - cpu, time.monotonic() - wall
            lateness = figures()
            if not await asyncio.to_thread(ours.poll, lasts + 10):
                raise TimeoutError("the load generator did not finish")
            sent, echoed = ours.recv()
    finally:
        for process in (generator, crowd):
            if process is not None:
                process.terminate()
                process.join(5)
    return Result(
        way=way,
        calls=calls,
        seconds=round(wall, 3),
        cpu_ms_per_call_second=cpu / calls / wall * 1000,
        frame_us=cpu / calls / wall / FRAMES_PER_SECOND * 1e6 / max(echoed / sent, 1e-9),
        lateness_p50_ms=lateness.p50_ms,
        lateness_p99_ms=lateness.p99_ms,
        skipped_ticks=lateness.skipped,
        loss_percent=100 * (1 - echoed / sent),
    )


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bench.media", description="CPU cost of the media path")
    parser.add_argument("--calls", type=int, nargs="+", default=[50, 200])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--strays", type=int, default=0, help="packets a second from nobody")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    options = parser.parse_args(arguments)
    results: list[Result] = []
    row = "{:<16}{:>6}{:>16}{:>10}{:>10}{:>9}{:>9}{:>9}{:>8}"
    if not options.json:
        head = ("way", "calls", "CPU ms/call-s", "% core", "µs/frame", "p50 ms", "p99 ms")
        print(row.format(*head, "skipped", "loss %"))
    for calls in options.calls:
        for way in WAYS:
            result = asyncio.run(measure(way, calls, options.seconds, options.strays))
            results.append(result)
            if not options.json:
                spent = result.cpu_ms_per_call_second
                figures = [spent, spent / 10, result.frame_us]
                figures += [result.lateness_p50_ms, result.lateness_p99_ms]
                cells = [f"{figure:.2f}" for figure in figures]
                loss = f"{result.loss_percent:.2f}"
                print(row.format(way, calls, *cells, result.skipped_ticks, loss), flush=True)
    cost = {(one.calls, one.way): one.frame_us for one in results}
    ratios = {n: cost[n, "socket per call"] / cost[n, "RTP"] for n in options.calls}
    unicast = {n: cost[n, "unicast"] / cost[n, "RTP"] for n in options.calls}
    if options.json:
        runs = [asdict(result) for result in results]
        json.dump({"runs": runs, "ratio": ratios, "unicast_ratio": unicast}, sys.stdout)
        print()
    else:
        for n in options.calls:
            print(
                f"{n} calls: CPU per frame {ratios[n]:.1f} × RTP's with a socket and a task per "
                f"call, {unicast[n]:.2f} × RTP's with unicast"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
