"""Secrets in the ledger: named texts, sealed; and which key the store is sealed with."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from sqlalchemy import delete, select, update

from api.base.refusals import NotFound
from api.egress.sealing import Seal
from api.resources.page import PageOf
from api.resources.secret import StoredSecret
from api.store.database import Database, Transaction
from api.store.kept import keep_once
from api.store.pages import load_page
from api.store.tables import secrets
from api.store.upsert import insert_for

_SEAL_CHECK: Final = "seal_check"


class Secrets:
    """Puts, lists and deletes them; their texts are read sealed."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def check_seal(self, seal: Seal) -> None:
        """Raises SealError if the store was sealed with another key; the first one holds."""
        seal.open(await keep_once(self._database, _SEAL_CHECK, lambda: seal.seal(_SEAL_CHECK)))

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
        by = secrets.c.created_at, secrets.c.name
        page = await self._database.read(
            lambda connection: load_page(connection, _TOLD, by, limit, cursor)
        )
        return page.map(_stored)

    async def sealed(self, names: Collection[str]) -> Mapping[str, str]:
        """The sealed texts of those among `names` that there are."""
        if not names:
            return {}
        query = select(secrets.c.name, secrets.c.sealed).where(secrets.c.name.in_(names))
        return {row.name: row.sealed for row in await self._database.fetch(query)}

    async def delete(self, name: str) -> None:
        """Raises NotFound."""

        if not await self._database.execute(delete(secrets).where(secrets.c.name == name)):
            raise NotFound("secret")


_TOLD: Final = select(secrets.c.name, secrets.c.created_at, secrets.c.updated_at)


def _stored(row: Any) -> StoredSecret:
    return StoredSecret(**row._mapping)
