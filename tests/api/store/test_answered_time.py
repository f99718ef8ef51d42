"""What is billed is the time from the answer to the end, whatever the end; nothing else."""

from typing import Any

import pytest

from api.base.money import Rate
from api.resources.attempt import Ended
from api.resources.number import NewNumber
from api.resources.trunk import NewTrunk
from api.store import Store
from pbx.switch import Cause
from tests.api.conftest import Clock
from tests.api.story import BUSY, NORMAL, NUMBER, OURS, claim_up_to, new_call

#: A milli-cent a second, in steps of a second.
RATE = Rate("+", 60)
RANG, ANSWERED, ENDED = 7.0, 19.6, 50.2
FAILED = Cause("failed", "pbx_lost_call", "The PBX was restarted.")


def billed(shown: Any) -> tuple[int | None, int | None]:
    return shown.billed_duration_seconds, shown.billing_amount_milli_cents


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (NORMAL, "person_hangup"),
        (NORMAL, "agent_hangup"),
        (NORMAL, "operator_hangup"),
        (NORMAL, "max_duration"),
        (NORMAL, "silence"),
        (NORMAL, "server_shutdown"),
        (FAILED, "failed"),
        (FAILED, "engine_error"),
        (FAILED, "server_restart"),
    ],
)
async def test_every_end_of_an_answered_call(
    ledger: Store, clock: Clock, cause: Cause, reason: str
) -> None:
    call = await new_call(ledger, rate=RATE)
    clock.now += 100  # in the queue
    begun = clock.now
    await claim_up_to(ledger, 1)
    await ledger.calls.record_ringing(call.id, begun + RANG)
    await ledger.calls.record_answered(call.id, begun + ANSWERED)
    clock.now += 300  # the store hears of it late, and the result later still
    ended = Ended(begun + ENDED, cause, reason, awaits_result=True, answered_by="human")
    await ledger.calls.record_ended(call.id, ended)
    clock.now += 60
    done = await ledger.calls.record_result(call.id, {"ok": True})
    assert billed(done.shown) == (31, 31)
    assert [one.amount_milli_cents for one in await ledger.calls.attempts(call.id)] == [31]


@pytest.mark.parametrize(
    ("rings", "cause"),
    [
        (True, BUSY),
        (True, Cause("no_answer", "no_answer", "Nobody answered.", 19)),
        (False, FAILED),
    ],
)
async def test_no_end_before_the_answer_costs(
    ledger: Store, clock: Clock, rings: bool, cause: Cause
) -> None:
    call = await new_call(ledger, rate=RATE)
    await claim_up_to(ledger, 1)
    if rings:
        await ledger.calls.record_ringing(call.id, clock.now + RANG)
    done = await ledger.calls.record_ended(call.id, Ended(clock.now + ENDED, cause, cause.state))
    assert billed(done.shown) == (0, 0)


async def test_the_tries_of_other_trunks_cost_nothing(ledger: Store, clock: Clock) -> None:
    await ledger.numbers.create(NewNumber(OURS))
    for name in ("first", "second"):
        await ledger.trunks.create(NewTrunk(name))
        clock.now += 1
    call = await new_call(ledger, trunk="first", rate=RATE)
    await claim_up_to(ledger, 1)
    silent = Cause("failed", "recovery_on_timer_expire", "It gave no answer.", 102)
    await ledger.calls.record_ended(call.id, Ended(clock.now + 6, silent, "trunk_unreachable"))
    clock.now += 10
    begun = clock.now
    (second,) = await claim_up_to(ledger, 1)
    assert (second.attempt.trunk, second.call.to_number) == ("second", NUMBER)
    await ledger.calls.record_answered(call.id, begun + 1.0)
    talked = Ended(begun + 13.0, NORMAL, "person_hangup", answered_by="human")
    done = await ledger.calls.record_ended(call.id, talked)
    assert billed(done.shown) == (12, 12)
    assert [one.amount_milli_cents for one in await ledger.calls.attempts(call.id)] == [0, 12]


async def test_a_clock_that_was_set_back_makes_no_time_negative(
    ledger: Store, clock: Clock
) -> None:
    call = await new_call(ledger, rate=RATE)
    await claim_up_to(ledger, 1)
    await ledger.calls.record_answered(call.id, clock.now + 10)
    done = await ledger.calls.record_ended(
        call.id, Ended(clock.now - 3600, NORMAL, "person_hangup")
    )
    assert billed(done.shown) == (0, 0)
