"""The deployment's default signing secret, which signs what goes to a call's own URL (CB-23)."""

import json
from collections.abc import Callable
from dataclasses import asdict

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.signing import SECRET_PREFIX, new_secret
from api.store.database import Database, Transaction
from api.store.tables import kept_values
from api.webhook_records import DefaultSecret

NAME = "webhook_secret"


class SigningSecret:
    """Reads and rotates it; it is made when it is first asked for."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def get(self) -> DefaultSecret:
        """The secret as it stands."""
        found = await self._database.read(_load)
        if found is not None:
            return found

        async def work(transaction: Transaction) -> DefaultSecret:
            made = await _load(transaction.connection)
            if made is None:
                made = DefaultSecret(new_secret(), self._clock())
                await transaction.connection.execute(
                    insert(kept_values).values(name=NAME, value=json.dumps(asdict(made)))
                )
            return made

        try:
            return await self._database.write(work)
        except IntegrityError:  # another process made it first
            return await self.get()

    async def rotate(self, overlap_s: float) -> DefaultSecret:
        """Make a new secret; the old one signs too for `overlap_s`."""
        await self.get()
        now = self._clock()

        async def work(transaction: Transaction) -> DefaultSecret:
            before = await _load(transaction.connection, lock=True)
            assert before is not None
            overlaps = overlap_s > 0
            rotated = DefaultSecret(
                new_secret(),
                now,
                before.secret if overlaps else None,
                now + overlap_s if overlaps else None,
            )
            await transaction.connection.execute(
                update(kept_values)
                .where(kept_values.c.name == NAME)
                .values(value=json.dumps(asdict(rotated)))
            )
            return rotated

        return await self._database.write(work)


async def _load(connection: AsyncConnection, *, lock: bool = False) -> DefaultSecret | None:
    query = select(kept_values.c.value).where(kept_values.c.name == NAME)
    value = await connection.scalar(query.with_for_update() if lock else query)
    if value is None:
        return None
    if value.startswith(SECRET_PREFIX):  # as releases before rotation kept it
        return DefaultSecret(value, None)
    return DefaultSecret(**json.loads(value))
