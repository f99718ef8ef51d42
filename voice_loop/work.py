"""The work beside a conversation: tasks that fill its speeches.

What goes wrong in them is told to the conversation, not raised: whatever it is, the person must
not be left in silence.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any
from weakref import WeakKeyDictionary

from voice_loop.playout import Speech
from voice_loop.ports import EngineError
from voice_loop.signals import Failed

log = logging.getLogger(__name__)

#: Cancelled work that is not over by then is left to itself.
_CANCEL_WAIT_S = 5.0

Job = Callable[[], Coroutine[Any, Any, None]]


class Work:
    """The tasks of one conversation."""

    def __init__(self, call_id: str, post: Callable[[Failed], None]) -> None:
        self._call_id = call_id
        self._post = post
        self._tasks: set[asyncio.Task[None]] = set()
        self._fillers: WeakKeyDictionary[Speech, asyncio.Task[None]] = WeakKeyDictionary()
        self._asides: dict[str, asyncio.Task[None]] = {}

    def start(self, speech: Speech, job: Job) -> asyncio.Task[None]:
        """Do a job beside everything else; `speech` is what waits for it."""
        return self._begin(self._watch(speech, job))

    def do_aside(self, kind: str, job: Job) -> None:
        """Do a job that nothing waits for, in place of the one before of its kind: its errors are
        logged."""
        if (before := self._asides.get(kind)) is not None:
            before.cancel()
        self._asides[kind] = self._begin(self._watch_aside(job))

    def fill(self, speech: Speech, job: Job) -> None:
        """Do a job that a speech's words come from; `give_up` ends it."""
        self._fillers[speech] = self.start(speech, job)

    def give_up(self, speech: Speech) -> None:
        """Cancel the job that fills a speech, if there is one."""
        if (task := self._fillers.pop(speech, None)) is not None:
            task.cancel()

    async def see_through(self, speech: Speech, job: Job) -> None:
        """Do a job and wait for its end."""
        task = self.start(speech, job)
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()

    def cancel(self) -> None:
        """Cancel all jobs."""
        for task in self._tasks:
            task.cancel()
        # A cancelled task keeps the frames that it ended in, and through them all that we hold.
        self._fillers.clear()
        self._asides.clear()

    async def ended(self) -> None:
        """Wait for the end of all jobs, for at most `_CANCEL_WAIT_S`."""
        if self._tasks:
            _, stuck = await asyncio.wait(self._tasks, timeout=_CANCEL_WAIT_S)
            if stuck:
                log.error("call %s: %d tasks do not end", self._call_id, len(stuck))

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _watch(self, speech: Speech, job: Job) -> None:
        try:
            await job()
        except EngineError as error:
            self._post(Failed(error, speech))
        except Exception:
            log.exception("call %s: work on a reply failed", self._call_id)
            self._post(Failed(EngineError("an internal error; the log has more"), speech))

    async def _watch_aside(self, job: Job) -> None:
        try:
            await job()
        except EngineError as error:
            log.warning("call %s: %s", self._call_id, error)
        except Exception:
            log.exception("call %s: work on the side failed", self._call_id)
