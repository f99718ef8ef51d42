"""What the nodes have yet to delete of erased calls, and what the ledger knows of their files.

An erasure is written in the transaction that deletes the call's rows, and taken back by the node
once nothing of the call is in its files: a crash in between, or a node that is down, loses none.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, or_, select, update

from api.store.database import Database, Transaction
from api.store.tables import attempts, calls, erasures, kept_values
from api.store.upsert import insert_for

#: Name of the value that is kept while a `scrub` is due; each asking has a value of its own.
_SCRUB: Final = "scrub_due"
#: Rows, or file names, in one statement.
BATCH: Final = 500


@dataclass(frozen=True)
class Erasure:
    """An erased call of which a node may have files."""

    call_id: str
    attempt_count: int


async def ask_nodes(
    transaction: Transaction, erased: Sequence[Erasure], node: str, now: float
) -> None:
    """Have the files of calls deleted, by `node` and every node that recorded one of them; to be
    called while their attempts are there. The other processes are told; this one is to carry it out
    when it has erased all that it is about to.

    Args:
        transaction: that deletes the rows.
        erased: the calls.
        node: this one.
        now: Unix seconds.
    """
    connection = transaction.connection
    ids = [one.call_id for one in erased]
    found = await connection.execute(
        select(attempts.c.call_id, attempts.c.recording_node)
        .where(attempts.c.call_id.in_(ids), attempts.c.recording_node.is_not(None))
        .distinct()
    )
    nodes = {(row.call_id, row.recording_node) for row in found} | {(one, node) for one in ids}
    counts = {one.call_id: one.attempt_count for one in erased}
    rows = [
        {"call_id": call_id, "node": one, "attempt_count": counts[call_id], "asked_at": now}
        for call_id, one in sorted(nodes)
    ]
    await connection.execute(insert_for(connection, erasures).on_conflict_do_nothing(), rows)
    transaction.notify("erasures", others_only=True)


async def ask_scrub(transaction: Transaction) -> None:
    """Have the database's own files rid of what the transaction deletes, now or later."""
    asked = {"name": _SCRUB, "value": secrets.token_hex(8)}
    statement = insert_for(transaction.connection, kept_values).values(asked)
    await transaction.connection.execute(
        statement.on_conflict_do_update(index_elements=["name"], set_={"value": asked["value"]})
    )


class Erasures:
    """A node's side of the erasing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, node: str, after: str = "") -> list[Erasure]:
        """A batch of what a node has to delete, by call id, those after `after`."""
        query = (
            select(erasures.c.call_id, erasures.c.attempt_count)
            .where(erasures.c.node == node, erasures.c.call_id > after)
            .order_by(erasures.c.call_id)
            .limit(BATCH)
        )
        return [Erasure(**row._mapping) for row in await self._database.fetch(query)]

    async def nodes(self, call_id: str) -> list[str]:
        """The nodes that have yet to delete files of a call."""
        query = select(erasures.c.node).where(erasures.c.call_id == call_id).order_by("node")
        return [name for (name,) in await self._database.fetch(query)]

    async def done(self, node: str, call_ids: Sequence[str]) -> None:
        """Nothing of these calls is left on a node."""
        await self._database.execute(
            delete(erasures).where(erasures.c.node == node, erasures.c.call_id.in_(call_ids))
        )

    async def scrub_asked(self) -> str | None:
        """What the last deletion asked for that no `scrub` has followed; None where there is
        none."""
        query = select(kept_values.c.value).where(kept_values.c.name == _SCRUB)
        asked: str | None = await self._database.fetch_value(query)
        return asked

    async def scrubbed(self, asked: str) -> None:
        """A `scrub` has followed what was asked for; what has been since stays."""
        await self._database.execute(
            delete(kept_values).where(kept_values.c.name == _SCRUB, kept_values.c.value == asked)
        )

    async def named(self, names: Sequence[str]) -> set[str]:
        """Those of at most `BATCH` file names that an attempt names."""
        query = select(attempts.c.recording_path).where(attempts.c.recording_path.in_(names))
        return {name for (name,) in await self._database.fetch(query)}

    async def not_over_before(self, call_ids: Sequence[str], at: float) -> set[str]:
        """Those of at most `BATCH` calls that there are, and that had not ended by then."""
        query = select(calls.c.id).where(
            calls.c.id.in_(call_ids), or_(calls.c.ended_at.is_(None), calls.c.ended_at >= at)
        )
        return {call_id for (call_id,) in await self._database.fetch(query)}

    async def claim(self, node: str, names: Sequence[str]) -> None:
        """Note that at most `BATCH` recordings are on this node: those of an earlier release and,
        where no other server has the store, those that came from another machine or folder."""
        recorder = attempts.c.recording_node
        unclaimed = recorder.is_(None)
        claimable = unclaimed if self._database.shared else or_(unclaimed, recorder != node)
        await self._database.execute(
            update(attempts)
            .where(claimable, attempts.c.recording_path.in_(names))
            .values(recording_node=node)
        )

    async def recorded(self, node: str, after: str = "") -> list[str]:
        """A batch of the recordings of attempts that are over, on a node, by file name, those
        after `after`."""
        query = (
            select(attempts.c.recording_path)
            .where(
                attempts.c.recording_node == node,
                attempts.c.recording_path > after,
                attempts.c.ended_at.is_not(None),
            )
            .order_by(attempts.c.recording_path)
            .limit(BATCH)
        )
        return [name for (name,) in await self._database.fetch(query)]

    async def forget(self, node: str, names: Sequence[str]) -> None:
        """Recordings of a node are not there: no call says that they are."""

        async def work(transaction: Transaction) -> None:
            connection = transaction.connection
            changed = await connection.scalars(
                update(attempts)
                .where(attempts.c.recording_node == node, attempts.c.recording_path.in_(names))
                .values(recording_path=None)
                .returning(attempts.c.call_id)
            )
            latest = (
                select(attempts.c.recording_path)
                .where(
                    attempts.c.call_id == calls.c.id,
                    attempts.c.recording_path.is_not(None),
                    attempts.c.ended_at.is_not(None),
                )
                .order_by(attempts.c.number.desc())
                .limit(1)
                .scalar_subquery()
            )
            await connection.execute(
                update(calls).where(calls.c.id.in_(changed.all())).values(recording_path=latest)
            )

        await self._database.write(work)
