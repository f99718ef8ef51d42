"""How an order goes out and what it costs: 422 where there is no way, or nobody knows the price."""

from api.money import Rate
from api.problems import FieldError, Problem, invalid, pointer
from api.resources import Route
from api.store import Store
from api.store.numbers import NoActiveNumberError, NoTrunkError, NumberNotAllowedError
from api.store.rates import NoRateError


async def find_route(store: Store, to: str, from_number: str | None) -> Route:
    """The caller number and the trunk of an order (CB-17…20). Raises Problem 422.

    Args:
        store: knows numbers and trunks.
        to: the callee, E.164.
        from_number: the caller number that was asked for.
    """
    try:
        return await store.numbers.route(to, from_number)
    except NoActiveNumberError as error:
        detail = "there is no active caller number; add one (/v1/numbers, or calls.numbers)"
        raise _refused("no_active_number", "from_number", detail) from error
    except NumberNotAllowedError as error:
        detail = "is no active number of this deployment; /v1/numbers lists them"
        raise _refused("from_number_not_allowed", "from_number", detail) from error
    except NoTrunkError as error:
        detail = "no active trunk takes this number with this caller number; see /v1/trunks"
        raise _refused("no_trunk", "to", detail) from error


async def find_price(store: Store, to: str) -> Rate | None:
    """What a call costs; None: nothing. Raises Problem 422 `no_rate`, if money is limited."""
    try:
        return await store.rates.price(to)
    except NoRateError as error:
        detail = "no rate fits this number, and the budget has a limit; add one (/v1/rates)"
        raise _refused("no_rate", "to", detail) from error


def _refused(code: str, field: str, detail: str) -> Problem:
    return invalid([FieldError(detail, pointer(field))], code)
