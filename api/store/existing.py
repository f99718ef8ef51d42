"""A row that somebody names: there is one, or the client is told that there is none."""

from typing import Any

from sqlalchemy import Row, Select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.refusals import NotFound


async def load_existing(
    connection: AsyncConnection, query: Select[Any], what: str, *, lock: bool = False
) -> Row[Any]:
    """The one row that `query` finds. Raises NotFound.

    Args:
        connection: of the transaction.
        query: for at most one row.
        what: it is, in the client's words.
        lock: keep others from changing it until the transaction is over.
    """
    found = await connection.execute(query.with_for_update() if lock else query)
    row: Row[Any] | None = found.one_or_none()
    if row is None:
        raise NotFound(what)
    return row
