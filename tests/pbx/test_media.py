"""The media server over real sockets on loopback; the pace by an injected clock."""

import asyncio
import itertools
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pbx.audio_port import AudioPort, MediaError
from pbx.codecs import (
    CODECS,
    PCMA,
    PCMU,
    SLIN16,
    UNICAST8,
    UNICAST8_WIDENED,
    UNICAST16,
    Codec,
    Encoding,
)
from pbx.media import MediaServer
from pbx.pacer import Pacer
from pbx.relay import Relay
from pbx.rtp import RtpPacket, parse, serialize, timestamp_delta
from voice_loop.audio import Samples, frame_samples

LOOPBACK = "127.0.0.1"


class FarEnd:
    """What the PBX has at its end: one UDP socket."""

    def __init__(self, codec: Codec = PCMU, host: str = LOOPBACK, ssrc: int = 7) -> None:
        self.codec = codec
        self.ssrc = ssrc
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind((host, 0))
        self._coder = codec.coder()
        self.sequence = 0

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.socket.getsockname()[:2]
        return host, port

    def say(self, server: MediaServer | AudioPort[Any], samples: Samples) -> None:
        self.sequence += 1
        packet = RtpPacket(
            self.codec.payload_type,
            self.sequence,
            self.sequence * frame_samples(self.codec.clock),
            self.ssrc,
            self._coder.encode(samples),
        )
        self.socket.sendto(serialize(packet), server.address)

    async def hear(self, count: int) -> list[RtpPacket]:
        """The next `count` packets; fails after ten seconds."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(10):
            return [parse(await loop.sock_recv(self.socket, 2048)) for _ in range(count)]

    def close(self) -> None:
        self.socket.close()


class BareEnd:
    """FreeSWITCH's end of a `unicast`: a socket, and datagrams of nothing but samples."""

    def __init__(self, encoding: Encoding = UNICAST8) -> None:
        self.encoding = encoding
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind((LOOPBACK, 0))

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.socket.getsockname()
        return host, port

    def say(self, server: MediaServer | AudioPort[Any], value: int) -> None:
        samples = np.full(frame_samples(self.encoding.rate), value, dtype=np.int16)
        self.socket.sendto(self.encoding.encode(samples), server.address)

    async def hear(self, count: int) -> list[bytes]:
        """The next `count` datagrams; fails after ten seconds."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(10):
            return [await loop.sock_recv(self.socket, 2048) for _ in range(count)]

    def close(self) -> None:
        self.socket.close()


class Speaker:
    """A peer that says the same loud frame for ever and keeps what it hears."""

    def __init__(self, rate: int, value: int = 8000) -> None:
        self.heard: list[Samples] = []
        self.arrivals: list[float] = []
        self._frame = np.full(frame_samples(rate), value, dtype=np.int16)
        self._enough: list[tuple[int, asyncio.Event]] = []

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:
        assert arrived_at <= now
        self.heard.append(heard)
        self.arrivals.append(arrived_at)
        for count, event in self._enough:
            if len(self.heard) >= count:
                event.set()
        return self._frame

    async def has_heard(self, count: int) -> None:
        event = asyncio.Event()
        self._enough.append((count, event))
        async with asyncio.timeout(10):
            await event.wait()


class Broken:
    """A peer that raises, or answers what is no frame."""

    def __init__(self, answer: Callable[[Samples], Samples]) -> None:
        self.calls = 0
        self._answer = answer

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:
        self.calls += 1
        return self._answer(heard)


class Forewarned(Speaker):
    """A peer that notes, in a list of all peers', what came when; it may fail early."""

    def __init__(self, rate: int, came: list[tuple[str, Samples]], *, fails: bool = False) -> None:
        super().__init__(rate)
        self._came = came
        self._fails = fails

    def expect(self, heard: Samples) -> None:
        if self._fails:
            raise RuntimeError("unforeseen")
        self._came.append(("expect", heard))

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:
        self._came.append(("exchange", heard))
        return super().exchange(heard, arrived_at, now)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
async def server() -> AsyncIterator[MediaServer]:
    server = MediaServer(LOOPBACK, 42000, 42999, max_legs=4)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def far_ends() -> AsyncIterator[Callable[..., FarEnd]]:
    made: list[FarEnd] = []

    def make(codec: Codec = PCMU, host: str = LOOPBACK) -> FarEnd:
        made.append(FarEnd(codec, host))
        return made[-1]

    yield make
    for far_end in made:
        far_end.close()


FarEnds = Callable[..., FarEnd]


@pytest.fixture
async def bare_ends() -> AsyncIterator[Callable[..., BareEnd]]:
    made: list[BareEnd] = []

    def make(encoding: Encoding = UNICAST8) -> BareEnd:
        made.append(BareEnd(encoding))
        return made[-1]

    yield make
    for end in made:
        end.close()


BareEnds = Callable[..., BareEnd]


@pytest.mark.parametrize("codec", CODECS.values(), ids=lambda codec: codec.name)
async def test_audio_goes_both_ways(server: MediaServer, far_ends: FarEnds, codec: Codec) -> None:
    far, leg, peer = far_ends(codec), server.open_leg(codec), Speaker(codec.rate)
    leg.attach(peer)
    leg.connect(far.address)
    said = np.full(frame_samples(codec.rate), -4000, dtype=np.int16)
    packets = []
    for _ in range(10):
        far.say(server, said)
        packets += await far.hear(1)
    await peer.has_heard(12)
    far_coder = codec.coder()
    heard = [far_coder.decode(packet.payload) for packet in packets]

    assert {packet.payload_type for packet in packets} == {codec.payload_type}
    assert {len(packet.payload) for packet in packets} == {codec.frame_bytes}
    assert {timestamp_delta(b.timestamp, a.timestamp) for a, b in itertools.pairwise(packets)} == {
        codec.clock // 50
    }
    assert abs(int(heard[-1][-1]) - 8000) < 300
    assert min(int(frame[-1]) for frame in peer.heard) == pytest.approx(-4000, abs=150)
    stats = leg.stats()
    assert (stats.received, stats.lost, stats.late, stats.duplicate) == (10, 0, 0, 0)
    assert stats.sent >= 10


async def test_arrival_is_when_the_packet_came_not_when_it_was_taken_in(
    server: MediaServer, far_ends: FarEnds
) -> None:
    far, leg, peer = far_ends(), server.open_leg(PCMU), Speaker(8000)
    leg.attach(peer)
    leg.connect(far.address)
    said_by = []
    for _ in range(10):
        await far.hear(1)  # just after a tick: the next is nearly 20 ms away
        far.say(server, np.full(160, 1000, dtype=np.int16))
        said_by.append(time.monotonic())
    await peer.has_heard(len(peer.heard) + 4)
    arrivals = [
        at
        for at, frame in zip(peer.arrivals, peer.heard, strict=True)
        if abs(int(frame[0]) - 1000) < 50  # not a concealed one: those fade
    ]
    assert len(arrivals) == 10
    assert all(at < said + 0.002 for at, said in zip(arrivals, said_by, strict=True))


async def test_we_send_silence_before_anybody_speaks(
    server: MediaServer, far_ends: FarEnds
) -> None:
    far, leg = far_ends(), server.open_leg(PCMU)
    leg.connect(far.address)
    packets = await far.hear(5)
    assert {packet.payload for packet in packets} == {b"\xff" * 160}
    assert packets[0].marker, "RFC 3551 §4.1: a talk spurt begins"
    assert not all(packet.marker for packet in packets[1:])


async def test_sequence_and_timestamp_are_continuous_across_peers(
    server: MediaServer, far_ends: FarEnds
) -> None:
    far, leg = far_ends(), server.open_leg(PCMU)
    leg.connect(far.address)
    packets = await far.hear(3)
    leg.attach(Speaker(8000))
    packets += await far.hear(3)
    leg.attach(None)
    packets += await far.hear(3)
    steps = [
        ((b.sequence - a.sequence) & 0xFFFF, timestamp_delta(b.timestamp, a.timestamp))
        for a, b in itertools.pairwise(packets)
        if not b.marker
    ]
    assert set(steps) == {(1, 160)}
    assert len({packet.ssrc for packet in packets}) == 1


async def strays_are_counted(server: MediaServer, strays: int) -> None:
    """Waits until so many stray packets are counted; fails after ten seconds."""
    async with asyncio.timeout(10):
        while server.stray_packets < strays:
            await asyncio.sleep(0)


async def test_only_the_connected_source_is_heard(server: MediaServer, far_ends: FarEnds) -> None:
    far, stranger, leg, peer = far_ends(), far_ends(), server.open_leg(PCMU), Speaker(8000)
    leg.attach(peer)
    far.say(server, np.full(160, 5000, dtype=np.int16))  # before the lock: a stranger, too
    await strays_are_counted(server, 1)
    leg.connect(far.address)
    for _ in range(5):
        stranger.say(server, np.full(160, 30000, dtype=np.int16))
    far.say(server, np.full(160, 1000, dtype=np.int16))
    await peer.has_heard(6)
    assert server.stray_packets == 6
    assert leg.stats().received == 1
    assert max(int(frame.max()) for frame in peer.heard) < 1100


async def test_a_flood_from_strangers_takes_nothing_from_a_call(
    far_ends: FarEnds, caplog: pytest.LogCaptureFixture
) -> None:
    """More than any buffer holds, or a tick takes in: all while the server has no time to read."""
    clock, far, stranger, peer = Clock(), far_ends(), far_ends(), Speaker(8000)
    server = MediaServer(LOOPBACK, 42000, 42999, clock=clock)
    await server.start()
    leg = server.open_leg(PCMU)
    leg.attach(peer)
    leg.connect(far.address)
    for _ in range(10):
        for _ in range(2000):
            stranger.say(server, np.full(160, 30000, dtype=np.int16))
        far.say(server, np.full(160, 1000, dtype=np.int16))
    clock.now += 1.0
    await far.hear(1)
    stats = leg.stats()
    assert (stats.received, stats.lost, stats.excess) == (10, 0, 0)
    assert stats.strays == server.stray_packets == 20_000
    told = [record.message for record in caplog.records if "not of any call" in record.message]
    assert len(told) == 1
    assert told[0].startswith("20000 datagrams within 1.0 s")

    for _ in range(2000):
        stranger.say(server, np.full(160, 30000, dtype=np.int16))
    clock.now += 1.0
    await far.hear(1)
    assert sum("not of any call" in record.message for record in caplog.records) == 1
    leg.close()
    stranger.say(server, np.full(160, 30000, dtype=np.int16))
    assert (leg.stats().strays, server.stray_packets) == (22_000, 22_001)
    await server.close()
    assert server.stray_packets == 22_001


async def test_a_flood_in_the_name_of_a_far_end_is_its_own_calls_alone(
    far_ends: FarEnds, caplog: pytest.LogCaptureFixture
) -> None:
    clock, ends = Clock(), [far_ends(), far_ends()]
    server = MediaServer(LOOPBACK, 42000, 42999, clock=clock)
    await server.start()
    legs = [server.open_leg(PCMU), server.open_leg(PCMU)]
    for leg, end in zip(legs, ends, strict=True):
        leg.connect(end.address)
    for _ in range(400):
        ends[0].say(server, np.full(160, 30000, dtype=np.int16))
    ends[1].say(server, np.full(160, 1000, dtype=np.int16))
    clock.now += 0.025
    await ends[1].hear(1)
    flooded, other = (leg.stats() for leg in legs)
    assert (flooded.received, flooded.excess) == (256, 144)
    assert (other.received, other.excess) == (1, 0), "within one tick"
    assert sum("more than audio" in record.message for record in caplog.records) == 1
    ends[0].say(server, np.full(160, 1000, dtype=np.int16))
    clock.now += 0.02
    await ends[0].hear(2)
    assert legs[0].stats().received == 257, "it is heard again"
    await server.close()


async def test_many_calls_are_all_heard_and_a_stranger_among_their_ports_is_not(
    far_ends: FarEnds,
) -> None:
    """More than the kernel's filter tells apart one by one."""
    server = MediaServer(LOOPBACK, 42000, 42999)
    await server.start()
    everybody = [far_ends() for _ in range(300)]
    called, strangers = everybody[::2], everybody[1::2]
    legs = [server.open_leg(PCMU) for _ in called]
    for leg, end in zip(legs, called, strict=True):
        leg.connect(end.address)
    for end in everybody:
        end.say(server, np.full(160, 1000, dtype=np.int16))
    assert all([await leg.wait_heard(10) for leg in legs])
    assert [leg.stats().received for leg in legs] == [1] * len(legs)
    await strays_are_counted(server, len(strangers))
    assert server.stray_packets == len(strangers)
    await server.close()


@pytest.mark.parametrize("hosts", [2, 20])
async def test_calls_from_several_hosts(far_ends: FarEnds, hosts: int) -> None:
    """The filter holds a few; of more, strangers are told apart as they are read."""
    server = MediaServer(LOOPBACK, 42000, 42999)
    await server.start()
    ends = [far_ends(PCMU, f"127.0.0.{10 + number}") for number in range(hosts)]
    legs = [server.open_leg(PCMU) for _ in ends]
    for leg, end in zip(legs, ends, strict=True):
        leg.connect(end.address)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((ends[0].address[0], ends[1].address[1]))  # the host of one, another's port
        stranger.sendto(b"\x80" * 172, server.address)
    for end in ends:
        end.say(server, np.full(160, 1000, dtype=np.int16))
    assert all([await leg.wait_heard(10) for leg in legs])
    assert [leg.stats().received for leg in legs] == [1] * hosts
    await strays_are_counted(server, 1)
    await server.close()


async def test_two_calls_do_not_hear_each_other(server: MediaServer, far_ends: FarEnds) -> None:
    ends, peers = [far_ends(PCMU), far_ends(PCMA)], [Speaker(8000, 2000), Speaker(8000, -2000)]
    for far, peer in zip(ends, peers, strict=True):
        leg = server.open_leg(far.codec)
        leg.attach(peer)
        leg.connect(far.address)
    for _ in range(5):
        ends[0].say(server, np.full(160, 7000, dtype=np.int16))
        ends[1].say(server, np.full(160, -7000, dtype=np.int16))
    for far, peer, sign in zip(ends, peers, (1, -1), strict=True):
        await peer.has_heard(4)
        packets = await far.hear(4)
        assert int(far.codec.decode(packets[-1].payload)[0]) * sign > 1900
        assert max(int(frame[0]) * sign for frame in peer.heard) > 6000
        assert min(int(frame[0]) * sign for frame in peer.heard) >= 0


async def test_no_two_legs_share_a_far_end(server: MediaServer, far_ends: FarEnds) -> None:
    far = far_ends()
    first, second = server.open_leg(PCMU), server.open_leg(PCMU)
    first.connect(far.address)
    first.connect(far.address)
    with pytest.raises(MediaError, match=f"already comes from {LOOPBACK}:{far.address[1]}"):
        second.connect(far.address)
    first.close()
    second.connect(far.address)


async def test_a_leg_can_move(server: MediaServer, far_ends: FarEnds) -> None:
    old, new, leg = far_ends(), far_ends(), server.open_leg(PCMU)
    leg.connect(old.address)
    await old.hear(1)
    leg.connect(new.address)
    await new.hear(2)
    old.say(server, np.zeros(160, dtype=np.int16))
    await strays_are_counted(server, 1)
    assert leg.stats().received == 0


@pytest.mark.parametrize(
    ("remote", "reason"),
    [
        (("pbx.example", 4000), "not an IP address"),
        (("", 4000), "not an IP address"),
        ((LOOPBACK, 0), "not a UDP port"),
        ((LOOPBACK, 65536), "not a UDP port"),
        (("::1", 4000), "rtp.bind"),
    ],
)
async def test_what_is_no_address_is_refused(
    server: MediaServer, remote: tuple[str, int], reason: str
) -> None:
    with pytest.raises(MediaError, match=reason):
        server.open_leg(PCMU).connect(remote)


@pytest.mark.parametrize(
    "answer",
    [
        lambda heard: 1 // 0,
        lambda heard: heard[:-1],
        lambda heard: heard.astype(np.float32),
        lambda heard: b"\xff" * 160,
    ],
    ids=["raises", "short", "float", "bytes"],
)
async def test_a_broken_peer_is_detached_and_hurts_nobody(
    server: MediaServer,
    far_ends: FarEnds,
    caplog: pytest.LogCaptureFixture,
    answer: Callable[[Samples], Samples],
) -> None:
    broken, good, healthy = Broken(answer), Speaker(8000), far_ends()
    ill = far_ends()
    for far, peer in ((ill, broken), (healthy, good)):
        leg = server.open_leg(PCMU)
        leg.attach(peer)
        leg.connect(far.address)
    with caplog.at_level(logging.ERROR, "pbx.media"):
        silence = await ill.hear(5)
        speech = await healthy.hear(5)
    assert broken.calls == 1
    assert {packet.payload for packet in silence} == {b"\xff" * 160}
    assert b"\xff" * 160 not in {packet.payload for packet in speech}
    assert len(caplog.records) == 1
    assert str(ill.address[1]) in caplog.text


async def test_every_line_is_forewarned_before_any_is_heard(
    server: MediaServer, far_ends: FarEnds
) -> None:
    came: list[tuple[str, Samples]] = []
    peers = [Forewarned(8000, came) for _ in range(3)]
    for peer in peers:
        leg = server.open_leg(PCMU)
        leg.attach(peer)
        leg.connect(far_ends().address)
    await peers[-1].has_heard(4)
    for tick in (came[at : at + 6] for at in range(0, 24, 6)):
        assert [name for name, _ in tick] == 3 * ["expect"] + 3 * ["exchange"]
        assert all(tick[at][1] is tick[3 + at][1] for at in range(3)), "the very frame"


async def test_a_peer_that_fails_when_forewarned_hurts_nobody(
    server: MediaServer, far_ends: FarEnds
) -> None:
    failing, good = (Forewarned(8000, [], fails=fails) for fails in (True, False))
    ends = [far_ends(), far_ends()]
    for far, peer in zip(ends, (failing, good), strict=True):
        leg = server.open_leg(PCMU)
        leg.attach(peer)
        leg.connect(far.address)
    silence, speech = await ends[0].hear(5), await ends[1].hear(5)
    assert not failing.heard
    assert {packet.payload for packet in silence} == {b"\xff" * 160}
    assert b"\xff" * 160 not in {packet.payload for packet in speech}


async def test_malformed_and_foreign_payloads_are_survived(
    server: MediaServer, far_ends: FarEnds, caplog: pytest.LogCaptureFixture
) -> None:
    far, leg, peer = far_ends(), server.open_leg(PCMU), Speaker(8000)
    leg.attach(peer)
    leg.connect(far.address)
    for datagram in (b"", b"\x80", b"\x00" * 40, b"\xbf" * 12, b"x" * 3000):
        far.socket.sendto(datagram, server.address)
    event = RtpPacket(101, 1, 0, 9, b"\x01\x8a\x03\x20")
    far.socket.sendto(serialize(event), server.address)
    await peer.has_heard(3)
    assert leg.stats().received == 1
    assert not any(frame.any() for frame in peer.heard)
    assert sum("malformed" in record.message for record in caplog.records) == 1


async def test_a_peer_may_close_its_leg(server: MediaServer, far_ends: FarEnds) -> None:
    far, other = far_ends(), far_ends()
    leg, witness = server.open_leg(PCMU), server.open_leg(PCMU)

    def hang_up(heard: Samples) -> Samples:
        leg.close()
        return heard

    peer = Broken(hang_up)
    leg.attach(peer)
    leg.connect(far.address)
    witness.connect(other.address)
    await other.hear(3)
    assert peer.calls == 1
    assert leg.stats().sent == 0
    leg.close()
    with pytest.raises(MediaError, match="closed"):
        leg.connect(far.address)


async def test_legs_are_limited_and_come_back(server: MediaServer) -> None:
    legs = [server.open_leg(SLIN16) for _ in range(4)]
    with pytest.raises(MediaError, match="all 4 media legs"):
        server.open_leg(PCMU)
    legs[0].close()
    server.open_leg(PCMU)


async def test_exhausted_ports_are_told_with_their_settings() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((LOOPBACK, 0))
        port = taken.getsockname()[1]
        before = open_files()
        with pytest.raises(MediaError, match=r"rtp\.port_min and rtp\.port_max") as failure:
            await MediaServer(LOOPBACK, port, port).start()
        assert f"from {port} to {port}" in str(failure.value)
        assert open_files() == before
    with pytest.raises(MediaError, match="the range is empty"):
        await MediaServer(LOOPBACK, 42001, 42000).start()


async def test_even_ports_come_first() -> None:
    servers = [MediaServer(LOOPBACK, 43101, 43103) for _ in range(3)]
    try:
        for server in servers:
            await server.start()
        assert [server.address[1] for server in servers] == [43102, 43101, 43103]
    finally:
        for server in servers:
            await server.close()


async def test_ipv6(far_ends: FarEnds) -> None:
    server = MediaServer("::1", 42000, 42999)
    try:
        await server.start()
    except MediaError as error:
        pytest.skip(f"no IPv6 here: {error}")
    far, leg, peer = far_ends(PCMU, "::1"), server.open_leg(PCMU), Speaker(8000)
    leg.attach(peer)
    leg.connect(far.address)
    await far.hear(1)
    stranger = far_ends(PCMU, "::1")
    for _ in range(5):
        stranger.say(server, np.full(160, 30000, dtype=np.int16))
    assert server.stray_packets == 5, "dropped before it is read"
    far.say(server, np.full(160, 1000, dtype=np.int16))
    await peer.has_heard(5)
    assert leg.stats().received == 1
    await server.close()


async def test_one_port_takes_ipv4_and_ipv6(far_ends: FarEnds) -> None:
    server = MediaServer("::", 42000, 42999)
    try:
        await server.start()
        far = [far_ends(PCMU, host) for host in ("::1", LOOPBACK)]
    except (MediaError, OSError) as error:
        pytest.skip(f"no IPv6 here: {error}")
    legs, peers = [server.open_leg(PCMU) for _ in far], [Speaker(8000) for _ in far]
    for leg, end, peer in zip(legs, far, peers, strict=True):
        leg.attach(peer)
        leg.connect(end.address)
        await end.hear(1)
    strangers = [far_ends(PCMU, host) for host in ("::1", LOOPBACK)]
    for end in (*strangers, *far):
        packet = serialize(RtpPacket(0, 1, 160, 7, PCMU.encode(np.full(160, 1000, np.int16))))
        end.socket.sendto(packet, (end.address[0], server.address[1]))
    for peer in peers:
        await peer.has_heard(5)
    assert [leg.stats().received for leg in legs] == [1, 1]
    assert server.stray_packets == 2, "dropped before they are read"
    await server.close()


async def test_closing_under_load_leaves_nothing(far_ends: FarEnds) -> None:
    far = [far_ends() for _ in range(20)]
    before = open_files()
    for _ in range(3):
        server = MediaServer(LOOPBACK, 42000, 42999)
        await server.start()
        for end in far:
            leg = server.open_leg(PCMU)
            leg.attach(Speaker(8000))
            leg.connect(end.address)
            for _ in range(10):
                end.say(server, np.zeros(160, dtype=np.int16))
        await far[-1].hear(2)
        await server.close()
        await server.close()
        assert open_files() == before
        with pytest.raises(MediaError, match="not started"):
            _ = server.address


@pytest.mark.parametrize("encoding", [UNICAST8, UNICAST16], ids=lambda one: one.name)
async def test_headerless_audio_goes_both_ways(
    server: MediaServer, bare_ends: BareEnds, encoding: Encoding
) -> None:
    far, leg, peer = bare_ends(encoding), server.open_leg(encoding), Speaker(encoding.rate, 8001)
    leg.attach(peer)
    leg.connect(far.address)
    assert leg.rate == encoding.rate
    datagrams = []
    for _ in range(10):
        far.say(server, -4001)
        datagrams += await far.hear(1)
    await peer.has_heard(12)

    assert {len(datagram) for datagram in datagrams} == {encoding.frame_bytes}
    assert set(encoding.decode(b"".join(datagrams)).tolist()) == {8001}
    assert min(int(frame.min()) for frame in peer.heard) == -4001, "linear samples arrive exactly"
    stats = leg.stats()
    assert (stats.received, stats.lost, stats.late, stats.duplicate) == (10, 0, 0, 0)


async def test_a_narrow_channel_on_a_wideband_call(
    server: MediaServer, bare_ends: BareEnds
) -> None:
    """A channel's rate is known at the answer only; who hears and speaks has 16 kHz before."""
    far, leg, peer = bare_ends(UNICAST8), server.open_leg(UNICAST16), Speaker(16000, 8001)
    leg.attach(peer)
    leg.recode(UNICAST8_WIDENED)
    leg.connect(far.address)
    datagrams = []
    for _ in range(15):
        far.say(server, -4001)
        datagrams += await far.hear(1)
    await peer.has_heard(17)
    assert leg.rate == 16000
    assert {len(datagram) for datagram in datagrams} == {320}
    assert int(UNICAST8.decode(datagrams[-1])[-1]) == pytest.approx(8001, abs=40)
    assert {frame.size for frame in peer.heard} == {320}
    assert min(int(frame[-1]) for frame in peer.heard) == pytest.approx(-4001, abs=40)
    stats = leg.stats()
    assert (stats.received, stats.lost, stats.late, stats.dropped_frames) == (15, 0, 0, 0)


async def test_headerless_silence_is_sent_whole_and_never_as_an_empty_datagram(
    server: MediaServer, bare_ends: BareEnds
) -> None:
    """FreeSWITCH's reader stops for ever on a datagram of no bytes."""
    far, leg = bare_ends(), server.open_leg(UNICAST8)
    leg.connect(far.address)
    heard = await far.hear(2)
    leg.attach(Broken(lambda heard: heard[:0]))
    heard += await far.hear(3)
    leg.attach(Broken(lambda heard: heard[:-1]))
    heard += await far.hear(3)
    assert set(heard) == {bytes(320)}


async def test_datagrams_of_another_size_are_told_once_and_dropped(
    server: MediaServer, bare_ends: BareEnds, caplog: pytest.LogCaptureFixture
) -> None:
    far, leg, peer = bare_ends(), server.open_leg(UNICAST8), Speaker(8000)
    leg.attach(peer)
    leg.connect(far.address)
    for datagram in (b"", b"\x7f" * 161, b"\x7f" * 962, b"\x7f" * 3000):
        far.socket.sendto(datagram, server.address)
    far.say(server, 1000)
    await peer.has_heard(5)
    assert leg.stats().received == 1
    assert {int(frame.max()) for frame in peer.heard} <= {0, 1000, 800, 500, 200}
    told = [record.message for record in caplog.records if "malformed" in record.message]
    assert len(told) == 1
    assert "0 bytes came, 20 ms at 8000 Hz are 320" in told[0]


async def test_rtp_and_headerless_audio_share_the_port(
    server: MediaServer, far_ends: FarEnds, bare_ends: BareEnds
) -> None:
    rtp, bare = far_ends(SLIN16), bare_ends(UNICAST16)
    relay = Relay()
    for far, end in ((rtp, relay.first), (bare, relay.second)):
        leg = server.open_leg(far.codec if isinstance(far, FarEnd) else far.encoding)
        leg.attach(end)
        leg.connect(far.address)
    over_rtp, over_bare = set(), set()
    for _ in range(20):
        rtp.say(server, np.full(320, 1234, dtype=np.int16))
        bare.say(server, -4321)
        over_rtp |= set(SLIN16.decode((await rtp.hear(1))[0].payload).tolist())
        over_bare |= set(UNICAST16.decode((await bare.hear(1))[0]).tolist())
    assert -4321 in over_rtp
    assert max(over_rtp) <= 0
    assert 1234 in over_bare
    assert min(over_bare) >= 0
    assert server.stray_packets == 0


async def test_a_leg_says_when_it_first_hears(
    server: MediaServer, far_ends: FarEnds, bare_ends: BareEnds
) -> None:
    rtp, bare = far_ends(), bare_ends()
    for far, leg in ((rtp, server.open_leg(PCMU)), (bare, server.open_leg(UNICAST8))):
        assert not await leg.wait_heard(0.001), "it is not even connected"
        leg.connect(far.address)
        waiting = asyncio.create_task(leg.wait_heard(10))
        far.socket.sendto(b"\x00" * 7, server.address)
        await far.hear(3)  # it was taken in by the last of these ticks
        assert not waiting.done(), "what is malformed is no audio"
        if isinstance(far, FarEnd):
            far.say(server, np.zeros(160, dtype=np.int16))
        else:
            far.say(server, 0)
        assert await waiting
        assert await leg.wait_heard(0), "it stays true"


async def test_a_frame_of_nothing_is_a_sign_of_life_but_not_heard(
    server: MediaServer, bare_ends: BareEnds
) -> None:
    """What FreeSWITCH sends while the trunk sends nothing."""
    far, leg, peer = bare_ends(), server.open_leg(UNICAST8), Speaker(8000)
    leg.attach(peer)
    leg.connect(far.address)
    for _ in range(5):
        far.say(server, -1)
        await far.hear(1)
    assert await leg.wait_heard(10)
    assert not any(frame.any() for frame in peer.heard)
    assert (leg.stats().received, leg.stats().concealed_frames) == (0, 0)


async def test_how_long_ago_a_far_end_was_heard(server: MediaServer, bare_ends: BareEnds) -> None:
    far, leg = bare_ends(), server.open_leg(UNICAST8)
    assert leg.unheard_s() == 0, "there is none"
    leg.connect(far.address)
    await far.hear(5)
    unheard = leg.unheard_s()
    assert unheard > 0.05
    far.say(server, -1)  # a frame of nothing is a sign of life
    assert await leg.wait_heard(10)
    assert leg.unheard_s() < unheard
    leg.disconnect()
    assert leg.unheard_s() == 0


async def test_nobody_heard_in_time(server: MediaServer, bare_ends: BareEnds) -> None:
    far, stranger, leg = bare_ends(), bare_ends(), server.open_leg(UNICAST8)
    leg.connect(far.address)
    stranger.say(server, 1)
    begin = time.monotonic()
    assert not await leg.wait_heard(0.1)
    assert 0.1 <= time.monotonic() - begin < 5


async def test_a_disconnected_leg_neither_sends_nor_hears_and_connects_anew(
    server: MediaServer, bare_ends: BareEnds
) -> None:
    """As FreeSWITCH needs it: parked anew, its audio comes from another port."""
    old, new, witness = bare_ends(), bare_ends(), bare_ends()
    leg, other, peer = server.open_leg(UNICAST8), server.open_leg(UNICAST8), Speaker(8000)
    other.connect(witness.address)
    leg.attach(peer)
    leg.connect(old.address)
    old.say(server, 1000)
    assert await leg.wait_heard(10)
    leg.disconnect()
    leg.disconnect()
    sent, exchanged = leg.stats().sent, len(peer.heard)
    await witness.hear(3)
    old.say(server, 2000)
    await strays_are_counted(server, 1)
    assert (leg.stats().sent, len(peer.heard), server.open_legs) == (sent, exchanged, 2)
    assert not await leg.wait_heard(10), "at once: there is nobody to hear"

    leg.connect(new.address)
    assert not await leg.wait_heard(0.001), "what the old far end said does not count"
    for _ in range(5):
        new.say(server, 3000)
        await new.hear(1)
    assert await leg.wait_heard(0)
    await peer.has_heard(len(peer.heard) + 3)
    assert max(int(frame.max()) for frame in peer.heard) == 3000
    assert 2000 not in {int(frame.max()) for frame in peer.heard}
    other.connect(old.address)  # nobody has it any more


@pytest.mark.parametrize("end", ["disconnect", "close"])
async def test_letting_go_wakes_who_waits(
    server: MediaServer, bare_ends: BareEnds, end: str
) -> None:
    far, leg = bare_ends(), server.open_leg(UNICAST8)
    leg.connect(far.address)
    waiting = asyncio.create_task(leg.wait_heard(60))
    await far.hear(1)
    getattr(leg, end)()
    async with asyncio.timeout(5):
        assert not await waiting


async def test_a_peer_may_let_go_of_the_far_end(
    server: MediaServer, bare_ends: BareEnds, caplog: pytest.LogCaptureFixture
) -> None:
    far, other = bare_ends(), bare_ends()
    leg, witness = server.open_leg(UNICAST8), server.open_leg(UNICAST8)

    def let_go(heard: Samples) -> Samples:
        leg.disconnect()
        return heard

    peer = Broken(let_go)
    leg.attach(peer)
    leg.connect(far.address)
    witness.connect(other.address)
    await other.hear(3)
    assert (peer.calls, leg.stats().sent) == (1, 0)
    leg.connect(far.address)
    await other.hear(3)
    assert (peer.calls, leg.stats().sent) == (2, 0)
    assert not caplog.records


async def test_a_leg_that_moves_listens_anew(server: MediaServer, bare_ends: BareEnds) -> None:
    old, new, leg = bare_ends(), bare_ends(), server.open_leg(UNICAST8)
    leg.connect(old.address)
    old.say(server, 1000)
    assert await leg.wait_heard(10)
    leg.connect(new.address)
    waiting = asyncio.create_task(leg.wait_heard(10))
    await new.hear(3)
    assert not waiting.done()
    assert not await leg.wait_heard(0)
    new.say(server, 1000)
    assert await waiting


class Clock:
    """A clock that stands still unless told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_the_server_catches_up_after_a_short_stall_and_skips_after_a_long_one(
    far_ends: FarEnds,
) -> None:
    clock, far, peer = Clock(), far_ends(), Speaker(8000)
    server = MediaServer(LOOPBACK, 42000, 42999, clock=clock)
    await server.start()
    leg = server.open_leg(PCMU)
    leg.attach(peer)
    leg.connect(far.address)
    clock.now += 0.061  # three ticks are due: all three are sent
    short = await far.hear(3)
    clock.now += 1.0  # fifty are due: one is sent, at its own time
    long = await far.hear(1)
    assert [timestamp_delta(p.timestamp, short[0].timestamp) for p in short] == [0, 160, 320]
    gap = timestamp_delta(long[0].timestamp, short[2].timestamp)
    assert gap == 50 * 160
    assert long[0].sequence == (short[2].sequence + 1) & 0xFFFF
    assert long[0].marker
    assert server.lateness().skipped == 49
    assert len(peer.heard) == leg.stats().sent == 4
    await server.close()


def test_a_million_ticks_do_not_drift() -> None:
    pacer = Pacer(5.0)
    for _ in range(1_000_000):
        pacer.tick(pacer.deadline + 0.004)
    assert pacer.deadline == pytest.approx(5.0 + 0.02 * 1_000_001, abs=1e-6)
    lateness = pacer.lateness()
    assert lateness.p50_ms == pytest.approx(4, abs=1e-3)
    assert lateness.p99_ms == pytest.approx(4, abs=1e-3)
    assert lateness.skipped == 0


def test_lateness_before_the_first_tick() -> None:
    assert Pacer(0.0).lateness().ticks == 0


@pytest.mark.parametrize(
    ("late_ms", "skipped"), [(0, 0), (19, 0), (61, 0), (79, 0), (81, 4), (1005, 50)]
)
def test_what_a_stall_costs(late_ms: int, skipped: int) -> None:
    pacer = Pacer(0.0)
    now = pacer.deadline + late_ms / 1000
    assert pacer.tick(now) == skipped
    assert pacer.deadline == pytest.approx(0.04 + skipped * 0.02)
    if skipped:
        assert 0 < pacer.deadline - now <= 0.02, "the next tick lies ahead, on the old grid"
