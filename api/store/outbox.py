"""The outbox: one row per event and receiver, written with the event, kept until delivered."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.lifecycle import WEBHOOK_EVENTS
from api.records import CallEvent, Delivery
from api.store.database import Database, Transaction
from api.store.tables import call_events, calls, webhook_deliveries


def destination(url: str) -> str:
    """Scheme, host and port: what deliveries to one receiver share."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()


async def add_deliveries(
    connection: AsyncConnection, event: CallEvent, urls: Sequence[str], now: float
) -> bool:
    """Put `event` in the outbox for `urls`; False if webhooks are not told of its kind."""
    if event.type not in WEBHOOK_EVENTS or not urls:
        return False
    await connection.execute(
        insert(webhook_deliveries),
        [
            {
                "id": str(uuid.uuid4()),
                "call_id": event.call_id,
                "event_id": event.id,
                "event_seq": event.seq,
                "event_type": event.type,
                "terminal": event.terminal,
                "url": url,
                "destination": destination(url),
                "status": "pending",
                "attempt_count": 0,
                "next_attempt_at": now,
                "created_at": now,
                "updated_at": now,
            }
            for url in urls
        ],
    )
    return True


@dataclass(frozen=True)
class Attempted:
    """How one attempt at a delivery went."""

    delivered: bool
    response_status: int | None = None
    error: str | None = None
    next_attempt_at: float | None = None
    """When to try again; None after a failure means never."""


class Outbox:
    """What the webhook deliverer asks of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
                webhook_deliveries.c.id.label("delivery_id"),
                webhook_deliveries.c.url,
                webhook_deliveries.c.destination,
                webhook_deliveries.c.attempt_count,
                call_events,
            )
            .join(call_events, call_events.c.id == webhook_deliveries.c.event_id)
            .where(
                webhook_deliveries.c.status == "pending",
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

        async def work(connection: AsyncConnection) -> list[Delivery]:
            return [_delivery(row) for row in await connection.execute(query)]

        return await self._database.read(work)

    async def next_due(self, after: float) -> float | None:
        """When the next delivery falls due later than `after`, in Unix seconds."""

        async def work(connection: AsyncConnection) -> float | None:
            soonest: float | None = await connection.scalar(
                select(func.min(webhook_deliveries.c.next_attempt_at)).where(
                    webhook_deliveries.c.status == "pending",
                    webhook_deliveries.c.next_attempt_at > after,
                )
            )
            return soonest

        return await self._database.read(work)

    async def record(self, delivery: Delivery, attempted: Attempted, now: float) -> None:
        """Book one attempt."""
        if attempted.delivered:
            status = "delivered"
        else:
            status = "exhausted" if attempted.next_attempt_at is None else "pending"

        async def work(transaction: Transaction) -> None:
            await transaction.connection.execute(
                update(webhook_deliveries)
                .where(webhook_deliveries.c.id == delivery.id)
                .values(
                    status=status,
                    attempt_count=webhook_deliveries.c.attempt_count + 1,
                    next_attempt_at=attempted.next_attempt_at,
                    last_error=attempted.error,
                    last_response_status=attempted.response_status,
                    delivered_at=now if attempted.delivered else None,
                    updated_at=now,
                )
            )
            await transaction.connection.execute(
                update(calls)
                .where(calls.c.id == delivery.call_id, calls.c.updated_at < now)
                .values(updated_at=now)
            )

        await self._database.write(work)


def _delivery(row: Any) -> Delivery:
    return Delivery(
        id=row.delivery_id,
        call_id=row.call_id,
        url=row.url,
        destination=row.destination,
        attempt_count=row.attempt_count,
        event=CallEvent(
            id=row.id,
            call_id=row.call_id,
            seq=row.seq,
            type=row.type,
            at=row.at,
            terminal=row.terminal,
            data=row.data,
        ),
    )
