"""What the dialer is given: due orders, in turn, within every limit, and each of them once."""

import asyncio
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import event, update
from sqlalchemy.engine import Engine

from api.base.lifecycle import AnsweredBy
from api.base.money import Rate
from api.base.refusals import Invalid, Unaffordable
from api.policy.retry import CallingWindow, RetryPolicy, retry_json
from api.resources.attempt import Ended
from api.resources.call import Call, Concurrency, NewCall
from api.resources.claim import Claim
from api.resources.number import NewNumber
from api.resources.trunk import NewTrunk
from api.store import Store
from api.store.database import Transaction
from api.store.tables import calls
from pbx.switch import Cause
from tests.api.conftest import Clock
from tests.api.policy.oracle import unix
from tests.api.story import BUSY, NODE, NORMAL, NUMBER, OURS, woken

pytestmark = pytest.mark.both_stores

FRIDAY: Final = unix("2026-11-20T12:00+01:00")
BERLIN: Final = ("Europe/Berlin",)
RETRY: Final = RetryPolicy(max_attempts=2)
RATE: Final = Rate("+", 6000)
UNALLOCATED: Final = Cause("failed", "unallocated_number", "There is no such number.", 1, 404)


@pytest.fixture
def clock() -> Clock:
    return Clock(FRIDAY)


@pytest.fixture
def store(ledger: Store) -> Store:
    return ledger


async def ordered(store: Store, to: str = NUMBER, **values: Any) -> Call:
    return await store.calls.create(NewCall(to, OURS, "hi", **values))


async def claims(store: Store, limit: int = 100, node: str = NODE) -> list[Claim]:
    return list((await store.claims.take(limit, node)).claims)


async def ids(store: Store, limit: int = 100) -> list[str]:
    return [claim.call.id for claim in await claims(store, limit)]


async def over(
    store: Store,
    claim: Claim,
    at: float,
    cause: Cause = BUSY,
    answered_by: AnsweredBy | None = None,
    *,
    unknown: bool = False,
) -> Call:
    """The attempt ends; it was answered if anybody is named."""
    call_id = claim.call.id
    if answered_by is not None:
        await store.calls.record_answered(call_id, at - 60)
    ended = Ended(at, cause, cause.name, unknown=unknown, answered_by=answered_by)
    return await store.calls.record_ended(call_id, ended, claim.attempt.number)


async def kinds(store: Store, call: Call) -> list[str]:
    return [event.type.removeprefix("call.") for event in await store.calls.events(call.id)]


# -- retries ---------------------------------------------------------------------------------------


async def test_an_order_is_tried_again_after_its_pause(store: Store, clock: Clock) -> None:
    """RV-8, RV-126, RV-130."""
    call = await ordered(store, retry=RETRY, zones=BERLIN)
    (first,) = await claims(store)
    clock.now += 30
    waits = await over(store, first, clock.now)
    assert (waits.status, waits.waiting_for) == ("queued", "retry_delay")
    assert waits.next_attempt_at == clock.now + 7200
    clock.now = waits.next_attempt_at - 1
    taken = await store.claims.take(9, NODE)
    assert (taken.claims, taken.again_at) == ((), waits.next_attempt_at)
    clock.now = waits.next_attempt_at
    (second,) = await claims(store)
    assert (second.attempt.number, second.call.attempt_count) == (2, 2)
    assert second.attempt.channel_id != first.attempt.channel_id
    last = await over(store, second, clock.now + 30)
    assert (last.status, last.next_attempt_at) == ("busy", None)
    assert (await kinds(store, call)).count("busy") == 1
    assert await claims(store) == []


async def test_an_order_waits_for_its_window(store: Store, clock: Clock) -> None:
    """RV-101, RV-269: what was claimed too late goes back, and is told when it is due."""
    evening = RetryPolicy(calling_windows=(CallingWindow(18 * 60, 20 * 60),))
    call = await ordered(store, retry=evening, zones=BERLIN)
    assert (call.waiting_for, call.next_attempt_at) == ("calling_window", FRIDAY + 6 * 3600)
    clock.now = FRIDAY + 9 * 3600  # nobody looked in time
    assert await claims(store) == []
    later = await store.calls.get(call.id)
    assert (later.waiting_for, later.attempt_count) == ("calling_window", 0)
    assert later.next_attempt_at == unix("2026-11-23T18:00+01:00")  # no weekend


@pytest.mark.parametrize(
    ("cause", "answered_by", "unknown"),
    [
        pytest.param(NORMAL, "human", False, id="RV-8: reached"),
        pytest.param(UNALLOCATED, None, False, id="the number does not exist"),
        pytest.param(BUSY, None, True, id="nobody knows what became of it"),
    ],
)
async def test_an_order_is_not_tried_again(
    store: Store, clock: Clock, cause: Cause, answered_by: AnsweredBy | None, unknown: bool
) -> None:
    await ordered(store, retry=RETRY, zones=BERLIN)
    (claim,) = await claims(store)
    clock.now += 90
    assert (await over(store, claim, clock.now, cause, answered_by, unknown=unknown)).over
    clock.now += 30 * 24 * 3600
    assert await claims(store) == []


async def test_an_order_canceled_between_attempts_is_over_at_once(
    store: Store, clock: Clock
) -> None:
    call = await ordered(store, retry=RETRY, zones=BERLIN)
    (claim,) = await claims(store)
    await over(store, claim, clock.now)
    assert await store.calls.request_cancel(call.id) == "canceled"
    clock.now += 7200
    assert await claims(store) == []
    assert (await store.calls.get(call.id)).status == "canceled"


async def test_a_claim_counts_from_when_its_turn_comes(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a trunk's second would begin before its calls, by as long as the database was busy."""

    async def busy(_transaction: Transaction, _name: str) -> None:
        clock.now += 5

    call = await ordered(store, scheduled_at=FRIDAY + 5)
    monkeypatch.setattr(Transaction, "serialize", busy)
    (claim,) = await claims(store)
    assert (claim.call.id, claim.attempt.created_at) == (call.id, FRIDAY + 5)


async def test_a_clock_that_was_set_forward_is_noticed(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a machine that slept: what is due in an hour may be due sooner."""
    monkeypatch.setattr("api.store.claims._LONGEST_WAIT_S", 0.01)
    await store.claims.wait(None)  # a fresh start may have work
    async with asyncio.timeout(20):
        await store.claims.wait(clock.now + 3600)


async def unreadable(store: Store, call: Call) -> None:
    """As after a downgrade, to a release that does not know the order's time zone."""

    async def work(transaction: Transaction) -> None:
        retry = retry_json(RETRY) | {"timezone": "Europe/Atlantis"}
        changed = update(calls).where(calls.c.id == call.id).values(retry=retry)
        await transaction.connection.execute(changed)

    await store.database.write(work)


async def test_an_order_that_cannot_be_read_any_more_fails_and_holds_nobody_else(
    store: Store, clock: Clock
) -> None:
    tried = await ordered(store, retry=RETRY, zones=BERLIN)
    (claim,) = await claims(store)
    (first, sound) = [await ordered(store, retry=RETRY, zones=BERLIN) for _ in range(2)]
    for call in (tried, first):
        await unreadable(store, call)
    assert await ids(store) == [sound.id]
    ended = await store.calls.get(first.id)
    assert (ended.status, ended.end_reason, ended.attempt_count) == (
        "failed",
        "policy_unreadable",
        0,
    )
    assert (await over(store, claim, clock.now + 9)).status == "busy"


# -- what holds a due order back -------------------------------------------------------------------


async def test_a_key_is_never_over_its_limit_and_holds_nobody_else(
    store: Store, clock: Clock
) -> None:
    """RV-9, RV-255…259: however many wait for it, and however few are looked at."""
    key = Concurrency("tenant", 2)
    held = [await ordered(store, concurrency=key) for _ in range(40)]
    free = await ordered(store)
    found = [await claims(store, 1) for _ in range(3)]
    assert [claim.call.id for (claim,) in found] == [held[0].id, held[1].id, free.id]
    assert await claims(store) == []
    assert (await store.calls.get(held[2].id)).waiting_for == "concurrency_key"
    await over(store, found[0][0], clock.now)
    assert await ids(store) == [held[2].id]


async def test_one_claim_of_many_keeps_to_every_limit(store: Store) -> None:
    await store.trunks.create(NewTrunk("narrow", max_channels=3))
    mixed = [
        await ordered(store, trunk="narrow", concurrency=Concurrency(f"k{number % 2}", 2))
        for number in range(10)
    ]
    assert await ids(store) == [call.id for call in mixed[:3]]
    assert (await store.calls.get(mixed[5].id)).waiting_for == "trunk_channels"


async def test_a_trunk_s_calls_of_one_second(store: Store, clock: Clock) -> None:
    await store.trunks.create(NewTrunk("slow", calls_per_second=2))
    await store.trunks.create(NewTrunk("other"))
    waiting = [await ordered(store, trunk="slow") for _ in range(5)]
    other = await ordered(store, trunk="other")
    first = await store.claims.take(9, NODE)
    assert [claim.call.id for claim in first.claims] == [waiting[0].id, waiting[1].id, other.id]
    assert first.again_at is not None
    assert clock.now + 1 < first.again_at < clock.now + 1.1
    for claim in first.claims:  # over already: calls of the second all the same
        await over(store, claim, clock.now)
    clock.now += 1.0
    assert await claims(store) == []
    clock.now = first.again_at
    assert await ids(store) == [call.id for call in waiting[2:4]]


async def sharing(store: Store, **weights: int) -> None:
    for name, weight in weights.items():
        await store.trunks.create(
            NewTrunk(name, allowed_prefixes=["+1"], max_channels=2, weight=weight)
        )


async def taken(store: Store) -> list[Claim]:
    """What several rounds of the dialer claim."""
    return [claim for _ in range(4) for claim in await claims(store, 4)]


async def test_trunks_share_orders_by_their_weights(store: Store) -> None:
    await sharing(store, a=3, b=1, c=0)
    await store.numbers.create(NewNumber(OURS))
    routes = Counter([(await store.numbers.route(NUMBER)).trunk for _ in range(200)])
    assert set(routes) == {"a", "b"}
    assert 120 < routes["a"] < 180


async def test_an_order_of_a_full_trunk_goes_to_one_that_shares_its_calls(store: Store) -> None:
    await sharing(store, a=3, b=1, c=0)
    for _ in range(6):
        await ordered(store, trunk="a")
    found = await taken(store)
    assert Counter(claim.call.trunk for claim in found) == {"a": 2, "b": 2}, "c shares none"
    waiting = [call for call in (await store.calls.page(limit=9)).items if call.status == "queued"]
    assert {call.waiting_for for call in waiting} == {"trunk_channels"}


@pytest.mark.parametrize("own", ["extensions", "sip_uris", "numbers", "prefixes", "priority"])
async def test_what_is_a_trunks_own_goes_to_no_other(store: Store, own: str) -> None:
    await sharing(store, a=1, b=1)
    if own == "numbers":
        await store.numbers.create(NewNumber("+15550100777", trunk="a"))
    else:
        changes: dict[str, dict[str, Any]] = {
            "extensions": {"extensions": ["2XX"]},
            "sip_uris": {"sip_uris": ["pbx.example"]},
            "prefixes": {"allowed_prefixes": ["+1", "+49"]},
            "priority": {"priority": 9},
        }
        await store.trunks.change("a", changes[own])
    for _ in range(3):
        await ordered(store, trunk="a")
    assert Counter(claim.call.trunk for claim in await taken(store)) == {"a": 2}


async def test_orders_of_a_full_group_hold_nobody_else(store: Store) -> None:
    await sharing(store, a=1, b=1)
    for _ in range(60):
        await ordered(store, trunk="a")
    await ordered(store, trunk="free")
    found = Counter(claim.call.trunk for claim in await taken(store))
    assert found == {"a": 2, "b": 2, "free": 1}
    moved = [call for call in (await store.calls.page(limit=99)).items if call.trunk == "b"]
    assert len(moved) < 10, "no more of them than it has room for, each round"


async def test_a_clock_that_was_set_back_closes_no_trunk(store: Store, clock: Clock) -> None:
    """Its calls of the future are no calls of this second."""
    await store.trunks.create(NewTrunk("slow", calls_per_second=1))
    for _ in range(2):
        await ordered(store, trunk="slow")
    assert len(await claims(store)) == 1
    clock.now -= 3600
    third = await ordered(store, trunk="slow")
    assert await ids(store) == [third.id]
    assert await claims(store) == []
    clock.now += 2
    assert await claims(store) == []  # the second one is an hour ahead
    clock.now += 3600
    assert len(await claims(store)) == 1


async def test_what_is_inactive_is_not_dialled(store: Store) -> None:
    await store.trunks.create(NewTrunk("off", status="inactive"))
    number = await store.numbers.create(NewNumber("+15550100077", status="inactive"))
    on_trunk = await ordered(store, trunk="off")
    from_number = await store.calls.create(NewCall(NUMBER, number.number, "hi"))
    assert await claims(store) == []
    assert (await store.calls.get(on_trunk.id)).waiting_for == "trunk_inactive"
    assert (await store.calls.get(from_number.id)).waiting_for == "number_inactive"
    await store.trunks.change("off", {"status": "active"})
    await store.numbers.change(number.id, {"status": "active"})
    assert await ids(store) == [on_trunk.id, from_number.id]


async def test_a_number_that_was_listed_since_is_not_dialled(store: Store, clock: Clock) -> None:
    """RV-260, RV-312: whatever the order says, and at once where it waits for days."""
    forced = await ordered(store, force_now=True, retry=RETRY, zones=BERLIN)
    later = await ordered(store, scheduled_at=clock.now + 10 * 24 * 3600)
    await store.do_not_call.add(NUMBER, "asked for it")
    assert await claims(store) == []
    for call in (forced, later):
        ended = await store.calls.get(call.id)
        assert (ended.status, ended.end_reason, ended.attempt_count) == ("failed", "do_not_call", 0)
        assert await kinds(store, call) == ["queued", "failed"]
    with pytest.raises(Invalid, match="do-not-call"):
        await ordered(store)


# -- money -----------------------------------------------------------------------------------------


async def test_the_worst_case_is_held_until_the_order_ends(store: Store, clock: Clock) -> None:
    """X-CB-30, CB-45, CB-109…110: over all its attempts, and only what was talked is spent."""
    await store.budget.set_limit(100_000)
    await ordered(store, retry=RETRY, zones=BERLIN, rate=RATE, max_duration_s=600)
    assert (await store.budget.get()).reserved_milli_cents == 60_000
    with pytest.raises(Unaffordable):
        await ordered(store, rate=RATE, max_duration_s=600)
    (claim,) = await claims(store)
    await over(store, claim, clock.now)
    assert (await store.budget.get()).reserved_milli_cents == 60_000
    clock.now += 7200
    (claim,) = await claims(store)
    clock.now += 90
    call = await over(store, claim, clock.now, NORMAL, "human")
    assert (call.reservation_status, call.amount_milli_cents) == ("settled", 6000)
    budget = await store.budget.get()
    assert (budget.reserved_milli_cents, budget.spent_milli_cents) == (0, 6000)


#: Nobody said anything, or an engine failed: whom was told that they are called again.
SILENCE: Final = Cause("completed", "silence", "Nobody said anything.", 16, 200)


async def test_an_answered_attempt_that_is_tried_again_is_paid_at_once(
    store: Store, clock: Clock
) -> None:
    """The hold stays, for the next attempt at its longest; the call costs what all of them cost."""
    await store.budget.set_limit(100_000)
    call = await ordered(store, retry=RETRY, zones=BERLIN, rate=RATE, max_duration_s=600)
    (claim,) = await claims(store)
    clock.now += 90
    waiting = await over(store, claim, clock.now, SILENCE, "unknown")
    assert (waiting.status, waiting.amount_milli_cents) == ("queued", None)
    budget = await store.budget.get()
    assert (budget.reserved_milli_cents, budget.spent_milli_cents) == (60_000, 6000)
    clock.now += 7200
    (claim,) = await claims(store)
    clock.now += 30
    done = await over(store, claim, clock.now, BUSY)
    assert (done.status, done.reservation_status, done.amount_milli_cents) == (
        "busy",
        "settled",
        6000,
    )
    assert [one.amount_milli_cents for one in await store.calls.attempts(call.id)] == [6000, 0]
    budget = await store.budget.get()
    assert (budget.reserved_milli_cents, budget.spent_milli_cents) == (0, 6000)
    entries = (await store.budget.entries(limit=9, call_id=call.id)).items
    assert [(one.kind, one.milli_cents) for one in entries] == [
        ("release", 60_000),
        ("reserve", 60_000),
        ("settle", 6000),
        ("reserve", 60_000),
    ]


@pytest.mark.parametrize("end", ["answered", "canceled", "do_not_call"])
async def test_however_an_order_ends_all_its_attempts_are_paid(
    store: Store, clock: Clock, end: str
) -> None:
    call = await ordered(store, retry=RETRY, zones=BERLIN, rate=RATE, max_duration_s=600)
    (claim,) = await claims(store)
    clock.now += 90
    if end == "do_not_call":
        await store.do_not_call.add(NUMBER, "asked for it")
    await over(store, claim, clock.now, SILENCE, "unknown")
    if end == "answered":
        clock.now += 7200
        (claim,) = await claims(store)
        clock.now += 90
        await over(store, claim, clock.now, SILENCE, "unknown")
    elif end == "canceled":
        await store.calls.request_cancel(call.id)
    done = await store.calls.get(call.id)
    cost = 12_000 if end == "answered" else 6000
    assert (done.over, done.reservation_status, done.amount_milli_cents) == (True, "settled", cost)
    budget = await store.budget.get()
    assert (budget.reserved_milli_cents, budget.spent_milli_cents) == (0, cost)


async def test_a_next_attempt_that_the_budget_does_not_bear_waits_for_money(
    store: Store, clock: Clock
) -> None:
    await store.budget.set_limit(60_000)
    call = await ordered(store, retry=RETRY, zones=BERLIN, rate=RATE, max_duration_s=600)
    (claim,) = await claims(store)
    clock.now += 90
    await over(store, claim, clock.now, SILENCE, "unknown")
    clock.now += 7200
    assert await claims(store) == []
    assert (await store.calls.get(call.id)).waiting_for == "budget"
    await store.budget.set_limit(66_000)
    assert await ids(store) == [call.id]


async def test_an_overdrawn_budget_holds_what_costs(store: Store) -> None:
    costs = await ordered(store, rate=RATE)
    free = await ordered(store)
    await store.budget.set_limit(0)
    assert await ids(store) == [free.id]
    assert (await store.calls.get(costs.id)).waiting_for == "budget"
    await store.budget.set_limit(None)
    assert await ids(store) == [costs.id]


async def test_money_that_comes_back_wakes_the_dialer(store: Store) -> None:
    """A canceled order gives back what it held; another one may then be dialled."""
    first, second = [await ordered(store, rate=RATE) for _ in range(2)]
    await store.budget.set_limit(first.reserved_milli_cents)
    assert await claims(store) == []
    await store.claims.wait(None)
    await store.calls.request_cancel(first.id)
    await woken(store)
    assert await ids(store) == [second.id]


# -- processes that die ----------------------------------------------------------------------------


async def test_only_what_a_dead_process_ran_is_an_orphan(store: Store, clock: Clock) -> None:
    for node in ("living", "dead"):
        await store.leases.take(f"node:{node}", node, 20)
        await ordered(store)
        await claims(store, node=node)
    clock.now += 19
    assert await store.calls.orphans() == []
    await store.leases.take("node:living", "living", 20)
    clock.now += 2
    (left,) = await store.calls.orphans()
    assert left.attempt is not None
    assert left.attempt.node_id == "dead"
    assert await store.claims.abandoned([left.attempt.channel_id, "offhook-of-others"]) == [
        left.attempt.channel_id
    ]


async def test_an_end_told_late_by_a_process_taken_for_dead_changes_nothing(
    store: Store, clock: Clock
) -> None:
    await ordered(store, retry=RETRY, zones=BERLIN)
    (claim,) = await claims(store)
    settled = await over(store, claim, clock.now, unknown=True)
    with pytest.raises(Exception, match="cannot become"):
        await over(store, claim, clock.now + 5, NORMAL)
    assert await store.calls.get(settled.id) == settled


# -- the planner -----------------------------------------------------------------------------------


@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """What SQLAlchemy sends meanwhile."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def test_nothing_that_is_asked_all_the_time_reads_a_whole_table(tmp_path: Path) -> None:
    """On SQLite, whose planner has no statistics: a claim, an end, orphans, the outbox."""
    path = tmp_path / "offhook.db"
    store = await Store.open(path)
    await store.trunks.create(NewTrunk("t", max_channels=2, calls_per_second=2))
    with statements() as sent:
        await ordered(store, trunk="t", concurrency=Concurrency("k", 1))
        (claim,) = await claims(store)
        await over(store, claim, claim.attempt.created_at + 1)
        await store.calls.orphans()
        await store.outbox.due(0.0, 9)
        await store.outbox.next_due(0.0)
    await store.close()
    steps = []
    with closing(sqlite3.connect(path)) as connection:
        for statement, parameters in sent:
            if statement.startswith(("BEGIN", "PRAGMA")):
                continue
            given = parameters[0] if isinstance(parameters, list) else parameters
            plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", given).fetchall()
            steps += [step for *_, step in plan]
    partial = re.compile(r".* USING (COVERING )?INDEX ix_(attempts_live|calls_awaiting_result)")
    whole = re.compile("SCAN (calls|attempts|webhook_deliveries)")
    assert [step for step in steps if whole.match(step) and not partial.match(step)] == []
    assert sum("ix_calls_due" in step for step in steps) == 3
    assert sum("ix_webhook_deliveries_due" in step for step in steps) == 2
