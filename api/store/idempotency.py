"""Answers kept for 24 hours under the client's `Idempotency-Key`."""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, delete, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.refusals import Conflict
from api.resources.idempotency import Idempotency, StoredAnswer
from api.store.database import Database
from api.store.tables import idempotency_keys

KEEP_S = 24 * 3600
#: A key that was taken and got no answer: its process died. No request lasts this long.
ABANDONED_S = 60
#: Status of a key that is taken by a request under way.
UNDER_WAY = 0
#: Answers that are looked through at a time.
_BATCH: Final = 500
_UUID: Final = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ERASED: Final = json.dumps(
    {
        "type": "about:blank",
        "title": "Gone",
        "status": 410,
        "code": "erased",
        "detail": "the call that this request made has been erased",
        "errors": [],
    }
)


def under_way() -> Conflict:
    """Another request has this Idempotency-Key."""
    detail = "a request with this Idempotency-Key is under way; try again"
    return Conflict("idempotency_in_flight", detail, retry_after_s=1)


async def remember(
    connection: AsyncConnection,
    request: Idempotency,
    status_code: int,
    body: Mapping[str, Any],
    now: float,
) -> None:
    """Keep an answer within the transaction of `connection`. Raises Conflict."""
    await _insert(connection, request, status_code, json.dumps(body, ensure_ascii=False), now)


async def _insert(
    connection: AsyncConnection, request: Idempotency, status_code: int, body: str, now: float
) -> None:
    await connection.execute(
        delete(idempotency_keys).where(_expired(now) | (_of(request) & _abandoned(now)))
    )
    try:
        await connection.execute(
            insert(idempotency_keys).values(
                api_key_id=request.api_key_id,
                key=request.key,
                fingerprint=request.fingerprint,
                status_code=status_code,
                body=body,
                created_at=now,
            )
        )
    except IntegrityError as error:
        raise under_way() from error


async def empty_answers(connection: AsyncConnection, call_ids: Collection[str]) -> None:
    """Take the content of every answer that tells of one of these calls, alone or among others.

    Read once for all of the calls: a search of the table for each would keep writers waiting.
    """
    erased, last = set(call_ids), ("", "")
    table = idempotency_keys.c
    name = tuple_(table.api_key_id, table.key)
    query = select(table.api_key_id, table.key, table.body).order_by(table.api_key_id, table.key)
    while rows := (await connection.execute(query.where(name > last).limit(_BATCH))).all():
        last = rows[-1][:2]
        names = [row[:2] for row in rows if not erased.isdisjoint(_UUID.findall(row.body))]
        if names:
            emptied = update(idempotency_keys).where(name.in_(names))
            await connection.execute(emptied.values(status_code=410, body=_ERASED))


def _expired(now: float) -> ColumnElement[bool]:
    return idempotency_keys.c.created_at <= now - KEEP_S


def _abandoned(now: float) -> ColumnElement[bool]:
    return and_(
        idempotency_keys.c.status_code == UNDER_WAY,
        idempotency_keys.c.created_at <= now - ABANDONED_S,
    )


def _of(request: Idempotency) -> ColumnElement[bool]:
    return and_(
        idempotency_keys.c.api_key_id == request.api_key_id,
        idempotency_keys.c.key == request.key,
    )


class IdempotentAnswers:
    """Looks answers up, and keeps those of requests that are no transaction of their own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, request: Idempotency, now: float) -> StoredAnswer | None:
        """The answer given under this key in the last 24 hours; `UNDER_WAY` is its status until
        there is one."""
        columns = idempotency_keys.c
        query = select(columns.fingerprint, columns.status_code, columns.body).where(
            _of(request), ~_expired(now), ~_abandoned(now)
        )
        rows = await self._database.fetch(query)
        return StoredAnswer(**rows[0]._mapping) if rows else None

    async def reserve(self, request: Idempotency, now: float) -> None:
        """Take the key before the work. Raises Conflict."""
        await self._database.write(
            lambda transaction: _insert(transaction.connection, request, UNDER_WAY, "", now)
        )

    async def keep(
        self, request: Idempotency, reserved_at: float, status_code: int, body: str
    ) -> None:
        """Keep the answer under the key that was reserved at `reserved_at`."""
        await self._database.execute(
            update(idempotency_keys)
            .where(_of(request), idempotency_keys.c.created_at == reserved_at)
            .values(status_code=status_code, body=body)
        )

    async def release(self, request: Idempotency, reserved_at: float) -> None:
        """Give back a key that was reserved at `reserved_at`: the request was refused."""
        await self._database.execute(
            delete(idempotency_keys).where(
                _of(request), idempotency_keys.c.created_at == reserved_at
            )
        )
