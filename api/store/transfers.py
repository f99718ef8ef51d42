"""The ledger's side of transfers: one at a time for each call, on disk before it begins.

The second leg is paid for like the first: held at its longest when the transfer begins, settled
with what it lasted. A call that is transferred lasts longer than it was held for; that is held too.
"""

from dataclasses import replace
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.money import Rate, rate_of
from api.base.numbers import is_e164
from api.base.refusals import Conflict, Invalid
from api.base.times import whole_seconds
from api.resources.call import Call, transfer_of
from api.resources.transfer import Transfer, TransferMethod, TransferObject, TransferWish
from api.resources.trunk import Route, Trunk
from api.store.budget import reserve, settle
from api.store.change import CallChange, Signals
from api.store.database import Database, Transaction
from api.store.orders import check_unlisted
from api.store.trunks import load_trunks

#: Transfers of one call: each rings somebody, whom no cap of calls counts.
MOST_TRANSFERS: Final = 5


class Transfers:
    """Begins, and tells of, the transfers of calls."""

    def __init__(self, database: Database, signals: Signals) -> None:
        self._database = database
        self._signals = signals

    async def begin(
        self,
        call_id: str,
        wish: TransferWish,
        route: Route,
        rate: Rate | None = None,
        longest_s: int = 0,
    ) -> Transfer:
        """Note that a call is to be transferred by whoever runs it.

        Args:
            call_id: whose person.
            wish: to whom.
            route: how the second leg would go out.
            rate: what that costs; None: nothing.
            longest_s: how long it may last.

        Raises NotFound, Conflict, Invalid in the words of a wish, Unaffordable.
        """
        now = self._signals.clock()

        async def work(transaction: Transaction) -> Transfer:
            await transaction.serialize("claim")  # the trunk's channels are counted
            change = await CallChange.of(transaction, call_id, self._signals)
            call, last = change.call, transfer_of(change.call)
            if call.status != "in_progress":
                detail = f"only a call in progress is transferred; it is {call.status}"
                raise Conflict("not_in_progress", detail)
            if last is not None and last.status != "failed":
                detail = "the call is being transferred, or has been"
                raise Conflict("transfer_under_way", detail)
            if last is not None and last.seq >= MOST_TRANSFERS:
                often = f"{MOST_TRANSFERS} times in vain, which is all it may be"
                raise Conflict("too_many_transfers", f"the call was transferred {often}")
            await check_unlisted(transaction, wish.number, "number")
            trunks = {trunk.name: trunk for trunk in await load_trunks(transaction.connection)}
            theirs = trunks.get(call.trunk or "")
            if not is_e164(wish.number) and route.trunk != call.trunk:
                theirs = None  # the carrier would call somebody else by it
            method = _method(wish, theirs)
            if method == "bridge":
                require_room(trunks.get(route.trunk))
            held = _longest_cost(call, rate, longest_s)
            await reserve(transaction.connection, call_id, held, now)
            change.set(reserved_milli_cents=call.reserved_milli_cents + held)
            transfer = Transfer(
                seq=1 if last is None else last.seq + 1,
                number=wish.number,
                mode=wish.mode,
                method=method,
                falls_back=method == "refer" and wish.method is None,
                trunk=route.trunk,
                caller_number=route.from_number,
                summary_instructions=wish.summary_instructions,
                status="dialing",
                at=now,
                rate=None if rate is None else rate.json(),
                longest_s=longest_s,
                reserved_milli_cents=held,
            )
            transaction.notify("control", call_id)
            _note(change, transfer, "call.transfer_started")
            await change.save()
            return transfer

        return await self._database.write(work)

    async def fall_back(self, call_id: str) -> Transfer:
        """The REFER was refused: the call is to be bridged. Raises Conflict."""

        async def work(transaction: Transaction) -> Transfer:
            await transaction.serialize("claim")
            change = await CallChange.of(transaction, call_id, self._signals)
            transfer = transfer_of(change.call)
            assert transfer is not None
            trunks = {trunk.name: trunk for trunk in await load_trunks(transaction.connection)}
            require_room(trunks.get(transfer.trunk))
            bridged = replace(transfer, method="bridge", falls_back=False)
            change.set(transfer=bridged.json())
            await change.save()
            return bridged

        return await self._database.write(work)

    async def answered(self, call_id: str, at: float) -> None:
        """The second leg is up, and the two are not joined yet."""

        async def work(transaction: Transaction) -> None:
            change = await CallChange.of(transaction, call_id, self._signals)
            transfer = transfer_of(change.call)
            if transfer is not None and transfer.status == "dialing":
                change.set(transfer=replace(transfer, answered_at=at).json())
                await change.save()

        await self._database.write(work)

    async def completed(self, call_id: str, at: float) -> None:
        """The person talks to somebody else now. Again: nothing happens."""
        await self._settle(call_id, at, "call.transferred", status="completed")

    async def failed(self, call_id: str, at: float, reason: str) -> None:
        """The person is with us again, or gone. Again: nothing happens."""
        await self._settle(call_id, at, "call.transfer_failed", status="failed", reason=reason)

    async def _settle(self, call_id: str, at: float, kind: str, **values: Any) -> None:
        async def work(transaction: Transaction) -> None:
            change = await CallChange.of(transaction, call_id, self._signals)
            transfer = transfer_of(change.call)
            if transfer is not None and transfer.status == "dialing":
                transfer = replace(transfer, at=max(at, transfer.at), **values)
                if transfer.status == "failed":
                    await _settle_leg(change, transaction.connection, transfer, transfer.at)
                elif transfer.answered_at is None:
                    transfer = replace(transfer, answered_at=transfer.at)
                _note(change, transfer, kind)
                await change.save()
                transaction.notify("work")  # a trunk may have a channel more

        await self._database.write(work)


async def end_transfer(change: CallChange, connection: AsyncConnection, at: float) -> None:
    """The call is over: so is what it was handed over to, or about to be."""
    transfer = transfer_of(change.call)
    if transfer is None or transfer.status == "failed":
        return
    await _settle_leg(change, connection, transfer, at)
    if transfer.status == "dialing":
        failed = replace(
            transfer, status="failed", reason="the call ended", at=max(at, transfer.at)
        )
        _note(change, failed, "call.transfer_failed")


def _longest_cost(call: Call, rate: Rate | None, longest_s: int) -> int:
    """Milli-cents that a transfer may cost: its second leg, and the first one going on as long."""
    own = rate_of(call.rate)
    going_on = 0 if own is None else own.amount(call.max_duration_s + longest_s)
    leg = 0 if rate is None else rate.amount(longest_s)
    return leg + max(0, going_on - call.reserved_milli_cents)


async def _settle_leg(
    change: CallChange, connection: AsyncConnection, transfer: Transfer, ended_at: float
) -> None:
    """Give back what was held for a transfer, and spend what its second leg cost.

    How long two talk after a REFER nobody tells us: as long as they may.
    """
    cost, rate = 0, rate_of(transfer.rate)
    if rate is not None and transfer.answered_at is not None:
        lasted = whole_seconds(transfer.answered_at, ended_at)
        cost = rate.amount(transfer.longest_s if transfer.method == "refer" else lasted)
    held, call = transfer.reserved_milli_cents, change.call
    await settle(connection, call.id, held, cost, max(ended_at, call.updated_at))
    change.set(
        reserved_milli_cents=call.reserved_milli_cents - held,
        transfers_milli_cents=call.transfers_milli_cents + cost,
    )


def _note(change: CallChange, transfer: Transfer, kind: str) -> None:
    change.set(
        transfer=transfer.json(),
        updated_at=max(transfer.at, change.call.updated_at),
    )
    change.tell(kind, transfer.at, {"transfer": TransferObject.of(transfer).model_dump()})


def _method(wish: TransferWish, trunk: Trunk | None) -> TransferMethod:
    refers = trunk is not None and trunk.allow_refer
    if wish.method == "refer" and not refers:
        detail = "the call's trunk takes no REFER; set its allow_refer, or let the method be chosen"
        raise Invalid(detail, field="method", code="refer_not_allowed")
    if wish.method is not None:
        return wish.method
    return "refer" if refers and wish.mode == "cold" else "bridge"


def require_room(trunk: Trunk | None) -> None:
    """Raises Conflict where every channel of it is in use."""
    limit = None if trunk is None else trunk.max_channels
    if trunk is not None and limit is not None and trunk.channels_in_use >= limit:
        raise Conflict("trunk_full", "every channel of the trunk is in use")
