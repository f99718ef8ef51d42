"""Answers kept for 24 hours under the client's `Idempotency-Key`."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.records import Idempotency, StoredAnswer
from api.store.database import Database, Transaction
from api.store.tables import idempotency_keys

KEEP_S = 24 * 3600


class KeyTakenError(Exception):
    """Another request has been answered under this Idempotency-Key."""


async def remember(
    connection: AsyncConnection,
    request: Idempotency,
    status_code: int,
    body: Mapping[str, Any],
    now: float,
) -> None:
    """Keep an answer within the transaction of `connection`. Raises KeyTakenError."""
    await connection.execute(
        delete(idempotency_keys).where(idempotency_keys.c.created_at <= now - KEEP_S)
    )
    try:
        await connection.execute(
            insert(idempotency_keys).values(
                api_key_id=request.api_key_id,
                key=request.key,
                fingerprint=request.fingerprint,
                status_code=status_code,
                body=json.dumps(body, ensure_ascii=False),
                created_at=now,
            )
        )
    except IntegrityError as error:
        raise KeyTakenError(request.key) from error


class IdempotentAnswers:
    """Looks answers up, and keeps those of requests that are a transaction of their own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, api_key_id: str, key: str, now: float) -> StoredAnswer | None:
        """The answer given under `key` in the last 24 hours."""

        async def work(connection: AsyncConnection) -> StoredAnswer | None:
            row = (
                await connection.execute(
                    select(idempotency_keys).where(
                        idempotency_keys.c.api_key_id == api_key_id,
                        idempotency_keys.c.key == key,
                        idempotency_keys.c.created_at > now - KEEP_S,
                    )
                )
            ).one_or_none()
            if row is None:
                return None
            return StoredAnswer(row.fingerprint, row.status_code, row.body)

        return await self._database.read(work)

    async def keep(
        self, request: Idempotency, status_code: int, body: Mapping[str, Any], now: float
    ) -> None:
        """Keep an answer. Raises KeyTakenError."""

        async def work(transaction: Transaction) -> None:
            await remember(transaction.connection, request, status_code, body, now)

        await self._database.write(work)
