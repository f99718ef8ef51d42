"""Campaigns turn contacts into orders: paced to free slots, each once, whatever happens.

X-RV-3.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api.base.money import Rate
from api.base.refusals import Conflict, Invalid, NotFound
from api.orders.campaigns import CampaignFeeder
from api.resources.agent import NewStoredAgent
from api.resources.attempt import Ended
from api.resources.call import Call
from api.resources.campaign import Campaign, NewContact, Report
from api.resources.rate import NewRate
from api.settings import StoreSection
from api.store import Store, StoreError
from api.store.queries import CallFilter
from pbx.switch import Cause
from tests.api.campaigning import (
    NUMBERS,
    campaign,
    contacts,
    eventually,
    idle,
    pacing,
    services_of,
)
from tests.api.story import BUSY, NORMAL, claim_up_to, new_call
from tests.api.switchboard import Office, impatient

pytestmark = pytest.mark.both_stores

LIVE = {"initiated", "ringing", "in_progress"}


async def calls_of(store: Store, campaign_id: str) -> list[Call]:
    """The campaign's calls, oldest first."""
    page = await store.calls.page(limit=1000, wanted=CallFilter(campaign_id=campaign_id))
    return list(page.items[::-1])


def ordered(count: int) -> Callable[[Report], bool]:
    return lambda report: report.contacts["ordered"] == count


async def end(store: Store, call: Call, *, awaits_result: bool = False) -> None:
    """Somebody answers, and the call ends."""
    await store.calls.record_answered(call.id, time.time())
    await store.calls.record_ended(call.id, Ended(time.time(), NORMAL, "done", awaits_result))


# -- pacing ----------------------------------------------------------------------------------------


async def test_no_more_orders_are_in_flight_than_asked_for(store: Store) -> None:
    made = await campaign(store, 5, max_concurrent=2)
    async with pacing(await services_of(store)):
        await eventually(store, made.id, ordered(2))
        await idle(store)
        for total in (3, 4, 5):
            (claim,) = await claim_up_to(store, 1)
            await idle(store)
            assert (await store.campaigns.get(made.id)).contacts["ordered"] == total - 1
            await end(store, claim.call)
            await eventually(store, made.id, ordered(total))
    orders = await calls_of(store, made.id)
    assert [call.to_number for call in orders] == NUMBERS[:5]
    assert [contact.call_id for contact in await contacts(store, made.id)] == [
        call.id for call in orders
    ]


async def test_a_trunk_that_fails_burns_no_contact(store: Store) -> None:
    made = await campaign(store, 5, max_concurrent=2)
    fault = Cause("failed", "recovery_on_timer_expire", "The trunk gave no answer.", 102)
    async with pacing(await services_of(store)):
        await eventually(store, made.id, ordered(2))
        for claim in await claim_up_to(store, 2):
            ended = Ended(time.time(), fault, "trunk_unreachable")
            waiting = await store.calls.record_ended(claim.call.id, ended)
            assert (waiting.status, waiting.waiting_for) == ("queued", "trunk_resting")
        await idle(store)
        assert (await store.campaigns.get(made.id)).contacts["ordered"] == 2
        assert await claim_up_to(store, 2) == []
    assert {call.status for call in await calls_of(store, made.id)} == {"queued"}


async def test_an_engine_that_is_down_burns_no_contact(store: Store) -> None:
    made = await campaign(store, 5, max_concurrent=2)
    async with pacing(await services_of(store)):
        await eventually(store, made.id, ordered(2))
        taken = await store.claims.take(2, "node", hinders=lambda _: True)
        assert taken.claims == ()
        orders = await calls_of(store, made.id)
        assert [call.waiting_for for call in orders] == ["engine_down"] * 2
        await idle(store)
        assert (await store.campaigns.get(made.id)).contacts["ordered"] == 2


async def test_it_is_completed_with_the_last_result(store: Store) -> None:
    made = await campaign(store, 2)
    async with pacing(await services_of(store)):
        await eventually(store, made.id, ordered(2))
        first, last = await claim_up_to(store, 2)
        await end(store, first.call)
        await end(store, last.call, awaits_result=True)
        await idle(store)
        assert (await store.campaigns.get(made.id)).status == "running"
        await store.calls.record_result(last.call.id, {})
        done = await eventually(store, made.id, lambda one: one.status == "completed")
    assert done.calls == {"completed": 2}
    assert done.completed_at is not None
    with pytest.raises(Conflict, match="is completed"):
        await store.campaigns.add_contacts(made.id, [NewContact("+15550199999")])


async def test_orders_that_wait_for_their_time_take_no_place(where: StoreSection) -> None:
    """All of them fall due at once then, and the claim keeps to `max_concurrent`."""
    ahead = 0.0
    store = await Store.open(where, clock=lambda: time.time() + ahead)
    try:
        made = await campaign(store, 5, max_concurrent=2, scheduled_at=time.time() + 3600)
        async with pacing(await services_of(store)):
            await eventually(store, made.id, ordered(5))
        ahead = 3601.0
        claims = await claim_up_to(store, 5)
        assert len(claims) == 2
        waiting = await store.calls.get((await contacts(store, made.id))[4].call_id or "")
        assert waiting.waiting_for == "campaign_concurrency"
        await end(store, claims[0].call)
        assert len(await claim_up_to(store, 5)) == 1
    finally:
        await store.close()


async def test_due_orders_of_a_full_campaign_are_in_nobodys_way(where: StoreSection) -> None:
    """However many they are: a claim looks at a few due calls only."""
    ahead = 0.0
    store = await Store.open(where, clock=lambda: time.time() + ahead)
    try:
        made = await campaign(store, 40, max_concurrent=1, scheduled_at=time.time() + 3600)
        async with pacing(await services_of(store)):
            await eventually(store, made.id, ordered(40))
        ahead = 3601.0
        assert len(await claim_up_to(store, 1)) == 1
        other = await new_call(store)
        assert [claim.call.id for claim in await claim_up_to(store, 1)] == [other.id]
    finally:
        await store.close()


async def test_it_is_not_completed_while_a_call_is_open(store: Store) -> None:
    """Also when the pacer's look at it is out of date."""
    made = await campaign(store, 1)
    await store.pacing.complete(made.id)
    async with pacing(await services_of(store)):
        await eventually(store, made.id, ordered(1))
    await store.pacing.complete(made.id)
    assert (await store.campaigns.get(made.id)).status == "running"


async def test_more_at_a_time_are_ordered_when_the_limit_is_raised(store: Store) -> None:
    made = await campaign(store, 5, max_concurrent=1)
    async with pacing(await services_of(store)):
        await eventually(store, made.id, ordered(1))
        await store.campaigns.change(made.id, {"max_concurrent": 4})
        await eventually(store, made.id, ordered(4))


async def test_a_campaign_that_is_full_holds_no_other_up(store: Store) -> None:
    full = await campaign(store, 3, max_concurrent=1)
    other = await campaign(store, 3, max_concurrent=3)
    async with pacing(await services_of(store)):
        await eventually(store, other.id, ordered(3))
        assert (await store.campaigns.get(full.id)).contacts["ordered"] == 1
        assert len(await claim_up_to(store, 9)) == 4


async def test_contacts_added_while_it_runs_are_called(store: Store) -> None:
    made = await campaign(store, 1, max_concurrent=5)
    async with pacing(await services_of(store)):
        await eventually(store, made.id, ordered(1))
        again = [NewContact(number) for number in (*NUMBERS[:3], NUMBERS[2])]
        assert await store.campaigns.add_contacts(made.id, again) == 2
        await eventually(store, made.id, ordered(3))
    assert [contact.to_number for contact in await contacts(store, made.id)] == NUMBERS[:3]


async def test_what_is_given_with_a_contact_goes_over_the_template(store: Store) -> None:
    made = await campaign(
        store,
        0,
        launch=False,
        context={"clinic": "North", "day": "monday"},
        metadata={"list": "a"},
        returns={"ok": "boolean"},
        language="en",
    )
    contact = NewContact(NUMBERS[0], {"day": "friday"}, {"customer": "42"})
    await store.campaigns.add_contacts(made.id, [contact])
    await store.campaigns.act(made.id, "start")
    async with pacing(await services_of(store)):
        await eventually(store, made.id, ordered(1))
    (call,) = await calls_of(store, made.id)
    assert call.context == {"clinic": "North", "day": "friday"}
    assert call.metadata == {"list": "a", "customer": "42"}
    assert (call.prompt, call.returns) == ("hi", {"ok": "boolean"})


# -- start, pause, resume, cancel ------------------------------------------------------------------


async def test_a_draft_orders_nothing(store: Store) -> None:
    made = await campaign(store, 2, launch=False)
    async with pacing(await services_of(store)):
        await idle(store)
        assert (await store.campaigns.get(made.id)).contacts["pending"] == 2
        started = await store.campaigns.act(made.id, "start")
        assert started.started_at is not None
        await eventually(store, made.id, ordered(2))


async def test_a_pause_holds_at_once_and_a_resume_goes_on(store: Store) -> None:
    made = await campaign(store, 3, max_concurrent=2)
    async with pacing(await services_of(store)):
        await eventually(store, made.id, ordered(2))
        (live,) = await claim_up_to(store, 1)
        paused = await store.campaigns.act(made.id, "pause")
        assert (paused.status, paused.paused_reason) == ("paused", "requested")
        assert await claim_up_to(store, 5) == []
        held = (await calls_of(store, made.id))[1]
        assert (held.status, held.waiting_for) == ("queued", "campaign_paused")
        await end(store, live.call)
        await idle(store)
        assert (await store.campaigns.get(made.id)).contacts["ordered"] == 2
        resumed = await store.campaigns.act(made.id, "resume")
        assert (resumed.status, resumed.paused_reason) == ("running", None)
        await eventually(store, made.id, ordered(3))
        assert len(await claim_up_to(store, 5)) == 2


async def test_a_cancel_ends_what_is_queued_and_lets_live_calls_go_on(store: Store) -> None:
    """A live call's later attempts are among what is queued."""
    retry = {
        "max_attempts": 3,
        "timezone": "Europe/Berlin",
        "allowed_days": [
            "monday",
            "tuesday",
            "wednesday",
            "thursday",
            "friday",
            "saturday",
            "sunday",
        ],
        "calling_windows": [
            {"start": "00:00", "end": "23:59", "retry_delay_seconds": 7200},
        ],
    }
    made = await campaign(store, 30, max_concurrent=25, retry=retry)
    async with pacing(await services_of(store)):
        await eventually(store, made.id, ordered(25))
        (live,) = await claim_up_to(store, 1)
        await store.campaigns.act(made.id, "cancel")
        canceled = await eventually(store, made.id, lambda one: "queued" not in one.calls)
        assert canceled.calls == {"initiated": 1, "canceled": 24}
        await store.calls.record_ended(live.call.id, Ended(time.time(), BUSY, "busy"))
        await eventually(store, made.id, lambda one: one.calls == {"canceled": 25})
    assert canceled.status == "canceled"
    assert canceled.contacts == {"pending": 5, "ordered": 25, "refused": 0}
    again = await store.calls.get(live.call.id)
    assert (again.attempt_count, again.end_reason, again.reservation_status) == (
        1,
        "canceled",
        "released",
    )


@pytest.mark.parametrize(
    ("before", "action"),
    [
        ([], "pause"),
        ([], "resume"),
        (["start", "pause"], "start"),
        (["start", "cancel"], "start"),
        (["start", "cancel"], "pause"),
        (["cancel"], "resume"),
    ],
)
async def test_what_a_status_does_not_allow(store: Store, before: list[Any], action: Any) -> None:
    made = await campaign(store, 1, launch=False)
    for one in before:
        await store.campaigns.act(made.id, one)
    with pytest.raises(Conflict, match="the campaign is"):
        await store.campaigns.act(made.id, action)


@pytest.mark.parametrize("actions", [["start"], ["start", "pause"], ["start", "cancel"]])
async def test_asking_twice_is_asking_once(store: Store, actions: list[Any]) -> None:
    made = await campaign(store, 1, launch=False)
    reports = [await store.campaigns.act(made.id, action) for action in [*actions, actions[-1]]]
    assert reports[-1] == reports[-2]


async def test_a_campaign_without_contacts_is_not_started(store: Store) -> None:
    made = await campaign(store, 0, launch=False)
    with pytest.raises(Conflict, match="has no contacts"):
        await store.campaigns.act(made.id, "start")
    with pytest.raises(Invalid, match="must hold someone"):
        await campaign(store, 0)
    assert len((await store.campaigns.page(limit=9)).items) == 1


async def test_only_a_draft_is_deleted_or_given_another_template(store: Store) -> None:
    draft = await campaign(store, 2, launch=False)
    await store.campaigns.change(draft.id, {"template": {"prompt": "other"}})
    await store.campaigns.delete(draft.id)
    with pytest.raises(NotFound):
        await store.campaigns.get(draft.id)
    running = await campaign(store, 1)
    with pytest.raises(Conflict, match="the campaign is"):
        await store.campaigns.delete(running.id)
    with pytest.raises(Conflict, match="the campaign is"):
        await store.campaigns.change(running.id, {"template": {}})


async def test_a_campaign_holds_so_many_contacts(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.store.campaigns.MAX_CONTACTS", 3)
    made = await campaign(store, 2, launch=False)
    with pytest.raises(Conflict, match="up to 3 contacts"):
        await store.campaigns.add_contacts(made.id, [NewContact(one) for one in NUMBERS[2:4]])
    assert len(await contacts(store, made.id)) == 2


# -- contacts that cannot be ordered ---------------------------------------------------------------


async def test_a_number_on_the_list_is_refused_and_the_next_is_called(store: Store) -> None:
    await store.do_not_call.add(NUMBERS[0], "asked by letter")
    made = await campaign(store, 2)
    async with pacing(await services_of(store)):
        report = await eventually(store, made.id, lambda one: not one.contacts["pending"])
    assert report.contacts == {"pending": 0, "ordered": 1, "refused": 1}
    refused = (await contacts(store, made.id))[0]
    assert (refused.status, refused.call_id) == ("refused", None)
    assert refused.error == "do_not_call: is on the do-not-call list"


async def test_a_contact_whose_window_never_opens_is_refused(store: Store) -> None:
    """No country has +999, so nobody knows when it is day there."""
    made = await campaign(store, ["+9991234567", "+12125550123"], retry={"max_attempts": 2})
    async with pacing(await services_of(store)):
        await eventually(store, made.id, lambda one: not one.contacts["pending"])
    nowhere, somewhere = await contacts(store, made.id)
    assert nowhere.status == "refused"
    assert "/retry/timezone" in (nowhere.error or "")
    assert somewhere.status == "ordered"


async def test_a_campaign_of_refused_contacts_is_completed(store: Store) -> None:
    for number in NUMBERS[:3]:
        await store.do_not_call.add(number, "")
    made = await campaign(store, 3)
    async with pacing(await services_of(store)):
        await eventually(store, made.id, lambda one: one.status == "completed")


async def test_a_template_that_makes_no_order_any_more_pauses_it(store: Store) -> None:
    """Nobody is refused for what an operator can mend: here the language is not loaded."""
    made = await campaign(store, 2, language="es")
    async with pacing(await services_of(store)):
        report = await eventually(store, made.id, lambda one: one.status == "paused")
    assert report.paused_reason == "template"
    assert report.contacts["pending"] == 2


async def test_an_agent_whose_retry_policy_is_none_any_more_pauses_it(store: Store) -> None:
    """Its zone is not known here."""
    agent = await store.agents.create(NewStoredAgent("Old", {"retry": {"timezone": "Mars/Base"}}))
    made = await campaign(store, 1, agent_id=agent.id)
    async with pacing(await services_of(store)):
        report = await eventually(store, made.id, lambda one: one.status == "paused")
    assert (report.paused_reason, report.contacts["pending"]) == ("template", 1)


async def test_a_trunk_out_of_service_costs_no_contact(store: Store) -> None:
    services = await services_of(store)
    (trunk,) = await store.trunks.list()
    await store.trunks.change(trunk.name, {"status": "inactive"})
    made = await campaign(store, 2)
    async with pacing(services):
        report = await eventually(store, made.id, lambda one: one.status == "paused")
        assert (report.paused_reason, report.contacts["pending"]) == ("template", 2)
        await store.trunks.change(trunk.name, {"status": "active"})
        await store.campaigns.act(made.id, "resume")
        await eventually(store, made.id, ordered(2))


# -- what goes wrong -------------------------------------------------------------------------------


async def test_several_processes_pace_one_campaign(where: StoreSection) -> None:
    """On a shared store, two processes; on SQLite, two pacers of one process."""
    first = await Store.open(where)
    second = await Store.open(where) if first.shared else first
    try:
        made = await campaign(first, 60, max_concurrent=50)
        async with pacing(await services_of(first), await services_of(second)):
            await eventually(first, made.id, ordered(50))
            await idle(second)
        orders = await calls_of(first, made.id)
        assert sorted(call.to_number for call in orders) == NUMBERS[:50]
    finally:
        await second.close()
        if second is not first:
            await first.close()


class Crashes:
    """Every write of the pacer fails once: before its transaction, or after its commit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, store: Store, *, after: bool) -> None:
        self.count = 0
        for name in ("order", "refuse", "pause", "complete", "cancel_queued"):
            self._break(monkeypatch, store, name, after=after)

    def _break(
        self, monkeypatch: pytest.MonkeyPatch, store: Store, name: str, *, after: bool
    ) -> None:
        real = getattr(store.pacing, name)
        seen: set[tuple[Any, ...]] = set()

        async def breaking(*arguments: Any) -> Any:
            first = arguments[:2] not in seen
            if after or not first:
                result = await real(*arguments)
            if first:
                # Only now: a busy machine's time may be up before the write is done.
                seen.add(arguments[:2])
                self.count += 1
                raise StoreError("gone")
            return result

        monkeypatch.setattr(store.pacing, name, breaking)


@pytest.fixture(params=["before", "after"])
def crashes(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, store: Store
) -> Crashes:
    return Crashes(monkeypatch, store, after=request.param == "after")


async def test_a_crash_between_any_two_steps_neither_loses_nor_doubles(
    store: Store, crashes: Crashes
) -> None:
    """After each, another process starts anew and goes on."""
    await store.do_not_call.add(NUMBERS[1], "")
    services = await services_of(store)
    made = await campaign(store, 4, max_concurrent=2)

    async def run_until(status: str) -> None:
        for _ in range(50):
            with contextlib.suppress(StoreError, TimeoutError):
                async with asyncio.timeout(0.3):
                    await CampaignFeeder(services).run()
            for claim in await claim_up_to(store, 9):
                await end(store, claim.call)
            if (await store.campaigns.get(made.id)).status == status:
                return
        raise AssertionError("it never ends")

    await run_until("completed")
    assert crashes.count >= 4
    listed = await contacts(store, made.id)
    assert [one.status for one in listed] == ["ordered", "refused", "ordered", "ordered"]
    orders = await calls_of(store, made.id)
    assert [call.id for call in orders] == [one.call_id for one in listed if one.call_id]


async def test_a_crash_in_a_cancel_leaves_nothing_queued(store: Store, crashes: Crashes) -> None:
    services = await services_of(store)
    made = await campaign(store, 25, max_concurrent=25)

    async def run_until(check: Callable[[Report], bool]) -> None:
        for _ in range(100):
            with contextlib.suppress(StoreError, TimeoutError):
                async with asyncio.timeout(0.1):
                    await CampaignFeeder(services).run()
            if check(await store.campaigns.get(made.id)):
                return
        raise AssertionError("it never ends")

    await run_until(lambda report: report.calls == {"queued": 25})
    await store.campaigns.act(made.id, "cancel")
    await run_until(lambda report: report.calls == {"canceled": 25})


# -- a whole campaign ------------------------------------------------------------------------------


async def test_two_hundred_contacts_are_called_once_each_and_never_too_many_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the dialer and the played PBX; paused and resumed on the way."""
    impatient(monkeypatch)
    store = await Store.open(tmp_path / "offhook.db")
    made = await campaign(store, 200, max_concurrent=5)
    office = Office(store)
    dialed = office.switch.attempts
    most = 0

    async def carrier() -> None:
        """Nobody picks up: each call in turn is busy."""
        nonlocal most
        for count in range(200):
            await office.switch.dialed(count + 1)
            most = max(most, len(dialed) - count)
            dialed[count].end(BUSY)

    async with pacing(await services_of(store)):
        dialer = asyncio.create_task(office.dialer(max_concurrent=8).run())
        ringing = asyncio.create_task(carrier())
        await eventually(store, made.id, lambda report: report.calls.get("busy", 0) >= 50)
        await store.campaigns.act(made.id, "pause")
        paused = await eventually(store, made.id, lambda one: not set(one.calls) & LIVE)
        assert paused.calls["busy"] < 200
        await store.campaigns.act(made.id, "resume")
        await ringing
        done = await eventually(store, made.id, lambda one: one.status == "completed")
        dialer.cancel()
        await asyncio.gather(dialer, return_exceptions=True)
    await store.close()
    assert done.calls == {"busy": 200}
    assert sorted(attempt.dial.number for attempt in dialed) == NUMBERS[:200]
    assert 1 <= most <= 5


# -- money -----------------------------------------------------------------------------------------

#: A call's worst case: 60 seconds at 600 milli-cents a minute.
COST = 600


async def priced(store: Store, limit: int, **values: Any) -> Campaign:
    """A campaign whose calls may cost `COST` each, under a budget of so many of them."""
    await store.rates.put(NewRate("+", COST))
    await store.budget.set_limit(limit * COST)
    return await campaign(store, 6, max_concurrent=3, max_duration_seconds=60, **values)


async def test_it_waits_for_what_its_own_calls_hold(store: Store) -> None:
    """The worst case of a call is held until its end, so there is money again then."""
    made = await priced(store, 2)
    async with pacing(await services_of(store)):
        await eventually(store, made.id, ordered(2))
        await idle(store)
        report = await store.campaigns.get(made.id)
        assert (report.status, report.contacts["pending"]) == ("running", 4)
        for claim in await claim_up_to(store, 9):
            await store.calls.record_ended(claim.call.id, Ended(time.time(), BUSY, "busy"))
        await eventually(store, made.id, ordered(4))


async def test_out_of_budget_it_is_paused_until_there_is_more(store: Store) -> None:
    made = await priced(store, 0)
    async with pacing(await services_of(store)):
        report = await eventually(store, made.id, lambda one: one.status == "paused")
        assert report.paused_reason == "budget"
        assert report.contacts == {"pending": 6, "ordered": 0, "refused": 0}
        await store.budget.set_limit(2 * COST)
        report = await eventually(store, made.id, ordered(2))
        assert (report.status, report.paused_reason) == ("running", None)


async def test_it_goes_on_when_another_call_gives_money_back(store: Store) -> None:
    made = await priced(store, 2, launch=False)
    other = await new_call(store, rate=Rate("+", COST), max_duration_s=120)
    await store.campaigns.act(made.id, "start")
    async with pacing(await services_of(store)):
        await eventually(store, made.id, lambda one: one.paused_reason == "budget")
        await store.calls.request_cancel(other.id)
        await eventually(store, made.id, ordered(2))


async def test_a_pause_that_was_asked_for_is_not_lifted_by_money(store: Store) -> None:
    made = await priced(store, 0)
    async with pacing(await services_of(store)):
        await eventually(store, made.id, lambda one: one.paused_reason == "budget")
        paused = await store.campaigns.act(made.id, "pause")
        assert paused.paused_reason == "requested"
        await store.budget.set_limit(None)
        await idle(store)
        assert (await store.campaigns.get(made.id)).contacts["ordered"] == 0


async def test_what_was_paid_for_is_dialled_while_it_waits_for_money(where: StoreSection) -> None:
    """Scheduled orders hold their money; when they fall due, they are not held back."""
    ahead = 0.0
    store = await Store.open(where, clock=lambda: time.time() + ahead)
    try:
        made = await priced(store, 2, scheduled_at=time.time() + 3600)
        async with pacing(await services_of(store)):
            await eventually(store, made.id, lambda one: one.paused_reason == "budget")
            ahead = 3601.0
            claims = await claim_up_to(store, 9)
            assert len(claims) == 2
            for claim in claims:
                await store.calls.record_ended(claim.call.id, Ended(time.time(), BUSY, "busy"))
            await eventually(store, made.id, ordered(4))
    finally:
        await store.close()


async def test_what_its_calls_have_cost_is_told(store: Store) -> None:
    made = await priced(store, 6)
    async with pacing(await services_of(store)):
        await eventually(store, made.id, ordered(3))
        (claim,) = await claim_up_to(store, 1)
        answered_at = time.time()
        await store.calls.record_answered(claim.call.id, answered_at)
        await store.calls.record_ended(claim.call.id, Ended(answered_at + 30, NORMAL, "done"))
        await eventually(store, made.id, lambda report: report.spent_milli_cents == COST // 2)
