"""The deployment's own id, which hosted services' clients know as their organization's."""

import uuid

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.store.database import Database, Transaction
from api.store.tables import kept_values

NAME = "organization_id"


class Organization:
    """Made up when it is first asked for, and the same ever after."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._id: str | None = None

    async def id(self) -> str:
        """A UUID."""
        if self._id is None:
            self._id = await self._database.read(_load) or await self._make()
        return self._id

    async def _make(self) -> str:
        made = str(uuid.uuid4())

        async def work(transaction: Transaction) -> None:
            await transaction.connection.execute(insert(kept_values).values(name=NAME, value=made))

        try:
            await self._database.write(work)
        except IntegrityError:  # another process made it first
            return await self._database.read(_load) or made
        return made


async def _load(connection: AsyncConnection) -> str | None:
    query = select(kept_values.c.value).where(kept_values.c.name == NAME)
    found: str | None = await connection.scalar(query)
    return found
