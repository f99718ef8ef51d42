"""A few threads for blocking engine calls, with a bounded queue in front of them.

What is needed first is done first. An `asyncio` future stands for each piece of work: cancelling it
drops the work while it is still waiting; work that has begun runs to its end and its result is
thrown away.
"""

import asyncio
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from heapq import heappop, heappush
from time import monotonic
from typing import Any, TypeVar

from voice_loop.ports import EngineError

T = TypeVar("T")


class Workers:
    """Threads of one engine.

    Args:
        engine: its name in error messages and thread names.
        threads: pieces of work done at the same time.
        waiting: pieces of work that may wait for a thread; one more is refused.
        timeout_s: seconds that one piece of work may take, its wait included.
    """

    def __init__(self, engine: str, threads: int, waiting: int, timeout_s: float) -> None:
        self._engine = engine
        self._limit = threads + waiting
        self._timeout_s = timeout_s
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=engine)
        self._lock = threading.Lock()
        self._pending = 0
        self._count = itertools.count()
        self._waiting: list[tuple[float, int, Callable[[], Any], Future[Any]]] = []

    async def run(self, work: Callable[[], T], due: float | None = None) -> T:
        """Do `work` in a thread. Raises EngineError when overloaded, closed or too late.

        Args:
            work: what is to be done.
            due: when its result is needed, `time.monotonic()` seconds; None is now.
        """
        job: Future[T] = Future()
        with self._lock:
            if self._pending >= self._limit:
                raise EngineError(
                    f"{self._engine} is overloaded: {self._pending} requests are waiting; "
                    "place fewer calls at a time (`calls.max_concurrent`)"
                )
            self._pending += 1
            urgency = monotonic() if due is None else due
            heappush(self._waiting, (urgency, next(self._count), work, job))
        job.add_done_callback(self._count_down)
        try:
            self._executor.submit(self._do_next)
        except RuntimeError as error:
            job.cancel()
            raise EngineError(f"{self._engine} has been closed") from error
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.wrap_future(job)
        except TimeoutError as error:
            raise EngineError(
                f"{self._engine} did not answer within {self._timeout_s:g} s"
            ) from error

    def _do_next(self) -> None:
        with self._lock:
            *_, work, job = heappop(self._waiting)
        if not job.set_running_or_notify_cancel():
            return
        try:
            job.set_result(work())
        except BaseException as error:
            job.set_exception(error)

    def _count_down(self, _done: "Future[Any]") -> None:
        with self._lock:
            self._pending -= 1

    def close(self) -> None:
        """Drop waiting work and wait for the work in progress."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        for *_, job in self._waiting:
            job.cancel()
