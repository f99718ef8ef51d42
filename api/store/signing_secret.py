"""The deployment's default signing secret, which signs what goes to a call's own URL (CB-23).

It is kept sealed."""

import json
from collections.abc import Callable
from dataclasses import asdict

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.signing import new_secret
from api.egress.sealing import SealOf
from api.resources.webhook import DefaultSecret
from api.store.database import Database, Transaction
from api.store.tables import kept_values

NAME = "webhook_secret"


class SigningSecret:
    """Reads and rotates it; it is made when it is first asked for."""

    def __init__(self, database: Database, clock: Callable[[], float], seal: SealOf) -> None:
        self._database = database
        self._clock = clock
        self._seal = seal

    async def get(self) -> DefaultSecret:
        """The secret as it stands. Raises SealError, as `rotate` does."""
        found = await self._database.read(self._load)
        if found is not None:
            return found

        async def work(transaction: Transaction) -> DefaultSecret:
            made = await self._load(transaction.connection)
            if made is None:
                made = DefaultSecret(new_secret(), self._clock())
                await transaction.connection.execute(
                    insert(kept_values).values(name=NAME, value=self._sealed(made))
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
            before = await self._load(transaction.connection, lock=True)
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
                .values(value=self._sealed(rotated))
            )
            return rotated

        return await self._database.write(work)

    def _sealed(self, secret: DefaultSecret) -> str:
        return self._seal().seal(json.dumps(asdict(secret)))

    async def _load(
        self, connection: AsyncConnection, *, lock: bool = False
    ) -> DefaultSecret | None:
        query = select(kept_values.c.value).where(kept_values.c.name == NAME)
        kept = await connection.scalar(query.with_for_update() if lock else query)
        if kept is None:
            return None
        return DefaultSecret(**json.loads(self._seal().open(kept)))
