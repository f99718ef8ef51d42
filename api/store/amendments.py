"""What is set right of a call beside its story: its configuration when it is first dialled, its
outcome afterwards."""

from api.base.refusals import Conflict
from api.resources.call import Call, NewCall
from api.store.change import CallChange, Signals
from api.store.database import Database, Transaction


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
