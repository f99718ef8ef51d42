"""The deployment's default signing secret, which signs what goes to a call's own URL.

It is kept sealed."""

import json
from collections.abc import Callable
from dataclasses import asdict

from sqlalchemy import select, update

from api.base.signing import new_secret
from api.egress.sealing import SealOf
from api.resources.webhook import DefaultSecret
from api.store.database import Database, Transaction
from api.store.kept import keep_once
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
        kept = await keep_once(
            self._database, NAME, lambda: self._sealed(DefaultSecret(new_secret(), self._clock()))
        )
        return self._opened(kept)

    async def rotate(self, overlap_s: float) -> DefaultSecret:
        """Make a new secret; the old one signs too for `overlap_s`."""
        await self.get()
        now = self._clock()
        query = select(kept_values.c.value).where(kept_values.c.name == NAME)

        async def work(transaction: Transaction) -> DefaultSecret:
            kept = await transaction.connection.execute(query.with_for_update())
            before = self._opened(kept.scalar_one())
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

    def _opened(self, kept: str) -> DefaultSecret:
        return DefaultSecret(**json.loads(self._seal().open(kept)))
