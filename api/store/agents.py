"""Agents in the ledger: each with its versions and its numbers."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.agent_records import Agent
from api.store.database import Database
from api.store.tables import agent_numbers, agents


class UnknownAgentError(Exception):
    """There is no agent with this id."""


class Agents:
    """Makes, reads, changes and archives agents."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def get(self, agent_id: str) -> Agent:
        """Raises UnknownAgentError."""

        async def work(connection: AsyncConnection) -> Agent:
            return await _load(connection, agent_id)

        return await self._database.read(work)


async def _load(connection: AsyncConnection, agent_id: str) -> Agent:
    row = (await connection.execute(select(agents).where(agents.c.id == agent_id))).one_or_none()
    if row is None:
        raise UnknownAgentError(agent_id)
    attached = await connection.scalars(
        select(agent_numbers.c.number_id)
        .where(agent_numbers.c.agent_id == agent_id)
        .order_by(agent_numbers.c.created_at, agent_numbers.c.number_id)
    )
    return _agent(row, tuple(attached))


def _agent(row: Any, number_ids: tuple[str, ...]) -> Agent:
    return Agent(**row._mapping, number_ids=number_ids)
