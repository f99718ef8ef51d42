"""Takes queued orders in turn and runs them, as many at a time as are allowed.

An order is claimed (its channel id is on disk) before the PBX is told, so that after a crash
`reconcile` knows what to look for on the PBX.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from api.records import Claim, Ended
from api.runner import CallRunner, RunnerConfig, finish_result
from api.scribe import insist
from api.store import Store, StoreError
from pbx.switch import Cause, Switch, SwitchError, SwitchRefused
from voice_loop.ports import Engines

log = logging.getLogger(__name__)

#: How often a lost PBX link is looked at again before claiming goes on.
_LINK_CHECK_S = 0.5
_SHUTDOWN_S = 20.0


class Dialer:
    """Owns every running call of this process."""

    def __init__(
        self,
        store: Store,
        switch: Switch,
        engines: Callable[[str], Engines],
        config: RunnerConfig,
        max_concurrent: int,
    ) -> None:
        self._store = store
        self._switch = switch
        self._engines = engines
        self._config = config
        self._slots = asyncio.Semaphore(max_concurrent)
        self._runners: dict[str, CallRunner] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def active(self) -> int:
        """Calls under way."""
        return len(self._runners)

    async def cancel(self, call_id: str) -> None:
        """Cancel a call that the PBX is dialling (`CallControl`)."""
        if runner := self._runners.get(call_id):
            await runner.end("canceled")

    async def hang_up(self, call_id: str) -> None:
        """End an answered call (`CallControl`)."""
        if runner := self._runners.get(call_id):
            await runner.end("operator_hangup")

    async def reconcile(self) -> None:
        """Settle what an earlier run of this server left behind: no zombie, no call without end.

        Raises SwitchError when the PBX cannot be asked.
        """
        unfinished = await self._store.calls.unfinished()
        found: dict[str, str] = {}
        for channel_id in await self._switch.living_channels():
            try:
                await self._switch.hang_up_channel(channel_id)
                found[channel_id] = "; its channel was still up and was hung up"
            except SwitchRefused as error:
                log.error("channel %s is still up: %s", channel_id, error)
                found[channel_id] = f"; its channel is still up: {error}"
        for left in unfinished:
            if left.call.over:
                # New calls need not wait for old results.
                self._spawn(left.call.id, finish_result(self._store, left.call, self._engines))
            else:
                channel_id = "" if left.attempt is None else left.attempt.channel_id
                ended = self._restarted(left.call.id, found.get(channel_id, ""))
                await self._bounded(left.call.id, ended)

    async def _restarted(self, call_id: str, channel: str) -> None:
        message = f"The server was restarted in the middle of the call{channel}."
        ended = Ended(time.time(), Cause("failed", "server_restart", message), "server_restart")
        await insist(call_id, partial(self._store.calls.record_ended, call_id, ended))

    async def run(self) -> None:
        """Claim and run calls until cancelled; then hang up what is under way."""
        try:
            while True:
                await self._store.calls.wait_for_work()
                await self._slots.acquire()
                claim = await self._next()
                if claim is None:
                    self._slots.release()
                else:
                    self._start(claim)
        finally:
            await self._shut_down()

    async def _next(self) -> Claim | None:
        while not self._switch.connected:  # noqa: ASYNC110 - the link tells no event
            await asyncio.sleep(_LINK_CHECK_S)
        try:
            claims = await self._store.calls.claim_queued(1)
        except Exception as error:
            # Calls under way must not pay for it.
            is_store = isinstance(error, StoreError)
            log.error("cannot claim a call: %s", error, exc_info=not is_store)
            await asyncio.sleep(_LINK_CHECK_S)
            return None
        return claims[0] if claims else None

    def _start(self, claim: Claim) -> None:
        runner = CallRunner(claim, self._store, self._switch, self._engines, self._config)
        self._runners[claim.call.id] = runner
        self._spawn(claim.call.id, self._run(claim.call.id, runner))

    def _spawn(self, call_id: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._bounded(call_id, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, call_id: str, runner: CallRunner) -> None:
        try:
            await runner.run()
        finally:
            del self._runners[call_id]
            self._slots.release()

    async def _bounded(self, call_id: str, work: Coroutine[Any, Any, None]) -> None:
        """The boundary of one call: nothing of it may reach another."""
        try:
            await work
        except Exception:
            log.exception("call %s: ended by a fault of ours", call_id)
            await self._close_faulty(call_id)

    async def _close_faulty(self, call_id: str) -> None:
        calls = self._store.calls
        try:
            call = await insist(call_id, partial(calls.get, call_id))
            if call.over:
                message = "internal error; the log tells more"
                await insist(call_id, partial(calls.record_result, call_id, None, message))
                return
            cause = Cause("failed", "internal_error", "Offhook failed; the log tells more.")
            ended = Ended(time.time(), cause, "internal_error")
            await insist(call_id, partial(calls.record_ended, call_id, ended))
        except Exception:
            log.exception("call %s: its end could not be written down", call_id)

    async def _shut_down(self) -> None:
        for runner in list(self._runners.values()):
            try:
                await runner.end("server_shutdown")
            except SwitchError as error:
                log.warning("hanging up at shutdown: %s", error)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_SHUTDOWN_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
