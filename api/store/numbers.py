"""Caller numbers, and which of them an order shows on which trunk."""

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from sqlalchemy import Select, bindparam, case, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.refusals import Conflict, Invalid
from api.resources.agent import Agent
from api.resources.number import NewNumber, OwnedNumber
from api.resources.page import PageOf
from api.resources.trunk import NewTrunk, Route, trunks_for
from api.store.database import Database, Transaction
from api.store.existing import load_existing
from api.store.pages import load_page
from api.store.tables import agent_numbers, calls, numbers, trunks
from api.store.trunks import OPEN, new_trunk_row
from api.store.upsert import insert_for

#: Trunks as orders see them: what is in use of them is for the dialer to count.
_WAYS: Final = select(*(trunks.c[one.name] for one in fields(NewTrunk))).order_by(
    trunks.c.created_at, trunks.c.name
)
_RESTS: Final = select(trunks.c.name).where(trunks.c.resting_until > bindparam("now"))


class Numbers:
    """Makes, reads, changes and deletes caller numbers, and finds an order's way out."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def seed(self, trunk: str, owned: Sequence[str]) -> None:
        """Add a trunk and caller numbers, the oldest first, that are not there.

        Nothing that is there is changed.
        """
        now = self._clock()
        new = [NewNumber(number) for number in owned]

        async def work(transaction: Transaction) -> None:
            connection = transaction.connection
            await connection.execute(
                insert_for(connection, trunks)
                .values(new_trunk_row(NewTrunk(trunk), now))
                .on_conflict_do_nothing()
            )
            for index, number in enumerate(new):
                await connection.execute(
                    insert_for(connection, numbers)
                    .values(_new_row(number, now + index / 1000))  # in this order
                    .on_conflict_do_nothing()
                )

        await self._database.write(work)

    async def create(self, new: NewNumber) -> OwnedNumber:
        """Add a number. Raises Conflict, Invalid."""
        row = _new_row(new, self._clock())

        async def work(transaction: Transaction) -> OwnedNumber:
            connection = transaction.connection
            await _check_trunk(connection, new.trunk)
            added = await connection.execute(insert(numbers).values(row).returning(numbers))
            return _number(added.one())

        try:
            return await self._database.write(work)
        except IntegrityError as error:
            raise Conflict("number_taken", "the number is registered already") from error

    async def page(self, *, limit: int, cursor: str | None = None) -> PageOf[OwnedNumber]:
        """Numbers from oldest to newest. Raises CursorError."""
        by = numbers.c.created_at, numbers.c.id
        page = await self._database.read(
            lambda connection: load_page(connection, select(numbers), by, limit, cursor)
        )
        return page.map(_number)

    async def get(self, number_id: str) -> OwnedNumber:
        """Raises NotFound."""

        return await self._database.read(lambda connection: _load(connection, number_id))

    async def owned(self, number_ids: Collection[str]) -> Sequence[OwnedNumber]:
        """Those of these that there are, the oldest first."""
        query = _oldest_first().where(numbers.c.id.in_(number_ids))
        return [_number(row) for row in await self._database.fetch(query)]

    async def ending(self, digits: str) -> Sequence[OwnedNumber]:
        """Those that end with these digits, the oldest first."""
        query = _oldest_first().where(numbers.c.number.endswith(digits, autoescape=True))
        return [_number(row) for row in await self._database.fetch(query)]

    async def is_active(self, number: str) -> bool:
        """Whether an E.164 number is one that calls may show."""
        query = select(numbers.c.id).where(numbers.c.number == number, numbers.c.status == "active")
        return await self._database.fetch_value(query) is not None

    async def caller_name(self, number: str) -> str | None:
        """The name that is shown beside an E.164 number, if any."""
        query = select(numbers.c.caller_name).where(numbers.c.number == number)
        found: str | None = await self._database.fetch_value(query)
        return found

    async def change(self, number_id: str, changes: Mapping[str, Any]) -> OwnedNumber:
        """Change some of the fields of `NewNumber`, but the number itself.

        Raises NotFound, Invalid.
        """
        now = self._clock()

        async def work(transaction: Transaction) -> OwnedNumber:
            connection = transaction.connection
            await _check_trunk(connection, changes.get("trunk"))
            await connection.execute(
                update(numbers)
                .where(numbers.c.id == number_id)
                .values(dict(changes) | {"updated_at": now})
            )
            transaction.notify("work")
            return await _load(connection, number_id)

        return await self._database.write(work)

    async def delete(self, number_id: str) -> None:
        """Raises NotFound, Conflict."""

        async def work(transaction: Transaction) -> None:
            connection = transaction.connection
            number = await _load(connection, number_id)
            under_way = (
                select(func.count())
                .select_from(calls)
                .where(calls.c.from_number == number.number, calls.c.status.in_(OPEN))
            )
            if count := await connection.scalar(under_way):
                raise _in_use(f"calls with it that are not over: {count}")
            having = (
                select(func.count())
                .select_from(agent_numbers)
                .where(agent_numbers.c.number_id == number_id)
            )
            if count := await connection.scalar(having):
                raise _in_use(f"agents that have it: {count}")
            await connection.execute(delete(numbers).where(numbers.c.id == number_id))

        await self._database.write(work)

    async def route(
        self,
        to: str,
        from_number: str | None = None,
        agent: Agent | None = None,
        beside: str | None = None,
    ) -> Route:
        """How an order to `to` goes out; where `beside` names a trunk, over its PBX.

        Without `from_number`, the agent's primary number is shown, else the oldest active one, if
        a fitting trunk takes it. An agent that has numbers shows no other. The trunk is the
        number's own, else as `trunks_for` has it, one that rests after those that do not.

        Raises Invalid, in the words of an order: `to`, `from_number`, `agent_id`.
        """
        now = self._clock()
        wanted = _oldest_first().where(numbers.c.status == "active").limit(1)
        if agent is not None and agent.number_ids:
            attached = agent_numbers.c.agent_id == agent.id
            wanted = (
                select(numbers)
                .join(agent_numbers, attached & (agent_numbers.c.number_id == numbers.c.id))
                .where(numbers.c.status == "active")
                .order_by(
                    case((numbers.c.id == agent.primary_number_id, 0), else_=1),
                    agent_numbers.c.created_at,
                )
                .limit(1)
            )
        if from_number is not None:
            wanted = wanted.where(numbers.c.number == from_number)

        async def work(connection: AsyncConnection) -> Route:
            ways = [NewTrunk(**row._mapping) for row in await connection.execute(_WAYS)]
            if beside is not None:
                pbx = await connection.scalar(select(trunks.c.pbx).where(trunks.c.name == beside))
                ways = [way for way in ways if way.pbx == pbx]
            names = [trunk.name for trunk in trunks_for(to, ways, str(uuid.uuid4()))]
            if len(names) > 1:
                rests = set(await connection.scalars(_RESTS, {"now": now}))
                names.sort(key=rests.__contains__)
            fitting = or_(numbers.c.trunk.is_(None), numbers.c.trunk.in_(names))
            row = (await connection.execute(wanted.where(fitting))).one_or_none()
            if row is not None and names:
                return Route(row.number, row.trunk or names[0])
            if (await connection.execute(wanted)).one_or_none() is not None:
                of_it = "" if beside is None else " of the call's PBX"
                detail = f"no active trunk{of_it} takes this number (/v1/trunks)"
                raise Invalid(detail, field="to", code="no_trunk")
            raise _not_shown(from_number, agent)

        return await self._database.read(work)


def _not_shown(number: str | None, agent: Agent | None) -> Invalid:
    """The caller number, or any where none is asked for, is not registered, or not active."""
    if number is not None:
        detail = "is not one of the agent's active numbers"
        return Invalid(detail, field="from_number", code="from_number_not_allowed")
    if agent is not None and agent.number_ids:
        detail = "none of the agent's numbers is active"
        return Invalid(detail, field="agent_id", code="no_active_number")
    detail = "this deployment has no active caller number; add one to /v1/numbers"
    return Invalid(detail, field="from_number", code="no_active_number")


def _in_use(why: str) -> Conflict:
    detail = f"the number is in use ({why}); make it inactive, or try again later"
    return Conflict("number_in_use", detail)


def _new_row(new: NewNumber, now: float) -> dict[str, Any]:
    return vars(new) | {"id": str(uuid.uuid4()), "created_at": now, "updated_at": now}


def _oldest_first() -> Select[Any]:
    return select(numbers).order_by(numbers.c.created_at, numbers.c.id)


async def _check_trunk(connection: AsyncConnection, name: str | None) -> None:
    if name is None:
        return
    known = await connection.scalar(
        select(trunks.c.name).where(trunks.c.name == name).with_for_update(read=True)
    )
    if known is None:
        raise Invalid("there is no such trunk; /v1/trunks lists them", field="trunk")


async def _load(connection: AsyncConnection, number_id: str) -> OwnedNumber:
    query = select(numbers).where(numbers.c.id == number_id)
    return _number(await load_existing(connection, query, "caller number"))


def _number(row: Any) -> OwnedNumber:
    return OwnedNumber(**row._mapping)
