"""Trunks: over which ways calls go out, and how many at a time."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.lifecycle import STATUSES, TERMINAL
from api.base.refusals import Conflict, NotFound
from api.resources.trunk import NewTrunk, Trunk
from api.store.database import Database, Transaction
from api.store.existing import load_existing
from api.store.legs import legs_by_trunk
from api.store.tables import attempts, calls, numbers, trunks
from api.store.upsert import insert_for
from api.store.ways import wake_trunk

#: The dialer looks at each of them whenever it claims.
MAX_TRUNKS: Final = 100
#: Statuses of calls that are not over.
OPEN: Final = tuple(status for status in STATUSES if status not in TERMINAL)


class Trunks:
    """Makes, reads, changes and deletes trunks."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def create(self, new: NewTrunk) -> Trunk:
        """Add a trunk. Raises Conflict."""
        now = self._clock()

        async def work(transaction: Transaction) -> Trunk:
            connection = transaction.connection
            count = await connection.scalar(select(func.count()).select_from(trunks))
            if (count or 0) >= MAX_TRUNKS:
                detail = f"there are {MAX_TRUNKS} trunks already; delete one"
                raise Conflict("too_many_trunks", detail)
            await connection.execute(insert(trunks).values(new_trunk_row(new, now)))
            return await _load(connection, new.name)

        try:
            return await self._database.write(work)
        except IntegrityError as error:
            detail = "there is a trunk with this name already"
            raise Conflict("trunk_taken", detail) from error

    async def belongs(self, name: str, pbx: str) -> None:
        """Have a trunk of that PBX, new or not."""
        row = new_trunk_row(NewTrunk(name, pbx=pbx), self._clock())

        async def work(transaction: Transaction) -> None:
            connection = transaction.connection
            new = insert_for(connection, trunks).values(row)
            await connection.execute(
                new.on_conflict_do_update(index_elements=["name"], set_={"pbx": pbx})
            )

        await self._database.write(work)

    async def list(self) -> list[Trunk]:
        """All of them, oldest first."""

        return await self._database.read(load_trunks)

    async def get(self, name: str) -> Trunk:
        """Raises NotFound."""

        return await self._database.read(lambda connection: _load(connection, name))

    async def change(self, name: str, changes: Mapping[str, Any]) -> Trunk:
        """Change some of the fields of `NewTrunk`, but the name, and end its rest.

        Raises NotFound.
        """
        now = self._clock()

        async def work(transaction: Transaction) -> Trunk:
            connection = transaction.connection
            await connection.execute(
                update(trunks)
                .where(trunks.c.name == name)
                .values(dict(changes) | {"updated_at": now})
            )
            await wake_trunk(connection, name, now)
            transaction.notify("work")
            return await _load(connection, name)

        return await self._database.write(work)

    async def delete(self, name: str) -> None:
        """Raises NotFound, Conflict."""

        async def work(transaction: Transaction) -> None:
            connection = transaction.connection
            bound = select(func.count()).select_from(numbers).where(numbers.c.trunk == name)
            if count := await connection.scalar(bound):
                raise _in_use(f"numbers that may be shown on it only: {count}")
            under_way = (
                select(func.count())
                .select_from(calls)
                .where(calls.c.trunk == name, calls.c.status.in_(OPEN))
            )
            if count := await connection.scalar(under_way):
                raise _in_use(f"calls on it that are not over: {count}")
            gone = await connection.execute(delete(trunks).where(trunks.c.name == name))
            if not gone.rowcount:
                raise NotFound("trunk")

        try:
            await self._database.write(work)
        except IntegrityError as error:
            raise _in_use("a number was bound to it just now") from error


def _in_use(why: str) -> Conflict:
    detail = f"the trunk is in use ({why}); make it inactive, or try again later"
    return Conflict("trunk_in_use", detail)


def new_trunk_row(new: NewTrunk, now: float) -> dict[str, Any]:
    """The columns of a trunk that is made now."""
    return vars(new) | {"created_at": now, "updated_at": now}


async def load_trunks(connection: AsyncConnection) -> list[Trunk]:
    """All of them, oldest first."""
    in_use = await _channels_in_use(connection)
    rows = await connection.execute(select(trunks).order_by(trunks.c.created_at, trunks.c.name))
    return [_trunk(row, in_use) for row in rows]


async def _load(connection: AsyncConnection, name: str) -> Trunk:
    query = select(trunks).where(trunks.c.name == name)
    row = await load_existing(connection, query, "trunk")
    return _trunk(row, await _channels_in_use(connection))


async def _channels_in_use(connection: AsyncConnection) -> Mapping[str, int]:
    rows = await connection.execute(
        select(attempts.c.trunk, func.count().label("live"))
        .where(attempts.c.ended_at.is_(None))
        .group_by(attempts.c.trunk)
    )
    return Counter({row.trunk: row.live for row in rows}) + await legs_by_trunk(connection)


def _trunk(row: Any, in_use: Mapping[str, int]) -> Trunk:
    return Trunk(**row._mapping, channels_in_use=in_use[row.name])
