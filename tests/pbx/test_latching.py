"""Audio from elsewhere than the PBX said: whose far end it may be, and whose never."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest

from pbx.codecs import PCMU
from pbx.media import Latch, MediaLeg, MediaServer
from tests.pbx.test_media import FarEnd

ELSEWHERE = "127.0.0.2"
PATIENCE_S = 10.0


@asynccontextmanager
async def latching(latch: Latch) -> AsyncIterator[MediaServer]:
    server = MediaServer("0.0.0.0", 43000, 43999, latch=latch)
    await server.start()
    yield server
    await server.close()


async def say_until(ends: list[FarEnd], server: MediaServer, over: Callable[[], bool]) -> None:
    """Each says something every 20 ms."""
    async with asyncio.timeout(PATIENCE_S):
        while not over():
            for one in ends:
                one.say(server, np.full(160, 5000, dtype=np.int16))
            await asyncio.sleep(0.02)


def silent_leg(server: MediaServer, told: FarEnd) -> MediaLeg:
    leg = server.open_leg(PCMU)
    leg.connect(told.address)
    return leg


@pytest.mark.parametrize(
    ("latch", "host", "heard"),
    [
        ("off", "127.0.0.1", False),
        ("host", "127.0.0.1", True),
        ("host", ELSEWHERE, False),
        ("any", ELSEWHERE, True),
    ],
)
async def test_where_audio_may_come_from(latch: Latch, host: str, heard: bool) -> None:
    told, real = FarEnd(), FarEnd(host=host)
    async with latching(latch) as server:
        leg = silent_leg(server, told)
        if heard:
            await say_until([real], server, lambda: leg.heard)
            assert (await real.hear(1))[0].payload_type == PCMU.payload_type
        else:
            await say_until([real], server, lambda: leg.unheard_s() > 1)
            assert leg.stats().received == 0
            assert leg.stats().strays > 10
    told.close()
    real.close()


async def test_who_is_heard_where_it_should_be_is_not_displaced() -> None:
    told, stranger = FarEnd(), FarEnd()
    async with latching("any") as server:
        leg = silent_leg(server, told)
        await say_until([told], server, lambda: leg.heard)
        await say_until([stranger], server, lambda: leg.unheard_s() > 1)
        received = leg.stats().received
        await say_until([told, stranger], server, lambda: leg.stats().received > received + 5)
        assert leg.stats().duplicate == 0, "the stranger has its sequence numbers, too"
    told.close()
    stranger.close()


async def test_the_first_source_wins_and_keeps_it() -> None:
    told, first, second = FarEnd(), FarEnd(), FarEnd()
    async with latching("any") as server:
        leg = silent_leg(server, told)
        await say_until([first], server, lambda: leg.heard)
        strays = leg.stats().strays
        await say_until([second, told], server, lambda: leg.stats().strays > strays + 20)
        leg.connect(told.address)  # PBXs repeat themselves
        before = leg.stats().received
        await say_until([first], server, lambda: leg.stats().received > before + 5)
    for end in (told, first, second):
        end.close()


async def test_of_two_silent_calls_neither_is_guessed() -> None:
    ends = [FarEnd() for _ in range(3)]
    async with latching("any") as server:
        legs = [silent_leg(server, told) for told in ends[:2]]
        await say_until(ends[2:], server, lambda: min(leg.unheard_s() for leg in legs) > 1)
        assert [leg.stats().received for leg in legs] == [0, 0]
        legs[0].close()
        await say_until(ends[2:], server, lambda: legs[1].heard)
    for end in ends:
        end.close()


async def test_nothing_but_audio_is_latched_on() -> None:
    told, stranger = FarEnd(), FarEnd()
    async with latching("any") as server:
        leg = silent_leg(server, told)
        async with asyncio.timeout(PATIENCE_S):
            while leg.unheard_s() < 1:
                for junk in (b"", b"x", b"\x80\x00", b"\x80\x60" + bytes(170)):
                    stranger.socket.sendto(junk, ("127.0.0.1", server.address[1]))
                await asyncio.sleep(0.02)
        assert not leg.heard
    told.close()
    stranger.close()
