"""Reading the ledger: one call, pages of calls, transcripts, events."""

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from api.lifecycle import CallStatus
from api.records import Call, CallEvent, Page, Turn
from api.store.calls import CallLedger
from api.store.cursors import decode_cursor, encode_cursor
from api.store.rows import call_of, event_of, load_call, select_calls, turn_of
from api.store.tables import call_events, calls, turns


class Calls(CallLedger):
    """The ledger with its reading side."""

    async def get(self, call_id: str) -> Call:
        """Raises UnknownCallError."""

        async def work(connection: AsyncConnection) -> Call:
            return await load_call(connection, call_id)

        return await self._database.read(work)

    async def page(
        self, *, limit: int, cursor: str | None = None, status: CallStatus | None = None
    ) -> Page:
        """Calls from newest to oldest. Raises CursorError."""
        query = select_calls().order_by(calls.c.created_at.desc(), calls.c.id.desc())
        if status is not None:
            query = query.where(calls.c.status == status)
        if cursor is not None:
            before = tuple_(*decode_cursor(cursor))
            query = query.where(tuple_(calls.c.created_at, calls.c.id) < before)

        async def work(connection: AsyncConnection) -> Page:
            rows = (await connection.execute(query.limit(limit + 1))).all()
            found = tuple(call_of(row) for row in rows[:limit])
            more = len(rows) > limit
            return Page(found, encode_cursor(found[-1].created_at, found[-1].id) if more else None)

        return await self._database.read(work)

    async def turns(self, call_id: str) -> list[Turn]:
        """The transcript so far, in order."""

        async def work(connection: AsyncConnection) -> list[Turn]:
            rows = await connection.execute(
                select(turns).where(turns.c.call_id == call_id).order_by(turns.c.seq)
            )
            return [turn_of(row) for row in rows]

        return await self._database.read(work)

    async def events(self, call_id: str, after: int = 0) -> list[CallEvent]:
        """The call's events with a number above `after`, in order."""

        async def work(connection: AsyncConnection) -> list[CallEvent]:
            rows = await connection.execute(
                select(call_events)
                .where(call_events.c.call_id == call_id, call_events.c.seq > after)
                .order_by(call_events.c.seq)
            )
            return [event_of(row) for row in rows]

        return await self._database.read(work)
