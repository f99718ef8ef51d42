"""The history of webhook deliveries: reading it, sending one again, sending a test."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.egress.policy import destination
from api.resources.webhook import (
    TEST_EVENT,
    DeliveryPage,
    DeliveryStatus,
    PastAttempt,
    PastDelivery,
)
from api.store.cursors import decode_cursor, encode_cursor
from api.store.database import Database, Transaction
from api.store.endpoints import load_endpoint
from api.store.outbox import new_delivery
from api.store.tables import webhook_attempts, webhook_deliveries


class UnknownDeliveryError(Exception):
    """There is no delivery with this id."""


class EndpointDisabledError(Exception):
    """Nothing is sent to a disabled endpoint."""


class Deliveries:
    """Webhook deliveries as operators see them."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def get(self, delivery_id: str) -> PastDelivery:
        """Raises UnknownDeliveryError."""

        async def work(connection: AsyncConnection) -> PastDelivery:
            return await _load(connection, delivery_id)

        return await self._database.read(work)

    async def page(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        status: DeliveryStatus | None = None,
        endpoint_id: str | None = None,
        call_id: str | None = None,
    ) -> DeliveryPage:
        """Deliveries from newest to oldest, of one endpoint or call if given.

        Raises CursorError.
        """
        columns = webhook_deliveries.c
        query = select(webhook_deliveries).order_by(columns.created_at.desc(), columns.id.desc())
        for column, wanted in (
            (columns.status, status),
            (columns.endpoint_id, endpoint_id),
            (columns.call_id, call_id),
        ):
            if wanted is not None:
                query = query.where(column == wanted)
        if cursor is not None:
            before = tuple_(*decode_cursor(cursor))
            query = query.where(tuple_(columns.created_at, columns.id) < before)

        async def work(connection: AsyncConnection) -> DeliveryPage:
            rows = (await connection.execute(query.limit(limit + 1))).all()
            tried = await _attempts(connection, [row.id for row in rows[:limit]])
            found = tuple(_past(row, tried) for row in rows[:limit])
            if len(rows) <= limit:
                return DeliveryPage(found, None)
            return DeliveryPage(found, encode_cursor(found[-1].created_at, found[-1].id))

        return await self._database.read(work)

    async def redeliver(self, delivery_id: str) -> PastDelivery:
        """Send it again now, with the whole schedule of retries (X-CB-15, X-CB-20).

        It goes to the URL that its endpoint has now. Raises UnknownDeliveryError, or
        EndpointDisabledError where its endpoint is disabled.
        """
        now = self._clock()

        async def work(transaction: Transaction) -> PastDelivery:
            connection = transaction.connection
            row = (
                await connection.execute(
                    select(webhook_deliveries)
                    .where(webhook_deliveries.c.id == delivery_id)
                    .with_for_update()
                )
            ).one_or_none()
            if row is None:
                raise UnknownDeliveryError(delivery_id)
            url = row.url
            if row.endpoint_id is not None and not row.inline:
                url = (await _enabled(connection, row.endpoint_id)).url
            await connection.execute(
                update(webhook_deliveries)
                .where(webhook_deliveries.c.id == delivery_id)
                .values(
                    url=url,
                    destination=destination(url),
                    status="pending",
                    failures=0,
                    manual_retry_count=webhook_deliveries.c.manual_retry_count + 1,
                    next_attempt_at=now,
                    updated_at=now,
                )
            )
            transaction.notify("webhooks")
            return await _load(connection, delivery_id)

        return await self._database.write(work)

    async def test(self, endpoint_id: str) -> PastDelivery:
        """Put a test event in the outbox, which is tried once.

        Raises UnknownEndpointError, EndpointDisabledError.
        """
        now = self._clock()

        async def work(transaction: Transaction) -> PastDelivery:
            connection = transaction.connection
            endpoint = await _enabled(connection, endpoint_id)
            delivery = new_delivery(endpoint.url, now)
            await connection.execute(
                insert(webhook_deliveries).values(
                    **delivery,
                    event_id=f"evt_{uuid.uuid4().hex}",
                    event_seq=0,
                    event_type=TEST_EVENT,
                    terminal=False,
                    data={"endpoint_id": endpoint_id},
                    endpoint_id=endpoint_id,
                    inline=False,
                )
            )
            transaction.notify("webhooks")
            return await _load(connection, delivery["id"])

        return await self._database.write(work)


async def _enabled(connection: AsyncConnection, endpoint_id: str) -> Row[Any]:
    endpoint = await load_endpoint(connection, endpoint_id)
    if endpoint.status == "disabled":
        raise EndpointDisabledError(endpoint.disabled_reason)
    return endpoint


async def _load(connection: AsyncConnection, delivery_id: str) -> PastDelivery:
    query = select(webhook_deliveries).where(webhook_deliveries.c.id == delivery_id)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise UnknownDeliveryError(delivery_id)
    return _past(row, await _attempts(connection, [delivery_id]))


async def _attempts(
    connection: AsyncConnection, delivery_ids: Sequence[str]
) -> dict[str, list[PastAttempt]]:
    rows = await connection.execute(
        select(webhook_attempts)
        .where(webhook_attempts.c.delivery_id.in_(delivery_ids))
        .order_by(webhook_attempts.c.number)
    )
    found: dict[str, list[PastAttempt]] = {}
    for row in rows:
        values = dict(row._mapping)
        found.setdefault(values.pop("delivery_id"), []).append(PastAttempt(**values))
    return found


def _past(row: Any, attempts: Mapping[str, Sequence[PastAttempt]]) -> PastDelivery:
    values = dict(row._mapping)
    for name in ("event_seq", "terminal", "data", "inline", "destination", "failures"):
        del values[name]
    return PastDelivery(**values, attempts=tuple(attempts.get(row.id, ())))
