"""Reading the ledger: one call, pages of calls, attempts, transcripts, events."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.lifecycle import TERMINAL, CallStatus
from api.policy.gates import Wish
from api.resources.attempt import Attempt
from api.resources.call import Call, Direction
from api.resources.dialect import SCHEDULED, CallState
from api.resources.event import CallEvent
from api.resources.page import PageOf
from api.resources.queue import Queue
from api.resources.turn import Turn
from api.store.calls import CallLedger
from api.store.claims import read_gates
from api.store.cursors import decode_cursor
from api.store.dial_facts import wish
from api.store.pages import page_of
from api.store.rows import (
    call_of,
    event_of,
    load_attempts,
    load_attempts_of,
    load_call,
    load_turns,
    load_turns_of,
    select_calls,
)
from api.store.tables import call_events, call_metadata, calls


@dataclass(frozen=True)
class CallFilter:
    """Which calls are wanted; what is None or empty does not matter."""

    status: CallStatus | None = None
    statuses: frozenset[CallStatus] = frozenset()
    """Any of these."""
    states: frozenset[CallState] = frozenset()
    """Any of these."""
    direction: Direction | None = None
    to_number: str | None = None
    from_number: str | None = None
    agent_id: str | None = None
    campaign_id: str | None = None
    concurrency_key: str | None = None
    api_key_id: str | None = None
    created_after: float | None = None
    """Unix seconds, inclusive."""
    created_before: float | None = None
    """Unix seconds, exclusive."""
    metadata: Mapping[str, str] = field(default_factory=dict)

    def conditions(self) -> list[ColumnElement[bool]]:
        """As SQL."""
        equal: dict[Any, Any] = {
            calls.c.status: self.status,
            calls.c.to_number: self.to_number,
            calls.c.from_number: self.from_number,
            calls.c.agent_id: self.agent_id,
            calls.c.campaign_id: self.campaign_id,
            calls.c.concurrency_key: self.concurrency_key,
            calls.c.api_key_id: self.api_key_id,
        }
        found = [column == value for column, value in equal.items() if value is not None]
        if self.direction is not None:
            way = "outbound" if self.direction == "outbound" else "inbound"
            found += [calls.c.direction == way, calls.c.web.is_(self.direction == "web")]
        if self.statuses:
            found.append(calls.c.status.in_(self.statuses))
        if self.states:
            found.append(or_(*(_is_in(state) for state in self.states)))
        if self.created_after is not None:
            found.append(calls.c.created_at >= self.created_after)
        if self.created_before is not None:
            found.append(calls.c.created_at < self.created_before)
        found += [
            exists().where(
                call_metadata.c.call_id == calls.c.id,
                call_metadata.c.key == key,
                call_metadata.c.value == value,
            )
            for key, value in self.metadata.items()
        ]
        return found


def _is_in(state: CallState) -> ColumnElement[bool]:
    """`api.compat.mapping.state_of` as SQL."""
    waiting = calls.c.waiting_for
    match state:
        case "scheduled":
            return and_(calls.c.status == "queued", waiting.in_(SCHEDULED))
        case "queued":
            ready = or_(waiting.is_(None), waiting.not_in(SCHEDULED))
            return and_(calls.c.status == "queued", ready)
        case "analyzing":
            return and_(calls.c.status.in_(TERMINAL), waiting == "result")
        case status if status in TERMINAL:
            return and_(calls.c.status == status, waiting.is_(None))
    return calls.c.status == state


#: Only queued calls have a `next_attempt_at`.
_QUEUED: Final = calls.c.next_attempt_at.is_not(None)
#: What the gates look at (`api.policy.gates.Wish`).
_ALIKE: Final = (
    calls.c.from_number,
    calls.c.trunk,
    calls.c.concurrency_key,
    calls.c.concurrency_max,
    calls.c.campaign_id,
    (calls.c.reserved_milli_cents > 0).label("costs"),
)


class Calls(CallLedger):
    """The ledger with its reading side."""

    async def queue(self) -> Queue:
        """How many calls wait, and for what."""
        now = self._clock()
        later = (
            select(calls.c.waiting_for, func.count().label("waiting"))
            .where(_QUEUED, calls.c.next_attempt_at > now)
            .group_by(calls.c.waiting_for)
        )
        due = (
            select(*_ALIKE, func.count().label("count"), func.min(calls.c.next_attempt_at))
            .where(_QUEUED, calls.c.next_attempt_at <= now)
            .group_by(*_ALIKE)
        )

        async def work(connection: AsyncConnection) -> Queue:
            waiting: Counter[str] = Counter()
            for row in await connection.execute(later):
                waiting[row.waiting_for or "free_slot"] += row.waiting
            rows = (await connection.execute(due)).all()
            if not rows:
                return Queue(waiting)
            gates = await read_gates(connection, now)
            overdue = 0.0
            for number, trunk, key, most, campaign, costs, count, since in rows:
                asked = Wish(number, trunk or "", key, most, campaign, bool(costs))
                waiting[gates.hold(asked) or "free_slot"] += count
                overdue = max(overdue, now - since)
            return Queue(waiting, overdue)

        return await self._database.read(work)

    async def get(self, call_id: str) -> Call:
        """Raises NotFound."""

        async def work(connection: AsyncConnection) -> Call:
            (call,) = await self._held(connection, [await load_call(connection, call_id)])
            return call

        return await self._database.read(work)

    async def page(
        self, *, limit: int, cursor: str | None = None, wanted: CallFilter | None = None
    ) -> PageOf[Call]:
        """Calls from newest to oldest. Raises CursorError."""
        query = select_calls().order_by(calls.c.created_at.desc(), calls.c.id.desc())
        if wanted is not None:
            query = query.where(*wanted.conditions())
        if cursor is not None:
            before = tuple_(*decode_cursor(cursor))
            query = query.where(tuple_(calls.c.created_at, calls.c.id) < before)

        async def work(connection: AsyncConnection) -> PageOf[Call]:
            rows = (await connection.execute(query.limit(limit + 1))).all()
            page = page_of(rows, limit, call_of, lambda call: (call.created_at, call.id))
            return replace(page, items=tuple(await self._held(connection, page.items)))

        return await self._database.read(work)

    async def listed(
        self, *, limit: int, offset: int, wanted: CallFilter
    ) -> tuple[list[Call], int]:
        """A part of the calls, newest first, and how many there are in all."""
        conditions = wanted.conditions()
        query = (
            select_calls()
            .where(*conditions)
            .order_by(calls.c.created_at.desc(), calls.c.id.desc())
            .limit(limit)
            .offset(offset)
        )
        count = select(func.count()).select_from(calls).where(*conditions)

        async def work(connection: AsyncConnection) -> tuple[list[Call], int]:
            rows = (await connection.execute(query)).all()
            found = await self._held(connection, [call_of(row) for row in rows])
            return found, await connection.scalar(count) or 0

        return await self._database.read(work)

    async def _held(self, connection: AsyncConnection, found: Sequence[Call]) -> list[Call]:
        """Say of calls that are due what holds them back now."""
        now = self._clock()
        due = {call.id for call in found if call.status == "queued" and _is_due(call, now)}
        if not due:
            return list(found)
        gates = await read_gates(connection, now)
        return [
            replace(call, waiting_for=gates.hold(wish(call)) or "free_slot")
            if call.id in due
            else call
            for call in found
        ]

    async def attempts(self, call_id: str) -> list[Attempt]:
        """Every attempt of the call, in order."""
        return await self._database.read(lambda connection: load_attempts(connection, call_id))

    async def attempts_of(self, call_ids: Sequence[str]) -> dict[str, list[Attempt]]:
        """Every attempt of several calls, in order, by call id."""
        return await self._database.read(lambda connection: load_attempts_of(connection, call_ids))

    async def turns_of(self, call_ids: Sequence[str]) -> dict[str, list[Turn]]:
        """What was said in several calls, in order, by call id."""
        return await self._database.read(lambda connection: load_turns_of(connection, call_ids))

    async def turns(self, call_id: str) -> list[Turn]:
        """The transcript so far, in order."""
        return await self._database.read(lambda connection: load_turns(connection, call_id))

    async def events(self, call_id: str, after: int = 0) -> list[CallEvent]:
        """The call's events with a number above `after`, in order."""
        query = (
            select(call_events)
            .where(call_events.c.call_id == call_id, call_events.c.seq > after)
            .order_by(call_events.c.seq)
        )
        return [event_of(row) for row in await self._database.fetch(query)]


def _is_due(call: Call, now: float) -> bool:
    return call.next_attempt_at is not None and call.next_attempt_at <= now
