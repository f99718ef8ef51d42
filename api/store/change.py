"""One call under change: what is set and told of it reaches the database in one go, at the end."""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from sqlalchemy import insert

from api.base.lifecycle import EVENT_OF, TERMINAL, CallStatus, check_move
from api.base.money import rate_of
from api.resources.attempt import Attempt
from api.resources.call import Call, billable_seconds
from api.resources.event import CallEvent
from api.resources.turn import TurnObject
from api.store.budget import hold_again, settle
from api.store.database import Transaction
from api.store.outbox import add_deliveries
from api.store.rows import load_attempts, load_row, load_turns, split_row, update_call
from api.store.tables import call_events, storable

_INSERT_EVENTS: Final = insert(call_events)


@dataclass(frozen=True)
class Signals:
    """Whom a commit wakes."""

    publish: Callable[[CallEvent], None]
    work: asyncio.Event
    """A call may be waiting to be claimed."""
    clock: Callable[[], float]
    """Unix seconds."""
    pacing: asyncio.Event = field(default_factory=asyncio.Event)
    """A campaign may have room for its next order, or money."""


class CallChange:
    """A call that the transaction has locked. `save` writes what was changed and told."""

    def __init__(
        self, transaction: Transaction, call: Call, event_count: int, signals: Signals
    ) -> None:
        self.call = call
        """As it will be."""
        self._transaction = transaction
        self._signals = signals
        self._event_count = event_count
        self._values: dict[str, Any] = {}
        self._events: list[CallEvent] = []

    @classmethod
    async def of(cls, transaction: Transaction, call_id: str, signals: Signals) -> "CallChange":
        """Lock a call. Raises NotFound."""
        row = await load_row(transaction.connection, call_id, lock=True)
        call, event_count = split_row(row)
        return cls(transaction, call, event_count, signals)

    def set(self, **values: Any) -> None:
        """Change columns."""
        values = storable(values)  # what the row will hold is what is told
        self._values |= values
        self.call = replace(self.call, **values)

    def move(self, to: CallStatus, at: float, **values: Any) -> None:
        """Give it a new status, which is told. Raises IllegalMoveError."""
        check_move(self.call.id, self.call.status, to)
        updated = max(self._signals.clock(), at, self.call.updated_at)
        self.set(status=to, updated_at=updated, **values)
        self.tell_status(at)

    async def finish(
        self,
        to: CallStatus,
        at: float,
        *,
        unpaid: int = 0,
        awaits_result: bool = False,
        **values: Any,
    ) -> None:
        """Give it its last status and settle what it cost.

        Args:
            to: terminal.
            at: Unix seconds.
            unpaid: milli-cents of the attempt that ends it; those before are paid (`pay`).
            awaits_result: the terminal event is told later.
            values: more columns.
        """
        check_move(self.call.id, self.call.status, to)
        updated = max(self._signals.clock(), at, self.call.updated_at)
        self.set(
            status=to,
            ended_at=at,
            updated_at=updated,
            next_attempt_at=None,
            waiting_for="result" if awaits_result else None,
            **values,
        )
        connection = self._transaction.connection
        tried = await load_attempts(connection, self.call.id) if self.call.attempt_count else []
        amount = sum(one.amount_milli_cents or 0 for one in tried)
        reached = any(billable_seconds(one) is not None for one in tried)
        self.set(
            amount_milli_cents=amount + self.call.transfers_milli_cents,
            reservation_status="settled" if reached else "released",
        )
        await settle(connection, self.call.id, self.call.reserved_milli_cents, unpaid, updated)
        if self.call.reserved_milli_cents:
            self._transaction.notify("work")  # the budget may have room for another one
        if self.call.attempt_count:
            said = await load_turns(connection, self.call.id)
            if said:
                transcript = {"turns": [TurnObject.of(turn).model_dump() for turn in said]}
                self.tell("call.transcript.final", at, {"transcript": transcript})
        if not awaits_result:
            self.tell_status(at)

    async def pay(self, amount: int, at: float) -> None:
        """Spend what an attempt cost that another one follows, for which as much is held again."""
        if amount:
            connection, held = self._transaction.connection, self.call.reserved_milli_cents
            await settle(connection, self.call.id, held, amount, at)
            await hold_again(connection, self.call.id, held, at)

    def cost_of(self, over: Attempt) -> int:
        """Milli-cents of one of its attempts, at the rate that the call was placed at."""
        rate = rate_of(self.call.rate)
        return 0 if rate is None else rate.amount(billable_seconds(over) or 0)

    def tell_status(self, at: float) -> None:
        """Tell the status that it has."""
        terminal = self.call.status in TERMINAL
        told = {"call": self.call.shown.model_dump()}
        self.tell(EVENT_OF[self.call.status], at, told, terminal=terminal)

    def tell(
        self, kind: str, at: float, data: Mapping[str, Any], *, terminal: bool = False
    ) -> None:
        """Tell an event of the call."""
        self._event_count += 1
        self._events.append(
            CallEvent(
                id=f"evt_{uuid.uuid4().hex}",
                call_id=self.call.id,
                seq=self._event_count,
                type=kind,
                at=at,
                terminal=terminal,
                data=data,
            )
        )

    async def save(self) -> Call:
        """Write everything; the events are published with the commit."""
        transaction, signals = self._transaction, self._signals
        connection = transaction.connection
        await update_call(
            connection, self.call.id, self._values | {"event_count": self._event_count}
        )
        if self._events:
            await connection.execute(_INSERT_EVENTS, [_event_row(event) for event in self._events])
            url, dialect = self.call.webhook_url, self.call.dialect
            if await add_deliveries(connection, self._events, url, signals.clock(), dialect):
                transaction.notify("webhooks")
        for event in self._events:
            transaction.after_commit.append(partial(signals.publish, event))
            transaction.notify("call", self.call.id, others_only=True)
        if "reservation_status" in self._values or (
            self.call.campaign_id is not None and self._values.keys() & {"status", "waiting_for"}
        ):
            transaction.notify("pacing")
        self._values, self._events = {}, []
        return self.call


def _event_row(event: CallEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "call_id": event.call_id,
        "seq": event.seq,
        "type": event.type,
        "at": event.at,
        "terminal": event.terminal,
        "data": dict(event.data),
    }
