"""What every transfer goes through, whether a request or the agent wants it."""

from dataclasses import replace
from typing import Final

from api.base.refusals import Conflict, Invalid
from api.orders.destinations import read_destination
from api.resources.call import Call
from api.resources.transfer import Transfer, TransferWish
from api.settings.calling import Calls
from api.store import Store

#: How long whoever answers may be briefed, before a warm transfer joins the two.
_LONGEST_BRIEFING_S: Final = 125


async def order_transfer(store: Store, calls: Calls, call: Call, wish: TransferWish) -> Transfer:
    """Have the ledger note a transfer that its runner is to carry out.

    Our own number of the call is shown to whom it goes. Under a budget it fails closed, as a call
    does, where nobody said what the number costs, or where the longest talk is not there.

    Args:
        store: the ledger.
        calls: where they may go, and how long two may talk whom a transfer has joined.
        call: in progress.
        wish: to whom, and how.

    Raises NotFound, Conflict, Invalid in the words of the wish, Unaffordable.
    """
    if call.direction == "web":
        raise Conflict("web_call", "a browser is not handed over to a telephone line")
    try:
        wish = replace(wish, number=await read_destination(store, calls, wish.number))
    except ValueError as error:
        raise Invalid(str(error), field="number") from error
    if (refusal := calls.destinations.refusal(wish.number, call.our_number)) is not None:
        raise Invalid(refusal, field="number", code="destination_not_allowed")
    try:
        route = await store.numbers.route(wish.number, call.our_number, beside=call.trunk)
        rate = await store.rates.price(wish.number)
    except Invalid as refused:
        if refused.field == "from_number":
            detail = "the call's own number is not active any more (/v1/numbers)"
            raise Conflict("from_number_not_allowed", detail) from refused
        raise Invalid(refused.detail, field="number", code=refused.code) from refused
    longest_s = calls.max_transferred_s
    if wish.mode == "warm":
        longest_s += _LONGEST_BRIEFING_S
    return await store.transfers.begin(call.id, wish, route, rate, longest_s)
