"""Stored webhook endpoints: who is told of the events of all calls, and who no longer is.

Their secrets are kept sealed."""

import uuid
from collections.abc import Callable, Collection
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.lifecycle import WEBHOOK_EVENTS
from api.base.refusals import Conflict, NotFound
from api.base.signing import new_secret
from api.egress.policy import destination
from api.egress.sealing import SealOf
from api.resources.webhook import EVERY_EVENT, DisabledReason, NewEndpoint, WebhookEndpoint
from api.store.database import Database, Transaction
from api.store.existing import load_existing
from api.store.tables import webhook_deliveries, webhook_endpoints

#: Each event is matched against each endpoint, inside the transaction that tells of it.
MAX_ENDPOINTS: Final = 100
#: Deliveries given up in a row after which an endpoint is disabled.
MAX_FAILURES: Final = 10


class WebhookEndpoints:
    """Makes, reads, changes and deletes endpoints."""

    def __init__(self, database: Database, clock: Callable[[], float], seal: SealOf) -> None:
        self._database = database
        self._clock = clock
        self._seal = seal

    async def create(self, new: NewEndpoint) -> WebhookEndpoint:
        """Add an endpoint with a fresh secret. Raises Conflict."""
        now = self._clock()

        async def work(transaction: Transaction) -> WebhookEndpoint:
            connection = transaction.connection
            count = await connection.scalar(select(func.count()).select_from(webhook_endpoints))
            if (count or 0) >= MAX_ENDPOINTS:
                detail = f"there are {MAX_ENDPOINTS} endpoints already; delete one"
                raise Conflict("too_many_endpoints", detail)
            row = await connection.execute(
                insert(webhook_endpoints)
                .values(
                    {
                        **vars(new),
                        **_status(None if new.status == "enabled" else "requested", now),
                        "id": str(uuid.uuid4()),
                        "consecutive_failures": 0,
                        "secret": self._seal().seal(new_secret()),
                        "created_at": now,
                    }
                )
                .returning(webhook_endpoints)
            )
            return self._endpoint(row.one())

        try:
            return await self._database.write(work)
        except IntegrityError as error:
            raise _taken() from error

    async def list(self) -> list[WebhookEndpoint]:
        """All of them, oldest first."""
        columns = webhook_endpoints.c
        query = select(webhook_endpoints).order_by(columns.created_at, columns.id)
        return [self._endpoint(row) for row in await self._database.fetch(query)]

    async def get(self, endpoint_id: str) -> WebhookEndpoint:
        """Raises NotFound."""
        return self._endpoint(
            await self._database.read(lambda connection: load_endpoint(connection, endpoint_id))
        )

    async def change(self, endpoint_id: str, changes: dict[str, Any]) -> WebhookEndpoint:
        """Change an endpoint.

        What waits for it goes to the new URL. Disabling holds what waits; enabling sends it and
        forgets the failures.

        Args:
            endpoint_id: whose.
            changes: some of the fields of `NewEndpoint`.

        Raises NotFound, Conflict.
        """
        now = self._clock()

        async def work(transaction: Transaction) -> WebhookEndpoint:
            connection = transaction.connection
            before = await load_endpoint(connection, endpoint_id, lock=True)
            values = {"updated_at": now} | changes
            status = values.pop("status", before.status)
            await connection.execute(
                update(webhook_endpoints)
                .where(webhook_endpoints.c.id == endpoint_id)
                .values(values)
            )
            if "url" in changes:
                await connection.execute(
                    update(webhook_deliveries)
                    .where(_own(endpoint_id), webhook_deliveries.c.status.in_(("pending", "held")))
                    .values(url=changes["url"], destination=destination(changes["url"]))
                )
            if status != before.status:
                if status == "enabled":
                    await _enable(connection, endpoint_id, now)
                    transaction.notify("webhooks")
                else:
                    await disable(connection, endpoint_id, "requested", now)
            return self._endpoint(await load_endpoint(connection, endpoint_id))

        try:
            return await self._database.write(work)
        except IntegrityError as error:
            raise _taken() from error

    async def rotate(self, endpoint_id: str, overlap_s: float) -> WebhookEndpoint:
        """Give it a new secret; the old one signs too for `overlap_s`.

        Raises NotFound.
        """
        now = self._clock()

        async def work(transaction: Transaction) -> WebhookEndpoint:
            connection = transaction.connection
            before = await load_endpoint(connection, endpoint_id, lock=True)
            row = await connection.execute(
                update(webhook_endpoints)
                .where(webhook_endpoints.c.id == endpoint_id)
                .values(
                    secret=self._seal().seal(new_secret()),
                    previous_secret=before.secret if overlap_s > 0 else None,
                    previous_secret_until=now + overlap_s if overlap_s > 0 else None,
                    updated_at=now,
                )
                .returning(webhook_endpoints)
            )
            return self._endpoint(row.one())

        return await self._database.write(work)

    def _endpoint(self, row: Any) -> WebhookEndpoint:
        seal, values = self._seal(), dict(row._mapping)
        values["secret"] = seal.open(row.secret)
        if row.previous_secret is not None:
            values["previous_secret"] = seal.open(row.previous_secret)
        return WebhookEndpoint(**values)

    async def delete(self, endpoint_id: str) -> None:
        """Delete it with its deliveries. Raises NotFound.

        Those that go to a call's own URL as well stay, as that call's.
        """

        async def work(transaction: Transaction) -> None:
            connection = transaction.connection
            await connection.execute(
                update(webhook_deliveries)
                .where(webhook_deliveries.c.endpoint_id == endpoint_id, webhook_deliveries.c.inline)
                .values(endpoint_id=None)
            )
            gone = await connection.execute(
                delete(webhook_endpoints).where(webhook_endpoints.c.id == endpoint_id)
            )
            if not gone.rowcount:
                raise NotFound("webhook endpoint")

        await self._database.write(work)


async def load_endpoint(
    connection: AsyncConnection, endpoint_id: str, *, lock: bool = False
) -> Row[Any]:
    """Its row; the secrets are sealed. Raises NotFound."""
    query = select(webhook_endpoints).where(webhook_endpoints.c.id == endpoint_id)
    return await load_existing(connection, query, "webhook endpoint", lock=lock)


def _taken() -> Conflict:
    return Conflict("url_taken", "another webhook endpoint has this URL")


_ENABLED: Final = select(
    webhook_endpoints.c.url, webhook_endpoints.c.id, webhook_endpoints.c.enabled_events
).where(webhook_endpoints.c.status == "enabled")


async def receivers(
    connection: AsyncConnection, event_types: Collection[str]
) -> dict[str, dict[str, str]]:
    """For each type of event, ids of the enabled endpoints that want it, by URL."""
    rows = (await connection.execute(_ENABLED)).all()
    return {
        event_type: {
            row.url: row.id
            for row in rows
            if event_type in row.enabled_events
            or (EVERY_EVENT in row.enabled_events and event_type in WEBHOOK_EVENTS)
        }
        for event_type in event_types
    }


async def disable(
    connection: AsyncConnection, endpoint_id: str, reason: DisabledReason, now: float
) -> None:
    """Send nothing more to an enabled endpoint; what waits for it is held."""
    disabled = await connection.execute(
        update(webhook_endpoints)
        .where(webhook_endpoints.c.id == endpoint_id, webhook_endpoints.c.status == "enabled")
        .values(_status(reason, now))
    )
    if disabled.rowcount:
        await connection.execute(
            update(webhook_deliveries)
            .where(_own(endpoint_id), webhook_deliveries.c.status == "pending")
            .values(status="held", next_attempt_at=None)
        )


async def _enable(connection: AsyncConnection, endpoint_id: str, now: float) -> None:
    await connection.execute(
        update(webhook_endpoints)
        .where(webhook_endpoints.c.id == endpoint_id)
        .values(consecutive_failures=0, **_status(None, now))
    )
    await connection.execute(
        update(webhook_deliveries)
        .where(_own(endpoint_id), webhook_deliveries.c.status == "held")
        .values(status="pending", next_attempt_at=now, failures=0)
    )


async def count_outcome(
    connection: AsyncConnection, endpoint_id: str, *, delivered: bool, now: float
) -> None:
    """Count a delivery that arrived or was given up; too many of those disable the endpoint."""
    if delivered:
        await connection.execute(
            update(webhook_endpoints)
            .where(
                webhook_endpoints.c.id == endpoint_id,
                webhook_endpoints.c.consecutive_failures > 0,
            )
            .values(consecutive_failures=0)
        )
        return
    failures = await connection.scalar(
        update(webhook_endpoints)
        .where(webhook_endpoints.c.id == endpoint_id)
        .values(consecutive_failures=webhook_endpoints.c.consecutive_failures + 1)
        .returning(webhook_endpoints.c.consecutive_failures)
    )
    if failures is not None and failures >= MAX_FAILURES:
        await disable(connection, endpoint_id, "too_many_failures", now)


def _own(endpoint_id: str) -> ColumnElement[bool]:
    """The endpoint's deliveries that are not a call's own as well."""
    return and_(webhook_deliveries.c.endpoint_id == endpoint_id, ~webhook_deliveries.c.inline)


def _status(reason: DisabledReason | None, now: float) -> dict[str, Any]:
    return {
        "status": "enabled" if reason is None else "disabled",
        "disabled_reason": reason,
        "disabled_at": None if reason is None else now,
        "updated_at": now,
    }
