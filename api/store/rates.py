"""The rate card: what connected time costs, by the prefix of the callee's number."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import fields
from typing import Any, Final

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.money import Rate
from api.base.numbers import is_e164
from api.base.refusals import Invalid, NotFound
from api.resources.page import PageOf
from api.resources.rate import NewRate, StoredRate
from api.store.cursors import decode_cursor
from api.store.database import Database, Transaction
from api.store.existing import load_existing
from api.store.pages import each_page, page_of
from api.store.tables import budget, rates
from api.store.upsert import insert_for

#: Rows written or read at a time.
_BATCH: Final = 500
_RATE_FOR: Final = (
    select(*(rates.c[one.name] for one in fields(Rate)))
    .where(rates.c.prefix.in_(bindparam("prefixes", expanding=True)))
    .order_by(func.length(rates.c.prefix).desc())
    .limit(1)
)


class Rates:
    """Puts, reads and deletes the lines of the rate card. A call keeps the rate it was given."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def put(self, new: NewRate) -> tuple[StoredRate, bool]:
        """Add or replace the rate of a prefix; the second value is whether there was none."""
        prefix = new.prefix

        async def work(transaction: Transaction) -> tuple[StoredRate, bool]:
            connection = transaction.connection
            known = await connection.scalar(select(rates.c.prefix).where(rates.c.prefix == prefix))
            await self._put(connection, [new])
            return await _load(connection, prefix), known is None

        return await self._database.write(work)

    async def put_many(self, new: Sequence[NewRate]) -> int:
        """Add or replace rates, all or none; returns how many prefixes are new."""

        async def work(transaction: Transaction) -> int:
            connection = transaction.connection
            before = await _count(connection)
            await self._put(connection, new)
            return await _count(connection) - before

        return await self._database.write(work)

    async def _put(self, connection: AsyncConnection, new: Sequence[NewRate]) -> None:
        now = self._clock()
        statement = insert_for(connection, rates)
        replaced = {
            column.name: statement.excluded[column.name]
            for column in rates.columns
            if column.name not in {"prefix", "created_at"}
        }
        statement = statement.on_conflict_do_update(index_elements=["prefix"], set_=replaced)
        for start in range(0, len(new), _BATCH):
            batch = new[start : start + _BATCH]
            await connection.execute(statement, [_row(one, now) for one in batch])

    async def get(self, prefix: str) -> StoredRate:
        """Raises NotFound."""

        return await self._database.read(lambda connection: _load(connection, prefix))

    async def page(self, *, limit: int, cursor: str | None = None) -> PageOf[StoredRate]:
        """Rates by prefix. Raises CursorError."""
        query = select(rates).order_by(rates.c.prefix).limit(limit + 1)
        if cursor is not None:
            query = query.where(rates.c.prefix > decode_cursor(cursor)[1])
        rows = await self._database.fetch(query)
        return page_of(rows, limit, _stored, lambda rate: (rate.created_at, rate.prefix))

    def every(self) -> AsyncIterator[Sequence[StoredRate]]:
        """The whole card by prefix, a part at a time."""
        return each_page(lambda cursor: self.page(limit=_BATCH, cursor=cursor))

    async def delete(self, prefix: str) -> None:
        """Raises NotFound."""

        if not await self._database.execute(delete(rates).where(rates.c.prefix == prefix)):
            raise NotFound("rate")

    async def price(self, number: str) -> Rate | None:
        """What a call to `number` costs; None: nothing, as an extension or SIP URI. Raises Invalid:
        it fails closed."""
        if not is_e164(number):
            return None

        async def work(connection: AsyncConnection) -> Rate | None:
            rate = await rate_for(connection, number)
            if rate is None:
                limit = await connection.scalar(select(budget.c.limit_milli_cents))
                if limit is not None:
                    detail = "there is a budget, and no rate for this number (/v1/rates)"
                    raise Invalid(detail, field="to", code="no_rate")
            return rate

        return await self._database.read(work)


async def rate_for(connection: AsyncConnection, number: str) -> Rate | None:
    """The rate of the longest prefix of `number`; None if no prefix fits."""
    prefixes = [number[:length] for length in range(1, len(number) + 1)]
    found = await connection.execute(_RATE_FOR, {"prefixes": prefixes})
    row = found.one_or_none()
    return None if row is None else Rate(**row._mapping)


async def _count(connection: AsyncConnection) -> int:
    return await connection.scalar(select(func.count()).select_from(rates)) or 0


async def _load(connection: AsyncConnection, prefix: str) -> StoredRate:
    query = select(rates).where(rates.c.prefix == prefix)
    return _stored(await load_existing(connection, query, "rate"))


def _row(new: NewRate, now: float) -> dict[str, Any]:
    return vars(new) | {"created_at": now, "updated_at": now}


def _stored(row: Any) -> StoredRate:
    return StoredRate(**row._mapping)
