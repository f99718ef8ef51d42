"""Caps within a transaction: what was placed in the last 24 hours is counted in the ledger itself,
so that it holds for all servers of a store, and over restarts."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, bindparam, case, func, or_, select

from api.resources.call import NewCall
from api.resources.caps import DAY_S, Cap, CapReached
from api.store.database import Transaction
from api.store.tables import attempts, calls

_Conditions = tuple[ColumnElement[bool], ...]

_PLACED: Final[_Conditions] = (
    or_(calls.c.direction == "outbound", calls.c.web),
    calls.c.created_at > bindparam("since"),
)
_BY_KEY: Final[_Conditions] = (calls.c.api_key_id == bindparam("who"), *_PLACED)
_TO_NUMBER: Final[_Conditions] = (calls.c.to_number == bindparam("who"), *_PLACED)
#: Of every attempt: one that a voicemail answered was on the line too, though it is tried again.
_TALKED: Final = (
    select(func.coalesce(func.sum(attempts.c.ended_at - attempts.c.answered_at), 0))
    .where(attempts.c.call_id == calls.c.id)
    .scalar_subquery()
)
_SECONDS: Final = _TALKED + case((calls.c.ended_at.is_(None), calls.c.max_duration_s), else_=0)
_LASTED: Final = select(func.coalesce(func.sum(_SECONDS), 0)).where(*_BY_KEY)
_EACH: Final = (
    select(calls.c.created_at, _SECONDS.label("seconds"))
    .where(*_BY_KEY)
    .order_by(calls.c.created_at)
)


async def check_caps(transaction: Transaction, new: NewCall, now: float) -> None:
    """Raise CapReached where an order is one too many."""
    caps, key, since = new.caps, new.api_key_id, now - DAY_S
    if key is not None and (caps.calls or caps.minutes):
        await transaction.serialize(f"cap:{key}")
        of_key = {"who": key, "since": since}
        await _count(transaction, "max_calls_per_day", caps.calls, _BY_KEY, of_key)
        await _add_up(transaction, new, of_key)
    if caps.calls_to_number and new.to_number:
        await transaction.serialize(f"cap:{new.to_number}")
        to_number = {"who": new.to_number, "since": since}
        cap: Cap = "max_calls_per_number_per_day"
        await _count(transaction, cap, caps.calls_to_number, _TO_NUMBER, to_number)


async def _count(
    transaction: Transaction, cap: Cap, most: int, which: _Conditions, of: Mapping[str, Any]
) -> None:
    """Once so many are placed, there is room when the one that far back is a day old."""
    if not most:
        return
    latest = select(calls.c.created_at).where(*which).order_by(calls.c.created_at.desc())
    full = await transaction.connection.scalar(latest.offset(most - 1).limit(1), of)
    if full is not None:
        raise CapReached(cap, most, full + DAY_S)


async def _add_up(transaction: Transaction, new: NewCall, of_key: Mapping[str, Any]) -> None:
    """Once so many minutes are spoken for, there is room when enough of them are a day old."""
    most = new.caps.minutes
    if not most:
        return
    connection = transaction.connection
    lasted = await connection.scalar(_LASTED, of_key) or 0
    over = lasted + new.max_duration_s - most * 60
    if over <= 0:
        return
    free_at = None
    for row in await connection.execute(_EACH, of_key):
        over -= row.seconds
        if over <= 0:
            free_at = row.created_at + DAY_S
            break
    raise CapReached("max_minutes_per_day", most, free_at)
