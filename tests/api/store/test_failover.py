"""Orders whose trunk fails: the next one, rest, waking, and what is not counted."""

import asyncio
import uuid
from typing import Any, Final

import pytest

from api.base.money import Rate
from api.policy.retry import WEEKDAYS, CallingWindow, RetryPolicy
from api.resources.attempt import Ended
from api.resources.call import Call, NewCall
from api.resources.claim import Claim
from api.resources.number import NewNumber
from api.resources.trunk import NewTrunk
from api.store import Store
from pbx.switch import Cause, TrunkFault
from tests.api.conftest import Clock
from tests.api.policy.oracle import unix
from tests.api.story import BUSY, NODE, NORMAL, NUMBER, OURS

pytestmark = pytest.mark.both_stores

FRIDAY: Final = unix("2026-11-20T12:00+01:00")
BERLIN: Final = ("Europe/Berlin",)
TRUNKS: Final = ("first", "second", "other")


@pytest.fixture
def clock() -> Clock:
    return Clock(FRIDAY)


@pytest.fixture
async def store(ledger: Store) -> Store:
    """Of three trunks two take the number."""
    await ledger.numbers.create(NewNumber(OURS))
    await ledger.trunks.create(NewTrunk("second", priority=20))
    await ledger.trunks.create(NewTrunk("first"))
    await ledger.trunks.create(NewTrunk("other", allowed_prefixes=("+49",)))
    return ledger


async def ordered(store: Store, **values: Any) -> Call:
    route = await store.numbers.route(NUMBER)
    return await store.calls.create(NewCall(NUMBER, OURS, "hi", trunk=route.trunk, **values))


async def claims(store: Store) -> list[Claim]:
    found: list[Claim] = []
    while more := (await store.claims.take(9, NODE)).claims:
        found += more
    return found


async def one(store: Store) -> Claim:
    (claim,) = await claims(store)
    return claim


async def fails(
    store: Store, claim: Claim, clock: Clock, fault: TrunkFault = "trunk_unreachable"
) -> Call:
    cause = Cause("failed", "recovery_on_timer_expire", "It gave no answer.", 102, 408)
    return await store.calls.record_ended(claim.call.id, Ended(clock.now, cause, fault))


async def standing(store: Store, name: str) -> tuple[int, float | None]:
    trunk = await store.trunks.get(name)
    return trunk.failures, trunk.resting_until


async def test_the_lowest_priority_goes_first(store: Store) -> None:
    assert (await store.numbers.route(NUMBER)).trunk == "first"
    await store.trunks.change("first", {"priority": 30})
    assert (await store.numbers.route(NUMBER)).trunk == "second"


async def test_an_order_goes_on_over_the_next_trunk(store: Store, clock: Clock) -> None:
    call = await ordered(store)
    waiting = await fails(store, await one(store), clock)
    assert (waiting.status, waiting.trunk) == ("queued", "second")
    second = await one(store)
    assert (second.call.id, second.attempt.number, second.attempt.trunk) == (call.id, 2, "second")
    busy = await store.calls.record_ended(call.id, Ended(clock.now, BUSY, "busy"))
    assert (busy.status, busy.end_reason, busy.error_message) == ("busy", "busy", BUSY.message)
    tried = await store.calls.attempts(call.id)
    assert [(one.trunk, one.sip_code, one.end_reason) for one in tried] == [
        ("first", 408, "trunk_unreachable"),
        ("second", 486, "busy"),
    ]
    events = [event.type for event in await store.calls.events(call.id)]
    assert events.count("call.busy") == events.count("call.ended") == 1
    assert "call.attempt_ended" in events
    assert await claims(store) == []


async def test_an_order_fails_when_no_trunk_is_left(store: Store, clock: Clock) -> None:
    call = await ordered(store)
    await fails(store, await one(store), clock)
    failed = await fails(store, await one(store), clock, "trunk_refused")
    assert (failed.status, failed.end_reason, failed.attempt_count) == (
        "failed", "trunk_refused", 2,
    )  # fmt: skip
    assert [event.terminal for event in await store.calls.events(call.id)][-1]


async def test_a_trunk_that_failed_rests_and_others_are_used_meanwhile(
    store: Store, clock: Clock
) -> None:
    early = await ordered(store)
    claim = await one(store)
    assert claim.call.id == early.id
    waiting = await ordered(store)
    await fails(store, claim, clock)
    assert await standing(store, "first") == (1, clock.now + 10)
    assert {one.attempt.trunk for one in await claims(store)} == {"second"}
    assert (await store.calls.get(waiting.id)).trunk == "second"
    assert (await store.numbers.route(NUMBER)).trunk == "second"


async def test_orders_wait_for_a_trunk_that_rests(store: Store, clock: Clock) -> None:
    """One at a time tries it, and the first that rings there lets all others through."""
    await store.trunks.change("second", {"status": "inactive"})
    await ordered(store, campaign_id=None)
    await fails(store, await one(store), clock)
    waiting = [await ordered(store) for _ in range(30)]
    taken = await store.claims.take(9, NODE)
    assert taken.claims == ()
    assert await claims(store) == []
    held = await store.calls.get(waiting[-1].id)
    assert (held.waiting_for, held.next_attempt_at) == ("trunk_resting", clock.now + 10)
    clock.now += 10
    trial = await one(store)
    assert (await store.calls.get(waiting[-1].id)).waiting_for == "trunk_resting"
    await fails(store, trial, clock)
    assert await standing(store, "first") == (2, clock.now + 20)
    assert await claims(store) == []
    clock.now += 20
    trial = await one(store)
    await store.calls.record_ringing(trial.call.id, clock.now)
    assert await standing(store, "first") == (0, None)
    assert len(await claims(store)) == 28


async def test_a_trunk_that_the_operator_has_mended_is_used_at_once(
    store: Store, clock: Clock
) -> None:
    await store.trunks.change("second", {"status": "inactive"})
    await ordered(store)
    await fails(store, await one(store), clock)
    await ordered(store)
    assert await claims(store) == []
    mended = await store.trunks.change("first", {})
    assert (mended.failures, mended.resting_until, mended.rest_reason) == (0, None, None)
    await one(store)


async def test_a_long_call_on_a_trunk_does_not_keep_it_from_being_tried(
    store: Store, clock: Clock
) -> None:
    await store.trunks.change("second", {"status": "inactive"})
    await ordered(store)
    talking = await one(store)
    await store.calls.record_answered(talking.call.id, clock.now)
    clock.now += 60
    await ordered(store)
    await fails(store, await one(store), clock)
    await ordered(store)
    clock.now += 10
    await one(store)


async def test_five_calls_that_fail_at_once_are_one_rest(store: Store, clock: Clock) -> None:
    for _ in range(5):
        await ordered(store)
    for claim in await claims(store):
        await fails(store, claim, clock)
    assert await standing(store, "first") == (1, clock.now + 10)


async def test_a_failure_of_the_carrier_makes_it_rest_the_third_time(
    store: Store, clock: Clock
) -> None:
    for failures in (1, 2):
        await ordered(store)
        for claim in await claims(store):
            if claim.attempt.trunk == "first":
                await fails(store, claim, clock, "trunk_failed")
        assert await standing(store, "first") == (failures, None)
        for claim in await claims(store):
            await store.calls.record_ended(claim.call.id, Ended(clock.now, BUSY, "busy"))
    await ordered(store)
    await fails(store, await one(store), clock, "trunk_failed")
    assert await standing(store, "first") == (3, clock.now + 10)


async def test_any_answer_of_the_network_shows_that_a_trunk_works(
    store: Store, clock: Clock
) -> None:
    await ordered(store)
    await fails(store, await one(store), clock, "trunk_failed")
    await one(store)
    await ordered(store)
    claim = await one(store)
    assert claim.attempt.trunk == "first"
    await store.calls.record_ended(claim.call.id, Ended(clock.now, BUSY, "busy"))
    assert await standing(store, "first") == (0, None)


async def test_a_number_of_one_trunk_is_shown_on_no_other(store: Store, clock: Clock) -> None:
    (number,) = (await store.numbers.page(limit=9)).items
    await store.numbers.change(number.id, {"trunk": "first"})
    await ordered(store)
    failed = await fails(store, await one(store), clock)
    assert (failed.status, failed.end_reason) == ("failed", "trunk_unreachable")


async def test_retries_are_not_spent_on_trunks_that_fail(store: Store, clock: Clock) -> None:
    await store.trunks.change("second", {"status": "inactive"})
    call = await ordered(store, retry=RetryPolicy(max_attempts=1), zones=BERLIN)
    waiting = await fails(store, await one(store), clock)
    assert (waiting.status, waiting.waiting_for) == ("queued", "trunk_resting")
    assert await claims(store) == []
    clock.now += 30
    again = await one(store)
    assert (again.call.id, again.attempt.trunk) == (call.id, "first")
    done = await store.calls.record_ended(call.id, Ended(clock.now, BUSY, "busy"))
    assert (done.status, done.attempt_count) == ("busy", 2)


async def test_the_best_trunk_is_used_again_once_it_works(store: Store, clock: Clock) -> None:
    call = await ordered(store, retry=RetryPolicy(max_attempts=2), zones=BERLIN)
    await fails(store, await one(store), clock)
    await one(store)
    clock.now += 60
    later = await store.calls.record_ended(call.id, Ended(clock.now, BUSY, "busy"))
    assert (later.waiting_for, later.trunk) == ("retry_delay", "first")


async def test_money_is_held_over_every_trunk_and_given_back(store: Store, clock: Clock) -> None:
    await store.budget.set_limit(1_000_000)
    call = await ordered(store, rate=Rate("+", 6000), max_duration_s=60)
    held = call.reserved_milli_cents
    waiting = await fails(store, await one(store), clock)
    assert (waiting.reserved_milli_cents, waiting.amount_milli_cents) == (held, None)
    await one(store)
    await store.calls.record_answered(call.id, clock.now + 1)
    talked = Ended(clock.now + 31, NORMAL, "agent_hangup", answered_by="human")
    done = await store.calls.record_ended(call.id, talked)
    assert [one.amount_milli_cents for one in await store.calls.attempts(call.id)] == [0, 3000]
    assert done.amount_milli_cents == 3000
    budget = await store.budget.get()
    assert (budget.spent_milli_cents, budget.reserved_milli_cents) == (3000, 0)


ALWAYS: Final = RetryPolicy(
    allowed_days=frozenset(WEEKDAYS), calling_windows=(CallingWindow(0, 24 * 60),)
)


@pytest.mark.parametrize(("works_for_others", "waiting"), [(True, False), (False, True)])
async def test_an_order_is_patient_for_longer_with_a_trunk_that_works_for_nobody(
    store: Store, clock: Clock, works_for_others: bool, waiting: bool
) -> None:
    """A rest that is over shows nothing yet: with the trunk dead, it is tried for a day."""
    await store.trunks.change("second", {"status": "inactive"})
    call = await ordered(store, retry=ALWAYS, zones=BERLIN)
    until = clock.now + 2 * 3600
    while not (call := await store.calls.get(call.id)).over and clock.now < until:
        clock.now = max(clock.now, call.next_attempt_at or 0.0)
        if works_for_others:
            await store.trunks.change("first", {})  # as another's ringing
        for claim in await claims(store):
            clock.now += 6
            await fails(store, claim, clock)
    assert call.over is not waiting


async def test_a_caller_is_none_that_tries_a_rested_trunk(store: Store, clock: Clock) -> None:
    """Somebody who calls in, for as long as it lasts, keeps no order waiting."""
    await store.trunks.change("second", {"status": "inactive"})
    await ordered(store)
    await fails(store, await one(store), clock)
    waiting = [await ordered(store) for _ in range(2)]
    clock.now += 10.5
    caller = NewCall(OURS, NUMBER, "hi", direction="inbound", trunk="first")
    begun = await store.inbound.begin(str(uuid.uuid4()), caller, "1720000000.1", NODE)
    await store.calls.record_answered(begun.call.id, clock.now)
    assert (await one(store)).call.id == waiting[0].id


async def test_two_dialers_try_a_rested_trunk_once(store: Store, clock: Clock) -> None:
    await store.trunks.change("second", {"status": "inactive"})
    await ordered(store)
    await fails(store, await one(store), clock)
    for _ in range(2):
        await ordered(store)
    clock.now += 10
    both = await asyncio.gather(*(store.claims.take(5, node) for node in ("a", "b")))
    assert sum(len(one.claims) for one in both) == 1


async def test_an_attempt_that_was_never_sent_changes_nothing_between_trunks(
    store: Store, clock: Clock
) -> None:
    await ordered(store)
    await fails(store, await one(store), clock)
    claim = await one(store)
    assert claim.call.trunk == "second"
    unsent = Cause("failed", "pbx_unavailable", "There is no connection.")
    waiting = await store.calls.record_ended(
        claim.call.id, Ended(clock.now, unsent, "pbx_unavailable")
    )
    assert (waiting.status, waiting.trunk) == ("queued", "second")
    assert (await one(store)).call.trunk == "second"
    assert await standing(store, "second") == (0, None)
