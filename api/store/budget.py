"""The budget within a transaction: hold the worst case of a call, then settle or release it."""

from typing import Final

from sqlalchemy import BigInteger, bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.refusals import Unaffordable
from api.store.tables import budget, budget_entries

_AMOUNT: Final = bindparam("amount", type_=BigInteger)
_SPOKEN_FOR: Final = budget.c.spent_milli_cents + budget.c.reserved_milli_cents
_HOLD: Final = update(budget).values(
    reserved_milli_cents=budget.c.reserved_milli_cents + _AMOUNT, updated_at=bindparam("now")
)
_RESERVE: Final = _HOLD.where(
    budget.c.limit_milli_cents.is_(None) | (budget.c.limit_milli_cents >= _SPOKEN_FOR + _AMOUNT)
)
_SETTLE: Final = update(budget).values(
    reserved_milli_cents=budget.c.reserved_milli_cents - bindparam("reserved", type_=BigInteger),
    spent_milli_cents=budget.c.spent_milli_cents + _AMOUNT,
    updated_at=bindparam("now"),
)
_OVERDRAWN: Final = select(budget.c.id).where(budget.c.limit_milli_cents < _SPOKEN_FOR)
_INSERT_ENTRY: Final = insert(budget_entries)


async def reserve(connection: AsyncConnection, call_id: str, amount: int, now: float) -> None:
    """Hold `amount` milli-cents for a call. Raises Unaffordable."""
    if amount == 0:
        return
    held = await connection.execute(_RESERVE, {"amount": amount, "now": now})
    if held.rowcount == 0:
        left = await connection.scalar(select(budget.c.limit_milli_cents - _SPOKEN_FOR))
        needed = f"{amount} milli-cents are needed and {max(0, left or 0)} are left"
        raise Unaffordable("budget_exceeded", f"the budget is used up: {needed}")
    await _enter(connection, call_id, "reserve", amount, now)


async def settle(
    connection: AsyncConnection, call_id: str, reserved: int, amount: int, now: float
) -> None:
    """Give back what was held, and spend `amount`: what the call cost."""
    if reserved == 0 and amount == 0:
        return
    await connection.execute(_SETTLE, {"reserved": reserved, "amount": amount, "now": now})
    await _enter(connection, call_id, "settle" if amount else "release", amount or reserved, now)


async def hold_again(connection: AsyncConnection, call_id: str, amount: int, now: float) -> None:
    """Hold `amount` for a next attempt, whatever the limit: beyond it, `is_overdrawn`."""
    await connection.execute(_HOLD, {"amount": amount, "now": now})
    await _enter(connection, call_id, "reserve", amount, now)


async def is_overdrawn(connection: AsyncConnection) -> bool:
    """Whether more is spent and held than the limit, which may have been lowered."""
    return await connection.scalar(_OVERDRAWN) is not None


async def _enter(
    connection: AsyncConnection, call_id: str, kind: str, amount: int, now: float
) -> None:
    await connection.execute(
        _INSERT_ENTRY, {"at": now, "call_id": call_id, "kind": kind, "milli_cents": amount}
    )
