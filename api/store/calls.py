"""The ledger of calls: every change is one transaction with its event and its webhooks.

A commit's answer can be lost, and whoever wrote then tells it again (`api.scribe`): turns, ends
and results that are there already are not written twice.
"""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Literal

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.call_object import call_object, turn_object
from api.lifecycle import EVENT_OF, TERMINAL, CallStatus, IllegalMoveError, check_move
from api.records import (
    Call,
    CallEvent,
    Claim,
    Ended,
    Idempotency,
    JsonObject,
    NewCall,
    Turn,
    Unfinished,
)
from api.store import idempotency
from api.store.database import Database, Transaction
from api.store.outbox import add_deliveries
from api.store.rows import (
    UnknownCallError,
    attempt_of,
    call_of,
    has_terminal_event,
    is_same_turn,
    latency_of,
    latest_turn,
    load_call,
    select_calls,
    turn_of,
    update_attempt,
    update_call,
)
from api.store.tables import attempts, call_events, calls, storable, turns

CHANNEL_PREFIX = "offhook-"


class CallLedger:
    """Writes the story of each call; `Calls` in `queries` reads it."""

    def __init__(
        self,
        database: Database,
        publish: Callable[[CallEvent], None],
        webhook_due: asyncio.Event,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._publish = publish
        self._webhook_due = webhook_due
        self._clock = clock
        self._work = asyncio.Event()
        self._work.set()

    async def wait_for_work(self) -> None:
        """Return once a call may be waiting to be claimed; at once after a start."""
        await self._work.wait()

    # -- the order ---------------------------------------------------------------------------

    async def create(self, new: NewCall, idempotent: Idempotency | None = None) -> Call:
        """Queue a call. With `idempotent`, its 201 answer is kept in the same transaction.

        Raises KeyTakenError when that Idempotency-Key has an answer already.
        """
        now = self._clock()

        async def work(transaction: Transaction) -> Call:
            call_id = str(uuid.uuid4())
            await transaction.connection.execute(
                insert(calls).values(
                    id=call_id,
                    status="queued",
                    direction=new.direction,
                    to_number=new.to_number,
                    from_number=new.from_number,
                    prompt=new.prompt,
                    context=dict(new.context),
                    returns=dict(new.returns),
                    language=new.language,
                    webhook_url=new.webhook_url,
                    metadata=dict(new.metadata),
                    max_duration_s=new.max_duration_s,
                    result_status="pending",
                    created_at=now,
                    updated_at=now,
                    latency={},
                    event_count=0,
                )
            )
            call = await self._status_event(transaction, call_id, now)
            if idempotent is not None:
                await idempotency.remember(
                    transaction.connection, idempotent, 201, call_object(call), now
                )
            transaction.after_commit.append(self._work.set)
            return call

        return await self._database.write(work)

    async def claim_queued(self, limit: int) -> list[Claim]:
        """Take up to `limit` of the oldest queued calls: each becomes `initiated` and gets an
        attempt whose channel id is on disk before the PBX hears of it."""
        if limit <= 0:
            return []
        self._work.clear()
        now = self._clock()

        async def work(transaction: Transaction) -> list[Claim]:
            ids = await transaction.connection.scalars(
                select(calls.c.id)
                .where(calls.c.status == "queued")
                .order_by(calls.c.created_at, calls.c.id)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
            return [await self._claim(transaction, call_id, now) for call_id in ids.all()]

        try:
            claims = await self._database.write(work)
        except BaseException:
            self._work.set()
            raise
        if len(claims) == limit:
            self._work.set()
        return claims

    async def _claim(self, transaction: Transaction, call_id: str, now: float) -> Claim:
        call = await self._move(transaction, call_id, "initiated", now)
        count = select(func.count()).where(attempts.c.call_id == call_id).scalar_subquery()
        row = await transaction.connection.execute(
            insert(attempts)
            .values(
                id=str(uuid.uuid4()),
                call_id=call_id,
                number=count + 1,
                channel_id=f"{CHANNEL_PREFIX}{uuid.uuid4()}",
                state="dialing",
                created_at=now,
            )
            .returning(attempts)
        )
        return Claim(call, attempt_of(row.one()))

    async def request_cancel(self, call_id: str) -> Literal["canceled", "requested"]:
        """Cancel a call that nobody has answered yet.

        Returns:
            `canceled` for a queued call, which is over now; `requested` where the PBX is dialling
            already: whoever runs the attempt has to hang it up.

        Raises UnknownCallError, or IllegalMoveError for a call that is answered or over.
        """
        now = self._clock()

        async def work(transaction: Transaction) -> Literal["canceled", "requested"]:
            call = await load_call(transaction.connection, call_id, lock=True)
            check_move(call_id, call.status, "canceled")
            await update_call(transaction, call_id, cancel_requested_at=now, updated_at=now)
            if call.status != "queued":
                return "requested"
            await self._move(
                transaction,
                call_id,
                "canceled",
                now,
                ended_at=now,
                end_reason="canceled",
                error_message="The call was canceled before it was dialled.",
            )
            return "canceled"

        return await self._database.write(work)

    # -- the attempt -------------------------------------------------------------------------

    async def record_ringing(self, call_id: str, at: float) -> None:
        """The far end rings (SIP 180). Again on a ringing call: nothing happens."""

        async def work(transaction: Transaction) -> None:
            await self._ring(transaction, call_id, at)

        await self._database.write(work)

    async def record_early_media(self, call_id: str, at: float) -> None:
        """The network plays audio before the answer (SIP 183), which counts as ringing."""

        async def work(transaction: Transaction) -> None:
            await self._ring(transaction, call_id, at)
            await update_attempt(transaction, call_id, early_media_at=at)
            await self._event(transaction, call_id, "call.early_media", at, {})

        await self._database.write(work)

    async def _ring(self, transaction: Transaction, call_id: str, at: float) -> None:
        call = await load_call(transaction.connection, call_id, lock=True)
        if call.status == "ringing":
            return
        at = max(at, call.created_at)
        await update_attempt(transaction, call_id, state="ringing", ringing_at=at)
        await self._move(transaction, call_id, "ringing", at, started_at=at)

    async def record_answered(self, call_id: str, at: float) -> None:
        """Somebody, or something, picked up (SIP 200)."""

        async def work(transaction: Transaction) -> None:
            call = await load_call(transaction.connection, call_id, lock=True)
            started = call.started_at if call.started_at is not None else call.created_at
            answered = max(at, started)
            await update_attempt(transaction, call_id, state="in_progress", answered_at=answered)
            await self._move(
                transaction,
                call_id,
                "in_progress",
                answered,
                started_at=call.started_at if call.started_at is not None else answered,
                answered_at=answered,
            )

        await self._database.write(work)

    async def record_digit(self, call_id: str, at: float, digit: str, duration_ms: int) -> None:
        """The person pressed a key."""

        async def work(transaction: Transaction) -> None:
            data = {"digit": digit, "duration_ms": duration_ms}
            await self._event(transaction, call_id, "call.digit", at, data)

        await self._database.write(work)

    async def add_turn(self, call_id: str, turn: Turn) -> Turn:
        """Add a turn; returned with its number. The same turn again: nothing happens."""

        async def work(transaction: Transaction) -> Turn:
            latest = await latest_turn(transaction.connection, call_id)
            if latest is not None and is_same_turn(latest, turn):
                return latest
            row = await transaction.connection.execute(
                insert(turns)
                .values(
                    call_id=call_id,
                    seq=1 if latest is None else latest.seq + 1,
                    speaker=turn.speaker,
                    text=turn.text,
                    interrupted=turn.interrupted,
                    started_at=turn.started_at,
                    ended_at=turn.ended_at,
                    confidence=turn.confidence,
                    timings=dict(turn.timings),
                )
                .returning(turns)
            )
            added = turn_of(row.one())
            data = {"turn": turn_object(added)}
            await self._event(transaction, call_id, "call.turn", turn.ended_at, data)
            return added

        return await self._database.write(work)

    async def record_ended(self, call_id: str, ended: Ended) -> Call:
        """The attempt is over and the call has its last status.

        The terminal event goes out now, or with `record_result` when `ended.awaits_result`.
        The same end again: nothing happens. Raises IllegalMoveError after another end.
        """
        cause = ended.cause

        async def work(transaction: Transaction) -> Call:
            call = await load_call(transaction.connection, call_id, lock=True)
            times = [call.created_at, call.started_at, call.answered_at, ended.at]
            at = max(time for time in times if time is not None)
            told_before = (call.status, call.ended_at, call.end_reason)
            if told_before == (cause.state, at, ended.end_reason):
                transaction.after_commit.append(self._webhook_due.set)
                return call
            check_move(call_id, call.status, cause.state)
            facts: dict[str, Any] = {
                "hangup_cause": cause.name,
                "q850_cause": cause.q850,
                "sip_code": cause.sip_code,
                "sip_call_id": cause.sip_call_id,
            }
            await update_attempt(
                transaction, call_id, state=cause.state, ended_at=at, message=cause.message, **facts
            )
            await update_call(
                transaction,
                call_id,
                status=cause.state,
                ended_at=at,
                updated_at=max(at, self._clock()),
                error_message=cause.message,
                end_reason=ended.end_reason,
                answered_by=ended.answered_by,
                media=None if ended.media is None else dict(ended.media),
                recording_path=ended.recording_path,
                latency=await latency_of(transaction.connection, call_id),
                **facts,
            )
            told = {"status": cause.state, "end_reason": ended.end_reason} | facts
            await self._event(transaction, call_id, "call.ended", at, told)
            if ended.awaits_result:
                return await load_call(transaction.connection, call_id)
            return await self._status_event(transaction, call_id, at)

        return await self._database.write(work)

    async def record_result(
        self, call_id: str, result: JsonObject | None, error: str | None = None
    ) -> Call:
        """The extraction is done, or failed with `error`: the terminal event goes out with it.

        The same result again: nothing happens. Raises IllegalMoveError for a call that is not
        over or has its terminal event already.
        """
        now = self._clock()

        async def work(transaction: Transaction) -> Call:
            call = await load_call(transaction.connection, call_id, lock=True)
            if not call.over or await has_terminal_event(transaction.connection, call_id):
                told_before = (call.result, call.result_error)
                if call.result_status != "pending" and told_before == (storable(result), error):
                    transaction.after_commit.append(self._webhook_due.set)
                    return call
                raise IllegalMoveError(call_id, call.status, "given a result")
            await update_call(
                transaction,
                call_id,
                result=None if result is None else dict(result),
                result_status="failed" if error is not None else "completed",
                result_error=error,
                updated_at=max(now, call.updated_at),
            )
            return await self._status_event(transaction, call_id, now)

        return await self._database.write(work)

    async def unfinished(self) -> list[Unfinished]:
        """Calls beyond the queue that have no terminal event: what a restart has to settle."""

        async def work(connection: AsyncConnection) -> list[Unfinished]:
            told = select(call_events.c.call_id).where(call_events.c.terminal)
            rows = await connection.execute(
                select_calls()
                .where(calls.c.status != "queued", calls.c.id.not_in(told))
                .order_by(calls.c.created_at)
            )
            found = [call_of(row) for row in rows]
            tried = await connection.execute(
                select(attempts)
                .where(attempts.c.call_id.in_([call.id for call in found]))
                .order_by(attempts.c.number)
            )
            latest = {row.call_id: attempt_of(row) for row in tried}
            return [Unfinished(call, latest.get(call.id)) for call in found]

        return await self._database.read(work)

    # -- inside a transaction ----------------------------------------------------------------

    async def _move(
        self, transaction: Transaction, call_id: str, to: CallStatus, at: float, **values: Any
    ) -> Call:
        """The one setter of a status before the end, with its event."""
        call = await load_call(transaction.connection, call_id, lock=True)
        check_move(call_id, call.status, to)
        updated = max(self._clock(), at, call.updated_at)
        await update_call(transaction, call_id, status=to, updated_at=updated, **values)
        return await self._status_event(transaction, call_id, at)

    async def _status_event(self, transaction: Transaction, call_id: str, at: float) -> Call:
        call = await load_call(transaction.connection, call_id)
        await self._event(
            transaction,
            call_id,
            EVENT_OF[call.status],
            at,
            {"call": call_object(call)},
            terminal=call.status in TERMINAL,
            webhook_url=call.webhook_url,
        )
        return call

    async def _event(
        self,
        transaction: Transaction,
        call_id: str,
        kind: str,
        at: float,
        data: Mapping[str, Any],
        *,
        terminal: bool = False,
        webhook_url: str | None = None,
    ) -> None:
        seq = await transaction.connection.scalar(
            update(calls)
            .where(calls.c.id == call_id)
            .values(event_count=calls.c.event_count + 1)
            .returning(calls.c.event_count)
        )
        if seq is None:
            raise UnknownCallError(call_id)
        event = CallEvent(
            id=f"evt_{uuid.uuid4().hex}",
            call_id=call_id,
            seq=seq,
            type=kind,
            at=at,
            terminal=terminal,
            data=data,
        )
        await transaction.connection.execute(
            insert(call_events).values(
                id=event.id,
                call_id=call_id,
                seq=seq,
                type=kind,
                at=at,
                terminal=terminal,
                data=dict(data),
            )
        )
        if await add_deliveries(transaction.connection, event, webhook_url, self._clock()):
            transaction.after_commit.append(self._webhook_due.set)
        transaction.after_commit.append(lambda: self._publish(event))
