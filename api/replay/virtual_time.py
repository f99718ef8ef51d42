"""An event loop whose time passes only while it would wait, up to where it is let."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class StuckError(Exception):
    """Nothing can happen any more, and something is waited for."""


class VirtualTime(asyncio.SelectorEventLoop):
    """Time begins at 0, and leaps to the next timer that lies before the time that is waited for
    (`until`); what computes takes none."""

    def __init__(self) -> None:
        self._now = 0.0
        self._until = 0.0
        self._reached: asyncio.Future[None] | None = None
        super().__init__(_Leaping(self))

    def time(self) -> float:
        return self._now

    async def until(self, at: float) -> None:
        """Let everything happen that does up to then, and all that follows from it."""
        self._until = max(at, self._now)
        self._reached = self.create_future()
        await self._reached

    def leap(self, wait_s: float | None) -> None:
        """There is nothing to do before so many seconds, or at all."""
        if wait_s is not None and self._now + wait_s <= self._until:
            self._now += wait_s
        elif self._reached is not None and not self._reached.done():
            self._now = self._until
            self._reached.set_result(None)
        elif wait_s is not None:
            self._now += wait_s
        else:
            raise StuckError("nothing happens any more: no timer, no answer, no frame")


class _Leaping(selectors.DefaultSelector):
    """Selects without waiting."""

    def __init__(self, loop: VirtualTime) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and (timeout is None or timeout > 0):
            self._loop.leap(timeout)
        return ready


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run in a loop of its own, in virtual time; in a thread that has none."""
    with asyncio.Runner(loop_factory=VirtualTime) as runner:
        return runner.run(work)
