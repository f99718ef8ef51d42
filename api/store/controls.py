"""What operators do to live calls: each is an event of the call, carried out by whoever runs it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import select

from api.base.refusals import Conflict
from api.resources.call import Call
from api.resources.control import Control
from api.store.change import CallChange, Signals
from api.store.database import Database, Transaction
from api.store.tables import call_events

CONTROLLED: Final = "call.controlled"


class Controls:
    """Notes what is done to calls."""

    def __init__(self, database: Database, signals: Signals) -> None:
        self._database = database
        self._signals = signals

    async def ask(self, call_id: str, control: Control) -> Call:
        """Note a control for whoever runs the call.

        Raises NotFound, or Conflict for a call that is not in progress.
        """
        now = self._signals.clock()

        async def work(transaction: Transaction) -> Call:
            change = await CallChange.of(transaction, call_id, self._signals)
            if change.call.status != "in_progress":
                raise Conflict("not_in_progress", f"the call is {change.call.status}")
            change.tell(CONTROLLED, now, {"control": control.json()})
            transaction.notify("control", call_id)
            return await change.save()

        return await self._database.write(work)

    async def after(self, call_id: str, seq: int) -> Sequence[tuple[int, Control]]:
        """The controls of a call whose events come after that one, in order."""
        rows = await self._database.fetch(
            select(call_events.c.seq, call_events.c.data)
            .where(
                call_events.c.call_id == call_id,
                call_events.c.seq > seq,
                call_events.c.type == CONTROLLED,
            )
            .order_by(call_events.c.seq)
        )
        return [(row.seq, Control(**row.data["control"])) for row in rows]

    async def tell(self, call_id: str, kind: str, at: float, data: Mapping[str, Any]) -> None:
        """Tell an event of a call. Raises NotFound."""

        async def work(transaction: Transaction) -> None:
            change = await CallChange.of(transaction, call_id, self._signals)
            change.tell(kind, at, data)
            await change.save()

        await self._database.write(work)
