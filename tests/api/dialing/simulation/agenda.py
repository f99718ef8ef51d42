"""A clock that jumps from one thing that happens to the next."""

import heapq
from collections.abc import Awaitable, Callable
from itertools import count

Happening = Callable[[], Awaitable[None]]


class Agenda:
    """What happens when, and what time it is, in Unix seconds."""

    def __init__(self, now: float) -> None:
        self.now = now
        self._heap: list[tuple[float, int, Happening]] = []
        self._order = count()

    def clock(self) -> float:
        return self.now

    def add(self, at: float, happening: Happening) -> None:
        """Let it happen at `at`, or now if that has passed."""
        heapq.heappush(self._heap, (max(at, self.now), next(self._order), happening))

    async def run(self) -> None:
        """Until nothing is left."""
        while self._heap:
            self.now, _, happening = heapq.heappop(self._heap)
            await happening()
