"""What is set right of a call beside its story: its configuration when it is first dialled, its
outcome afterwards."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.lifecycle import AnsweredBy
from api.base.refusals import Conflict
from api.resources.answering import Answering, AnsweringCount
from api.resources.call import Call, NewCall
from api.store.change import CallChange, Signals
from api.store.database import Database, Transaction
from api.store.rows import load_attempts, update_attempt
from api.store.tables import attempts


class Amendments:
    """Changes calls without an event."""

    def __init__(self, database: Database, signals: Signals) -> None:
        self._database = database
        self._signals = signals

    async def freeze(self, call_id: str, order: NewCall) -> Call:
        """Give a call the configuration of `order`, which holds from now on.

        Its number, times, retry policy and price stay. Raises NotFound.
        """

        async def work(transaction: Transaction) -> Call:
            change = await CallChange.of(transaction, call_id, self._signals)
            change.set(
                agent=dict(order.agent),
                agent_layers=None,
                agent_version=order.agent_version,
                prompt=order.prompt,
                context=dict(order.context),
                returns=dict(order.returns),
                language=order.language,
                variables=dict(order.variables),
                webhook_url=order.webhook_url,
                max_duration_s=order.max_duration_s,
                updated_at=max(self._signals.clock(), change.call.updated_at),
            )
            return await change.save()

        return await self._database.write(work)

    async def set_outcome(self, call_id: str, outcome: str | None) -> Call:
        """Say what a call came to, in place of what was found out.

        Raises NotFound, or Conflict for a call that is not over, or whose result is still being
        extracted.
        """

        async def work(transaction: Transaction) -> Call:
            change = await CallChange.of(transaction, call_id, self._signals)
            call = change.call
            if not call.over or call.waiting_for == "result":
                detail = "the call is not over and analysed yet: it gets an outcome of its own"
                raise Conflict("not_ended", detail)
            change.set(outcome=outcome, updated_at=max(self._signals.clock(), call.updated_at))
            return await change.save()

        return await self._database.write(work)

    async def correct_answered_by(self, call_id: str, answered_by: AnsweredBy) -> Call:
        """Say who answered the last attempt of a call, in place of what was found.

        It is neither billed nor tried again for that. Raises NotFound, or Conflict for a call that
        is not over or was not answered.
        """

        async def work(transaction: Transaction) -> Call:
            change = await CallChange.of(transaction, call_id, self._signals)
            call, connection = change.call, transaction.connection
            if not call.over or call.answered_by is None:
                raise Conflict("not_answered", "nobody answered the call, or it is not over yet")
            last = (await load_attempts(connection, call_id))[-1]
            found = last.found_answered_by or last.answered_by
            await update_attempt(
                connection,
                call_id,
                last.number,
                answered_by=answered_by,
                found_answered_by=None if found == answered_by else found,
            )
            updated_at = max(self._signals.clock(), call.updated_at)
            change.set(answered_by=answered_by, updated_at=updated_at)
            return await change.save()

        return await self._database.write(work)

    async def answering(self) -> Answering:
        """Count who answered, as it was found and as it was corrected."""
        found = func.coalesce(attempts.c.found_answered_by, attempts.c.answered_by)
        wanted = (
            select(found.label("found"), attempts.c.answered_by, func.count().label("attempts"))
            .where(attempts.c.answered_by.is_not(None))
            .group_by(found, attempts.c.answered_by)
            .order_by(found, attempts.c.answered_by)
        )

        async def work(connection: AsyncConnection) -> Answering:
            rows = await connection.execute(wanted)
            counts = [AnsweringCount(**row._mapping) for row in rows]
            wrong = sum(one.attempts for one in counts if one.found != one.answered_by)
            return Answering(
                attempts=sum(one.attempts for one in counts), corrected=wrong, counts=counts
            )

        return await self._database.read(work)
