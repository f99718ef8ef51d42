"""A few threads for blocking engine calls, with a bounded queue in front of them.

An `asyncio` future stands for each piece of work: cancelling it drops the work while it is still
waiting; work that has begun runs to its end and its result is thrown away.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

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

    async def run(self, work: Callable[[], T]) -> T:
        """Do `work` in a thread. Raises EngineError when overloaded, closed or too late."""
        with self._lock:
            if self._pending >= self._limit:
                raise EngineError(
                    f"{self._engine} is overloaded: {self._pending} requests are waiting; "
                    "place fewer calls at a time (`calls.max_concurrent`)"
                )
            self._pending += 1
        try:
            job = self._executor.submit(work)
        except RuntimeError as error:
            self._count_down()
            raise EngineError(f"{self._engine} has been closed") from error
        job.add_done_callback(self._count_down)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.wrap_future(job)
        except TimeoutError as error:
            raise EngineError(
                f"{self._engine} did not answer within {self._timeout_s:g} s"
            ) from error

    def _count_down(self, _done: "Future[T] | None" = None) -> None:
        with self._lock:
            self._pending -= 1

    def close(self) -> None:
        """Drop waiting work and wait for the work in progress."""
        self._executor.shutdown(wait=True, cancel_futures=True)
