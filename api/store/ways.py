"""Which trunks an order may go out on, and how those that fail calls rest."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Select, bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.numbers import is_e164
from api.policy.trunks import TRUNK_FAULTS, rest_s
from api.resources.attempt import Attempt, Ended
from api.resources.call import Call
from api.resources.trunk import NewTrunk, trunks_for
from api.store.database import Transaction
from api.store.tables import calls, numbers, trunks

_AWAKE: Final[Select[tuple[object, ...]]] = (
    select(
        trunks.c.name,
        trunks.c.status,
        trunks.c.allowed_prefixes,
        trunks.c.priority,
        trunks.c.weight,
        trunks.c.extensions,
        trunks.c.sip_uris,
    )
    .where(or_(trunks.c.resting_until.is_(None), trunks.c.resting_until <= bindparam("now")))
    .order_by(trunks.c.created_at, trunks.c.name)
)
_PROVEN: Final = select(trunks.c.name).where(
    trunks.c.name.in_(bindparam("names", expanding=True)), trunks.c.resting_until.is_(None)
)
_OWN: Final = select(numbers.c.trunk).where(numbers.c.number == bindparam("shown"))
_RULES: Final = select(trunks.c.name, trunks.c.extensions, trunks.c.sip_uris).where(
    trunks.c.name == bindparam("of_trunk")
)
_STANDING: Final = select(trunks.c.failures, trunks.c.resting_until).where(
    trunks.c.name == bindparam("of_trunk")
)
_WORKS: Final = (
    update(trunks)
    .where(trunks.c.name == bindparam("of_trunk"), trunks.c.failures > 0)
    .values(failures=0, resting_until=None, rest_reason=None)
)
_FORWARD: Final = (
    update(calls)
    .where(
        calls.c.trunk == bindparam("of_trunk"),
        calls.c.waiting_for == "trunk_resting",
        calls.c.next_attempt_at > bindparam("now"),
    )
    .values(next_attempt_at=bindparam("now"))
)
_FAILS: Final = update(trunks).where(trunks.c.name == bindparam("of_trunk"))


async def ways_of(connection: AsyncConnection, call: Call, now: float) -> list[str]:
    """Trunks that fit an order and do not rest, the best first."""
    rows = await connection.execute(_AWAKE, {"now": now})
    fitting = trunks_for(call.to_number, [NewTrunk(**row._mapping) for row in rows], call.id)
    own = await connection.scalar(_OWN, {"shown": call.from_number})
    return [trunk.name for trunk in fitting if own in (None, trunk.name)]


async def still_taken(connection: AsyncConnection, call: Call) -> bool:
    """Whether the order's trunk still takes the extension or SIP URI that is called; true of a
    number."""
    if is_e164(call.to_number):
        return True
    rows = await connection.execute(_RULES, {"of_trunk": call.trunk})
    return bool(trunks_for(call.to_number, [NewTrunk(**row._mapping) for row in rows]))


async def is_proven(connection: AsyncConnection, ways: Sequence[str]) -> bool:
    """Whether one of the trunks has not rested since it last worked."""
    return bool(ways) and await connection.scalar(_PROVEN, {"names": ways}) is not None


async def wake_trunk(connection: AsyncConnection, name: str | None, now: float) -> bool:
    """End a trunk's rest, and have the orders that waited for that looked at; whether it had
    failed."""
    woken = await connection.execute(_WORKS, {"of_trunk": name})
    if woken.rowcount:
        await connection.execute(_FORWARD, {"of_trunk": name, "now": now})
    return woken.rowcount > 0


async def note_sign(transaction: Transaction, call: Call, now: float) -> None:
    """It rings, or was answered: whatever it failed before, the order's trunk works."""
    if await wake_trunk(transaction.connection, call.trunk, now):
        transaction.notify("work")


async def note_end(connection: AsyncConnection, attempt: Attempt, ended: Ended, now: float) -> None:
    """An attempt's end may tell whether its trunk works; one that fails calls rests."""
    if ended.end_reason in TRUNK_FAULTS:
        found = await connection.execute(_STANDING, {"of_trunk": attempt.trunk})
        standing = found.one_or_none()
        if standing is None or (standing.resting_until or 0.0) > now:
            return  # it was dialled before the rest began, which is none the longer for it
        failures = standing.failures + 1
        rest = rest_s(failures, ended.end_reason)
        await connection.execute(
            _FAILS,
            {
                "of_trunk": attempt.trunk,
                "failures": failures,
                "resting_until": now + rest if rest else None,
                "rest_reason": ended.cause.message if rest else None,
            },
        )
    elif ended.cause.sip_code is not None and attempt.ringing_at is attempt.answered_at is None:
        await wake_trunk(connection, attempt.trunk, now)
