"""Orders and attempts of the ledger as the facts that the policy and the gates decide on."""

from collections.abc import Sequence

from api.base.lifecycle import TERMINAL, CallStatus
from api.base.money import rate_of
from api.policy import decide
from api.policy.decide import AttemptFacts, OrderFacts, Stop
from api.policy.gates import Wish
from api.policy.retry import parse_retry
from api.resources.attempt import Attempt
from api.resources.call import Call


def order_facts(
    call: Call,
    *,
    do_not_call: bool = False,
    destination_refused: bool = False,
    ways: Sequence[str] = (),
    proven: bool = True,
) -> OrderFacts:
    """What the policy has to know of a call.

    Args:
        do_not_call: whether its number is on the list now.
        destination_refused: whether its number is none that may be called now.
        ways: trunks that it can go out on now, the best first.
        proven: whether one of them works.
    """
    return OrderFacts(
        zones=tuple(call.zones),
        retry=None if call.retry is None else parse_retry(call.retry),
        scheduled_at=call.scheduled_at,
        force_now=call.force_now,
        cancel_requested=call.cancel_requested_at is not None,
        do_not_call=do_not_call,
        destination_refused=destination_refused,
        ways=tuple(ways),
        proven=proven,
        patient=call.retry is not None or call.campaign_id is not None,
    )


def called_again(call: Call, earlier: Sequence[Attempt], now: float) -> bool:
    """Whether another attempt follows those if the one under way breaks off at `now`."""
    broken = AttemptFacts(now, now, "failed", answered=True, end_reason="engine_error")
    attempts = [*map(attempt_facts, earlier), broken]
    decision = decide.decide(order_facts(call), attempts, now)
    return not isinstance(decision, Stop)


def attempt_facts(attempt: Attempt) -> AttemptFacts:
    """What the policy has to know of an attempt."""
    status: CallStatus = "initiated"
    for terminal in TERMINAL:
        if terminal == attempt.state:
            status = terminal
    return AttemptFacts(
        started_at=attempt.created_at,
        ended_at=attempt.ended_at,
        status=status,
        answered=attempt.answered_at is not None,
        answered_by=attempt.answered_by,
        end_reason=attempt.end_reason,
        q850_cause=attempt.q850_cause,
        sip_code=attempt.sip_code,
        unknown=attempt.unknown,
        trunk=attempt.trunk,
    )


def trunks_failed(tried: Sequence[Attempt]) -> Sequence[str | None]:
    """The trunks that failed the latest attempts, in order."""
    return decide.trunks_failed([attempt_facts(one) for one in tried])


def wish(call: Call) -> Wish:
    """What the gates have to know of a call."""
    rate = rate_of(call.rate)
    return Wish(
        from_number=call.from_number,
        trunk=call.trunk or "",
        concurrency_key=call.concurrency_key,
        concurrency_max=call.concurrency_max,
        campaign_id=call.campaign_id,
        costs=rate is not None and rate.milli_cents_per_minute > 0,
    )
