"""The history of webhook deliveries: reading it, sending one again, sending a test."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, func, insert, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.refusals import Conflict
from api.egress.policy import destination
from api.resources.page import PageOf
from api.resources.queue import Backlog
from api.resources.webhook import (
    TEST_EVENT,
    DeliveryStatus,
    PastAttempt,
    PastDelivery,
)
from api.store.database import Database, Transaction
from api.store.endpoints import load_endpoint
from api.store.existing import load_existing
from api.store.outbox import new_delivery
from api.store.pages import given, load_page
from api.store.tables import webhook_attempts, webhook_deliveries

_TOLD: Final = select(
    *(webhook_deliveries.c[one.name] for one in fields(PastDelivery) if one.name != "attempts")
)


class Deliveries:
    """Webhook deliveries as operators see them."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def backlog(self) -> Backlog:
        """How many are not at an end."""
        # As it stands in the index of due deliveries, which otherwise is not used.
        pending = webhook_deliveries.c.status == literal_column("'pending'")
        first_due = func.min(webhook_deliveries.c.next_attempt_at).label("first_due")
        columns: list[ColumnElement[Any]] = [func.count().label("pending"), first_due]
        query = select(*columns).where(pending)
        (row,) = await self._database.fetch(query)
        overdue_s = 0.0 if row.first_due is None else max(0.0, self._clock() - row.first_due)
        return Backlog(row.pending, overdue_s)

    async def get(self, delivery_id: str) -> PastDelivery:
        """Raises NotFound."""
        return await self._database.read(lambda connection: _load(connection, delivery_id))

    async def page(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        status: DeliveryStatus | None = None,
        endpoint_id: str | None = None,
        call_id: str | None = None,
    ) -> PageOf[PastDelivery]:
        """Deliveries from newest to oldest, of one endpoint or call if given.

        Raises CursorError.
        """
        columns = webhook_deliveries.c
        wanted = {
            columns.status: status,
            columns.endpoint_id: endpoint_id,
            columns.call_id: call_id,
        }
        query, by = _TOLD.where(*given(wanted)), (columns.created_at, columns.id)

        async def work(connection: AsyncConnection) -> PageOf[PastDelivery]:
            page = await load_page(connection, query, by, limit, cursor, latest_first=True)
            tried = await _attempts(connection, [row.id for row in page.items])
            return page.map(lambda row: _past(row, tried))

        return await self._database.read(work)

    async def redeliver(self, delivery_id: str) -> PastDelivery:
        """Send it again now, with the whole schedule of retries.

        It goes to the URL that its endpoint has now. Raises NotFound, or Conflict where its
        endpoint is disabled.
        """
        now = self._clock()
        kept = select(webhook_deliveries).where(webhook_deliveries.c.id == delivery_id)

        async def work(transaction: Transaction) -> PastDelivery:
            connection = transaction.connection
            row = await load_existing(connection, kept, "delivery", lock=True)
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
        """Put a test event in the outbox, which is tried once. Raises NotFound, Conflict."""
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
        detail = "the webhook endpoint is disabled; enable it first"
        raise Conflict("endpoint_disabled", detail)
    return endpoint


async def _load(connection: AsyncConnection, delivery_id: str) -> PastDelivery:
    query = _TOLD.where(webhook_deliveries.c.id == delivery_id)
    row = await load_existing(connection, query, "delivery")
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
    return PastDelivery(**row._mapping, attempts=tuple(attempts.get(row.id, ())))
