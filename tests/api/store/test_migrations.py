"""A new database has the code's tables; one that a release left gets them, and keeps its rows."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Column, Connection, inspect
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from api.settings import StoreSection
from api.store import Store, StoreError
from api.store.migrate import revisions
from api.store.tables import Json, metadata
from tests.api.campaigning import eventually, pacing
from tests.api.conftest import benching
from tests.api.releases import SEAL_KEY, kept
from tests.api.story import NODE
from tests.postgres import PostgresServer, at

#: Makes a database of a SQL script.
Make = Callable[[str], contextlib.AbstractAsyncContextManager[StoreSection]]

NOTHING = "SELECT 1;"


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Of the database."""
    return str(request.param)


@pytest.fixture
def made(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    @contextlib.asynccontextmanager
    async def sqlite(sql: str) -> AsyncIterator[StoreSection]:
        path = tmp_path / "offhook.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(sql)
        yield StoreSection.model_validate({"path": path, "seal_key": SEAL_KEY})
        path.unlink()

    @contextlib.asynccontextmanager
    async def postgresql(sql: str) -> AsyncIterator[StoreSection]:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        async with server.database(migrated=False) as url:
            await server.execute(sql, urlsplit(url).path.removeprefix("/"))
            yield at(url, seal_key=SEAL_KEY)

    return sqlite if kind == "sqlite" else postgresql


async def test_the_migrations_make_the_tables_of_the_code(made: Make) -> None:
    async with made(NOTHING) as where:
        store = await Store.open(where)
        await store.close()
        await has_the_tables(where)


async def test_the_database_of_every_release_goes_on(kind: str, made: Make, tmp_path: Path) -> None:
    assert {file.name.removesuffix(f".{kind}.sql") for file in kept(kind)} == revisions()
    for file in kept(kind):
        async with made(file.read_text()) as where:
            store = await Store.open(where)
            await has_the_tables(where)
            await goes_on(store, tmp_path)
            await store.close()


@pytest.mark.parametrize("revision", ["0006", "9.9.9"])
async def test_a_database_of_no_known_release_is_refused(made: Make, revision: str) -> None:
    """Of before the first release, and of one to come."""
    sql = "CREATE TABLE alembic_version (version_num VARCHAR(32));"
    async with made(f"{sql} INSERT INTO alembic_version VALUES ('{revision}');") as where:
        with pytest.raises(StoreError, match=rf"its schema has revision {revision}, which this"):
            await Store.open(where)


async def goes_on(store: Store, folder: Path) -> None:
    """Work with a store that `tests.api.releases.make` told of."""
    page = await store.calls.page(limit=9)
    (held,) = [call for call in page.items if call.status == "completed"]
    turns = await store.calls.turns(held.id)
    assert [turn.speaker for turn in turns] == ["agent", "person", "tool"]
    assert (held.result, turns[-1].tool) == ({"ok": True}, {"name": "stock"})
    (endpoint,) = await store.endpoints.list()
    due = await store.outbox.due(held.updated_at + 1, 9)
    assert {delivery.secrets for delivery in due} == {(endpoint.secret,)}
    (claim,) = (await store.claims.take(9, NODE)).claims
    assert claim.call.prompt == "Say hello."
    async with benching(store, folder) as bench:
        shown = (await bench.client.get(f"/v1/calls/{held.id}")).json()
        assert (shown["prompt"], shown["metadata"]) == ("Ask {{who}}.", {"of": "a"})
        await bench.create(agent_id=held.agent_id, variables={"who": "Ana"})
        (campaign,) = (await store.campaigns.page(limit=9)).items
        async with pacing(bench.services):
            await eventually(store, campaign.id, lambda one: one.contacts["ordered"] == 1)


async def has_the_tables(where: StoreSection) -> None:
    """Check that tables, checks and partial indexes are those of `metadata`."""
    url = f"sqlite+aiosqlite:///{where.path}"
    if where.url is not None:
        url = where.url.get_secret_value().replace("postgresql:", "postgresql+asyncpg:")
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(_has_the_tables)
    await engine.dispose()


def _has_the_tables(connection: Connection) -> None:
    context = MigrationContext.configure(
        connection, opts={"compare_server_default": _is_default_changed}
    )
    assert compare_metadata(context, metadata) == []
    inspector = inspect(connection)
    assert {
        check["name"]
        for table in inspector.get_multi_check_constraints().values()
        for check in table
    } == {
        item.name
        for table in metadata.tables.values()
        for item in table.constraints
        if isinstance(item, CheckConstraint)
    }
    assert {
        index["name"]
        for table in inspector.get_multi_indexes().values()
        for index in table
        if any(key.endswith("_where") for key in index.get("dialect_options", {}))
    } == {
        index.name
        for table in metadata.tables.values()
        for index in table.indexes
        if index.dialect_options["sqlite"]["where"] is not None
    }


def _is_default_changed(*compared: Any) -> bool | None:
    """False of JSON, which PostgreSQL cannot compare; None where Alembic is to compare."""
    column: Column[Any] = compared[2]
    return False if isinstance(column.type, Json) else None
