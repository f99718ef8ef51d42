"""Rows of the ledger as records, and the small statements that its methods share."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, ScalarSelect, bindparam, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.refusals import NotFound
from api.resources.attempt import Attempt
from api.resources.call import Call
from api.resources.event import CallEvent
from api.resources.turn import Turn
from api.store.tables import attempts, calls, storable, turns, webhook_deliveries


def _webhook_status() -> ColumnElement[str]:
    """Derived from the deliveries: it follows the terminal event's inline delivery."""
    last: ScalarSelect[str] = (
        select(
            case(
                (webhook_deliveries.c.status == "exhausted", "failed"),
                else_=webhook_deliveries.c.status,
            )
        )
        .where(
            webhook_deliveries.c.call_id == calls.c.id,
            webhook_deliveries.c.terminal,
            webhook_deliveries.c.inline,
        )
        .scalar_subquery()
    )
    return case((calls.c.webhook_url.is_(None), "none"), else_=func.coalesce(last, "pending"))


def _webhook_error() -> ScalarSelect[str | None]:
    return (
        select(webhook_deliveries.c.last_error)
        .where(
            webhook_deliveries.c.call_id == calls.c.id,
            webhook_deliveries.c.status != "delivered",
            webhook_deliveries.c.inline,
            webhook_deliveries.c.last_error.is_not(None),
        )
        .order_by(webhook_deliveries.c.updated_at.desc())
        .limit(1)
        .scalar_subquery()
    )


@cache
def select_calls() -> Any:
    """SELECT of whole calls, for `call_of`."""
    return select(
        calls,
        _webhook_status().label("webhook_status"),
        _webhook_error().label("webhook_error"),
    )


# To make a statement costs several times what it costs to run, so those of every call are made
# once. What an UPDATE sets is named by the parameters that it is run with.
_CALL: Final = select_calls().where(calls.c.id == bindparam("call_id"))
_LOCKED_CALL: Final = _CALL.with_for_update(of=calls)
_ATTEMPTS: Final = (
    select(attempts).where(attempts.c.call_id == bindparam("of_call")).order_by(attempts.c.number)
)
_UPDATE_CALL: Final = update(calls).where(calls.c.id == bindparam("call_id"))
_UPDATE_ATTEMPT: Final = update(attempts).where(
    attempts.c.call_id == bindparam("of_call"), attempts.c.number == bindparam("which")
)
_TURNS: Final = select(turns).where(turns.c.call_id == bindparam("of_call"))
_ATTEMPTS_OF: Final = (
    select(attempts)
    .where(attempts.c.call_id.in_(bindparam("of_calls", expanding=True)))
    .order_by(attempts.c.call_id, attempts.c.number)
)
_TURNS_OF: Final = (
    select(turns)
    .where(turns.c.call_id.in_(bindparam("of_calls", expanding=True)))
    .order_by(turns.c.call_id, turns.c.seq)
)
_LATEST_TURN: Final = _TURNS.order_by(turns.c.seq.desc()).limit(1)
_TIMINGS: Final = select(turns.c.timings).where(
    turns.c.call_id == bindparam("of_call"),
    turns.c.attempt == bindparam("of_attempt"),
    turns.c.speaker == "agent",
)


def call_of(row: Row[Any]) -> Call:
    """The record of a row of `select_calls`."""
    return split_row(row)[0]


def split_row(row: Row[Any]) -> tuple[Call, int]:
    """The record of a row of `select_calls`, and how many events it has."""
    values = dict(row._mapping)
    event_count: int = values.pop("event_count")
    if values.pop("web"):
        values["direction"] = "web"
    return Call(**values), event_count


def turn_of(row: Row[Any]) -> Turn:
    """The record of a row of `turns`."""
    values = dict(row._mapping)
    del values["call_id"]
    return Turn(**values)


def event_of(row: Row[Any]) -> CallEvent:
    """The record of a row of `call_events`."""
    values = dict(row._mapping)
    del values["row_id"]
    return CallEvent(**values)


def attempt_of(row: Row[Any]) -> Attempt:
    return Attempt(**row._mapping)


async def load_row(connection: AsyncConnection, call_id: str, *, lock: bool = False) -> Row[Any]:
    """A row of `select_calls`. Raises NotFound."""
    query = _LOCKED_CALL if lock else _CALL
    row: Row[Any] | None = (await connection.execute(query, {"call_id": call_id})).one_or_none()
    if row is None:
        raise NotFound("call")
    return row


async def load_call(connection: AsyncConnection, call_id: str) -> Call:
    return call_of(await load_row(connection, call_id))


async def load_attempts(connection: AsyncConnection, call_id: str) -> list[Attempt]:
    """Every attempt of a call, in order."""
    rows = await connection.execute(_ATTEMPTS, {"of_call": call_id})
    return [attempt_of(row) for row in rows]


async def update_call(connection: AsyncConnection, call_id: str, values: Mapping[str, Any]) -> None:
    await connection.execute(_UPDATE_CALL, {"call_id": call_id, **values})


async def update_attempt(
    connection: AsyncConnection, call_id: str, number: int, **values: Any
) -> None:
    await connection.execute(_UPDATE_ATTEMPT, {"of_call": call_id, "which": number, **values})


async def load_turns(connection: AsyncConnection, call_id: str) -> list[Turn]:
    rows = await connection.execute(_TURNS.order_by(turns.c.seq), {"of_call": call_id})
    return [turn_of(row) for row in rows]


async def load_attempts_of(
    connection: AsyncConnection, call_ids: Sequence[str]
) -> dict[str, list[Attempt]]:
    """Every attempt of several calls, in order, by call id."""
    found: dict[str, list[Attempt]] = {call_id: [] for call_id in call_ids}
    for row in await connection.execute(_ATTEMPTS_OF, {"of_calls": list(found)}):
        found[row.call_id].append(attempt_of(row))
    return found


async def load_turns_of(
    connection: AsyncConnection, call_ids: Sequence[str]
) -> dict[str, list[Turn]]:
    """What was said in several calls, in order, by call id."""
    found: dict[str, list[Turn]] = {call_id: [] for call_id in call_ids}
    for row in await connection.execute(_TURNS_OF, {"of_calls": list(found)}):
        found[row.call_id].append(turn_of(row))
    return found


async def latest_turn(connection: AsyncConnection, call_id: str) -> Turn | None:
    row = (await connection.execute(_LATEST_TURN, {"of_call": call_id})).one_or_none()
    return None if row is None else turn_of(row)


def is_same_turn(stored: Turn, told: Turn) -> bool:
    """Whether `told` is the telling that made `stored`: nobody says two things at one time."""
    given = {"text": storable(told.text), "seq": stored.seq, "attempt": stored.attempt}
    return replace(told, **given) == stored


async def latency_of(connection: AsyncConnection, call_id: str, attempt: int) -> dict[str, Any]:
    """Median and worst of every timing of the agent's turns in an attempt, in milliseconds."""
    rows: Sequence[Mapping[str, float]] = (
        await connection.scalars(_TIMINGS, {"of_call": call_id, "of_attempt": attempt})
    ).all()
    names = sorted({name for timings in rows for name in timings})
    summary = {}
    for name in names:
        values = [timings[name] for timings in rows if name in timings]
        summary[name] = {
            "p50": round(statistics.median(values), 1),
            "max": round(max(values), 1),
        }
    return summary
