"""The second leg of a transfer is held and paid for like the first."""

import asyncio

import pytest

from api.base.money import Rate
from api.base.refusals import Unaffordable
from api.resources.attempt import Ended
from api.resources.call import Call
from api.resources.rate import NewRate
from api.resources.transfer import TransferWish
from api.resources.trunk import NewTrunk, Route
from api.store import Store
from tests.api.conftest import Bench, Clock
from tests.api.story import NORMAL, OURS, answered, new_call

THIRD = "+15550100200"
ROUTE = Route(OURS, "carrier")
WISH = TransferWish(THIRD)
#: Milli-cents a minute, of the call and of whom it is handed over to.
OWN, THEIRS = Rate("+1555", 60), Rate("+15550100200", 600)
LIMIT = 1_000_000


@pytest.fixture
async def ledger(ledger: Store) -> Store:
    """With a budget and a trunk."""
    await ledger.budget.set_limit(LIMIT)
    await ledger.trunks.create(NewTrunk("carrier"))
    return ledger


async def on_the_line(store: Store, clock: Clock) -> Call:
    await new_call(store, trunk="carrier", rate=OWN, max_duration_s=600)
    (claim,) = (await store.claims.take(1, "node-1")).claims
    await store.calls.record_answered(claim.call.id, clock.now)
    call = await store.calls.get(claim.call.id)
    assert call.reserved_milli_cents == 600
    return call


async def standing(store: Store) -> tuple[int, int]:
    """Milli-cents held and spent."""
    now = await store.budget.get()
    return now.reserved_milli_cents, now.spent_milli_cents


@pytest.mark.both_stores
async def test_both_legs_are_held_at_their_longest_and_settled_with_what_they_lasted(
    ledger: Store, clock: Clock
) -> None:
    call = await on_the_line(ledger, clock)
    begun = await ledger.transfers.begin(call.id, WISH, ROUTE, THEIRS, 3600)
    # An hour of theirs, and an hour more of the first leg.
    assert begun.reserved_milli_cents == 36_000 + 3_600
    assert await standing(ledger) == (600 + 39_600, 0)
    await ledger.transfers.completed(call.id, clock.now + 20)
    over = await ledger.calls.record_ended(call.id, Ended(clock.now + 140, NORMAL, "transferred"))
    assert (over.amount_milli_cents, over.reserved_milli_cents) == (140 + 1200, 600)
    assert await standing(ledger) == (0, 1340)
    entries = (await ledger.budget.entries(limit=9, call_id=call.id)).items
    assert [(one.kind, one.milli_cents) for one in entries] == [
        ("settle", 140),
        ("settle", 1200),
        ("reserve", 39_600),
        ("reserve", 600),
    ]


@pytest.mark.both_stores
async def test_a_transfer_that_the_budget_does_not_bear_is_not_begun(
    ledger: Store, clock: Clock
) -> None:
    call = await on_the_line(ledger, clock)
    with pytest.raises(Unaffordable):
        await ledger.transfers.begin(call.id, WISH, ROUTE, Rate("+", 60_000), 3600)
    assert (await ledger.calls.get(call.id)).transfer is None
    assert await standing(ledger) == (600, 0)


@pytest.mark.both_stores
async def test_one_that_failed_gives_its_hold_back_and_pays_for_who_was_briefed(
    ledger: Store, clock: Clock
) -> None:
    call = await on_the_line(ledger, clock)
    await ledger.transfers.begin(call.id, WISH, ROUTE, THEIRS, 3600)
    await ledger.transfers.failed(call.id, clock.now + 30, "nobody answered")
    assert await standing(ledger) == (600, 0)
    warm = TransferWish(THIRD, "warm")
    await ledger.transfers.begin(call.id, warm, ROUTE, THEIRS, 3600)
    await ledger.transfers.answered(call.id, clock.now + 40)
    await ledger.transfers.failed(call.id, clock.now + 50, "they hung up")
    assert await standing(ledger) == (600, 100)
    over = await ledger.calls.record_ended(call.id, Ended(clock.now + 60, NORMAL, "agent_hangup"))
    assert over.amount_milli_cents == 60 + 100
    assert await standing(ledger) == (0, 160)


async def test_one_is_paid_for_from_the_briefing_on(ledger: Store, clock: Clock) -> None:
    call = await on_the_line(ledger, clock)
    await ledger.transfers.begin(call.id, TransferWish(THIRD, "warm"), ROUTE, THEIRS, 3600)
    await ledger.transfers.answered(call.id, clock.now + 10)
    await ledger.transfers.completed(call.id, clock.now + 20)
    over = await ledger.calls.record_ended(call.id, Ended(clock.now + 70, NORMAL, "transferred"))
    assert over.amount_milli_cents == 70 + 600


async def test_a_call_that_ends_while_it_is_briefed_pays_for_that(
    ledger: Store, clock: Clock
) -> None:
    call = await on_the_line(ledger, clock)
    await ledger.transfers.begin(call.id, TransferWish(THIRD, "warm"), ROUTE, THEIRS, 3600)
    await ledger.transfers.answered(call.id, clock.now + 10)
    over = await ledger.calls.record_ended(call.id, Ended(clock.now + 15, NORMAL, "person_hangup"))
    assert over.amount_milli_cents == 15 + 50
    assert await standing(ledger) == (0, 65)


async def test_after_a_refer_nobody_tells_how_long_they_talk(ledger: Store, clock: Clock) -> None:
    await ledger.trunks.change("carrier", {"allow_refer": True})
    call = await on_the_line(ledger, clock)
    begun = await ledger.transfers.begin(call.id, WISH, ROUTE, THEIRS, 3600)
    assert begun.method == "refer"
    await ledger.transfers.completed(call.id, clock.now + 20)
    over = await ledger.calls.record_ended(call.id, Ended(clock.now + 20, NORMAL, "transferred"))
    assert over.amount_milli_cents == 20 + 36_000


@pytest.mark.both_stores
async def test_two_transfers_at_one_time_do_not_share_what_is_left(
    ledger: Store, clock: Clock
) -> None:
    calls = [await on_the_line(ledger, clock) for _ in range(2)]
    await ledger.budget.set_limit(2 * 600 + 39_600 + 100)
    begun = await asyncio.gather(
        *(ledger.transfers.begin(call.id, WISH, ROUTE, THEIRS, 3600) for call in calls),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in begun) == ["Transfer", "Unaffordable"]


async def test_over_the_api_the_refusal_is_the_first_legs(bench: Bench) -> None:
    store = bench.store
    call = await answered(store, trunk="trunk")
    await store.rates.put(NewRate("+1", 1000))
    # Four hours of `calls.max_transferred_s` cost 240 000.
    await store.budget.set_limit(239_999)
    path = f"/v1/calls/{call.id}/transfer"
    answer = await bench.client.post(path, json={"number": THIRD})
    assert (answer.status_code, answer.json()["code"]) == (402, "budget_exceeded")
    assert bench.asked == []
    await store.budget.set_limit(240_000)
    answer = await bench.client.post(path, json={"number": THIRD})
    assert answer.status_code == 202, answer.text
    assert (await store.budget.get()).reserved_milli_cents == 240_000
