"""Sessions of people who signed in with an API key, kept as SHA-256 hashes."""

import hashlib
import secrets
from collections.abc import Callable

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.resources.key import ApiKey
from api.store.database import Database, Transaction
from api.store.keys import api_key_of
from api.store.tables import api_keys, sessions


def _hash(token: str) -> str:
    """SHA-256 in hex. A plain hash is enough: the tokens hold 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()


class Sessions:
    """Begins, recognises and ends sessions."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def begin(self, key_id: str, lifetime_s: float) -> str:
        """A new session of this key: its token, which is shown once. Those that have expired are
        forgotten."""
        token, now = secrets.token_urlsafe(32), self._clock()

        async def work(transaction: Transaction) -> None:
            connection = transaction.connection
            await connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
            values = {
                "token_hash": _hash(token),
                "api_key_id": key_id,
                "created_at": now,
                "expires_at": now + lifetime_s,
            }
            await connection.execute(insert(sessions).values(values))

        await self._database.write(work)
        return token

    async def recognise(self, token: str) -> ApiKey | None:
        """The live key of this session; None where the session or the key has ended."""
        query = (
            select(api_keys)
            .join(sessions, sessions.c.api_key_id == api_keys.c.id)
            .where(
                sessions.c.token_hash == _hash(token),
                sessions.c.expires_at > self._clock(),
                api_keys.c.revoked_at.is_(None),
            )
        )

        async def work(connection: AsyncConnection) -> ApiKey | None:
            row = (await connection.execute(query)).one_or_none()
            return None if row is None else api_key_of(row)

        return await self._database.read(work)

    async def end(self, token: str) -> None:
        """From now on the token is worth nothing."""

        async def work(transaction: Transaction) -> None:
            query = delete(sessions).where(sessions.c.token_hash == _hash(token))
            await transaction.connection.execute(query)

        await self._database.write(work)
