"""A database of an earlier release, with its rows, becomes one of this release."""

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from api.conversing import conversation_config
from api.records import Turn
from api.settings import StoreSection
from api.store import Store
from api.store.migrate import MIGRATIONS
from api.webhook_records import NewEndpoint
from tests.api.campaigning import eventually, pacing
from tests.api.conftest import benching
from tests.api.receiver import receiving
from tests.api.story import NODE
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


def before_agents(connection: Connection) -> None:
    """Make what 0003 did: a call that was held, one that waits, and a campaign that runs."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "0003")
    over = {"status": "completed", "answered_at": 2.0, "ended_at": 3.0, "attempt_count": 1}
    waits = {"id": "call-2", "status": "queued", "next_attempt_at": 1.0, "prompt": "say {{hello}}"}
    insert(connection, "calls", CALL | over)
    insert(connection, "calls", CALL | waits)
    for seq, speaker in enumerate(("agent", "person", "keypad"), 1):
        turn = {"call_id": "call-1", "seq": seq, "speaker": speaker, "text": f"words {seq}"}
        times = {"started_at": 2.0, "ended_at": 2.5, "interrupted": False, "timings": "{}"}
        insert(connection, "turns", turn | times)
    campaign = {"id": "campaign-1", "name": "Recalls", "status": "running", "max_concurrent": 2}
    template = {"template": '{"prompt": "Call {patient}.", "returns": {"ok": "boolean"}}'}
    times = {"created_at": 1.0, "started_at": 1.0, "updated_at": 1.0}
    insert(connection, "campaigns", campaign | template | times)
    contact = {"campaign_id": "campaign-1", "seq": 1, "to_number": "+12125550123"}
    rest = {"context": '{"patient": "Wei"}', "metadata": "{}", "status": "pending"}
    insert(connection, "campaign_contacts", contact | rest)


async def make(where: StoreSection, release: Callable[..., None], *given: Any) -> None:
    url = f"sqlite+aiosqlite:///{where.path}"
    if where.url is not None:
        url = where.url.get_secret_value().replace("postgresql:", "postgresql+asyncpg:")
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(release, *given)
    await engine.dispose()


async def test_a_database_of_the_first_release_goes_on(empty: StoreSection) -> None:
    async with receiving() as receiver:
        await make(empty, first_release, receiver.url)
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


async def test_calls_and_campaigns_from_before_agents_go_on(
    empty: StoreSection, tmp_path: Path
) -> None:
    await make(empty, before_agents)
    store = await Store.open(empty)
    old = await store.calls.get("call-1")
    assert (old.agent, old.agent_id, old.variables, old.transfer) == ({}, None, {}, None)
    turns = await store.calls.turns("call-1")
    assert [(turn.speaker, turn.text, turn.tool) for turn in turns] == [
        ("agent", "words 1", None),
        ("person", "words 2", None),
        ("keypad", "words 3", None),
    ]
    (claim,) = (await store.claims.take(9, NODE)).claims
    assert claim.call.id == "call-2"
    await store.calls.record_answered("call-2", 4.0)
    used = Turn("tool", "HTTP 200", 4.0, 5.0, tool={"name": "stock"})
    await store.calls.add_turn("call-2", used)
    assert (await store.calls.turns("call-2"))[0].tool == {"name": "stock"}
    async with benching(store, tmp_path) as bench:
        config = conversation_config(bench.services.settings, claim.call)
        assert (config.task, config.persona, config.tools) == ("say {{hello}}", "", ())
        async with pacing(bench.services):
            done = await eventually(store, "campaign-1", lambda one: not one.contacts["pending"])
        assert done.contacts["ordered"] == 1
        agent = await bench.client.post("/v1/agents", json={"name": "Ada"})
        assert agent.status_code == 201
    await store.close()
