"""Calls and transfers to SIP URIs: where a trunk's rules allow them, and nowhere else."""

from typing import Any

import pytest

from api.calls.dial_plan import as_dialled
from api.resources.call import Call
from pbx.switch import Dial
from tests.api.campaigning import eventually, pacing
from tests.api.conftest import Bench
from tests.api.doors import client_of
from tests.api.story import NODE, answered

BOB = "sip:bob@pbx.example"
TRUNK: dict[str, Any] = {
    "name": "office",
    "allowed_prefixes": ["+999"],
    "number_rules": [{"match": "!", "prepend": "9"}],
    "sip_uris": ["pbx.example", "*.office.example:5070", "2XX@pbx.example"],
}
PATH = "/v1/trunks/office"


@pytest.fixture(autouse=True)
async def trunk(bench: Bench) -> None:
    answer = await bench.client.post("/v1/trunks", json=TRUNK)
    assert answer.status_code == 201, answer.text
    assert answer.json()["sip_uris"] == TRUNK["sip_uris"]


@pytest.mark.parametrize(
    ("written", "to"),
    [
        (BOB, BOB),
        ("SIP:bob@PBX.Example", BOB),
        ("sip:200@pbx.example", "sip:200@pbx.example"),
        ("sips:ann@a.office.example:5070", "sips:ann@a.office.example:5070"),
    ],
)
async def test_a_uri_that_a_trunk_takes_is_called(bench: Bench, written: str, to: str) -> None:
    call = await bench.create(to=written)
    assert call["to_number"] == to
    (claim,) = (await bench.store.claims.take(10, NODE)).claims
    dial = Dial("offhook-1", claim.call.to_number, "+15559876543", trunk=claim.call.trunk)
    planned = as_dialled(dial, await bench.store.trunks.get("office"))
    assert (planned.trunk, planned.number) == ("office", to)  # by no rule for numbers
    found = await bench.client.get("/v1/calls", params={"to_number": to})
    assert [one["id"] for one in found.json()["data"]] == [call["id"]]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("sip:bob@evil.example", "no SIP URI that an active trunk takes"),
        ("sip:bob@pbx.example:5070", "no SIP URI that an active trunk takes"),
        ("sip:900@pbx.example", "no SIP URI that an active trunk takes"),
        ("sip:+19005551234@pbx.example", "call it as a number"),
        ("sip:bob@pbx.example;transport=tcp", "must be a SIP URI"),
        ("sip:bob@pbx.example\r\nX: y", "must be a SIP URI"),
        ("sip:bob&PJSIP/x@pbx.example", "must be a SIP URI"),
    ],
)
async def test_every_other_one_is_refused_with_the_reason(
    bench: Bench, written: str, told: str
) -> None:
    call = await answered(bench.store, trunk="trunk")
    tools = {"tools": [{"type": "transfer", "number": written}]}
    doors = {
        "/v1/calls": ({"to": written}, "/to"),
        f"/v1/calls/{call.id}/transfer": ({"number": written}, "/number"),
        "/v1/agents": ({"name": "Ada", **tools}, "/tools/0/number"),
        f"{PATH}/dialplan_test": ({"number": written}, "/number"),
    }
    for path, (body, place) in doors.items():
        answer = await bench.client.post(path, json=body)
        assert answer.status_code == 422, (path, answer.text)
        (error,) = answer.json()["errors"]
        assert error["pointer"] == place
        if "\r" not in written:  # which no door takes to begin with
            assert told in error["detail"], path


async def test_the_plan_shows_how(bench: Bench) -> None:
    answer = await bench.client.post(f"{PATH}/dialplan_test", json={"number": BOB})
    told = answer.json()
    assert (told["dial_string"], told["refusal"]) == (f"PJSIP/office/{BOB}", None)
    assert told["number"] == {"given": BOB, "steps": [], "result": BOB}
    other = (await bench.client.post("/v1/trunks/trunk/dialplan_test", json={"number": BOB})).json()
    assert "none that this trunk takes" in other["refusal"]


@pytest.mark.parametrize("template", ["Local/{number}@from-internal/n", "SIP/{trunk}/{number}"])
async def test_a_trunk_whose_dial_string_takes_none_is_refused(bench: Bench, template: str) -> None:
    body = {"name": "other", "dial_string": template, "sip_uris": ["pbx.example"]}
    for answer in (
        await bench.client.post("/v1/trunks", json=body),
        await bench.client.patch(PATH, json={"dial_string": template}),
    ):
        assert answer.status_code == 422
        (error,) = answer.json()["errors"]
        assert error["pointer"] == "/sip_uris"
        assert "takes no SIP URI" in error["detail"]


async def test_an_emergency_number_is_none_either(bench: Bench) -> None:
    await bench.client.patch(PATH, json={"sip_uris": ["*@pbx.example"]})
    for user in ("911", "112", "9911"):
        answer = await bench.client.post("/v1/calls", json={"to": f"sip:{user}@pbx.example"})
        assert answer.json()["code"] == "destination_not_allowed"


async def test_a_trunk_that_takes_it_no_more_does_not_dial_it(bench: Bench) -> None:
    call = await bench.create(to=BOB)
    await bench.client.patch(PATH, json={"sip_uris": ["other.example"]})
    assert not (await bench.store.claims.take(10, NODE)).claims
    stopped = (await bench.client.get(f"/v1/calls/{call['id']}")).json()
    assert (stopped["status"], stopped["end_reason"]) == ("failed", "destination_not_allowed")


async def test_the_caps_of_one_number_count_it_and_it_costs_nothing(bench: Bench) -> None:
    await bench.client.patch("/v1/budget", json={"limit_milli_cents": 1})
    env = {"OFFHOOK_CALLS__MAX_CALLS_PER_NUMBER_PER_DAY": "2"}
    async with client_of(bench, bench.key, env) as client:
        for status in (201, 201, 429):
            answer = await client.post("/v1/calls", json={"to": BOB})
            assert answer.status_code == status, answer.text


async def test_a_transfer_goes_out_by_the_trunk_that_takes_it(bench: Bench) -> None:
    await bench.client.patch("/v1/trunks/trunk", json={"allow_refer": True})
    call: Call = await answered(bench.store, trunk="trunk")
    answer = await bench.client.post(f"/v1/calls/{call.id}/transfer", json={"number": BOB})
    assert answer.status_code == 202, answer.text
    transfer = answer.json()["transfer"]
    # The carrier's REFER would have it look for the host.
    assert (transfer["number"], transfer["method"]) == (BOB, "bridge")
    kept = await bench.store.calls.get(call.id)
    assert kept.transfer is not None
    assert kept.transfer["trunk"] == "office"


async def test_an_agent_has_it_as_whom_to_transfer_to(bench: Bench) -> None:
    tools = [{"type": "transfer", "number": "sip:bob@PBX.example"}]
    answer = await bench.client.post("/v1/agents", json={"name": "Ada", "tools": tools})
    assert answer.status_code == 201, answer.text
    call = await bench.client.post(
        "/v1/calls", json={"to": "+12125550142", "agent_id": answer.json()["id"]}
    )
    assert call.status_code == 201, call.text


async def test_contacts_of_a_campaign_are_uris_too(bench: Bench) -> None:
    made = await bench.client.post(
        "/v1/campaigns",
        json={"name": "Staff", "template": {"prompt": "hi"}, "contacts": [{"to": BOB}]},
    )
    path = f"/v1/campaigns/{made.json()['id']}"
    answer = await bench.client.post(
        f"{path}/contacts.csv",
        content="to\nSIP:bob@pbx.example\nsip:eve@evil.example\n",
        headers={"content-type": "text/csv"},
    )
    assert (answer.status_code, answer.json()["added"]) == (200, 1), answer.text
    async with pacing(bench.services):
        assert (await bench.client.post(f"{path}/start")).status_code == 200
        await eventually(bench.store, made.json()["id"], lambda one: not one.contacts["pending"])
    listed = (await bench.client.get(f"{path}/contacts")).json()["data"]
    assert [(one["to"], one["status"]) for one in listed] == [
        (BOB, "ordered"),
        ("sip:eve@evil.example", "refused"),
    ]
    assert "no SIP URI that an active trunk takes" in listed[1]["error"]


async def test_two_dialects_take_them_and_the_third_has_no_room(bench: Bench) -> None:
    made = await bench.client.post("/v1/agents", json={"name": "Ada"})
    agent = {"agent_id": made.json()["id"], "from_number": "+15559876543"}
    placed = {
        "/compat/callingbox/v1/calls": ({"to": BOB, "prompt": "hi"}, 201),
        "/api/call": ({"phone_number": BOB, "force_now": True}, 201),
        "/compat/oneinbox/v1/calls": ({"to_number": BOB} | agent, 422),
    }
    for path, (body, status) in placed.items():
        answer = await bench.client.post(path, json=body)
        assert answer.status_code == status, (path, answer.text)
    listed = (await bench.client.get("/v1/calls", params={"to_number": BOB})).json()["data"]
    assert len(listed) == 2
