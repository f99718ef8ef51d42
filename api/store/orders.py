"""Orders within a transaction: putting one in the queue, ending one that is not dialled."""

import logging
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy import bindparam, insert, select

from api.base.refusals import Invalid
from api.policy.decide import Decision, Stop, WaitUntil, decide
from api.policy.retry import retry_json
from api.policy.zones import UnknownZoneError
from api.resources.attempt import Attempt
from api.resources.call import Call, NewCall
from api.store.budget import reserve
from api.store.caps import check_caps
from api.store.change import CallChange, Signals
from api.store.database import Transaction
from api.store.dial_facts import attempt_facts, order_facts
from api.store.rows import load_row, split_row
from api.store.tables import call_metadata, calls, do_not_call

#: Longer keys and texts of `metadata` are stored and echoed, but lists are not filtered by them.
MAX_LABEL_KEY: Final = 64
MAX_LABEL: Final = 256

_INSERT_CALL: Final = insert(calls)
_INSERT_LABELS: Final = insert(call_metadata)
_LISTED: Final = select(do_not_call.c.number).where(do_not_call.c.number == bindparam("wanted"))

log = logging.getLogger(__name__)


async def insert_order(
    transaction: Transaction, new: NewCall, now: float, signals: Signals
) -> Call:
    """Queue a call: with its hold on the budget and the event that tells of it.

    Raises Invalid where its number is not to be called, CapReached, Unaffordable.
    """
    connection = transaction.connection
    await check_unlisted(transaction, new.to_number, "to")
    await check_caps(transaction, new, now)
    call_id = str(uuid.uuid4())
    held = 0 if new.rate is None else new.rate.amount(new.max_duration_s)
    await reserve(connection, call_id, held, now)
    change = await insert_call(
        transaction,
        call_id,
        new,
        now,
        signals,
        status="queued",
        next_attempt_at=now,
        waiting_for="free_slot",
        reservation_status="reserved",
        reserved_milli_cents=held,
    )
    decision = decide_on(change.call, (), now, listed=False)
    if isinstance(decision, WaitUntil):
        change.set(next_attempt_at=decision.at, waiting_for=decision.why)
    change.tell_status(now)
    transaction.notify("work")
    return await change.save()


async def insert_call(
    transaction: Transaction,
    call_id: str,
    new: NewCall,
    now: float,
    signals: Signals,
    **values: Any,
) -> CallChange:
    """Insert a call and its labels.

    Args:
        transaction: all of it is this one's.
        call_id: of the call.
        new: what it is.
        now: Unix seconds.
        signals: whom its events wake.
        values: columns that say how it stands.
    """
    connection = transaction.connection
    await connection.execute(
        _INSERT_CALL,
        {
            "id": call_id,
            "direction": "inbound" if new.direction == "web" else new.direction,
            "web": new.direction == "web",
            "to_number": new.to_number,
            "from_number": new.from_number,
            "prompt": new.prompt,
            "context": dict(new.context),
            "returns": dict(new.returns),
            "language": new.language,
            "webhook_url": new.webhook_url,
            "metadata": dict(new.metadata),
            "max_duration_s": new.max_duration_s,
            "result_status": "pending",
            "created_at": now,
            "updated_at": now,
            "latency": {},
            "event_count": 0,
            "scheduled_at": new.scheduled_at,
            "retry": None if new.retry is None else retry_json(new.retry),
            "zones": list(new.zones),
            "force_now": new.force_now,
            "concurrency_key": None if new.concurrency is None else new.concurrency.key,
            "concurrency_max": None if new.concurrency is None else new.concurrency.maximum,
            "campaign_id": new.campaign_id,
            "api_key_id": new.api_key_id,
            "trunk": new.trunk,
            "rate": None if new.rate is None else new.rate.json(),
            "agent_id": new.agent_id,
            "agent_version": new.agent_version,
            "agent": dict(new.agent),
            "agent_layers": None if new.agent_layers is None else dict(new.agent_layers),
            "variables": dict(new.variables),
            "dialect": new.dialect,
            **values,
        },
    )
    if labels := _labels(new.metadata):
        await connection.execute(_INSERT_LABELS, [{"call_id": call_id} | label for label in labels])
    call, event_count = split_row(await load_row(connection, call_id))
    return CallChange(transaction, call, event_count, signals)


def decide_on(
    call: Call,
    tried: Sequence[Attempt],
    now: float,
    *,
    listed: bool,
    refused: bool = False,
    ways: Sequence[str] = (),
    proven: bool = True,
) -> Decision:
    """What the policy wants done with an order; one that cannot be read any more is over.

    Args:
        call: the order, not over.
        tried: all its attempts, in order.
        now: Unix seconds.
        listed: whether its number is on the do-not-call list.
        refused: whether its number is none that may be called.
        ways: trunks that it can go out on, the best first; needed after one failed.
        proven: whether one of them works (`api.store.ways.is_proven`).
    """
    attempts = [attempt_facts(one) for one in tried]
    try:
        facts = order_facts(
            call, do_not_call=listed, destination_refused=refused, ways=ways, proven=proven
        )
        return decide(facts, attempts, now)
    except (ValidationError, UnknownZoneError) as error:
        # Another release wrote it, or other time zone data. Nothing may wait behind it.
        log.error("call %s: its retry policy cannot be read: %s", call.id, error)
        return Stop("policy_unreadable", attempts[-1].status if attempts else "failed")


async def stop_order(change: CallChange, stop: Stop, at: float, *, unpaid: int = 0) -> None:
    """End a call that the policy will not have dialled (again); `unpaid` as of `finish`."""
    if change.call.attempt_count == 0:
        change.set(error_message=stop.sentence)
    await change.finish(stop.status, at, unpaid=unpaid, end_reason=stop.why)


async def check_unlisted(transaction: Transaction, number: str, field: str) -> None:
    """Raise Invalid, about the field, where a number is on the do-not-call list."""
    if await is_listed(transaction, number):
        raise Invalid("is on the do-not-call list", field=field, code="do_not_call")


async def is_listed(transaction: Transaction, number: str) -> bool:
    """Whether a number is on the do-not-call list."""
    return await transaction.connection.scalar(_LISTED, {"wanted": number}) is not None


def _labels(metadata: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {"key": key, "value": value}
        for key, value in metadata.items()
        if isinstance(value, str) and len(key) <= MAX_LABEL_KEY and len(value) <= MAX_LABEL
    ]
