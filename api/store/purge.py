"""Deleting what is old, or one call wholly: in short transactions, and only of calls that are over.

Recordings are files: the transaction that lets go of them has the nodes delete them
(`api.store.erasures`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.lifecycle import TERMINAL
from api.base.refusals import Conflict, NotFound
from api.store.database import Database, Transaction
from api.store.erasures import Erasure, ask_nodes, ask_scrub
from api.store.idempotency import KEEP_S, empty_answers
from api.store.tables import (
    attempts,
    call_events,
    calls,
    campaign_contacts,
    do_not_call,
    idempotency_keys,
    messages,
    turns,
    webhook_deliveries,
)

#: Calls in one transaction: a few milliseconds, between which other writers get their turn.
BATCH: Final = 50

#: What of a call is purged: all of it, or a part.
Part = Literal["calls", "transcripts", "recordings", "events"]

#: Events that repeat what was said or keyed in.
_SPOKEN: Final = ("call.turn", "call.digit", "call.controlled", "call.transcript.final")
#: Messages that are sent, or given up.
_SETTLED: Final = messages.c.status != "pending"


@dataclass(frozen=True)
class OldCall:
    """A call of which something is to be purged."""

    id: str
    created_at: float
    attempt_count: int


class Purge:
    """Finds what is old, and deletes it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(
        self, part: Part, ended_before: float, after: OldCall | None = None
    ) -> list[OldCall]:
        """A batch of the calls that ended before then and still have that part, oldest first.

        Args:
            part: of which they have something.
            ended_before: Unix seconds.
            after: where the last batch ended.
        """
        query = (
            select(calls.c.id)
            .where(
                _over(),
                # A call ends after it was made: this is what has an index.
                calls.c.created_at < ended_before,
                calls.c.ended_at < ended_before,
                *_HAVING[part],
            )
            .order_by(calls.c.created_at, calls.c.id)
            .limit(BATCH)
        )
        if after is not None:
            query = query.where(
                tuple_(calls.c.created_at, calls.c.id) > tuple_(after.created_at, after.id)
            )

        async def work(connection: AsyncConnection) -> list[OldCall]:
            return await _old(connection, (await connection.scalars(query)).all())

        return await self._database.read(work)

    async def one(self, call_id: str) -> OldCall:
        """A call that is to be erased. Raises NotFound, Conflict."""

        async def work(connection: AsyncConnection) -> OldCall:
            found = await _old(connection, [call_id])
            if not found:
                raise NotFound("call")
            if not await connection.scalar(select(_over()).where(calls.c.id == call_id)):
                detail = "the call is not over, or its result is on the way; end it, or try again"
                raise Conflict("not_over", detail)
            return found[0]

        return await self._database.read(work)

    async def erase(self, old: Sequence[OldCall], now: float, node: str) -> None:
        """Delete calls wholly: with attempts, turns, events, deliveries, and as contacts. This node
        and every other that recorded one is left to delete its files.

        What they cost stays in the budget's entries, and a number that is not to be called on its
        list, without the person's words. An answer that is kept for an `Idempotency-Key` loses its
        content, and not its key: the order must not be placed again.
        """
        ids = [call.id for call in old]

        async def work(transaction: Transaction) -> None:
            connection = transaction.connection
            await ask_nodes(transaction, _erasures(old), node, now)
            await connection.execute(
                update(do_not_call)
                .where(do_not_call.c.call_id.in_(ids))
                .values(reason="", call_id=None)
            )
            await connection.execute(
                delete(campaign_contacts).where(campaign_contacts.c.call_id.in_(ids))
            )
            await empty_answers(connection, ids)
            await connection.execute(delete(calls).where(calls.c.id.in_(ids)))

        await self._database.write(work)

    async def strip(self, part: Part, old: Sequence[OldCall], now: float, node: str) -> None:
        """Delete one part of calls that stay; of recordings, as with `erase`."""
        ids = [call.id for call in old]

        async def work(transaction: Transaction) -> None:
            connection = transaction.connection
            if part == "recordings":
                await ask_nodes(transaction, _erasures(old), node, now)
                for table in (calls, attempts):
                    column = table.c.id if table is calls else table.c.call_id
                    await connection.execute(
                        update(table).where(column.in_(ids)).values(recording_path=None)
                    )
                return
            await ask_scrub(transaction)
            which = and_(call_events.c.call_id.in_(ids), ~call_events.c.terminal)
            if part == "transcripts":
                await connection.execute(delete(turns).where(turns.c.call_id.in_(ids)))
                await connection.execute(
                    delete(messages).where(messages.c.call_id.in_(ids), _SETTLED)
                )
                which = and_(which, call_events.c.type.in_(_SPOKEN))
            await connection.execute(
                delete(webhook_deliveries).where(
                    webhook_deliveries.c.event_id.in_(select(call_events.c.id).where(which))
                )
            )
            await connection.execute(delete(call_events).where(which))

        await self._database.write(work)

    async def deliveries(self, before: float, *, dry_run: bool = False) -> int:
        """Delete a batch of the deliveries that came to an end before then; how many there were.

        Those that a call's `webhook_status` tells of stay as long as their call. With `dry_run` all
        of them are counted and none is deleted.
        """
        old = and_(
            webhook_deliveries.c.created_at < before,
            webhook_deliveries.c.updated_at < before,
            webhook_deliveries.c.status.in_(("delivered", "exhausted")),
            ~(webhook_deliveries.c.terminal & webhook_deliveries.c.inline),
        )
        if dry_run:
            query = select(func.count()).select_from(webhook_deliveries).where(old)
            return int(await self._database.fetch_value(query))
        batch = (
            select(webhook_deliveries.c.id)
            .where(old)
            .order_by(webhook_deliveries.c.created_at)
            .limit(10 * BATCH)
        )
        return await self._database.execute(
            delete(webhook_deliveries).where(webhook_deliveries.c.id.in_(batch))
        )

    async def answers(self, now: float) -> int:
        """Delete the answers whose `Idempotency-Key` has lapsed; how many there were."""
        lapsed = idempotency_keys.c.created_at <= now - KEEP_S
        return await self._database.execute(delete(idempotency_keys).where(lapsed))


_HAVING: Final[dict[Part, tuple[ColumnElement[bool], ...]]] = {
    "calls": (),
    "transcripts": (
        or_(
            exists().where(turns.c.call_id == calls.c.id),
            exists().where(messages.c.call_id == calls.c.id, _SETTLED),
            exists().where(call_events.c.call_id == calls.c.id, call_events.c.type.in_(_SPOKEN)),
        ),
    ),
    "recordings": (
        or_(
            calls.c.recording_path.is_not(None),
            exists().where(
                attempts.c.call_id == calls.c.id, attempts.c.recording_path.is_not(None)
            ),
        ),
    ),
    "events": (exists().where(call_events.c.call_id == calls.c.id, ~call_events.c.terminal),),
}


def _over() -> ColumnElement[bool]:
    return and_(
        calls.c.status.in_(TERMINAL),
        func.coalesce(calls.c.waiting_for, "") != "result",
    )


def _erasures(old: Sequence[OldCall]) -> list[Erasure]:
    return [Erasure(call.id, call.attempt_count) for call in old]


async def _old(connection: AsyncConnection, ids: Sequence[str]) -> list[OldCall]:
    rows = await connection.execute(
        select(calls.c.id, calls.c.created_at, calls.c.attempt_count)
        .where(calls.c.id.in_(ids))
        .order_by(calls.c.created_at, calls.c.id)
    )
    return [OldCall(*row) for row in rows]
