"""What a trunk's dial plan makes of numbers, shown by the API; and where extensions are called."""

from pathlib import Path
from typing import Any

import pytest

from api.store import Store
from tests.api.conftest import Bench, benching
from tests.api.doors import client_of
from tests.api.story import NODE

GERMAN = [{"prefix": "+49", "match": ".", "prepend": "0"}, {"prefix": "+", "prepend": "00"}]
TRUNK = {
    "name": "My Trunk",
    "dial_string": "Local/{number}@from-internal/n",
    "number_rules": GERMAN,
    "caller_rules": [{"prefix": "+1"}],
    "inbound_number_rules": [{"match": "99", "prepend": "+155598765"}, {"match": "5NXX"}],
    "inbound_caller_rules": [{"prefix": "0", "match": "ZX.", "prepend": "+49"}],
    "extensions": ["2XX", "*9X"],
    "allowed_prefixes": ["+1"],
}
PATH = "/v1/trunks/My%20Trunk/dialplan_test"


async def tried(bench: Bench, status: int = 200, **body: Any) -> dict[str, Any]:
    answer = await bench.client.post(PATH, json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture(autouse=True)
async def trunk(bench: Bench) -> None:
    answer = await bench.client.post("/v1/trunks", json=TRUNK)
    assert answer.status_code == 201, answer.text


async def test_each_rule_is_shown_and_what_the_pbx_would_dial(bench: Bench) -> None:
    told = await tried(bench, number="+12125550142")
    assert told["number"]["given"] == "+12125550142"
    assert [one["result"] for one in told["number"]["steps"]] == [None, "0012125550142"]
    assert told["number"]["steps"][0]["rule"] == GERMAN[0]
    assert told["dial_string"] == "Local/0012125550142@from-internal/n"
    assert told["caller_number"]["result"] == "5559876543"
    assert told["refusal"] is None


async def test_why_no_call_goes_there(bench: Bench) -> None:
    abroad = await tried(bench, number="+4930123456", caller_number="+4930123400")
    assert "another prefix" in abroad["refusal"]
    assert "calls.allowed_countries" in (await tried(bench, number="+4930123456"))["refusal"]
    changed = {"number_rules": [{"prepend": "9"}]}
    await bench.client.patch("/v1/trunks/My%20Trunk", json=changed)
    assert "is made '9+12125550142'" in (await tried(bench, number="+12125550142"))["refusal"]
    wrong = await tried(bench, 422, number="(212) 555-0142")
    assert wrong["errors"][0]["pointer"] == "/number"
    assert "calls.default_country" in wrong["errors"][0]["detail"]


async def test_it_is_shown_as_the_trunks_own_pbx_dials(store: Store, tmp_path: Path) -> None:
    other = {"OFFHOOK_PBXS__BERLIN__KIND": "freeswitch"}
    async with benching(store, tmp_path, other) as bench:
        body = {"name": "west", "pbx": "berlin"}
        assert (await bench.client.post("/v1/trunks", json=body)).status_code == 201
        told = await bench.client.post(
            "/v1/trunks/west/dialplan_test", json={"number": "+12125550142"}
        )
    assert told.json()["dial_string"] == "sofia/gateway/west/+12125550142"


async def test_what_comes_in(bench: Bench) -> None:
    told = await tried(bench, number="sip:43@x", direction="inbound", caller_number="030123456")
    assert told["refusal"] == "is none of /v1/numbers, or of calls.inbound_numbers"
    told = await tried(bench, number="99", direction="inbound", caller_number="030 123456")
    assert told["number"]["steps"][0]["result"] == "+15559876599"
    assert told["caller_number"]["result"] == "+4930123456"
    told = await tried(bench, number="15559876543", direction="inbound")
    assert (told["number"]["result"], told["refusal"]) == ("+15559876543", None)
    assert told["dial_string"] is None


async def test_a_key_that_only_reads_may_look(bench: Bench) -> None:
    _, key = await bench.store.keys.create("watcher", "read")
    async with client_of(bench, key) as client:
        answer = await client.post(PATH, json={"number": "+12125550142"})
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("number", ["200", "*98"])
async def test_an_extension_that_a_trunk_takes_is_called(bench: Bench, number: str) -> None:
    call = await bench.create(to=number)
    assert call["to_number"] == number
    assert (await bench.store.calls.get(call["id"])).trunk == "My Trunk"
    assert (await tried(bench, number=number))["dial_string"] == f"Local/{number}@from-internal/n"


@pytest.mark.parametrize(
    ("number", "told"),
    [
        ("300", "no extension of a trunk"),
        ("911", "no extension of a trunk"),
        ("*72", "no extension of a trunk"),
        ("2000", "no extension of a trunk"),
        ("200@evil", "E.164"),
        ("200&201", "E.164"),
        ("200,1", "E.164"),
        ("2\u0660\u0660", "E.164"),
        ("sip:200@pbx.example", "no SIP URI that an active trunk takes"),
    ],
)
async def test_what_no_trunk_takes_is_refused(bench: Bench, number: str, told: str) -> None:
    answer = await bench.client.post("/v1/calls", json={"to": number})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "/to"
    assert told in error["detail"]


@pytest.mark.parametrize("number", ["911", "112", "9911", "0112", "933", "000"])
async def test_an_emergency_number_is_no_extension(bench: Bench, number: str) -> None:
    changed = {"extensions": ["XXX", "XXXX"]}
    assert (await bench.client.patch("/v1/trunks/My%20Trunk", json=changed)).status_code == 200
    answer = await bench.client.post("/v1/calls", json={"to": number})
    if number in {"933", "000"}:  # emergency numbers of no country that is called from here
        assert answer.status_code == 201
    else:
        assert answer.json()["code"] == "destination_not_allowed"


async def test_a_trunk_that_takes_it_no_more_does_not_dial_it(bench: Bench) -> None:
    call = await bench.create(to="200")
    other = await bench.create(to="*98")
    await bench.client.patch("/v1/trunks/My%20Trunk", json={"extensions": ["*98"]})
    assert [one.call.id for one in (await bench.store.claims.take(10, NODE)).claims] == [
        other["id"]
    ]
    stopped = (await bench.client.get(f"/v1/calls/{call['id']}")).json()
    assert (stopped["status"], stopped["end_reason"]) == ("failed", "destination_not_allowed")


async def test_numbers_are_read_as_people_write_them(bench: Bench) -> None:
    async with client_of(bench, bench.key, {"OFFHOOK_CALLS__DEFAULT_COUNTRY": "US"}) as client:
        answer = await client.post("/v1/calls", json={"to": "(212) 555-0142"})
        assert answer.json()["to_number"] == "+12125550142"
        tool = {"type": "transfer", "number": "(212) 555-0143"}
        answer = await client.post("/v1/calls", json={"to": "212.555.0142", "tools": [tool]})
        assert answer.status_code == 201, answer.text
        answer = await client.post("/v1/calls", json={"to": "555-0142"})
        (error,) = answer.json()["errors"]
        assert (error["pointer"], "area code" in error["detail"]) == ("/to", True)
