"""How much may be placed in 24 hours: by one key, and to one number."""

import asyncio
from dataclasses import replace

import pytest

from api.policy.retry import WEEKDAYS, CallingWindow, RetryPolicy
from api.resources.attempt import Ended
from api.resources.call import Call, NewCall
from api.resources.campaign import NewCampaign, NewContact
from api.resources.caps import CapReached, Caps, KeyCaps
from api.settings.calling import Calls
from api.store import Store
from pbx.switch import Cause
from tests.api.campaigning import contacts, eventually, idle, pacing, services_of
from tests.api.conftest import Bench, Clock
from tests.api.doors import client_of
from tests.api.story import NORMAL, NUMBER, OURS

VOICEMAIL = Cause("no_answer", "voicemail", "An answering machine took the call.")
OTHER = "+15550000001"
DAY_S = 86_400


async def place(
    store: Store, caps: Caps, *, to: str = NUMBER, key: str = "key-1", longest_s: int = 600
) -> Call:
    order = NewCall(to, OURS, "hi", api_key_id=key, caps=caps, max_duration_s=longest_s)
    return await store.calls.create(order)


async def lasts(store: Store, clock: Clock, seconds: int) -> None:
    """The next call is answered and lasts that long."""
    (claim,) = (await store.claims.take(1, "node-1")).claims
    await store.calls.record_answered(claim.call.id, clock.now)
    ended = Ended(clock.now + seconds, NORMAL, "agent_hangup")
    await store.calls.record_ended(claim.call.id, ended)


@pytest.mark.both_stores
async def test_a_key_places_so_many_calls_in_any_24_hours(ledger: Store, clock: Clock) -> None:
    caps = Caps(calls=2)
    first = clock.now
    await place(ledger, caps)
    clock.now += 3600
    await place(ledger, caps, to=OTHER)
    clock.now += 3600
    with pytest.raises(CapReached, match="may place 2 calls") as refused:
        await place(ledger, caps)
    assert (refused.value.cap, refused.value.free_at) == ("max_calls_per_day", first + DAY_S)
    await place(ledger, caps, key="key-2")
    clock.now = first + DAY_S
    await place(ledger, caps)
    with pytest.raises(CapReached):
        await place(ledger, caps)


@pytest.mark.both_stores
async def test_one_number_is_called_so_often_whoever_places_the_calls(
    ledger: Store, clock: Clock
) -> None:
    caps = Caps(calls_to_number=2)
    await place(ledger, caps)
    await place(ledger, caps, key="key-2")
    with pytest.raises(CapReached, match="to one number") as refused:
        await place(ledger, caps, key="key-3")
    assert refused.value.free_at == clock.now + DAY_S
    await place(ledger, caps, to=OTHER)
    # Who calls us is not called by us.
    new = NewCall(OTHER, NUMBER, "hi", direction="inbound")
    await ledger.inbound.begin("00000000-0000-0000-0000-000000000000", new, "1.1", "node-1")
    await place(ledger, caps, to=OTHER)


@pytest.mark.both_stores
async def test_a_keys_minutes_are_those_that_calls_lasted_or_may_last(
    ledger: Store, clock: Clock
) -> None:
    caps = Caps(minutes=30)
    first = clock.now
    await place(ledger, caps)
    await lasts(ledger, clock, 300)
    clock.now += 60
    for _ in range(2):
        await place(ledger, caps)  # ten minutes each, as long as they are not over
    with pytest.raises(CapReached, match="30 minutes") as refused:
        await place(ledger, caps)
    assert refused.value.free_at == first + DAY_S
    with pytest.raises(CapReached) as too_long:
        await place(ledger, caps, longest_s=1801)
    assert too_long.value.free_at is None
    await place(ledger, caps, longest_s=300)


@pytest.mark.both_stores
async def test_a_keys_minutes_are_those_of_every_attempt(ledger: Store, clock: Clock) -> None:
    """A voicemail that answered was on the line, though the order is tried again."""
    caps = Caps(minutes=30)
    retry = RetryPolicy(frozenset(WEEKDAYS), (CallingWindow(0, 1440, 60),), max_attempts=3)
    order = NewCall(NUMBER, OURS, "hi", api_key_id="key-1", caps=caps, max_duration_s=600)
    call = await ledger.calls.create(replace(order, retry=retry, zones=("Europe/Berlin",)))
    for _ in range(2):
        (claim,) = (await ledger.claims.take(1, "node-1")).claims
        await ledger.calls.record_answered(call.id, clock.now)
        clock.now += 600
        taken = Ended(clock.now, VOICEMAIL, "voicemail", answered_by="machine")
        await ledger.calls.record_ended(call.id, taken, claim.attempt.number)
        clock.now += 3600
    assert not (await ledger.calls.get(call.id)).over
    with pytest.raises(CapReached, match="30 minutes"):
        await place(ledger, caps)


@pytest.mark.both_stores
@pytest.mark.parametrize("caps", [Caps(calls=3), Caps(minutes=30), Caps(calls_to_number=3)])
async def test_orders_at_one_time_do_not_share_what_is_left(
    ledger: Store, clock: Clock, caps: Caps
) -> None:
    placed = await asyncio.gather(*(place(ledger, caps) for _ in range(8)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in placed) == ["Call"] * 3 + ["CapReached"] * 5


@pytest.mark.parametrize(
    ("field", "refused"),
    [
        ("max_calls_per_day", "this key may place 1 calls"),
        ("max_calls_per_number_per_day", "1 calls may be placed to one number"),
        ("max_minutes_per_day", "1 minutes"),
    ],
)
async def test_a_keys_own_cap_is_told_with_when_there_is_room(
    bench: Bench, field: str, refused: str
) -> None:
    """And the dialects' answers are theirs."""
    body = {"name": "crm", "scope": "call", field: 1}
    made = (await bench.client.post("/v1/api_keys", json=body)).json()
    read = (await bench.client.get(f"/v1/api_keys/{made['id']}")).json()
    assert read[field] == 1
    order = {"to": NUMBER, "prompt": "hi", "max_duration_seconds": 60}
    async with client_of(bench, made["key"]) as client:
        assert (await client.post("/v1/calls", json=order)).status_code == 201
        answer = await client.post("/v1/calls", json=order)
        assert (answer.status_code, answer.json()["code"]) == (429, "cap_reached")
        assert refused in answer.json()["detail"]
        assert f"calls.{field}" in answer.json()["detail"]
        assert DAY_S - 60 < int(answer.headers["retry-after"]) <= DAY_S
        if field != "max_minutes_per_day":
            path = "/compat/callingbox/v1/calls"
            theirs = await client.post(path, json={"to": NUMBER, "prompt": "hi"})
            assert (theirs.status_code, set(theirs.json())) == (429, {"error"})
    # Another key has its own count; a number's is everybody's, for keys that have such a cap.
    assert (await bench.client.post("/v1/calls", json=order)).status_code == 201


async def test_the_settings_hold_for_keys_that_have_none_of_their_own(bench: Bench) -> None:
    env = {"OFFHOOK_CALLS__MAX_CALLS_PER_NUMBER_PER_DAY": "2"}
    _, unlimited = await bench.store.keys.create(
        "dialler", caps=KeyCaps(max_calls_per_number_per_day=0)
    )
    order = {"to": NUMBER, "prompt": "hi"}
    async with client_of(bench, bench.key, env) as client:
        placed = [(await client.post("/v1/calls", json=order)).status_code for _ in range(3)]
    async with client_of(bench, unlimited, env) as client:
        placed.append((await client.post("/v1/calls", json=order)).status_code)
    assert placed == [201, 201, 429, 201]


def test_a_number_is_called_twenty_times_a_day_where_nothing_is_set() -> None:
    assert KeyCaps().caps_over(Calls()) == Caps(calls_to_number=20)


@pytest.mark.both_stores
async def test_a_campaign_waits_for_its_keys_room_and_refuses_a_number_that_has_none(
    ledger: Store, clock: Clock
) -> None:
    services = await services_of(ledger)
    key, _ = await ledger.keys.create("campaigns", caps=KeyCaps(2, None, 1))
    await ledger.calls.create(NewCall(NUMBER, OURS, "hi"))
    new = NewCampaign("Recalls", {"prompt": "hi"}, 9, True, api_key_id=key.id)
    listed = [NUMBER, OTHER, "+15550000002", "+15550000003"]
    made = await ledger.campaigns.create(new, [NewContact(number) for number in listed])
    async with pacing(services):
        campaign_id = made.id
        report = await eventually(ledger, campaign_id, lambda one: one.contacts["ordered"] == 2)
        await idle(ledger)
        report = await ledger.campaigns.get(campaign_id)
        assert (report.status, report.contacts["pending"]) == ("running", 1)
        clock.now += DAY_S
        ledger.pacing.wake()
        await eventually(ledger, campaign_id, lambda one: not one.contacts["pending"])
    refused, *ordered = await contacts(ledger, campaign_id)
    assert (refused.status, (refused.error or "").split(":")[0]) == ("refused", "cap_reached")
    assert "there is room again at" in (refused.error or "")
    assert {one.status for one in ordered} == {"ordered"}


async def test_the_pacer_is_woken_when_there_is_room(ledger: Store, clock: Clock) -> None:
    async with asyncio.timeout(20):
        await ledger.pacing.wait(clock.now)
