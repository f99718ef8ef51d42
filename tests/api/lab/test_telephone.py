"""A telephone: where it puts what it hears, and what it loses on the way."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from itertools import pairwise

import numpy as np
import pytest

from api.lab.caller import Caller, Pause, Script
from api.lab.scenario import LineConditions
from api.lab.telephone import Telephone
from models.recordings import RATE
from pbx.codecs import PCMU
from pbx.framing import RtpFraming
from pbx.rtp import parse
from voice_loop.audio import level_dbfs

FRAME = RATE // 50


@pytest.fixture
async def exchange() -> AsyncIterator[socket.socket]:
    """The carrier's end: a UDP socket that does not block."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.setblocking(False)
        yield udp


async def call(
    exchange: socket.socket, conditions: LineConditions, talk_s: float, late_s: float = 0.0
) -> tuple[Caller, list[tuple[float, int]]]:
    """Ring a telephone and send it a tone; gives its caller, and what came: when, and its number.

    Args:
        exchange: the far end.
        conditions: of the telephone.
        talk_s: how long.
        late_s: a stall in the middle, after which all that was held up is sent at once.
    """
    framing, came = RtpFraming(PCMU), []
    caller = Caller(Script([Pause(round(talk_s * 1000))], conditions))
    async with Telephone(PCMU, conditions, 1) as telephone:

        async def play() -> None:
            tone = np.full(FRAME, 8000, dtype=np.int16)
            tone[::2] *= -1
            begun, sent = time.monotonic(), 0
            stall = talk_s / 2
            while True:
                passed = time.monotonic() - begun
                if not stall <= passed < stall + late_s:
                    while sent * 0.02 <= passed:
                        packet = framing.write(PCMU.encode(tone))
                        exchange.sendto(packet, ("127.0.0.1", telephone.port))
                        sent += 1
                while True:
                    try:
                        came.append((time.monotonic(), parse(exchange.recv(2048)).sequence))
                    except BlockingIOError:
                        break
                await asyncio.sleep(0.005)

        playing = asyncio.create_task(play())
        assert await telephone.rung(2.0)
        await telephone.talk(caller, time.monotonic(), 60.0)
        playing.cancel()
    return caller, came


async def test_a_stall_of_the_network_leaves_no_hole_in_what_is_heard(
    exchange: socket.socket,
) -> None:
    levels: list[float] = []
    for _ in range(3):  # a busy machine's own stalls come on top
        caller, _ = await call(exchange, LineConditions(), 1.2, late_s=0.08)
        heard = caller.agent.whole[int(0.1 * RATE) : int(1.1 * RATE)]
        frames = heard[: heard.size // FRAME * FRAME].reshape(-1, FRAME)
        levels.append(min(level_dbfs(one) for one in frames))
        if levels[-1] > -20:
            return
    pytest.fail(f"a hole each time: {levels} dBFS")


async def test_it_loses_the_share_that_it_is_told_to(exchange: socket.socket) -> None:
    _, came = await call(exchange, LineConditions(loss=0.5), 2.0)
    assert 25 <= len(came) <= 75
    _, all_came = await call(exchange, LineConditions(), 1.0)
    assert len(all_came) >= 45


async def test_late_packets_stay_in_order(exchange: socket.socket) -> None:
    _, came = await call(exchange, LineConditions(jitter_ms=80), 1.5)
    numbers = [number for _, number in came]
    assert {b - a & 0xFFFF for a, b in pairwise(numbers)} == {1}
    gaps = np.diff([at for at, _ in came])
    assert gaps.max() > 0.03


async def test_nobody_calls(exchange: socket.socket) -> None:
    async with Telephone(PCMU, LineConditions(), 1) as telephone:
        assert not await telephone.rung(0.05)
