"""Two hundred short calls, five at a time: nothing is left behind, memory is flat."""

import asyncio
import itertools

import psutil

from api.lifecycle import TERMINAL
from tests.e2e.conftest import Phone

_CALLS = 200
_AT_A_TIME = 5
_WARM_UP = 60
#: Refused, hung up at once, hung up early, cut off in the middle of the agent's words.
_MIX = ("busy", "hasty", "wrong number", "quitter", "rejecter", "stutterer", "congestion", "hasty")
#: Growth allowed after the warm-up, MB: SQLite's caches and the allocators' slack.
_GROWTH_MB = 24


async def test_soak(phone: Phone) -> None:
    process = psutil.Process()
    queue = iter(itertools.islice(itertools.cycle(_MIX), _CALLS))
    ended: list[str] = []
    at_warm: list[tuple[float, int, int]] = []

    async def caller() -> None:
        for called in queue:
            call = await phone.call(called, webhook_url=None, returns=None)
            ended.append(call["status"])
            if len(ended) == _WARM_UP:
                at_warm.append(measure())

    def measure() -> tuple[float, int, int]:
        return process.memory_info().rss / 1e6, process.num_fds(), len(asyncio.all_tasks())

    await settled(phone)
    before = measure()
    async with asyncio.timeout(170):
        await asyncio.gather(*(caller() for _ in range(_AT_A_TIME)))
    await settled(phone)
    after = measure()

    assert len(ended) == _CALLS
    assert set(ended) <= TERMINAL
    assert ended.count("completed") == _CALLS * 4 // 8
    assert after[0] - at_warm[0][0] < _GROWTH_MB
    assert after[1] <= before[1] + 2
    assert after[2] <= before[2] + 2
    print(f"soak: {before} {at_warm[0]} {after} (MB, descriptors, tasks)")  # noqa: T201


async def settled(phone: Phone) -> None:
    """No channel on our Asterisk (it is asked), no leg, no running call."""
    async with asyncio.timeout(15):
        while await phone.bed.ours.channels() or phone.server.dialer.active:
            await asyncio.sleep(0.1)
    assert phone.server.media.open_legs == 0
