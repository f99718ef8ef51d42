"""Conversations in simulated time: asyncio's clock leaps to the next timer.

So a minute of telephone audio takes only its computing, figures do not depend on what else the
machine does, and what an engine computes takes no time on that clock. `begin` comes before the
modules whose clocks it replaces.
"""

import asyncio
import selectors
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

T = TypeVar("T")

#: With no timer set, somebody else's thread or socket has this long to go on, seconds.
PATIENCE_S: Final = 10.0
#: Where clocks start, seconds: a modern date, for what reads one.
EPOCH: Final = 1_800_000_000.0


class SimulatedTime(asyncio.SelectorEventLoop):
    """An event loop whose time passes only while it would wait."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_Leaping(self))

    def time(self) -> float:
        return self.now


class _Leaping(selectors.DefaultSelector):
    """Selects without waiting, and lets the loop's time pass in place of it."""

    def __init__(self, loop: SimulatedTime) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(PATIENCE_S if timeout is None else 0)
        if timeout is None and not ready:
            raise RuntimeError("nothing happens any more: no timer, no socket, no thread")
        if timeout is not None and timeout > 0 and not ready:
            self._loop.now += timeout
        return ready


def begin() -> SimulatedTime:
    """Make the loop, and have this process live by its clock, its threads' work done at once."""
    loop = SimulatedTime()
    time.monotonic = lambda: loop.now
    time.time = lambda: EPOCH + loop.now
    time.time_ns = lambda: int((EPOCH + loop.now) * 1e9)
    ThreadPoolExecutor.submit = _done_at_once  # type: ignore[method-assign, assignment]
    return loop


def _done_at_once(
    _executor: ThreadPoolExecutor, work: Callable[..., T], /, *args: Any, **options: Any
) -> "Future[T]":
    done: Future[T] = Future()
    try:
        done.set_result(work(*args, **options))
    except Exception as error:
        done.set_exception(error)
    return done
