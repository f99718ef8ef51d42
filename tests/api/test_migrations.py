"""A database of an earlier release, with its rows, becomes one of this release."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text

from api.store import Store
from api.store.migrate import MIGRATIONS
from api.webhook_records import NewEndpoint
from tests.api.receiver import receiving
from tests.api.test_webhooks import SECRET, delivering

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


def first_release(path: Path, url: str) -> None:
    """Make the file as 0001 did, with a call: one delivery has arrived, one has failed twice."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
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
            insert(connection, "call_events", event | {"at": 1.0, "terminal": 0, "data": data})
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
    engine.dispose()


async def test_a_database_of_the_first_release_goes_on(tmp_path: Path) -> None:
    async with receiving() as receiver:
        await asyncio.to_thread(first_release, tmp_path / "a.db", receiver.url)
        store = await Store.open(tmp_path / "a.db")
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
