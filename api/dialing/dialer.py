"""Takes due calls from the queue, and inbound ones as they come, and runs them: as many at a time
as are allowed.

A call is claimed (its channel id is on disk) before the PBX is told, so that after a crash
`reconcile` knows what to look for on the PBX.
"""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from api.base.lifecycle import IllegalMoveError
from api.base.refusals import Conflict, NotFound
from api.calls.call_log import CallLog
from api.calls.recording_folder import BOX_ENDING
from api.calls.results import EXTRACTION_TIMEOUT_S, extract_results
from api.calls.runner import LEFT, CallRunner, RunnerConfig
from api.dialing.rate_gate import RateGate
from api.resources.attempt import Attempt as Recorded
from api.resources.attempt import Ended
from api.resources.call import Call, transfer_of
from api.resources.claim import Claim, Claimed, Unfinished
from api.resources.recording import RecordingWish
from api.store import Store, StoreError
from api.store.ledger_writer import insist
from api.telemetry.log_lines import CALL_ID
from pbx.switch import Attempt, Cause, Switch, SwitchError, SwitchRefused
from pbx.webrtc.listener import Listener
from voice_loop.ports import Engines

log = logging.getLogger(__name__)

#: How often a lost PBX link is looked at again before claiming goes on.
_LINK_CHECK_S = 0.5
_SHUTDOWN_S = 20.0
#: An inbound call has a free slot within this, and is on disk within this, or is refused.
_BEGIN_S: Final = 5.0
#: Others take this process for dead once its sign of life is older than that.
_LEASE_S: Final = 20.0
_HEARTBEAT_S: Final = 5.0
_EndReason = Literal["canceled", "operator_hangup"]
#: By the wish that a notice tells: nobody is kept on the line until the store is read.
_END_REASONS: Final[Mapping[str, _EndReason]] = {"cancel": "canceled", "hangup": "operator_hangup"}


class BusyError(Exception):
    """As many calls as are allowed are under way."""


class ClosedError(Exception):
    """No calls are taken yet, or any more."""


class Dialer:
    """Owns every running call of this process."""

    def __init__(
        self,
        store: Store,
        switch: Switch,
        engines: Callable[[Call], Engines],
        config: RunnerConfig,
        max_concurrent: int,
        *,
        max_analyses: int = 2,
        hinders: Callable[[Call], bool] = lambda _: False,
    ) -> None:
        """
        Args:
            store: the ledger.
            switch: the PBX.
            engines: those that a call is held with; raises EngineError.
            config: what runners need to know.
            max_concurrent: lines in use at one time.
            max_analyses: calls at one time that are over and whose result is looked for.
            hinders: whether a call cannot be held now for want of an engine.
        """
        self.node_id = str(uuid.uuid4())
        """Of this run of the server, in the ledger."""
        self._store = store
        self._switch = switch
        self._engines = engines
        self._config = config
        self._max_concurrent = max_concurrent
        self._hinders = hinders
        self._analyses = asyncio.Semaphore(max_analyses)
        self._runners: dict[str, CallRunner] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._lives_until = 0.0
        self._judges_from = 0.0
        """Until then, others too may have had no chance to give a sign of life."""
        self._lapses: dict[str, float] = {}
        """When leases ended that were found, by name."""
        self._settling: set[str] = set()
        self._claiming = False
        self._arriving = 0
        self._open = False
        self._admission = asyncio.Lock()
        """Held while free slots are given away."""
        self._asked_early: set[str] = set()
        self._gates: dict[str, tuple[int, RateGate]] = {}

    @property
    def active(self) -> int:
        """Calls under way: lines in use, or about to be."""
        return len(self._runners) + self._arriving

    async def receive(
        self, attempt: Attempt, begin: Callable[[str, str], Awaitable[Claim]]
    ) -> Call:
        """Take an inbound call and run it.

        Args:
            attempt: about to be answered.
            begin: puts it on disk, given its id and that of this node.

        Raises BusyError, ClosedError, TimeoutError, StoreError, and what `begin` raises: it is not
        to be answered then.
        """
        call_id = str(uuid.uuid4())
        async with asyncio.timeout(_BEGIN_S), self._admission:
            if not self._open:
                raise ClosedError
            if self.active >= self._max_concurrent:
                raise BusyError
            self._arriving += 1
        try:
            claim = await self._begun(call_id, begin)
            await self._start(claim, attempt)
            return claim.call
        finally:
            self._arriving -= 1

    def listen(
        self, call_id: str, listener: Listener, client: str | None, most: int, key: str | None
    ) -> None:
        """Let somebody listen to a call (`CallRunner.listen`). Raises Conflict."""
        if (runner := self._runners.get(call_id)) is None:
            detail = "the call is not in progress, or on another server"
            raise Conflict("not_in_progress", detail)
        runner.listen(listener, client, most, key)

    async def _begun(self, call_id: str, begin: Callable[[str, str], Awaitable[Claim]]) -> Claim:
        if time.monotonic() > self._lives_until:
            await self._beat()
        beginning = asyncio.ensure_future(begin(call_id, self.node_id))
        try:
            async with asyncio.timeout(_BEGIN_S):
                return await asyncio.shield(beginning)
        except (TimeoutError, StoreError):
            self._spawn(call_id, self._void(call_id, beginning))
            raise

    async def _void(self, call_id: str, beginning: asyncio.Future[Claim]) -> None:
        """End a call that was refused, should it be on disk all the same."""
        await asyncio.wait([beginning])
        try:
            call = await insist(call_id, partial(self._store.calls.get, call_id))
        except NotFound:
            return
        cause = Cause("failed", "store_unavailable", "The call was not on disk in time.")
        await self._end(call, Ended(time.time(), cause, "internal_error"))

    async def reconcile(self) -> None:
        """Settle what processes that are gone left behind: no zombie, no call without end.

        Raises SwitchError when the PBX cannot be asked.
        """
        self._lapses |= await self._store.leases.expiries()
        if not self._store.shared:
            # Nobody else can have this store open.
            await self._store.leases.clear()
        await self._beat()
        living = await self._switch.living_channels()
        orphans = await self._store.calls.orphans()
        found: dict[str, str] = {}
        for channel_id in await self._store.claims.abandoned(living):
            try:
                await self._switch.hang_up_channel(channel_id)
                found[channel_id] = "; its channel was still up and was hung up"
            except SwitchRefused as error:
                log.error("channel %s is still up: %s", channel_id, error)
                found[channel_id] = f"; its channel is still up: {error}"
        for left in orphans:
            await self._hang_up_inbound(left)
            if left.call.over:
                if left.call.id not in self._settling:
                    # New calls need not wait for old results.
                    self._settling.add(left.call.id)
                    self._spawn(left.call.id, self._finish(left.call))
            else:
                channel_id = "" if left.attempt is None else left.attempt.channel_id
                ended = self._abandoned(left, found.get(channel_id, ""))
                await self._bounded(left.call.id, ended)

    async def _hang_up_inbound(self, left: Unfinished) -> None:
        """An inbound channel bears an id of the PBX's own: it is known by the ledger alone."""
        call, attempt, transfer = left.call, left.attempt, transfer_of(left.call)
        if call.direction != "inbound" or call.over or attempt is None:
            return
        if transfer is not None and transfer.status == "completed":
            return  # people talk there
        try:
            await self._switch.hang_up_channel(attempt.channel_id)
        except SwitchRefused as error:
            log.error("call %s: its channel is still up: %s", call.id, error)

    async def _finish(self, call: Call) -> None:
        try:
            lease = f"result:{call.id}"
            async with self._analyses:
                # Result and analysis may each take all of their time.
                if await self._store.leases.take(lease, self.node_id, 3 * EXTRACTION_TIMEOUT_S):
                    await extract_results(self._store, call, self._engines, self._config.calls)
                    await self._store.leases.release(lease, self.node_id)
        finally:
            self._settling.discard(call.id)

    async def _abandoned(self, left: Unfinished, channel: str) -> None:
        """Nobody knows what became of the attempt: the number is not dialled again."""
        message = f"The server was restarted in the middle of the call{channel}."
        cause = Cause("failed", "server_restart", message)
        ended = Ended(self._last_seen(left), cause, "server_restart", unknown=True)
        transfer = transfer_of(left.call)
        if transfer is not None and transfer.status == "completed":
            # Two people talk, or did: how they fared is no more for us to know.
            ended = Ended(time.time(), LEFT, "transferred", answered_by="unknown")
        number = None
        if (attempt := left.attempt) is not None:
            number = attempt.number
            recorded = self._recorded(attempt)
            ended = replace(ended, recording_path=recorded, recording_bytes=None)
        call_id = left.call.id
        try:
            await insist(call_id, partial(self._store.calls.record_ended, call_id, ended, number))
            if attempt is not None:
                CallLog(Claim(left.call, attempt), self._config.meter).ended(
                    ended, attempt.answered_at
                )
        except IllegalMoveError:
            log.info("call %s: another process was first to end it", call_id)

    def _last_seen(self, left: Unfinished) -> float:
        """The last sign of life of the process that ran a call: nobody talked to the person after
        it, and nobody pays for more."""
        now = time.time()
        holder = "" if left.attempt is None else f"node:{left.attempt.node_id}"
        return min(now, self._lapses.get(holder, now + _LEASE_S) - _LEASE_S)

    def _recorded(self, attempt: Recorded) -> str | None:
        """What was recorded of an attempt before it was cut short. Another node knows its own
        files, and takes back what is not there."""
        name, folder = attempt.recording_path, self._config.recordings
        if name is None or folder is None or folder.node != attempt.recording_node:
            return name
        facts = attempt.recording_facts
        if facts is not None and facts.objection is not None:
            with contextlib.suppress(OSError):  # then the next `RecordingKeeper.sweep` does it
                folder.delete([name, str(Path(name).with_suffix(BOX_ENDING))])
            return None
        return None if folder.file(name) is None else name

    async def run(self) -> None:
        """Claim and run calls until cancelled; then hang up what is under way."""
        self._store.notices.subscribe("control", self._asked)
        heart = asyncio.create_task(self._live())
        again_at: float | None = None
        self._open = True
        try:
            while True:
                await self._store.claims.wait(again_at)
                again_at = None
                async with self._admission:
                    if (free := self._max_concurrent - self.active) > 0:
                        again_at = await self._claim(free)
        finally:
            self._open = False
            heart.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await heart
            await self._shut_down()
            with contextlib.suppress(StoreError):
                await self._store.leases.release(f"node:{self.node_id}", self.node_id)

    async def _claim(self, free: int) -> float | None:
        """Start up to `free` due calls; gives when to look again."""
        self._claiming = True
        claimed = await self._next(free)
        for claim in claimed.claims:
            await self._start(claim)
        self._claiming = False
        self._asked_early.clear()
        return claimed.again_at

    def _asked(self, told: str | None) -> None:
        """The store has noted that a call is to be ended or transferred; None: any may be."""
        call_id, _, wish = (told or "").partition(":")
        for one in list(self._runners) if told is None else [call_id]:
            if one in self._runners:
                self._spawn(one, self._obey(one, _END_REASONS.get(wish)))
            elif self._claiming or self._arriving:
                # Its attempt may be on disk already, and nobody runs it yet.
                self._asked_early.add(one)

    async def _obey(self, call_id: str, reason: _EndReason | None = None) -> None:
        """End a call for that reason; without one, do what the store has noted of it."""
        try:
            transfer, recording = None, None
            if reason is None:
                call = await insist(call_id, partial(self._store.calls.get, call_id))
                transfer = transfer_of(call)
                recording = call.recording_wish
                if call.cancel_requested_at is not None:
                    reason = "canceled"
                elif call.hangup_requested_at is not None:
                    reason = "operator_hangup"
            if (runner := self._runners.get(call_id)) is None:
                return
            if reason is not None:
                await runner.end(reason)
                return
            if recording is not None:
                runner.take_up_recording(RecordingWish(**recording))
            if transfer is not None:
                runner.take_up_transfer(transfer)
            after = partial(self._store.controls.after, call_id, runner.controlled)
            for seq, control in await insist(call_id, after):
                await runner.take_up_control(seq, control)
        except Exception as error:
            # Whoever runs the call goes on, and closes it.
            known = isinstance(error, StoreError | SwitchError)
            log.error(
                "call %s: what was asked cannot be done: %s", call_id, error, exc_info=not known
            )

    async def _next(self, free: int) -> Claimed:
        while not self._switch.connected:  # noqa: ASYNC110 - the link tells no event
            await asyncio.sleep(_LINK_CHECK_S)
        try:
            if time.monotonic() > self._lives_until:
                await self._beat()
            destinations = self._config.calls.destinations
            return await self._store.claims.take(free, self.node_id, destinations, self._hinders)
        except Exception as error:
            # Calls under way must not pay for it.
            is_store = isinstance(error, StoreError)
            log.error("cannot claim a call: %s", error, exc_info=not is_store)
            await asyncio.sleep(_LINK_CHECK_S)
            self._store.claims.wake()
            return Claimed((), None)

    async def _live(self) -> None:
        """Give signs of life; on a shared store, settle what dead processes left."""
        while True:
            await asyncio.sleep(_HEARTBEAT_S)
            try:
                await self._beat()
                judges = self._store.shared and time.monotonic() >= self._judges_from
                if judges and await self._store.calls.orphans():
                    await self.reconcile()
            except (StoreError, SwitchError) as error:
                log.error("sign of life: %s", error)
            except Exception:
                log.exception("sign of life: a fault of ours")

    async def _beat(self) -> None:
        # What counts is when it was begun: nobody may take us for dead before we do.
        begun = time.monotonic()
        if begun > self._lives_until:
            self._judges_from = begun + _LEASE_S
        await self._store.leases.take(f"node:{self.node_id}", self.node_id, _LEASE_S)
        self._lives_until = begun + _LEASE_S - _HEARTBEAT_S

    async def _start(self, claim: Claim, incoming: Attempt | None = None) -> None:
        runner = CallRunner(
            claim,
            self._store,
            self._switch,
            self._engines,
            self._config,
            turn=self._gate(claim),
            analysis=lambda: self._off_the_line(claim.call.id, runner),
            incoming=incoming,
        )
        self._runners[claim.call.id] = runner
        if claim.call.cancel_requested_at is not None:
            await runner.end("canceled")
        asked = claim.call.id in self._asked_early
        self._spawn(claim.call.id, self._run(claim.call.id, runner, asked=asked))

    def _gate(self, claim: Claim) -> Callable[[], AbstractAsyncContextManager[None]]:
        """What the attempt has to pass on its way to the PBX: its trunk's rate."""
        rate, trunk = claim.calls_per_second, claim.call.trunk or ""
        if rate is None:
            return contextlib.nullcontext
        known, gate = self._gates.get(trunk, (None, None))
        if gate is None or known != rate:
            gate = RateGate(rate)
            self._gates[trunk] = (rate, gate)
        return gate.turn

    def _spawn(self, call_id: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._bounded(call_id, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, call_id: str, runner: CallRunner, *, asked: bool) -> None:
        try:
            if asked:
                await self._obey(call_id)
            await runner.run()
        finally:
            self._free_line(call_id, runner)

    def _free_line(self, call_id: str, runner: CallRunner) -> None:
        # Its next attempt may have begun already, where the answer to the end was lost.
        if self._runners.get(call_id) is runner:
            del self._runners[call_id]
            self._store.claims.wake()

    @contextlib.asynccontextmanager
    async def _off_the_line(self, call_id: str, runner: CallRunner) -> AsyncIterator[None]:
        """A call is over: others may have its line, while it waits its turn to be analysed."""
        self._free_line(call_id, runner)
        async with self._analyses:
            yield

    async def _bounded(self, call_id: str, work: Coroutine[Any, Any, None]) -> None:
        """The boundary of one call: nothing of it may reach another."""
        CALL_ID.set(call_id)
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
            await self._end(call, Ended(time.time(), cause, "internal_error"))
        except Exception:
            log.exception("call %s: its end could not be written down", call_id)

    async def _end(self, call: Call, ended: Ended) -> None:
        """Write down and tell how its latest attempt ended, with what was recorded of that."""
        for attempt in (await insist(call.id, partial(self._store.calls.attempts, call.id)))[-1:]:
            ended = replace(ended, recording_path=self._recorded(attempt), recording_bytes=None)
            record = partial(self._store.calls.record_ended, call.id, ended, attempt.number)
            await insist(call.id, record)
            CallLog(Claim(call, attempt), self._config.meter).ended(ended, attempt.answered_at)

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
