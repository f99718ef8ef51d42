"""The do-not-call list: numbers that are never dialled, whatever an order says."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.refusals import NotFound
from api.resources.do_not_call import DoNotCallSource, ListedNumber
from api.resources.page import PageOf
from api.store.database import Database, Transaction
from api.store.existing import load_existing
from api.store.pages import each_page, load_page
from api.store.tables import calls, do_not_call
from api.store.upsert import insert_for

#: Rows written or read with one statement.
_BATCH: Final = 500
_WHAT: Final = "number on the list"


class DoNotCall:
    """Adds, reads and deletes numbers. Calls that wait for one end at the next claim."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def add(self, number: str, reason: str) -> tuple[ListedNumber, bool]:
        """Put a number on the list; the second value is whether it was not there.

        What is there stays as it is.
        """
        now = self._clock()

        async def work(transaction: Transaction) -> tuple[ListedNumber, bool]:
            added = await add_number(transaction, number, source="api", reason=reason, now=now)
            return await _load(transaction.connection, number), added

        return await self._database.write(work)

    async def add_many(self, listed: Sequence[tuple[str, str]]) -> int:
        """Put numbers with their reasons on the list, all or none; returns how many are new."""
        now = self._clock()

        async def work(transaction: Transaction) -> int:
            connection = transaction.connection
            before = await _count(connection)
            statement = insert_for(connection, do_not_call).on_conflict_do_nothing()
            for start in range(0, len(listed), _BATCH):
                batch = listed[start : start + _BATCH]
                rows = [_row(number, "import", reason, None, now) for number, reason in batch]
                await connection.execute(statement, rows)
            any_listed = calls.c.to_number.in_(select(do_not_call.c.number))
            await _stop_waiting(transaction, any_listed, now)
            return await _count(connection) - before

        return await self._database.write(work)

    async def get(self, number: str) -> ListedNumber:
        """Raises NotFound."""

        return await self._database.read(lambda connection: _load(connection, number))

    async def page(
        self, *, limit: int, cursor: str | None = None, prefix: str = ""
    ) -> PageOf[ListedNumber]:
        """Numbers from the latest to the first. Raises CursorError.

        Args:
            limit: at most so many.
            cursor: of the page before.
            prefix: only numbers that begin so: `+` and digits.
        """
        query, by = select(do_not_call), (do_not_call.c.created_at, do_not_call.c.number)
        if prefix:
            query = query.where(do_not_call.c.number.startswith(prefix))
        page = await self._database.read(
            lambda connection: load_page(connection, query, by, limit, cursor, latest_first=True)
        )
        return page.map(_listed)

    def every(self) -> AsyncIterator[Sequence[ListedNumber]]:
        """The whole list, latest first, a part at a time."""
        return each_page(lambda cursor: self.page(limit=_BATCH, cursor=cursor))

    async def delete(self, number: str) -> None:
        """Raises NotFound."""

        statement = delete(do_not_call).where(do_not_call.c.number == number)
        if not await self._database.execute(statement):
            raise NotFound(_WHAT)


async def add_number(
    transaction: Transaction,
    number: str,
    *,
    source: DoNotCallSource,
    reason: str,
    call_id: str | None = None,
    now: float,
) -> bool:
    """Put a number on the list within a transaction; whether it was not there.

    Calls that wait for it end as soon as the dialer sees them.

    Args:
        transaction: the write under way.
        number: E.164.
        source: who wants it.
        reason: for people.
        call_id: of the call in which it was asked for.
        now: Unix seconds.
    """
    connection = transaction.connection
    added = await connection.execute(
        insert_for(connection, do_not_call)
        .values(_row(number, source, reason, call_id, now))
        .on_conflict_do_nothing()
    )
    if added.rowcount:
        await _stop_waiting(transaction, calls.c.to_number == number, now)
    return bool(added.rowcount)


async def _stop_waiting(
    transaction: Transaction, to_listed: ColumnElement[bool], now: float
) -> None:
    """Let the dialer look at waiting calls now; it then sees the list and ends them."""
    await transaction.connection.execute(
        update(calls).where(calls.c.status == "queued", to_listed).values(next_attempt_at=now)
    )
    transaction.notify("work")


def _row(
    number: str, source: DoNotCallSource, reason: str, call_id: str | None, now: float
) -> dict[str, Any]:
    return {
        "number": number,
        "source": source,
        "reason": reason,
        "call_id": call_id,
        "created_at": now,
    }


async def _count(connection: AsyncConnection) -> int:
    return await connection.scalar(select(func.count()).select_from(do_not_call)) or 0


async def _load(connection: AsyncConnection, number: str) -> ListedNumber:
    query = select(do_not_call).where(do_not_call.c.number == number)
    return _listed(await load_existing(connection, query, _WHAT))


def _listed(row: Any) -> ListedNumber:
    return ListedNumber(**row._mapping)
