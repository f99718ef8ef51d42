"""API keys, kept as SHA-256 hashes."""

import hashlib
import secrets
import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.resources.caps import KeyCaps
from api.resources.dialect import Dialect
from api.resources.idempotency import Idempotency
from api.resources.key import ApiKey, KeyObject, KeyScope
from api.resources.page import PageOf
from api.store import idempotency
from api.store.database import Database, Transaction
from api.store.existing import load_existing
from api.store.pages import load_page
from api.store.tables import api_keys

KEY_PREFIX = "sk_"
SHOWN = 10
_LIVE: Final = api_keys.c.revoked_at.is_(None)


def hash_key(key: str) -> str:
    """SHA-256 in hex. A plain hash is enough: the keys hold 256 random bits."""
    return hashlib.sha256(key.encode()).hexdigest()


class Keys:
    """Creates, lists, revokes and recognises API keys."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def create(
        self,
        name: str,
        scope: KeyScope = "admin",
        rate_limit_per_minute: int | None = None,
        idempotent: Idempotency | None = None,
        dialect: Dialect | None = None,
        *,
        caps: KeyCaps | None = None,
    ) -> tuple[ApiKey, str]:
        """Make a key. The second value is the key itself: shown once, never stored.

        With `idempotent`, the 201 answer without the key is kept in the same transaction; raises
        Conflict when that Idempotency-Key has an answer already.
        """
        key = KEY_PREFIX + secrets.token_urlsafe(32)
        record = ApiKey(
            id=str(uuid.uuid4()),
            name=name,
            prefix=key[:SHOWN],
            scope=scope,
            rate_limit_per_minute=rate_limit_per_minute,
            created_at=self._clock(),
            dialect=dialect,
            **vars(caps or KeyCaps()),
        )

        async def work(transaction: Transaction) -> None:
            await transaction.connection.execute(
                insert(api_keys).values(vars(record) | {"key_hash": hash_key(key)})
            )
            if idempotent is not None:
                answer = KeyObject.of(record).model_dump() | {"key": None}
                await idempotency.remember(
                    transaction.connection, idempotent, 201, answer, record.created_at
                )

        await self._database.write(work)
        return record, key

    async def list(self) -> list[ApiKey]:
        """Every key ever made, oldest first."""

        async def work(connection: AsyncConnection) -> list[ApiKey]:
            rows = await connection.execute(select(api_keys).order_by(api_keys.c.created_at))
            return [api_key_of(row) for row in rows]

        return await self._database.read(work)

    async def page(self, *, limit: int, cursor: str | None = None) -> PageOf[ApiKey]:
        """Keys from newest to oldest. Raises CursorError."""
        by = api_keys.c.created_at, api_keys.c.id
        page = await self._database.read(
            lambda connection: load_page(
                connection, select(api_keys), by, limit, cursor, latest_first=True
            )
        )
        return page.map(api_key_of)

    async def get(self, key_id: str) -> ApiKey:
        """Raises NotFound."""
        query = select(api_keys).where(api_keys.c.id == key_id)
        row = await self._database.read(
            lambda connection: load_existing(connection, query, "API key")
        )
        return api_key_of(row)

    async def revoke(self, key_id: str) -> bool:
        """Revoke by id or by shown prefix; False if no live key matches."""

        async def work(transaction: Transaction) -> bool:
            result = await transaction.connection.execute(
                update(api_keys)
                .where(
                    (api_keys.c.id == key_id) | (api_keys.c.prefix == key_id),
                    _LIVE,
                )
                .values(revoked_at=self._clock())
            )
            return result.rowcount > 0

        return await self._database.write(work)

    async def recognise(self, key: str) -> ApiKey | None:
        """The live key that `key` is, or None."""

        async def work(connection: AsyncConnection) -> ApiKey | None:
            row = (
                await connection.execute(
                    select(api_keys).where(api_keys.c.key_hash == hash_key(key), _LIVE)
                )
            ).one_or_none()
            return None if row is None else api_key_of(row)

        return await self._database.read(work)

    async def live(self, ids: Collection[str]) -> Mapping[str, KeyScope]:
        """The scopes of those of these keys that are live."""

        async def work(connection: AsyncConnection) -> Mapping[str, KeyScope]:
            query = select(api_keys.c.id, api_keys.c.scope).where(api_keys.c.id.in_(ids), _LIVE)
            return {row.id: row.scope for row in await connection.execute(query)}

        return await self._database.read(work)


def api_key_of(row: Any) -> ApiKey:
    """The record of a row of `api_keys`."""
    values = dict(row._mapping)
    del values["key_hash"]
    return ApiKey(**values)
