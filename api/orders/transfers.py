"""What every transfer goes through, whether a request or the agent wants it."""

from typing import Final

from api.base.lifecycle import IllegalMoveError
from api.resources.call import Call
from api.resources.transfer import Transfer, TransferRefusedError, TransferWish
from api.settings.calling import Calls
from api.store import Store
from api.store.budget import BudgetExceededError
from api.store.numbers import NoActiveNumberError, NoTrunkError, NumberNotAllowedError
from api.store.orders import DoNotCallError
from api.store.rates import NoRateError
from api.store.transfers import (
    MOST_TRANSFERS,
    ReferNotAllowedError,
    TooManyTransfersError,
    TransferUnderWayError,
    TrunkFullError,
)

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

    Raises TransferRefusedError.
    """
    if (refusal := calls.destinations.refusal(wish.number, call.our_number)) is not None:
        raise TransferRefusedError("destination_not_allowed", refusal)
    try:
        route = await store.numbers.route(wish.number, call.our_number)
        rate = await store.rates.price(wish.number)
        longest_s = calls.max_transferred_s
        if wish.mode == "warm":
            longest_s += _LONGEST_BRIEFING_S
        return await store.transfers.begin(call.id, wish, route, rate, longest_s)
    except NoTrunkError as error:
        detail = "no active trunk takes this number (/v1/trunks)"
        raise TransferRefusedError("no_trunk", detail) from error
    except (NoActiveNumberError, NumberNotAllowedError) as error:
        detail = "the call's own number is not active any more (/v1/numbers)"
        raise TransferRefusedError("from_number_not_allowed", detail) from error
    except NoRateError as error:
        detail = "there is a budget, and no rate for this number (/v1/rates)"
        raise TransferRefusedError("no_rate", detail) from error
    except BudgetExceededError as error:
        detail = f"the budget is used up: {error}"
        raise TransferRefusedError("budget_exceeded", detail) from error
    except DoNotCallError as error:
        raise TransferRefusedError("do_not_call", str(error)) from error
    except ReferNotAllowedError as error:
        detail = "the call's trunk takes no REFER; set its allow_refer, or let the method be chosen"
        raise TransferRefusedError("refer_not_allowed", detail) from error
    except IllegalMoveError as error:
        detail = f"only a call in progress is transferred; it is {error.current}"
        raise TransferRefusedError("not_in_progress", detail) from error
    except TransferUnderWayError as error:
        detail = "the call is being transferred, or has been"
        raise TransferRefusedError("transfer_under_way", detail) from error
    except TooManyTransfersError as error:
        detail = f"the call was transferred {MOST_TRANSFERS} times in vain, which is all it may be"
        raise TransferRefusedError("too_many_transfers", detail) from error
    except TrunkFullError as error:
        detail = "every channel of the trunk is in use"
        raise TransferRefusedError("trunk_full", detail) from error
