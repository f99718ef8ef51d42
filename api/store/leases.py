"""What processes hold for a time: a sign of life, or a job that one of them does at a time."""

from collections.abc import Callable

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from api.store.database import Database, Transaction
from api.store.tables import leases


class Leases:
    """Leases by name. Times are Unix seconds; the processes' clocks should agree to a second."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def take(self, name: str, holder: str, ttl_s: float) -> bool:
        """Take a lease that is free, lapsed or ours already, for `ttl_s` from now."""
        now = self._clock()

        async def work(transaction: Transaction) -> bool:
            connection = transaction.connection
            renewed = await connection.execute(
                update(leases)
                .where(
                    leases.c.name == name,
                    or_(leases.c.holder == holder, leases.c.expires_at <= now),
                )
                .values(holder=holder, expires_at=now + ttl_s)
            )
            if renewed.rowcount:
                return True
            if await connection.scalar(select(leases.c.name).where(leases.c.name == name)):
                return False
            await connection.execute(
                insert(leases).values(name=name, holder=holder, expires_at=now + ttl_s)
            )
            return True

        try:
            return await self._database.write(work)
        except IntegrityError:  # another process was first
            return False

    async def expiries(self) -> dict[str, float]:
        """When each lease ends, or ended, by name."""
        rows = await self._database.fetch(select(leases.c.name, leases.c.expires_at))
        return {row.name: row.expires_at for row in rows}

    async def release(self, name: str, holder: str) -> None:
        """Give a lease back, if it is ours."""
        await self._database.execute(
            delete(leases).where(leases.c.name == name, leases.c.holder == holder)
        )

    async def clear(self) -> None:
        """Drop every lease: for the only process of a store, at its start."""
        await self._database.execute(delete(leases))
