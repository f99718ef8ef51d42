"""Secrets in the ledger: named texts, sealed; and which key the store is sealed with."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.refusals import NotFound
from api.egress.sealing import Seal
from api.resources.page import PageOf
from api.resources.secret import StoredSecret
from api.store.cursors import decode_cursor
from api.store.database import Database, Transaction
from api.store.pages import page_of
from api.store.tables import kept_values, secrets
from api.store.upsert import insert_for

_SEAL_CHECK: Final = "seal_check"


class Secrets:
    """Puts, lists and deletes them; their texts are read sealed."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def check_seal(self, seal: Seal) -> None:
        """Raises SealError if the store was sealed with another key; the first one holds."""
        mark = {"name": _SEAL_CHECK, "value": seal.seal(_SEAL_CHECK)}

        async def work(transaction: Transaction) -> str:
            connection = transaction.connection
            await connection.execute(
                insert_for(connection, kept_values).values(mark).on_conflict_do_nothing()
            )
            kept = select(kept_values.c.value).where(kept_values.c.name == _SEAL_CHECK)
            value: str = (await connection.execute(kept)).scalar_one()
            return value

        seal.open(await self._database.write(work))

    async def put(self, name: str, sealed: str) -> tuple[StoredSecret, bool]:
        """Add or replace a secret; the second value is whether there was none."""
        now = self._clock()
        row = {"name": name, "sealed": sealed, "created_at": now, "updated_at": now}

        async def work(transaction: Transaction) -> tuple[StoredSecret, bool]:
            connection = transaction.connection
            added = await connection.execute(
                insert_for(connection, secrets).values(row).on_conflict_do_nothing()
            )
            if not added.rowcount:
                await connection.execute(
                    update(secrets)
                    .where(secrets.c.name == name)
                    .values(sealed=sealed, updated_at=now)
                )
            found = await connection.execute(_TOLD.where(secrets.c.name == name))
            return _stored(found.one()), bool(added.rowcount)

        return await self._database.write(work)

    async def page(self, *, limit: int, cursor: str | None = None) -> PageOf[StoredSecret]:
        """Secrets from oldest to newest. Raises CursorError."""
        query = _TOLD.order_by(secrets.c.created_at, secrets.c.name).limit(limit + 1)
        if cursor is not None:
            after = tuple_(*decode_cursor(cursor))
            query = query.where(tuple_(secrets.c.created_at, secrets.c.name) > after)

        async def work(connection: AsyncConnection) -> PageOf[StoredSecret]:
            rows = (await connection.execute(query)).all()
            return page_of(rows, limit, _stored, lambda secret: (secret.created_at, secret.name))

        return await self._database.read(work)

    async def sealed(self, names: Collection[str]) -> Mapping[str, str]:
        """The sealed texts of those among `names` that there are."""
        if not names:
            return {}
        query = select(secrets.c.name, secrets.c.sealed).where(secrets.c.name.in_(names))

        async def work(connection: AsyncConnection) -> Mapping[str, str]:
            return {row.name: row.sealed for row in await connection.execute(query)}

        return await self._database.read(work)

    async def delete(self, name: str) -> None:
        """Raises NotFound."""

        async def work(transaction: Transaction) -> None:
            gone = await transaction.connection.execute(
                delete(secrets).where(secrets.c.name == name)
            )
            if not gone.rowcount:
                raise NotFound("secret")

        await self._database.write(work)


_TOLD: Final = select(secrets.c.name, secrets.c.created_at, secrets.c.updated_at)


def _stored(row: Any) -> StoredSecret:
    return StoredSecret(**row._mapping)
