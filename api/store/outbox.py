"""The outbox: one row per event and receiver, written with the event, kept with its history."""

import uuid
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    Double,
    Integer,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.lifecycle import WEBHOOK_EVENTS
from api.base.signing import signing_secrets
from api.egress.policy import destination
from api.egress.sealing import SealOf
from api.resources.dialect import EVENT_NAMES, INLINE_STYLE, Dialect
from api.resources.event import CallEvent
from api.resources.webhook import TEST_EVENT, Attempted, Delivery, WebhookEvent
from api.store.database import Database, Transaction
from api.store.endpoints import count_outcome, disable, receivers
from api.store.tables import (
    call_events,
    calls,
    webhook_attempts,
    webhook_deliveries,
    webhook_endpoints,
)

#: As it stands in the index of due deliveries, which otherwise is not used.
_PENDING: Final = webhook_deliveries.c.status == literal_column("'pending'")
_INSERT_DELIVERIES: Final = insert(webhook_deliveries)


async def add_deliveries(
    connection: AsyncConnection,
    events: Sequence[CallEvent],
    inline_url: str | None,
    now: float,
    dialect: Dialect | None = None,
) -> bool:
    """Put events in the outbox, each once for each URL; False if nobody wants any of them.

    Args:
        connection: of the transaction that writes the events.
        events: one call's.
        inline_url: the call's own `webhook_url`, which is told of lifecycle events.
        now: Unix seconds.
        dialect: that the call was placed in: which events are told of, if not ours.
    """
    told = WEBHOOK_EVENTS if dialect is None else EVENT_NAMES[dialect]
    wanting = await receivers(connection, {event.type for event in events})
    rows = []
    for event in events:
        endpoints: dict[str, str | None] = dict(wanting[event.type])
        told_inline = inline_url if event.type in told else None
        if told_inline is not None:
            endpoints.setdefault(told_inline, None)
        rows += [
            new_delivery(url, now)
            | {
                "call_id": event.call_id,
                "event_id": event.id,
                "event_seq": event.seq,
                "event_type": event.type,
                "terminal": event.terminal,
                "endpoint_id": endpoint_id,
                "inline": url == told_inline,
            }
            for url, endpoint_id in endpoints.items()
        ]
    if rows:
        await connection.execute(_INSERT_DELIVERIES, rows)
    return bool(rows)


def new_delivery(url: str, now: float) -> dict[str, Any]:
    """What every row of a new delivery has."""
    return {
        "id": str(uuid.uuid4()),
        "url": url,
        "destination": destination(url),
        "status": "pending",
        "attempt_count": 0,
        "failures": 0,
        "manual_retry_count": 0,
        "next_attempt_at": now,
        "created_at": now,
        "updated_at": now,
    }


class Outbox:
    """What the webhook deliverer asks of the store."""

    def __init__(self, database: Database, seal: SealOf) -> None:
        self._database = database
        self._seal = seal

    async def due(
        self, now: float, limit: int, *, busy: Sequence[str] = (), under_way: Sequence[str] = ()
    ) -> list[Delivery]:
        """Deliveries to attempt now, the longest due first.

        Of one call and receiver only the earliest undelivered event is due, so order is kept.

        Args:
            now: Unix seconds.
            limit: most deliveries to return.
            busy: destinations to leave out.
            under_way: ids of deliveries that are being attempted already.
        """
        earlier = webhook_deliveries.alias("earlier")
        query = (
            select(
                webhook_deliveries,
                call_events.c.at,
                call_events.c.data.label("event_data"),
                webhook_endpoints.c.secret,
                webhook_endpoints.c.previous_secret,
                webhook_endpoints.c.previous_secret_until,
                webhook_endpoints.c.payload,
                calls.c.dialect,
            )
            .outerjoin(call_events, call_events.c.id == webhook_deliveries.c.event_id)
            .outerjoin(calls, calls.c.id == webhook_deliveries.c.call_id)
            .outerjoin(
                webhook_endpoints, webhook_endpoints.c.id == webhook_deliveries.c.endpoint_id
            )
            .where(
                _PENDING,
                webhook_deliveries.c.next_attempt_at <= now,
                webhook_deliveries.c.destination.not_in(busy),
                webhook_deliveries.c.id.not_in(under_way),
                ~exists().where(
                    earlier.c.call_id == webhook_deliveries.c.call_id,
                    earlier.c.url == webhook_deliveries.c.url,
                    earlier.c.status == "pending",
                    earlier.c.event_seq < webhook_deliveries.c.event_seq,
                ),
            )
            .order_by(webhook_deliveries.c.next_attempt_at, webhook_deliveries.c.event_seq)
            .limit(limit)
        )
        return [_delivery(row, now, self._seal) for row in await self._database.fetch(query)]

    async def next_due(self, after: float) -> float | None:
        """When the next delivery falls due later than `after`, in Unix seconds."""
        due_at = webhook_deliveries.c.next_attempt_at
        soonest: float | None = await self._database.fetch_value(
            select(func.min(due_at)).where(_PENDING, due_at > after)
        )
        return soonest

    async def record(self, made: Sequence[tuple[Delivery, Attempted]], now: float) -> None:
        """Book attempts, and what they mean for their endpoints.

        Booked again, an attempt counts once; that of a delivery that is gone is forgotten.

        Args:
            made: at most one attempt for each delivery.
            now: Unix seconds.
        """

        async def work(transaction: Transaction) -> None:
            connection = transaction.connection
            stored = await connection.execute(
                select(webhook_deliveries.c.id, webhook_deliveries.c.attempt_count)
                .where(webhook_deliveries.c.id.in_([delivery.id for delivery, _ in made]))
                .order_by(webhook_deliveries.c.id)
                .with_for_update()
            )
            counts = {row.id: row.attempt_count for row in stored}
            news = [one for one in made if counts.get(one[0].id) == one[0].attempt_count]
            if not news:
                return
            await connection.execute(_BOOKED, [_booked(*one, now) for one in news])
            await connection.execute(insert(webhook_attempts), [_attempt(*one) for one in news])
            told = [one.event.call_id for one, _ in news]
            await connection.execute(
                update(calls)
                .where(calls.c.id.in_(told), calls.c.updated_at < now)
                .values(updated_at=now)
            )
            await _tell_endpoints(connection, news, now)

        await self._database.write(work)


_BOOKED = (
    update(webhook_deliveries)
    .where(webhook_deliveries.c.id == bindparam("delivery_id"))
    .values(
        {
            "failures": webhook_deliveries.c.failures + bindparam("failed", type_=Integer),
            "delivered_at": func.coalesce(
                bindparam("new_delivered_at", type_=Double), webhook_deliveries.c.delivered_at
            ),
        }
        | {
            column: bindparam(f"new_{column}")
            for column in (
                "status",
                "attempt_count",
                "next_attempt_at",
                "last_error",
                "last_response_status",
                "updated_at",
            )
        }
    )
)


def _booked(delivery: Delivery, attempted: Attempted, now: float) -> dict[str, Any]:
    again = attempted.next_attempt_at is not None
    return {
        "delivery_id": delivery.id,
        "new_status": "delivered" if attempted.delivered else "pending" if again else "exhausted",
        "new_attempt_count": delivery.attempt_count + 1,
        "failed": int(not attempted.delivered),
        "new_next_attempt_at": attempted.next_attempt_at,
        "new_last_error": attempted.error,
        "new_last_response_status": attempted.response_status,
        "new_delivered_at": now if attempted.delivered else None,
        "new_updated_at": now,
    }


def _attempt(delivery: Delivery, attempted: Attempted) -> dict[str, Any]:
    return {
        "delivery_id": delivery.id,
        "number": delivery.attempt_count + 1,
        "at": attempted.at,
        "duration_ms": attempted.duration_ms,
        "response_status": attempted.response_status,
        "error": attempted.error,
    }


async def _tell_endpoints(
    connection: AsyncConnection, made: Sequence[tuple[Delivery, Attempted]], now: float
) -> None:
    """Count what arrived and what was given up; hold retries where nothing is sent any more."""
    counted_as_well: set[str] = set()
    retried: list[str] = []
    for delivery, attempted in made:
        endpoint_id = delivery.endpoint_id
        if endpoint_id is None:
            continue
        if attempted.gone:
            await disable(connection, endpoint_id, "gone", now)
        if attempted.next_attempt_at is not None:
            if not delivery.inline:
                retried.append(delivery.id)
        elif delivery.event.type != TEST_EVENT:
            if attempted.delivered and endpoint_id in counted_as_well:
                continue  # once is enough for its failures to be forgotten
            await count_outcome(connection, endpoint_id, delivered=attempted.delivered, now=now)
            (counted_as_well.add if attempted.delivered else counted_as_well.discard)(endpoint_id)
    if retried:
        # Their endpoints may have been disabled while these attempts were under way.
        await connection.execute(
            update(webhook_deliveries)
            .where(
                webhook_deliveries.c.id.in_(retried),
                exists().where(
                    webhook_endpoints.c.id == webhook_deliveries.c.endpoint_id,
                    webhook_endpoints.c.status == "disabled",
                ),
            )
            .values(status="held", next_attempt_at=None)
        )


def _delivery(row: Any, now: float, seal: SealOf) -> Delivery:
    secrets: tuple[str, ...] = ()
    if row.secret is not None:
        kept = signing_secrets(row.secret, row.previous_secret, row.previous_secret_until, now)
        secrets = tuple(map(seal().open, kept))
    return Delivery(
        id=row.id,
        endpoint_id=row.endpoint_id,
        inline=row.inline,
        url=row.url,
        destination=row.destination,
        payload=INLINE_STYLE[row.dialect]
        if row.inline and row.dialect is not None
        else row.payload,
        attempt_count=row.attempt_count,
        failures=row.failures,
        secrets=secrets,
        event=WebhookEvent(
            id=row.event_id,
            type=row.event_type,
            at=row.created_at if row.at is None else row.at,
            call_id=row.call_id,
            data=row.event_data if row.data is None else row.data,
        ),
    )
