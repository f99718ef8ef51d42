"""Never more than the rate in any second, whatever the way of each one out takes."""

import asyncio
import random

import pytest

from api.dialing.rate_gate import WINDOW_S, RateGate


class Time:
    """A clock that only moves when somebody waits or works."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


async def test_never_over_in_any_window() -> None:
    chance, time, left = random.Random(7), Time(), list[tuple[float, float]]()
    gate = RateGate(20, time, time.sleep)

    async def leave() -> None:
        async with gate.turn():
            begun = time()
            for _ in range(3):
                await time.sleep(chance.uniform(0, 0.004))
            left.append((begun, time()))

    async with asyncio.TaskGroup() as group:
        for _ in range(200):
            group.create_task(leave())
    assert len(left) == 200
    # Wherever within its way each one is seen: the 20th before had left a second ago.
    for (_, gone), (begun, _) in zip(left, left[20:], strict=False):
        assert begun - gone >= WINDOW_S - 1e-9


async def test_one_that_fails_counts_and_lets_the_next_one_through() -> None:
    time = Time()
    gate = RateGate(2, time, time.sleep)
    for _ in range(2):
        with pytest.raises(OSError, match="refused"):
            async with gate.turn():
                raise OSError("refused")
    async with gate.turn():
        assert time() == WINDOW_S
