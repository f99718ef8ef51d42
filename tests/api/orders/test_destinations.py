"""Nobody calls, or is transferred, where the operator calls nobody: at every door, and later."""

from typing import Any

import pytest

from api.base.refusals import Refused
from api.orders.transfers import order_transfer
from api.policy.destinations import Destinations
from api.policy.retry import RetryPolicy
from api.resources.call import NewCall
from api.resources.transfer import TransferWish
from api.settings.calling import Calls
from tests.api.campaigning import campaign, contacts, eventually, pacing, services_of
from tests.api.conftest import Bench
from tests.api.doors import client_of
from tests.api.story import NODE, OURS, answered, new_call

PREMIUM = "+19005551234"
JAMAICA = "+18765551234"
SATELLITE = "+88163123456"
SOMEBODY = "+12125550142"
TRANSFER = {"type": "transfer", "number": PREMIUM}


@pytest.mark.parametrize(
    "number", [PREMIUM, JAMAICA, SATELLITE, "+4930123456", "+1911123", "+10116831234"]
)
async def test_a_call_is_refused_with_its_reason_and_the_setting(bench: Bench, number: str) -> None:
    _, key = await bench.store.keys.create("stolen", "call")
    async with client_of(bench, key) as client:
        for field in ("to", "to_number"):
            answer = await client.post("/v1/calls", json={field: number, "prompt": "hi"})
            problem = answer.json()
            assert (answer.status_code, problem["code"]) == (422, "destination_not_allowed")
            assert [error["pointer"] for error in problem["errors"]] == [f"/{field}"]
            assert "calls.allowed_prefixes" in problem["errors"][0]["detail"]


async def test_what_the_operator_names_is_called(bench: Bench) -> None:
    env = {
        "OFFHOOK_CALLS__ALLOWED_COUNTRIES": "DE",
        "OFFHOOK_CALLS__ALLOWED_PREFIXES": "+1900555",
    }
    async with client_of(bench, bench.key, env) as client:
        for number, status in (("+4930123456", 201), (PREMIUM, 201), (JAMAICA, 422)):
            answer = await client.post("/v1/calls", json={"to": number, "prompt": "hi"})
            assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    ("home", "number"),
    [
        ("AT", "+43118877"),  # directory enquiries
        ("DE", "+491183312345"),  # the same, with digits that a network ignores
        ("DE", "+49008821234567"),  # a way out of the country, for gateways that strip +49
        ("ES", "+34905123456"),  # votes on television
    ],
)
async def test_a_number_of_no_range_of_the_own_plan_is_refused(
    bench: Bench, home: str, number: str
) -> None:
    async with client_of(bench, bench.key, {"OFFHOOK_CALLS__ALLOWED_COUNTRIES": home}) as client:
        answer = await client.post("/v1/calls", json={"to": number, "prompt": "hi"})
        assert (answer.status_code, answer.json()["code"]) == (422, "destination_not_allowed")


async def test_the_dialects_say_it_in_their_own_way(bench: Bench) -> None:
    made = await bench.client.post("/v1/agents", json={"name": "Ada"})
    agent = {"agent_id": made.json()["id"], "from_number": OURS}
    placed = {
        "/compat/callingbox/v1/calls": {"to": PREMIUM, "prompt": "hi"},
        "/compat/oneinbox/v1/calls": {"to_number": PREMIUM} | agent,
        "/api/call": {"phone_number": PREMIUM, "force_now": True},
    }
    told = {path: await bench.client.post(path, json=body) for path, body in placed.items()}
    callingbox, oneinbox, revox = (answer.json() for answer in told.values())
    assert "premium-rate" in callingbox["error"]
    assert oneinbox["detail"][0]["type"] == "destination_not_allowed"
    assert oneinbox["detail"][0]["loc"] == ["body", "to_number"]
    assert revox["error"]["code"] == "destination_not_allowed"
    assert revox["error"]["errors"][0]["pointer"] == "/phone_number"
    assert [answer.status_code for answer in told.values()] == [400, 422, 422]


async def test_a_contact_is_refused_and_the_next_one_called(bench: Bench) -> None:
    store = bench.store
    made = await campaign(store, [PREMIUM, JAMAICA, SOMEBODY])
    async with pacing(await services_of(store)):
        await eventually(store, made.id, lambda one: not one.contacts["pending"])
    premium, abroad, somebody = await contacts(store, made.id)
    assert (premium.status, abroad.status, somebody.status) == ("refused", "refused", "ordered")
    assert "destination_not_allowed" in (premium.error or "")
    assert "another country (JM)" in (abroad.error or "")


async def test_a_template_is_not_judged_by_the_number_that_stands_for_the_contacts(
    bench: Bench,
) -> None:
    """Here the only caller number is a German one."""
    (_, *others) = (await bench.store.numbers.page(limit=10)).items
    for number in (await bench.store.numbers.page(limit=10)).items:
        await bench.store.numbers.change(number.id, {"status": "inactive"})
    assert others
    await bench.client.post("/v1/numbers", json={"number": "+4930654321"})
    env = {"OFFHOOK_CALLS__NUMBERS": "+4930654321"}
    async with client_of(bench, bench.key, env) as client:
        body: dict[str, Any] = {"name": "Recalls", "template": {"prompt": "hi"}}
        assert (await client.post("/v1/campaigns", json=body)).status_code == 201
        body["template"]["agent"] = {"tools": [{"type": "transfer", "number": "+49900123456"}]}
        answer = await client.post("/v1/campaigns", json=body)
        assert answer.status_code == 422
        places = [error["pointer"] for error in answer.json()["errors"]]
        assert places == ["/template/agent/tools/0/number"]


async def test_a_call_whose_agent_would_transfer_there_is_refused(bench: Bench) -> None:
    inline = {"to": SOMEBODY, "prompt": "hi", "agent": {"tools": [TRANSFER]}}
    answer = await bench.client.post("/v1/calls", json=inline)
    assert (answer.status_code, answer.json()["code"]) == (422, "destination_not_allowed")
    assert answer.json()["errors"][0]["pointer"] == "/agent/tools/0/number"
    made = await bench.client.post("/v1/agents", json={"name": "Ada", "tools": [TRANSFER]})
    kept = {"to": SOMEBODY, "agent_id": made.json()["id"]}
    answer = await bench.client.post("/v1/calls", json=kept)
    assert answer.json()["errors"][0]["pointer"] == "/agent_id"


async def test_a_transfer_over_the_api_is_refused(bench: Bench) -> None:
    call = await answered(bench.store, trunk="trunk")
    path = f"/v1/calls/{call.id}/transfer"
    for number in (PREMIUM, JAMAICA, SATELLITE):
        answer = await bench.client.post(path, json={"number": number})
        assert (answer.status_code, answer.json()["code"]) == (422, "destination_not_allowed")
        assert answer.json()["errors"][0]["pointer"] == "/number"
    assert bench.asked == []


async def test_a_transfer_by_the_agent_is_refused(bench: Bench) -> None:
    """What its tool asks before anything is dialled (`api.tools.transfer`)."""
    call = await answered(bench.store, trunk="trunk")
    with pytest.raises(Refused, match="premium-rate"):
        await order_transfer(bench.store, Calls(), call, TransferWish(PREMIUM))
    assert (await bench.store.calls.get(call.id)).transfer is None


async def test_an_order_is_not_dialled_once_its_number_is_none_that_is_called(bench: Bench) -> None:
    """The rule has changed since it was placed; the next attempt of a retried one neither."""
    store = bench.store
    retry = RetryPolicy(max_attempts=3, timezone="UTC")
    order = NewCall(JAMAICA, OURS, "hi", retry=retry, force_now=True, zones=("UTC",))
    call = await store.calls.create(order)  # as earlier settings allowed
    other = await new_call(store)
    claimed = await store.claims.take(5, NODE, Destinations())
    assert [claim.call.id for claim in claimed.claims] == [other.id]
    stopped = await store.calls.get(call.id)
    assert (stopped.status, stopped.end_reason) == ("failed", "destination_not_allowed")
    assert "calls.allowed_prefixes" in (stopped.error_message or "")
    assert not await store.calls.attempts(call.id)
