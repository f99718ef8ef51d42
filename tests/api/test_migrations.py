"""A database of an earlier release, with its rows, becomes one of this release."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from api.settings import StoreSection
from api.store import Store
from api.store.migrate import MIGRATIONS
from api.webhook_records import NewEndpoint
from tests.api.receiver import receiving
from tests.api.test_webhooks import SECRET, delivering
from tests.postgres import PostgresServer, at

CALL: dict[str, Any] = {
    "id": "call-1",
    "status": "ringing",
    "direction": "outbound",
    "to_number": "+15551234567",
    "from_number": "+15559876543",
    "prompt": "hi",
    "context": "{}",
    "returns": "{}",
    "language": "en",
    "metadata": "{}",
    "max_duration_s": 60,
    "result_status": "pending",
    "created_at": 1.0,
    "updated_at": 1.0,
    "latency": "{}",
    "event_count": 2,
}


def insert(connection: Connection, table: str, row: Mapping[str, Any]) -> None:
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    statement = f"INSERT INTO {table} ({names}) VALUES ({values})"
    connection.execute(text(statement), dict(row))


def first_release(connection: Connection, url: str) -> None:
    """Make what 0001 did, with a call: one delivery has arrived, one has failed twice."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "0001")
    insert(connection, "calls", CALL | {"webhook_url": url})
    for seq, kind in ((1, "call.queued"), (2, "call.ringing")):
        event: dict[str, Any] = {
            "id": f"evt_{seq}",
            "call_id": "call-1",
            "seq": seq,
            "type": kind,
        }
        data = '{"call": {"id": "call-1"}}'
        insert(connection, "call_events", event | {"at": 1.0, "terminal": False, "data": data})
        delivery = {
            "id": f"delivery-{seq}",
            "call_id": "call-1",
            "event_id": f"evt_{seq}",
            "event_seq": seq,
            "event_type": kind,
            "terminal": False,
            "url": url,
            "destination": url.partition("/hook")[0],
            "status": "delivered" if seq == 1 else "pending",
            "attempt_count": seq,
            "next_attempt_at": None if seq == 1 else 2.0,
            "last_error": None if seq == 1 else "the receiver answered 500",
            "created_at": 1.0,
            "updated_at": 1.0,
        }
        insert(connection, "webhook_deliveries", delivery)


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StoreSection]:
    """Where nothing is yet."""
    if request.param == "sqlite":
        yield StoreSection(path=tmp_path / "a.db")
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    async with server.database(migrated=False) as url:
        yield at(url)


async def make_first_release(where: StoreSection, webhook_url: str) -> None:
    url = f"sqlite+aiosqlite:///{where.path}"
    if where.url is not None:
        url = where.url.get_secret_value().replace("postgresql:", "postgresql+asyncpg:")
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(first_release, webhook_url)


async def test_a_database_of_the_first_release_goes_on(empty: StoreSection) -> None:
    async with receiving() as receiver:
        await make_first_release(empty, receiver.url)
        store = await Store.open(empty)
        call = await store.calls.get("call-1")
        assert (call.webhook_status, call.webhook_error) == ("pending", "the receiver answered 500")
        (due,) = await store.outbox.due(3.0, 9)
        assert (due.failures, due.inline, due.secrets) == (2, True, ())
        async with delivering(store):
            (got,) = await receiver.wait(1)
            assert got.verified(SECRET) == {"type": "call.ringing", "id": "call-1"}
            await store.endpoints.create(NewEndpoint(receiver.url))
            await store.calls.record_answered("call-1", 5.0)
            await receiver.wait(2)
            page = await store.deliveries.page(limit=9, call_id="call-1")
        assert len(page.deliveries) == 3
        await store.close()
