"""Audio from elsewhere than the PBX said: whose far end it may be, and whose never."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network

import numpy as np
import pytest

from pbx.audio_port import MediaError
from pbx.codecs import PCMU, UNICAST8
from pbx.media import Latch, MediaLeg, MediaServer
from tests.pbx.test_media import BareEnd, FarEnd

ELSEWHERE = "127.0.0.2"
PATIENCE_S = 10.0


@asynccontextmanager
async def latching(
    latch: Latch, *networks: str, ports: tuple[int, int] = (43000, 43999)
) -> AsyncIterator[MediaServer]:
    sources = [ip_network(one) for one in networks]
    server = MediaServer("0.0.0.0", *ports, latch=latch, sources=sources)
    await server.start()
    yield server
    await server.close()


async def say_until(ends: list[FarEnd], leg: MediaLeg, over: Callable[[], bool]) -> None:
    """Each says something to that leg's port every 20 ms."""
    async with asyncio.timeout(PATIENCE_S):
        while not over():
            for one in ends:
                one.say(leg.port, np.full(160, 5000, dtype=np.int16))
            await asyncio.sleep(0.02)


def silent_leg(server: MediaServer, told: FarEnd) -> MediaLeg:
    leg = server.open_leg(PCMU)
    leg.connect(told.address)
    return leg


@pytest.mark.parametrize(
    ("latch", "networks", "host", "heard"),
    [
        ("off", [], "127.0.0.1", False),
        ("off", ["127.0.0.0/8"], ELSEWHERE, False),
        ("host", [], "127.0.0.1", True),
        ("host", [], ELSEWHERE, False),
        ("host", ["127.0.0.0/8"], ELSEWHERE, False),
        ("any", [], ELSEWHERE, True),
        ("any", ["192.0.2.0/24", "127.0.0.2/32"], ELSEWHERE, True),
        ("any", ["192.0.2.0/24", "127.0.0.3/32", "::/0"], ELSEWHERE, False),
    ],
)
async def test_where_audio_may_come_from(
    latch: Latch, networks: list[str], host: str, heard: bool
) -> None:
    told, real = FarEnd(), FarEnd(host=host)
    async with latching(latch, *networks) as server:
        leg = silent_leg(server, told)
        if heard:
            await say_until([real], leg, lambda: leg.heard)
            assert (await real.hear(1))[0].payload_type == PCMU.payload_type
        else:
            await say_until([real], leg, lambda: leg.unheard_s() > 1)
            assert leg.stats().received == 0
            assert leg.stats().strays > 10
    told.close()
    real.close()


@pytest.mark.parametrize(
    ("ssrc", "ahead"),
    [(8, 0), (7, -200), (7, 9000)],
    ids=["another's stream", "what was heard already", "far ahead of time"],
)
async def test_who_is_heard_where_it_should_be_is_not_displaced(ssrc: int, ahead: int) -> None:
    told, stranger = FarEnd(), FarEnd(ssrc=ssrc)
    told.sequence = 1000
    async with latching("any") as server:
        leg = silent_leg(server, told)
        await say_until([told], leg, lambda: leg.heard)
        stranger.sequence = told.sequence + ahead
        await say_until([stranger], leg, lambda: leg.unheard_s() > 2.5)
        received = leg.stats().received
        await say_until([told, stranger], leg, lambda: leg.stats().received > received + 5)
        assert leg.stats().duplicate == 0
        assert (await told.hear(1))[0].payload_type == PCMU.payload_type
    told.close()
    stranger.close()


async def test_who_lives_is_not_displaced_by_who_knows_the_stream() -> None:
    told, thief = FarEnd(), FarEnd()
    async with latching("any") as server:
        leg = silent_leg(server, told)
        await say_until([told], leg, lambda: leg.heard)
        thief.sequence = told.sequence + 1
        started = server.now()
        await say_until([told, thief], leg, lambda: server.now() > started + 2.5)
        assert leg.stats().duplicate == leg.stats().reordered == 0
    told.close()
    thief.close()


@pytest.mark.parametrize(
    ("latch", "networks", "host", "followed"),
    [
        ("host", [], "127.0.0.1", True),
        ("any", ["127.0.0.2/32"], ELSEWHERE, True),
        ("host", [], ELSEWHERE, False),
        ("any", ["192.0.2.0/24"], ELSEWHERE, False),
        ("off", [], "127.0.0.1", False),
    ],
)
async def test_a_far_end_whose_nat_gives_it_another_port_is_followed(
    latch: Latch, networks: list[str], host: str, *, followed: bool
) -> None:
    """Its stream goes on, from elsewhere: there it is heard, and hears us."""
    before, after, thief = FarEnd(), FarEnd(host=host), FarEnd(ssrc=8)
    async with latching(latch, *networks) as server:
        leg = silent_leg(server, before)
        await say_until([before], leg, lambda: leg.received > 5)
        after.sequence = before.sequence
        if followed:
            await say_until([thief, after], leg, lambda: leg.received > 30)
            assert (await after.hear(1))[0].payload_type == PCMU.payload_type
            assert leg.unheard_s() < 0.5
            lost = leg.stats().lost
            await say_until([after, before], leg, lambda: leg.received > 60)
            assert leg.stats().lost - lost < 3, "the old place is nobody's any more"
        else:
            await say_until([after], leg, lambda: leg.unheard_s() > 2.5)
            assert leg.received < 10
    for end in (before, after, thief):
        end.close()


async def test_bare_samples_are_not_followed() -> None:
    """FreeSWITCH's have no stream that could go on."""
    before, after = BareEnd(), BareEnd()
    async with latching("any") as server:
        leg = server.open_leg(UNICAST8)
        leg.connect(before.address)
        async with asyncio.timeout(PATIENCE_S):
            while not leg.heard:
                before.say(leg.port, 5000)
                await asyncio.sleep(0.02)
            received = leg.received
            while leg.unheard_s() < 2.5:
                after.say(leg.port, 5000)
                await asyncio.sleep(0.02)
        assert leg.received <= received + 2
    before.close()
    after.close()


async def test_the_first_source_wins_and_keeps_it() -> None:
    told, first, second = FarEnd(), FarEnd(), FarEnd()
    async with latching("any") as server:
        leg = silent_leg(server, told)
        await say_until([first], leg, lambda: leg.heard)
        strays = leg.stats().strays
        await say_until([second, told], leg, lambda: leg.stats().strays > strays + 20)
        leg.connect(told.address)  # PBXs repeat themselves
        before = leg.stats().received
        await say_until([first], leg, lambda: leg.stats().received > before + 5)
    for end in (told, first, second):
        end.close()


async def test_each_of_two_silent_calls_takes_what_comes_to_its_own_port() -> None:
    told, real = [FarEnd() for _ in range(2)], [FarEnd(host=ELSEWHERE) for _ in range(2)]
    async with latching("any") as server:
        legs = [silent_leg(server, one) for one in told]
        assert legs[0].port.address != legs[1].port.address
        assert all(server.has_port(leg.port.address[1]) for leg in legs)
        async with latching("any") as neighbour:  # another process, say
            theirs = neighbour.open_leg(PCMU).port.address[1]
            assert neighbour.has_port(theirs)
            assert not server.has_port(theirs)
        assert server.has_port(theirs), "left behind by one that is gone"
        assert not server.has_port(42_998)
        for end, leg in zip(real, legs, strict=True):
            await say_until([end], leg, lambda leg=leg: leg.heard)  # type: ignore[misc]
        # What the one has latched on to is nothing to the other.
        strays = legs[1].stats().strays
        await say_until([real[0]], legs[1], lambda: legs[1].stats().strays > strays + 5)
        for end in real:
            assert len(await end.hear(3)) == 3
    for end in (*told, *real):
        end.close()


async def test_a_port_rests_before_another_call_has_it() -> None:
    """Or that call would latch on to what a PBX still sends of the last one."""
    async with latching("any", ports=(43000, 43007)) as server:
        first = server.open_leg(PCMU)
        ports = [first.port.address[1]]
        first.close()
        for _ in range(2):
            leg = server.open_leg(PCMU)
            ports.append(leg.port.address[1])
            leg.close()
        assert len(set(ports)) == 3
        for _ in range(3):  # the fourth of the even ones is the server's own
            server.open_leg(PCMU)
        with pytest.raises(MediaError, match=r"rtp\.port_min"):
            server.open_leg(PCMU)
    assert server.stray_packets == 0


async def test_a_flood_of_one_calls_port_takes_nothing_from_another() -> None:
    told, stranger = [FarEnd(), FarEnd()], FarEnd(host=ELSEWHERE)
    async with latching("host") as server:
        flooded, other = (silent_leg(server, one) for one in told)
        await say_until(told[1:], other, lambda: other.heard)
        before = other.stats()
        for _ in range(25):
            for _ in range(300):
                stranger.say(flooded.port, np.full(160, 30000, dtype=np.int16))
            told[1].say(other.port, np.full(160, 5000, dtype=np.int16))
            await asyncio.sleep(0.02)
        await say_until(told[1:], other, lambda: other.stats().received >= before.received + 25)
        assert other.stats().lost == before.lost
        assert not flooded.heard
        assert flooded.stats().strays > 1000
    for end in (*told, stranger):
        end.close()


async def test_nothing_but_audio_is_latched_on() -> None:
    told, stranger = FarEnd(), FarEnd()
    async with latching("any") as server:
        leg = silent_leg(server, told)
        async with asyncio.timeout(PATIENCE_S):
            while leg.unheard_s() < 1:
                for junk in (b"", b"x", b"\x80\x00", b"\x80\x60" + bytes(170)):
                    stranger.socket.sendto(junk, leg.port.address)
                await asyncio.sleep(0.02)
        assert not leg.heard
    told.close()
    stranger.close()


@pytest.mark.parametrize(
    ("latch", "networks", "warning"),
    [("off", [], False), ("host", [], False), ("any", [], True), ("any", ["192.0.2.7/32"], False)],
)
async def test_to_take_audio_from_anywhere_is_warned_of(
    latch: Latch, networks: list[str], warning: bool
) -> None:
    async with latching(latch, *networks) as server:
        finding = server.look()
    assert finding.ok
    assert finding.warning is warning
    assert ("rtp.sources" in finding.message) is warning
