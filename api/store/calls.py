"""The ledger of calls: every change is one transaction with its event and its webhooks.

A commit's answer can be lost, and whoever wrote then tells it again (`api.store.ledger_writer`):
turns, ends and results that are there already are not written twice.
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, Literal

from sqlalchemy import exists, insert, literal_column, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.json_object import JsonObject
from api.base.lifecycle import LIVE, MOVES, AudioEvent, IllegalMoveError, check_move
from api.base.numbers import is_e164
from api.base.refusals import Conflict
from api.policy.decide import DialNow, Stop, WaitUntil
from api.policy.trunks import TRUNK_FAULTS, trunk_again
from api.resources.attempt import Attempt, AttemptObject, Ended, RecordingFile
from api.resources.call import Call, NewCall
from api.resources.claim import Unfinished
from api.resources.idempotency import Idempotency
from api.resources.turn import Turn, TurnObject
from api.store import idempotency
from api.store.change import CallChange, Signals
from api.store.database import Database, Transaction
from api.store.dial_facts import trunks_failed
from api.store.do_not_call import add_number
from api.store.messages import add_after_attempt, add_after_result
from api.store.orders import decide_on, insert_order, is_listed, stop_order
from api.store.rows import (
    call_of,
    is_same_turn,
    latency_of,
    latest_turn,
    load_attempts,
    select_calls,
    turn_of,
    update_attempt,
)
from api.store.tables import attempts, calls, leases, storable, turns
from api.store.transfers import end_transfer
from api.store.ways import is_proven, note_end, note_sign, ways_of
from voice_loop.analysis import Analysis


class CallLedger:
    """Writes the story of each call; `Calls` in `queries` reads it."""

    def __init__(self, database: Database, signals: Signals) -> None:
        self._database = database
        self._signals = signals
        self._clock = signals.clock

    # -- the order ---------------------------------------------------------------------------

    async def create(
        self,
        new: NewCall,
        idempotent: Idempotency | None = None,
        answer: Callable[[Call], JsonObject] = lambda call: call.shown.model_dump(),
    ) -> Call:
        """Queue a call. With `idempotent`, its 201 answer is kept in the same transaction.

        Args:
            answer: makes the answer's body.

        Raises Conflict when that Idempotency-Key has an answer already, Invalid where the number
        is not to be called, CapReached, or Unaffordable.
        """
        now = self._clock()

        async def work(transaction: Transaction) -> Call:
            call = await insert_order(transaction, new, now, self._signals)
            if idempotent is not None:
                await idempotency.remember(
                    transaction.connection, idempotent, 201, answer(call), now
                )
            return call

        return await self._database.write(work)

    async def request_cancel(self, call_id: str) -> Literal["canceled", "requested"]:
        """Cancel a call that nobody has answered yet.

        Returns:
            `canceled` for a queued call, which is over now; `requested` where the PBX is dialling
            already: whoever runs the attempt has to hang it up.

        Raises NotFound, or Conflict for a call that is answered or over.
        """
        now = self._clock()

        async def work(transaction: Transaction) -> Literal["canceled", "requested"]:
            change = await CallChange.of(transaction, call_id, self._signals)
            if "canceled" not in MOVES[change.call.status]:
                raise _wrong_time(change.call, "use hangup")
            change.set(cancel_requested_at=now, updated_at=max(now, change.call.updated_at))
            if change.call.status != "queued":
                transaction.notify("control", f"{call_id}:cancel")
                await change.save()
                return "requested"
            if change.call.attempt_count == 0:
                change.set(error_message="The call was canceled before it was dialled.")
            await change.finish("canceled", now, end_reason="canceled")
            await change.save()
            return "canceled"

        return await self._database.write(work)

    async def request_hang_up(self, call_id: str) -> None:
        """Note that an answered call is to be ended by whoever runs it.

        Raises NotFound, or Conflict for a call that is not answered, or over.
        """
        now = self._clock()

        async def work(transaction: Transaction) -> None:
            change = await CallChange.of(transaction, call_id, self._signals)
            if change.call.status != "in_progress":
                raise _wrong_time(change.call, "use cancel")
            change.set(hangup_requested_at=now)
            transaction.notify("control", f"{call_id}:hangup")
            await change.save()

        await self._database.write(work)

    # -- the attempt -------------------------------------------------------------------------

    async def record_ringing(self, call_id: str, at: float, sip_call_id: str | None = None) -> None:
        """The far end rings (SIP 180). Again on a ringing call: nothing happens."""

        async def work(transaction: Transaction) -> None:
            change = await CallChange.of(transaction, call_id, self._signals)
            await _ring(change, transaction, at, sip_call_id)
            await change.save()

        await self._database.write(work)

    async def record_early_media(
        self, call_id: str, at: float, sip_call_id: str | None = None
    ) -> None:
        """The network plays audio before the answer (SIP 183), which counts as ringing."""

        async def work(transaction: Transaction) -> None:
            connection = transaction.connection
            change = await CallChange.of(transaction, call_id, self._signals)
            await _ring(change, transaction, at, sip_call_id)
            number = change.call.attempt_count
            await update_attempt(connection, call_id, number, early_media_at=at)
            change.tell("call.early_media", at, {})
            await change.save()

        await self._database.write(work)

    async def record_answered(
        self,
        call_id: str,
        at: float,
        recording: RecordingFile | None = None,
        sip_call_id: str | None = None,
        node: str | None = None,
    ) -> None:
        """Somebody, or something, picked up (SIP 200). Again: nothing happens.

        Args:
            recording: the file that is going to be made.
            sip_call_id: of the trunk's leg, where it is known.
            node: where files of the attempt are going to be, a recording or others.
        """
        place, facts = {} if node is None else {"recording_node": node}, None
        if recording is not None:
            facts = recording.facts.json()
            place = {"recording_path": recording.name, "recording_node": recording.node}

        async def work(transaction: Transaction) -> None:
            change = await CallChange.of(transaction, call_id, self._signals)
            call = change.call
            if call.status == "in_progress" and call.answered_at == max(at, _started(call)):
                return
            answered = max(at, _started(call))
            if call.direction == "outbound" and call.started_at is None:
                await note_sign(transaction, call, answered)
            await update_attempt(
                transaction.connection,
                call_id,
                call.attempt_count,
                state="in_progress",
                answered_at=answered,
                recording=facts,
                **_call_id(sip_call_id),
                **place,
            )
            change.move(
                "in_progress",
                answered,
                started_at=answered if call.started_at is None else call.started_at,
                answered_at=answered,
                recording=facts,
                **_call_id(sip_call_id),
            )
            await change.save()

        await self._database.write(work)

    async def record_digit(self, call_id: str, at: float, digit: str, duration_ms: int) -> None:
        """The person pressed a key."""

        async def work(transaction: Transaction) -> None:
            change = await CallChange.of(transaction, call_id, self._signals)
            change.tell("call.digit", at, {"digit": digit, "duration_ms": duration_ms})
            await change.save()

        await self._database.write(work)

    async def record_audio(self, call_id: str, at: float, event: AudioEvent) -> None:
        """The far end put the agent on hold or took it off, or its audio ceased or came back."""

        async def work(transaction: Transaction) -> None:
            change = await CallChange.of(transaction, call_id, self._signals)
            change.tell(event, at, {})
            await change.save()

        await self._database.write(work)

    async def record_problem(self, call_id: str, at: float, problem: JsonObject) -> None:
        """One side is not heard; as `pbx.quality.Problem`."""

        async def work(transaction: Transaction) -> None:
            change = await CallChange.of(transaction, call_id, self._signals)
            change.tell("call.audio_problem", at, {"problem": problem})
            await change.save()

        await self._database.write(work)

    async def add_turn(self, call_id: str, turn: Turn) -> Turn:
        """Add a turn; returned with its number. The same turn again: nothing happens."""

        async def work(transaction: Transaction) -> Turn:
            change = await CallChange.of(transaction, call_id, self._signals)
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
                    tool=None if turn.tool is None else dict(turn.tool),
                    attempt=max(1, change.call.attempt_count),
                )
                .returning(turns)
            )
            added = turn_of(row.one())
            change.tell("call.turn", turn.ended_at, {"turn": TurnObject.of(added).model_dump()})
            await change.save()
            return added

        return await self._database.write(work)

    async def record_ended(self, call_id: str, ended: Ended, attempt: int | None = None) -> Call:
        """An attempt is over. The call is too, or waits for its next attempt: the policy says.

        The terminal event goes out now, or with `record_result` when `ended.awaits_result`.
        The same end again: nothing happens. Raises IllegalMoveError after another end.

        Args:
            attempt: the attempt's number; None is the latest.
        """

        async def work(transaction: Transaction) -> Call:
            connection = transaction.connection
            change = await CallChange.of(transaction, call_id, self._signals)
            tried = await load_attempts(connection, call_id)
            if not tried:
                raise IllegalMoveError(call_id, change.call.status, ended.cause.state)
            mine = tried[-1] if attempt is None else tried[attempt - 1]
            times = [change.call.created_at, mine.ringing_at, mine.answered_at, ended.at]
            at = max(time for time in times if time is not None)
            told = (mine.state, mine.ended_at, mine.end_reason)
            if told == (ended.cause.state, at, ended.end_reason):
                transaction.notify("webhooks")
                return change.call
            check_move(call_id, change.call.status, ended.cause.state)
            if mine.ended_at is not None:
                raise IllegalMoveError(call_id, change.call.status, ended.cause.state)
            await end_transfer(change, connection, at)
            known = ended.cause.sip_call_id or mine.sip_call_id
            outcome = replace(ended, cause=replace(ended.cause, sip_call_id=known))
            facts = _facts(outcome)
            values = facts | {
                "state": ended.cause.state,
                "ended_at": at,
                "message": ended.cause.message,
                "unknown": ended.unknown,
                "recording_path": ended.recording_path,
                "answerer": None if ended.answerer is None else dict(ended.answerer),
                "heard_early": None if ended.heard_early is None else dict(ended.heard_early),
            }
            if (recorded := mine.recording_facts) is not None:
                # Where the server was killed, nobody has noted that.
                values["recording"] = recorded.ended(at).json()
                change.set(recording=values["recording"])
            over = replace(mine, **storable(values))
            amount = change.cost_of(over)
            await update_attempt(
                connection, call_id, mine.number, **values, amount_milli_cents=amount
            )
            tried[mine.number - 1] = replace(over, amount_milli_cents=amount)
            now = self._clock()
            await add_after_attempt(transaction, change.call, mine.number, ended, now)
            if ended.recording_path is not None:
                change.set(recording_path=ended.recording_path)
            if ended.recording_path is not None and ended.recording_bytes is not None:
                recording = {
                    "path": f"/v1/calls/{call_id}/recording",
                    "attempt": mine.number,
                    "duration_seconds": ended.recording_seconds,
                    "bytes": ended.recording_bytes,
                }
                change.tell("call.recording.available", at, {"recording": recording})
            if over.quality is not None:
                change.tell("call.quality", at, {"attempt": mine.number, "quality": over.quality})
            change.set(error_message=ended.cause.message, **facts)
            if change.call.direction == "outbound":
                await note_end(connection, over, ended, at)
            await self._after_attempt(change, transaction, tried, outcome, at)
            transaction.notify("work")
            return await change.save()

        return await self._database.write(work)

    async def _after_attempt(
        self,
        change: CallChange,
        transaction: Transaction,
        tried: list[Attempt],
        ended: Ended,
        at: float,
    ) -> None:
        """Queue the call again, or end it."""
        call = change.call
        connection, now = transaction.connection, max(at, self._clock())
        failed = trunks_failed(tried)
        again = call.retry is not None or len(failed) > 0
        listed = again and await is_listed(transaction, call.to_number)
        strayed = any(one.end_reason in TRUNK_FAULTS for one in tried)  # from its best trunk
        ways = await ways_of(connection, call, now) if strayed else ()
        proven = await is_proven(connection, ways)
        decision = decide_on(call, tried, now, listed=listed, ways=ways, proven=proven)
        told = {"attempt": AttemptObject.of(tried[-1]).model_dump()}
        cost = tried[-1].amount_milli_cents or 0
        match decision:
            case WaitUntil(next_at, why) if next_at is not None:
                change.tell("call.attempt_ended", at, told)
                await change.pay(cost, now)
                _queue_again(change, next_at, why, ways[0] if ways else call.trunk)
            case DialNow():
                change.tell("call.attempt_ended", at, told)
                await change.pay(cost, now)
                _queue_again(change, now, "free_slot", trunk_again(ways, failed) or call.trunk)
            case Stop() as stop if stop.why in {"do_not_call", "never_open"}:
                change.tell("call.attempt_ended", at, told)
                await stop_order(change, stop, at, unpaid=cost)
            case _:
                if call.answered_at is not None:
                    latency = await latency_of(connection, call.id, len(tried))
                    change.set(latency=latency)
                change.tell("call.ended", at, {"status": ended.cause.state} | _told(ended))
                awaits = ended.awaits_result
                await change.finish(ended.cause.state, at, unpaid=cost, awaits_result=awaits)

    async def record_result(
        self,
        call_id: str,
        result: JsonObject | None,
        error: str | None = None,
        analysis: Analysis | None = None,
        unlisted: str | None = None,
    ) -> Call:
        """What the call came to is found, or failed with `error`: its terminal event follows.

        A person who wants no more calls is put on the do-not-call list, unless
        `unlisted` says why not: then the event tells, for people to decide. The same again:
        nothing happens. Raises IllegalMoveError for a call that awaits no result.
        """
        now = self._clock()
        outcome = None if analysis is None else analysis.outcome
        summary = None if analysis is None else analysis.summary

        async def work(transaction: Transaction) -> Call:
            change = await CallChange.of(transaction, call_id, self._signals)
            call = change.call
            if call.waiting_for != "result":
                told = (storable(result), error, outcome)
                known = call.result_status != "pending" or call.summary is not None
                if known and told == (call.result, call.result_error, call.outcome):
                    transaction.notify("webhooks")
                    return call
                raise IllegalMoveError(call_id, call.status, "given a result")
            if result is not None or error is not None:
                change.set(
                    result=None if result is None else dict(result),
                    result_status="failed" if error is not None else "completed",
                    result_error=error,
                )
            change.set(
                outcome=outcome,
                summary=summary,
                waiting_for=None,
                updated_at=max(now, call.updated_at),
            )
            told_of = ("result", "result_status", "result_error", "outcome", "summary")
            found = {name: getattr(change.call, name) for name in told_of}
            if analysis is not None and outcome == "do_not_contact":
                listed = unlisted is None and is_e164(call.person_number)
                quote = analysis.quote or ""
                found["do_not_call"] = {"listed": listed, "quote": quote, "reason": unlisted}
                if listed:
                    await add_number(
                        transaction,
                        call.person_number,
                        source="outcome",
                        reason=quote,
                        call_id=call_id,
                        now=now,
                    )
            await add_after_result(transaction, change.call, now)
            change.tell("call.analyzed", now, {"analysis": found})
            change.tell_status(now)
            return await change.save()

        return await self._database.write(work)

    async def orphans(self) -> list[Unfinished]:
        """Calls beyond the queue without a terminal event whose process does not live: what a
        restart, or the process beside it, has to settle."""
        now = self._clock()

        async def work(connection: AsyncConnection) -> list[Unfinished]:
            alive = exists().where(
                attempts.c.call_id == calls.c.id,
                attempts.c.number == calls.c.attempt_count,
                leases.c.name == "node:" + attempts.c.node_id,
                leases.c.expires_at > now,
            )
            unfinished = union_all(
                select(calls.c.id).where(calls.c.status.in_(LIVE)),
                # As it stands in the index, which otherwise is not used.
                select(calls.c.id).where(calls.c.waiting_for == literal_column("'result'")),
            )
            rows = await connection.execute(
                select_calls()
                .where(calls.c.id.in_(unfinished), ~alive)
                .order_by(calls.c.created_at)
            )
            found = [call_of(row) for row in rows]
            left = []
            for call in found:
                tried = await load_attempts(connection, call.id)
                left.append(Unfinished(call, tried[-1] if tried else None))
            return left

        return await self._database.read(work)


def _wrong_time(call: Call, instead: str) -> Conflict:
    if call.over:
        return Conflict("already_ended", f"the call is over: it is {call.status}")
    if call.status == "in_progress":
        return Conflict("already_answered", f"the call is answered; {instead}")
    return Conflict("not_answered", f"the call is {call.status}, not answered; {instead}")


async def _ring(
    change: CallChange, transaction: Transaction, at: float, sip_call_id: str | None
) -> None:
    call, connection = change.call, transaction.connection
    if call.status == "ringing":
        return
    at = max(at, call.created_at)
    known = _call_id(sip_call_id)
    ringing = {"state": "ringing", "ringing_at": at, **known}
    await note_sign(transaction, call, at)
    await update_attempt(connection, call.id, call.attempt_count, **ringing)
    change.move("ringing", at, started_at=at, **known)


def _call_id(sip_call_id: str | None) -> dict[str, str]:
    """What is not known takes nothing back."""
    return {} if sip_call_id is None else {"sip_call_id": sip_call_id}


def _started(call: Call) -> float:
    return call.created_at if call.started_at is None else call.started_at


def _queue_again(change: CallChange, next_attempt_at: float, why: str, trunk: str | None) -> None:
    call = change.call
    check_move(call.id, call.status, "queued")
    change.set(
        status="queued",
        next_attempt_at=next_attempt_at,
        waiting_for=why,
        trunk=trunk,
        started_at=None,
        answered_at=None,
        answered_by=None,
    )


def _told(ended: Ended) -> dict[str, Any]:
    return {
        "end_reason": ended.end_reason,
        "hangup_cause": ended.cause.name,
        "q850_cause": ended.cause.q850,
        "sip_code": ended.cause.sip_code,
        "sip_call_id": ended.cause.sip_call_id,
    }


def _facts(ended: Ended) -> dict[str, Any]:
    """What the call and its attempt have in common."""
    return _told(ended) | {
        "answered_by": ended.answered_by,
        "media": _media(ended),
    }


def _media(ended: Ended) -> dict[str, Any] | None:
    """What was counted, and of an answered attempt what that comes to."""
    if ended.media is None or ended.quality is None:
        return None if ended.media is None else dict(ended.media)
    return {**ended.media, "quality": asdict(ended.quality)}
