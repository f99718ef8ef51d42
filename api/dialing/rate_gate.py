"""Keeps what leaves this process at a rate, in every window of a second."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

WINDOW_S: Final = 1.0


@dataclass
class _Sending:
    """One that has left, or is leaving."""

    gone: asyncio.Event = field(default_factory=asyncio.Event)
    at: float = 0.0
    """When it had left for certain."""


class RateGate:
    """Lets at most `rate` through in any second, in the order in which they came.

    What is counted by the ledger is when calls were claimed; on the way from there to the PBX
    they bunch up. So the last one of a window counts from when it had left for certain, and the
    next one may begin to leave a second after that.
    """

    def __init__(
        self,
        rate: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._lock = asyncio.Lock()
        self._latest: deque[_Sending] = deque(maxlen=rate)

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for one's turn; what is done within is what is counted."""
        sending = _Sending()
        async with self._lock:
            if len(self._latest) == self._latest.maxlen:
                first = self._latest[0]
                await first.gone.wait()
                await self._sleep(max(0.0, first.at + WINDOW_S - self._clock()))
            self._latest.append(sending)
        try:
            yield
        finally:
            sending.at = self._clock()
            sending.gone.set()
