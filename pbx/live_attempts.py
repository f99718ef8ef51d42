"""The attempts of one switch: who they are, and what becomes of them when the link is lost."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, Final, Generic

from pbx.attempt import LiveAttempt
from pbx.attempt_core import CoreT
from pbx.switch import Ended, SwitchError

_log = logging.getLogger(__name__)

#: How long an id whose fate is unknown is hung up on sight.
_CONDEMNED_S: Final = 600.0
_CLOSE_S: Final = 5.0


class LiveAttempts(Generic[CoreT]):
    """Owns the attempts, their background work, and the patience with a link that is down.

    Args:
        link_grace_s: how long calls outlive a lost link before they are given up.
    """

    def __init__(self, link_grace_s: float) -> None:
        self._link_grace_s = link_grace_s
        self._attempts: dict[str, LiveAttempt[CoreT]] = {}
        self._condemned: dict[str, float] = {}
        self._down_since: float | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._grace: asyncio.TimerHandle | None = None
        self._patrol: asyncio.Task[None] | None = None

    def __iter__(self) -> Iterator[LiveAttempt[CoreT]]:
        return iter(list(self._attempts.values()))

    def __contains__(self, channel_id: str) -> bool:
        return channel_id in self._attempts

    def get(self, channel_id: str) -> LiveAttempt[CoreT] | None:
        return self._attempts.get(channel_id)

    def add(self, attempt: LiveAttempt[CoreT]) -> None:
        self._attempts[attempt.id] = attempt

    def drop(self, attempt: LiveAttempt[CoreT]) -> None:
        """Forget one that never began."""
        self._attempts.pop(attempt.id, None)
        attempt.discard()

    def ended(self, attempt: LiveAttempt[CoreT], ended: Ended) -> None:
        """Forget one that is over; what was lost is hung up wherever it shows itself."""
        self._attempts.pop(attempt.id, None)
        if ended.cause.name == "pbx_lost_call":
            self.condemn(attempt.id)

    def condemn(self, channel_id: str) -> None:
        """Its fate is unknown: never dialled again, and hung up on sight for ten minutes."""
        self._condemned[channel_id] = time.monotonic() + _CONDEMNED_S

    def condemned(self, channel_id: str) -> bool:
        return self._condemned.get(channel_id, 0.0) > self._judged_at()

    def all_condemned(self) -> list[str]:
        """Those that are to be hung up on sight now."""
        now = self._judged_at()
        self._condemned = {one: until for one, until in self._condemned.items() if until > now}
        return list(self._condemned)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do that in the background, until `close()`."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def link_down(self) -> None:
        """From now on the calls' patience runs."""
        self._calm()
        self._down_since = time.monotonic()
        for attempt in self:
            attempt.core.unwatched(self._down_since)
        self._grace = asyncio.get_running_loop().call_later(self._link_grace_s, self._give_up)

    def link_up(self) -> None:
        """The link is back, and the calls are reconciled."""
        self._calm()
        self._down_since = None
        for attempt in self:
            attempt.core.watched()

    def patrol(self, interval_s: float, reconcile: Callable[[], Awaitable[None]]) -> None:
        """Reconcile every now and then, should an event ever have been missed."""
        self._patrol = asyncio.create_task(self._go_round(interval_s, reconcile), name="patrol")

    async def hang_up_all(self, *, confirmed: bool) -> None:
        """End every attempt; those that were transferred go on without us.

        Args:
            confirmed: whether the PBX can be expected to confirm; five seconds are given to it.
        """
        if self._patrol is not None:
            self._patrol.cancel()
            await asyncio.gather(self._patrol, return_exceptions=True)
            self._patrol = None
        attempts = [one for one in self if not one.core.transferred]
        for attempt in attempts:
            await attempt.hang_up()
        if attempts and confirmed:
            waiting = [asyncio.create_task(one.finished.wait()) for one in attempts]
            _, late = await asyncio.wait(waiting, timeout=_CLOSE_S)
            for task in late:
                task.cancel()
        for attempt in self:
            attempt.lose("Offhook was shut down before the PBX confirmed the hang-up.")

    async def close(self) -> None:
        """End all background work."""
        self._calm()
        for pending in list(self._tasks):
            pending.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _calm(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None

    async def _go_round(self, interval_s: float, reconcile: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(interval_s)
            try:
                await reconcile()
            except SwitchError as error:
                _log.warning("could not compare the calls with the PBX: %s", error)
            except Exception:
                # Nobody else would notice that the patrol is gone.
                _log.exception("a fault in comparing the calls with the PBX")

    def _judged_at(self) -> float:
        """While the link is down nobody is hung up, and so nothing is forgiven."""
        return time.monotonic() if self._down_since is None else self._down_since

    def _give_up(self) -> None:
        """The link has been down for too long: nobody can say what became of the calls."""
        self._grace = None
        for attempt in self:
            attempt.lose("The link to the PBX was down for too long.")
