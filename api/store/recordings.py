"""The ledger of how calls are recorded: pauses that are asked for, and what became of it."""

from api.base.refusals import Conflict
from api.resources.call import Call
from api.resources.recording import RecordingFacts, RecordingObject, RecordingWish
from api.store.change import CallChange, Signals
from api.store.database import Database, Transaction
from api.store.rows import update_attempt


class Recordings:
    """Writes how the latest attempt of a call is recorded."""

    def __init__(self, database: Database, signals: Signals) -> None:
        self._database = database
        self._signals = signals

    async def ask(self, call_id: str, *, paused: bool) -> Call:
        """Note that a recording is to pause or go on, for whoever runs the call.

        Raises NotFound, or Conflict for a call that is not in progress, or not recorded.
        """
        at = self._signals.clock()

        async def work(transaction: Transaction) -> Call:
            change = await CallChange.of(transaction, call_id, self._signals)
            facts = change.call.recording_facts
            if change.call.status != "in_progress":
                detail = f"the call is {change.call.status}"
                raise Conflict("not_in_progress", detail)
            if facts is None or facts.over:
                raise Conflict("not_recorded", "nothing is recorded of the call")
            change.set(recording_wish=RecordingWish(paused, at).json())
            transaction.notify("control", call_id)
            return await change.save()

        return await self._database.write(work)

    async def note(
        self, call_id: str, facts: RecordingFacts, at: float, event: str | None = None
    ) -> None:
        """How it is recorded from `at` on. The same again: nothing happens.

        Args:
            call_id: whose latest attempt.
            facts: all of them.
            at: Unix seconds.
            event: told of it.
        """

        async def work(transaction: Transaction) -> None:
            change = await CallChange.of(transaction, call_id, self._signals)
            if change.call.recording_facts == facts:
                return
            number, stored = change.call.attempt_count, facts.json()
            await update_attempt(transaction.connection, call_id, number, recording=stored)
            change.set(recording=stored, updated_at=max(at, change.call.updated_at))
            if event is not None:
                told = RecordingObject.of(facts).model_dump()
                change.tell(event, at, {"recording_details": told})
            await change.save()

        await self._database.write(work)
