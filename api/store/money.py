"""The budget as operators see it: its limit, what is spent and held, and every change of it."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.resources.budget import Budget, BudgetEntry
from api.resources.page import PageOf
from api.store.cursors import CursorError, decode_cursor
from api.store.database import Database, Transaction
from api.store.pages import page_of
from api.store.tables import budget, budget_entries


class BudgetBook:
    """Reads the budget and sets its limit; calls reserve and settle with their own changes."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def get(self) -> Budget:
        """How it stands."""
        return await self._database.read(_load)

    async def set_limit(self, limit: int | None) -> Budget:
        """Limit all that is ever spent to so many milli-cents; None: no limit."""
        now = self._clock()

        async def work(transaction: Transaction) -> Budget:
            connection = transaction.connection
            await connection.execute(update(budget).values(limit_milli_cents=limit, updated_at=now))
            await connection.execute(
                insert(budget_entries).values(at=now, kind="limit", milli_cents=limit)
            )
            transaction.notify("work")
            transaction.notify("pacing")
            return await _load(connection)

        return await self._database.write(work)

    async def entries(
        self, *, limit: int, cursor: str | None = None, call_id: str | None = None
    ) -> PageOf[BudgetEntry]:
        """Changes from the latest to the first, of one call if given. Raises CursorError."""
        query = select(budget_entries).order_by(budget_entries.c.row_id.desc()).limit(limit + 1)
        if call_id is not None:
            query = query.where(budget_entries.c.call_id == call_id)
        if cursor is not None:
            query = query.where(budget_entries.c.row_id < _row_id(cursor))
        rows = await self._database.fetch(query)
        return page_of(rows, limit, _entry, lambda entry: (entry.at, str(entry.id)))


async def _load(connection: AsyncConnection) -> Budget:
    row = (await connection.execute(select(budget))).one()
    return Budget(
        limit_milli_cents=row.limit_milli_cents,
        spent_milli_cents=row.spent_milli_cents,
        reserved_milli_cents=row.reserved_milli_cents,
        updated_at=row.updated_at or None,
    )


def _entry(row: Any) -> BudgetEntry:
    values = dict(row._mapping)
    return BudgetEntry(id=values.pop("row_id"), **values)


def _row_id(cursor: str) -> int:
    _, row_id = decode_cursor(cursor)
    if not (row_id.isascii() and row_id.isdigit() and len(row_id) < 19):
        raise CursorError
    return int(row_id)
