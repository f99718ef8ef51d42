"""Agents in the ledger: each with its versions and its numbers."""

import uuid
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

from sqlalchemy import Select, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.refusals import Conflict, Invalid, NotFound
from api.resources.agent import Agent, AgentStatus, AgentType, AgentVersion, NewStoredAgent
from api.resources.page import PageOf
from api.store.cursors import CursorError, decode_cursor, encode_cursor
from api.store.database import Database, Transaction
from api.store.existing import load_existing
from api.store.pages import load_page
from api.store.tables import agent_numbers, agent_versions, agents, numbers
from api.store.upsert import insert_for

#: Keeps the order in which numbers were given, where they are attached at one time.
_STEP_S: Final = 0.001


class Agents:
    """Makes, reads, changes and archives agents."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def create(self, new: NewStoredAgent) -> Agent:
        """Raises Invalid, Conflict."""
        now, agent_id = self._clock(), str(uuid.uuid4())

        async def work(transaction: Transaction) -> Agent:
            connection = transaction.connection
            await connection.execute(
                insert(agents).values(
                    id=agent_id,
                    name=new.name,
                    type=new.type,
                    status="active",
                    version=1,
                    config=dict(new.config),
                    primary_number_id=new.primary_number_id,
                    created_at=now,
                    updated_at=now,
                )
            )
            await _keep_version(connection, agent_id, 1, new, now)
            await _attach(connection, agent_id, new.type, new.number_ids, now)
            return await _load(connection, agent_id)

        return await self._database.write(work)

    async def get(self, agent_id: str) -> Agent:
        """Raises NotFound."""

        async def work(connection: AsyncConnection) -> Agent:
            return await _load(connection, agent_id)

        return await self._database.read(work)

    async def answering(self, number_id: str) -> Agent | None:
        """The inbound agent that answers a number."""
        query = select(agent_numbers.c.agent_id).where(
            agent_numbers.c.number_id == number_id, agent_numbers.c.inbound
        )

        async def work(connection: AsyncConnection) -> Agent | None:
            agent_id = await connection.scalar(query)
            return None if agent_id is None else await _load(connection, agent_id)

        return await self._database.read(work)

    async def of_numbers(self) -> tuple[dict[str, str], dict[str, list[str]]]:
        """By number id: the inbound agent that answers it, and the outbound ones that call from
        it."""
        query = select(agent_numbers).order_by(agent_numbers.c.created_at, agent_numbers.c.agent_id)

        async def work(connection: AsyncConnection) -> tuple[dict[str, str], dict[str, list[str]]]:
            answering: dict[str, str] = {}
            calling: dict[str, list[str]] = {}
            for row in await connection.execute(query):
                if row.inbound:
                    answering[row.number_id] = row.agent_id
                else:
                    calling.setdefault(row.number_id, []).append(row.agent_id)
            return answering, calling

        return await self._database.read(work)

    async def page(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        status: AgentStatus = "active",
    ) -> PageOf[Agent]:
        """Agents from newest to oldest. Raises CursorError."""
        query = select(agents).where(agents.c.status == status)
        by = agents.c.created_at, agents.c.id

        async def work(connection: AsyncConnection) -> PageOf[Agent]:
            page = await load_page(connection, query, by, limit, cursor, latest_first=True)
            attached = await _attached(connection, [row.id for row in page.items])
            return page.map(lambda row: _agent(row, attached.get(row.id, ())))

        return await self._database.read(work)

    async def change(self, before: Agent, after: NewStoredAgent) -> Agent:
        """Give an agent another name, configuration and numbers; its type stays. Another name or
        configuration is another version.

        Args:
            before: as it was read.
            after: as it is to be.

        Raises NotFound, Conflict, Invalid.
        """
        now = self._clock()
        same = (before.name, before.config) == (after.name, after.config)
        version = before.version if same else before.version + 1

        async def work(transaction: Transaction) -> Agent:
            connection = transaction.connection
            current = await _changeable(connection, before.id)
            if current.version != before.version:
                detail = "it has changed meanwhile; read it again and change what you find"
                raise Conflict("agent_changed", detail)
            await connection.execute(
                update(agents)
                .where(agents.c.id == before.id)
                .values(
                    name=after.name,
                    config=dict(after.config),
                    version=version,
                    primary_number_id=after.primary_number_id,
                    updated_at=now,
                )
            )
            if not same:
                await _keep_version(connection, before.id, version, after, now)
            await _detach(connection, before.id, set(current.number_ids) - set(after.number_ids))
            await _attach(connection, before.id, before.type, after.number_ids, now)
            return await _load(connection, before.id)

        return await self._database.write(work)

    async def archive(self, agent_id: str) -> None:
        """Nobody is called by it, or answered, any more; its numbers are free again.

        Raises NotFound.
        """
        now = self._clock()

        async def work(transaction: Transaction) -> None:
            connection = transaction.connection
            agent = await _load(connection, agent_id, lock=True)
            if agent.status == "archived":
                return
            values = {"status": "archived", "primary_number_id": None, "updated_at": now}
            await connection.execute(update(agents).where(agents.c.id == agent_id).values(values))
            await _detach(connection, agent_id, agent.number_ids)

        await self._database.write(work)

    # -- versions ----------------------------------------------------------------------------

    async def versions(
        self, agent_id: str, *, limit: int, cursor: str | None = None
    ) -> PageOf[AgentVersion]:
        """Its versions, the latest first. Raises NotFound, CursorError."""
        query = _versions_of(agent_id).order_by(agent_versions.c.version.desc())
        if cursor is not None:
            version, listed = decode_cursor(cursor)
            if listed != agent_id:
                raise CursorError("a cursor of another list")
            query = query.where(agent_versions.c.version < version)

        async def work(connection: AsyncConnection) -> PageOf[AgentVersion]:
            await _load(connection, agent_id)
            rows = (await connection.execute(query.limit(limit + 1))).all()
            found = tuple(_version(row) for row in rows[:limit])
            more = len(rows) > limit
            return PageOf(found, encode_cursor(found[-1].version, agent_id) if more else None)

        return await self._database.read(work)

    async def version(self, agent_id: str, version: int) -> AgentVersion:
        """Raises NotFound."""
        query = _versions_of(agent_id).where(agent_versions.c.version == version)
        row = await self._database.read(
            lambda connection: load_existing(connection, query, "version")
        )
        return _version(row)

    # -- numbers -----------------------------------------------------------------------------

    async def attach(self, agent_id: str, number_id: str) -> Agent:
        """Let it call from a number, or answer it; nothing if it does.

        Raises NotFound, Conflict, Invalid.
        """
        now = self._clock()

        async def work(transaction: Transaction) -> Agent:
            connection = transaction.connection
            agent = await _changeable(connection, agent_id)
            await _attach(connection, agent_id, agent.type, (number_id,), now)
            return await _touched(connection, agent_id, now)

        return await self._database.write(work)

    async def detach(self, agent_id: str, number_id: str) -> Agent:
        """Take a number from it. Raises NotFound, Conflict."""
        now = self._clock()

        async def work(transaction: Transaction) -> Agent:
            connection = transaction.connection
            agent = await _changeable(connection, agent_id)
            if number_id not in agent.number_ids:
                raise NotFound("number of this agent")
            kept = None if agent.primary_number_id == number_id else agent.primary_number_id
            await _detach(connection, agent_id, (number_id,))
            return await _touched(connection, agent_id, now, primary_number_id=kept)

        return await self._database.write(work)

    async def set_primary(self, agent_id: str, number_id: str) -> Agent:
        """Have it call from one of its numbers unless told otherwise.

        Raises NotFound, Conflict, Invalid.
        """
        now = self._clock()

        async def work(transaction: Transaction) -> Agent:
            connection = transaction.connection
            agent = await _changeable(connection, agent_id)
            if number_id not in agent.number_ids:
                raise Invalid("is not a number of this agent", field="number_id")
            return await _touched(connection, agent_id, now, primary_number_id=number_id)

        return await self._database.write(work)


async def _load(connection: AsyncConnection, agent_id: str, *, lock: bool = False) -> Agent:
    query = select(agents).where(agents.c.id == agent_id)
    row = await load_existing(connection, query, "agent", lock=lock)
    return _agent(row, (await _attached(connection, [agent_id])).get(agent_id, ()))


async def _changeable(connection: AsyncConnection, agent_id: str) -> Agent:
    agent = await _load(connection, agent_id, lock=True)
    agent.require_active()
    return agent


async def _touched(connection: AsyncConnection, agent_id: str, now: float, **values: Any) -> Agent:
    await connection.execute(
        update(agents).where(agents.c.id == agent_id).values(updated_at=now, **values)
    )
    return await _load(connection, agent_id)


async def _attached(
    connection: AsyncConnection, agent_ids: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Their numbers' ids, by agent, the oldest attachment first."""
    rows = await connection.execute(
        select(agent_numbers.c.agent_id, agent_numbers.c.number_id)
        .where(agent_numbers.c.agent_id.in_(agent_ids))
        .order_by(agent_numbers.c.created_at, agent_numbers.c.number_id)
    )
    found: dict[str, tuple[str, ...]] = {}
    for row in rows:
        found[row.agent_id] = (*found.get(row.agent_id, ()), row.number_id)
    return found


async def _attach(
    connection: AsyncConnection,
    agent_id: str,
    kind: AgentType,
    number_ids: Sequence[str],
    now: float,
) -> None:
    if not number_ids:
        return
    known = set(await connection.scalars(select(numbers.c.id).where(numbers.c.id.in_(number_ids))))
    for number_id in number_ids:
        if number_id not in known:
            raise Invalid("there is no such number; /v1/numbers lists them", field="number_id")
    statement = insert_for(connection, agent_numbers).on_conflict_do_nothing(
        index_elements=["agent_id", "number_id"]
    )
    for index, number_id in enumerate(number_ids):
        row = {
            "agent_id": agent_id,
            "number_id": number_id,
            "inbound": kind == "inbound",
            "created_at": now + index * _STEP_S,
        }
        try:
            await connection.execute(statement, row)
        except IntegrityError as error:
            detail = f"another inbound agent answers the number {number_id}; detach it there first"
            raise Conflict("number_answered", detail) from error


async def _detach(connection: AsyncConnection, agent_id: str, number_ids: Collection[str]) -> None:
    if number_ids:
        await connection.execute(
            delete(agent_numbers).where(
                agent_numbers.c.agent_id == agent_id, agent_numbers.c.number_id.in_(number_ids)
            )
        )


async def _keep_version(
    connection: AsyncConnection, agent_id: str, version: int, new: NewStoredAgent, now: float
) -> None:
    await connection.execute(
        insert(agent_versions).values(
            agent_id=agent_id,
            version=version,
            name=new.name,
            config=dict(new.config),
            created_at=now,
        )
    )


def _versions_of(agent_id: str) -> Select[Any]:
    return select(
        agent_versions.c.version,
        agent_versions.c.name,
        agent_versions.c.config,
        agent_versions.c.created_at,
    ).where(agent_versions.c.agent_id == agent_id)


def _agent(row: Any, number_ids: tuple[str, ...]) -> Agent:
    return Agent(**row._mapping, number_ids=number_ids)


def _version(row: Any) -> AgentVersion:
    return AgentVersion(**row._mapping)
