"""Calendar connections in the ledger; their passwords are sealed."""

import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.refusals import NotFound
from api.resources.calendar import CalendarConnection, NewCalendarConnection
from api.resources.page import PageOf
from api.store.database import Database, Transaction
from api.store.existing import load_existing
from api.store.pages import load_page
from api.store.tables import calendar_connections as table


class Calendars:
    """Makes, reads, changes and deletes them."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def create(self, new: NewCalendarConnection) -> CalendarConnection:
        """Keep a connection."""
        now, connection_id = self._clock(), str(uuid.uuid4())
        row = {**asdict(new), "id": connection_id, "created_at": now, "updated_at": now}

        async def work(transaction: Transaction) -> CalendarConnection:
            await transaction.connection.execute(insert(table).values(row))
            return await _load(transaction.connection, connection_id)

        return await self._database.write(work)

    async def get(self, connection_id: str) -> CalendarConnection:
        """Raises NotFound."""

        async def work(connection: AsyncConnection) -> CalendarConnection:
            return await _load(connection, connection_id)

        return await self._database.read(work)

    async def some(self, ids: Collection[str]) -> Mapping[str, CalendarConnection]:
        """Those of these that there are, by id."""
        if not ids:
            return {}
        query = select(table).where(table.c.id.in_(ids))

        async def work(connection: AsyncConnection) -> Mapping[str, CalendarConnection]:
            return {row.id: _connection(row) for row in await connection.execute(query)}

        return await self._database.read(work)

    async def page(self, *, limit: int, cursor: str | None = None) -> PageOf[CalendarConnection]:
        """Connections from oldest to newest. Raises CursorError."""
        by = table.c.created_at, table.c.id
        page = await self._database.read(
            lambda connection: load_page(connection, select(table), by, limit, cursor)
        )
        return page.map(_connection)

    async def change(self, connection_id: str, changes: Mapping[str, Any]) -> CalendarConnection:
        """Change some of the fields of `NewCalendarConnection`. Raises NotFound."""
        now = self._clock()

        async def work(transaction: Transaction) -> CalendarConnection:
            await transaction.connection.execute(
                update(table)
                .where(table.c.id == connection_id)
                .values(dict(changes) | {"updated_at": now})
            )
            return await _load(transaction.connection, connection_id)

        return await self._database.write(work)

    async def delete(self, connection_id: str) -> None:
        """Raises NotFound."""

        async def work(transaction: Transaction) -> None:
            gone = await transaction.connection.execute(
                delete(table).where(table.c.id == connection_id)
            )
            if not gone.rowcount:
                raise NotFound("calendar connection")

        await self._database.write(work)


async def _load(connection: AsyncConnection, connection_id: str) -> CalendarConnection:
    query = select(table).where(table.c.id == connection_id)
    return _connection(await load_existing(connection, query, "calendar connection"))


def _connection(row: Any) -> CalendarConnection:
    return CalendarConnection(**row._mapping)
