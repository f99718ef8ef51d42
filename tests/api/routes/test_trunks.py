"""Trunks and caller numbers over a real server, and the way that an order takes."""

import time
from typing import Any

import pytest

from api.base.refusals import Invalid
from api.resources.attempt import Ended
from api.resources.call import NewCall
from api.resources.number import NewNumber, NumberObject
from api.resources.trunk import NewTrunk, Trunk, TrunkObject, trunks_for
from api.store import Store
from api.store.trunks import MAX_TRUNKS
from tests.api.conftest import Bench
from tests.api.story import BUSY, NODE, claimed, woken

OURS = "+15559876543"
SPARE = "+15550100099"


async def send(bench: Bench, method: str, path: str, wanted: int, **body: Any) -> dict[str, Any]:
    """What a request is answered, which must have the status that is wanted."""
    response = await bench.client.request(method, path, json=body or None)
    assert response.status_code == wanted, response.text
    answer: dict[str, Any] = response.json() if response.content else {}
    return answer


async def add_trunk(bench: Bench, name: str, **fields: Any) -> dict[str, Any]:
    return await send(bench, "POST", "/v1/trunks", 201, name=name, **fields)


# -- trunks --------------------------------------------------------------------------------------


@pytest.mark.both_stores
async def test_a_trunk_is_made_read_changed_and_deleted(bench: Bench) -> None:
    response = await bench.client.post("/v1/trunks", json={"name": "carrier-a"})
    made = response.json()
    assert response.headers["location"] == "/v1/trunks/carrier-a"
    TrunkObject.model_validate(made, strict=True)
    assert (
        made
        | {
            "status": "active",
            "description": "",
            "allowed_prefixes": [],
            "max_channels": None,
            "calls_per_second": None,
            "allow_refer": False,
            "channels_in_use": 0,
        }
        == made
    )
    changed = await send(
        bench,
        "PATCH",
        "/v1/trunks/carrier-a",
        200,
        status="inactive",
        allowed_prefixes=["+49", "+1"],
        max_channels=30,
        calls_per_second=5,
    )
    assert (changed["status"], changed["max_channels"]) == ("inactive", 30)
    unlimited = await send(bench, "PATCH", "/v1/trunks/carrier-a", 200, max_channels=None)
    assert unlimited | {"max_channels": None, "calls_per_second": 5} == unlimited
    referring = await send(bench, "PATCH", "/v1/trunks/carrier-a", 200, allow_refer=True)
    assert referring["allow_refer"] is True
    unlimited = await send(bench, "PATCH", "/v1/trunks/carrier-a", 200, allow_refer=False)
    assert await send(bench, "GET", "/v1/trunks/carrier-a", 200) == unlimited
    listed = await send(bench, "GET", "/v1/trunks", 200)
    assert [trunk["name"] for trunk in listed["data"]] == ["trunk", "carrier-a"]
    await send(bench, "DELETE", "/v1/trunks/carrier-a", 204)
    for method in ("GET", "DELETE"):
        await send(bench, method, "/v1/trunks/carrier-a", 404)
    await send(bench, "PATCH", "/v1/trunks/carrier-a", 404, status="active")


WRONG_TRUNKS: list[tuple[dict[str, Any], str, str]] = [
    ({"name": "a b "}, "/name", "pattern"),
    ({"name": "a&b"}, "/name", "pattern"),
    ({"name": "x\r\nAction: Originate"}, "/name", "U+000D"),
    ({"name": "a" * 65}, "/name", "pattern"),
    ({"status": "broken"}, "/status", "'active' or 'inactive'"),
    ({"allowed_prefixes": ["+49", "49"]}, "/allowed_prefixes/1", "plus sign"),
    ({"allowed_prefixes": ["+4*"]}, "/allowed_prefixes/0", "plus sign"),
    ({"max_channels": 0}, "/max_channels", "greater than or equal to 1"),
    ({"calls_per_second": 1001}, "/calls_per_second", "less than or equal to 1000"),
    ({"calls_per_second": 0.5}, "/calls_per_second", "integer"),
    ({"pbx": "munich"}, "/pbx", "none of `pbxs` (berlin)"),
    ({"chanels": 3}, "/chanels", "unknown key"),
    ({"dial_string": "PJSIP/{number}@a&PJSIP/1@b"}, "/dial_string", "one channel"),
    ({"dial_string": "PJSIP/{number}@a,30,g"}, "/dial_string", "one channel"),
    ({"dial_string": "PJSIP/${EXTEN}{number}@a"}, "/dial_string", "placeholders"),
    ({"dial_string": "PJSIP/1@a"}, "/dial_string", "{number} once"),
    ({"dial_string": "Local/{number}"}, "/dial_string", "@context"),
    ({"dial_string": "system/{number}"}, "/dial_string", "begin with"),
    ({"dial_string": "user/{number}"}, "/dial_string", "asterisk"),
    ({"number_rules": [{"prefix": "+x"}]}, "/number_rules/0/prefix", "pattern"),
    ({"number_rules": [{"match": "(a)"}]}, "/number_rules/0/match", "pattern"),
    ({"caller_rules": [{"prepend": "1@x"}]}, "/caller_rules/0/prepend", "pattern"),
]


async def test_a_wrong_trunk_is_refused_with_a_pointer(bench: Bench) -> None:
    for change, pointer, told in WRONG_TRUNKS:
        problem = await send(bench, "POST", "/v1/trunks", 422, **({"name": "carrier-a"} | change))
        assert problem["errors"][0]["pointer"] == pointer
        assert told in problem["errors"][0]["detail"]


@pytest.mark.both_stores
async def test_a_trunk_has_its_name_alone_and_keeps_it(bench: Bench) -> None:
    await add_trunk(bench, "carrier-a")
    assert (await send(bench, "POST", "/v1/trunks", 409, name="carrier-a"))["code"] == "trunk_taken"
    await send(bench, "PATCH", "/v1/trunks/carrier-a", 422, name="carrier-b")


async def test_there_is_an_end_to_trunks(bench: Bench) -> None:
    for number in range(MAX_TRUNKS - 1):  # and that of the settings
        await bench.store.trunks.create(NewTrunk(f"t{number}"))
    problem = await send(bench, "POST", "/v1/trunks", 409, name="one-more")
    assert problem["code"] == "too_many_trunks"


@pytest.mark.both_stores
async def test_a_trunk_in_use_is_not_deleted(bench: Bench) -> None:
    await add_trunk(bench, "carrier-a")
    number = await send(bench, "POST", "/v1/numbers", 201, number="+4930123456", trunk="carrier-a")
    problem = await send(bench, "DELETE", "/v1/trunks/carrier-a", 409)
    assert problem["code"] == "trunk_in_use"
    assert "numbers that may be shown on it only: 1" in problem["detail"]
    await send(bench, "PATCH", f"/v1/numbers/{number['id']}", 200, trunk=None)
    call = await bench.store.calls.create(NewCall("+15551234567", OURS, "hi", trunk="carrier-a"))
    problem = await send(bench, "DELETE", "/v1/trunks/carrier-a", 409)
    assert "calls on it that are not over: 1" in problem["detail"]
    await bench.store.calls.request_cancel(call.id)
    await send(bench, "DELETE", "/v1/trunks/carrier-a", 204)


async def test_a_trunk_tells_how_many_channels_are_in_use(bench: Bench) -> None:
    claim = await claimed(bench.store, trunk="trunk")
    assert (await send(bench, "GET", "/v1/trunks/trunk", 200))["channels_in_use"] == 1
    ended = Ended(time.time(), BUSY, "busy")
    await bench.store.calls.record_ended(claim.call.id, ended)
    assert (await send(bench, "GET", "/v1/trunks/trunk", 200))["channels_in_use"] == 0


async def test_a_trunk_that_is_started_again_wakes_the_dialer(bench: Bench) -> None:
    await bench.store.trunks.change("trunk", {"status": "inactive"})
    await bench.store.calls.create(NewCall("+15551234567", OURS, "hi", trunk="trunk"))
    assert not (await bench.store.claims.take(5, NODE)).claims
    await bench.store.claims.wait(0)  # what was to be told so far
    await send(bench, "PATCH", "/v1/trunks/trunk", 200, status="active")
    await woken(bench.store)
    assert len((await bench.store.claims.take(5, NODE)).claims) == 1


# -- numbers -------------------------------------------------------------------------------------


@pytest.mark.both_stores
async def test_a_number_is_made_read_changed_and_deleted(bench: Bench) -> None:
    response = await bench.client.post(
        "/v1/numbers", json={"number": "+4930123456", "description": "Berlin"}
    )
    made = response.json()
    assert response.headers["location"] == f"/v1/numbers/{made['id']}"
    NumberObject.model_validate(made, strict=True)
    path = f"/v1/numbers/{made['id']}"
    changed = await send(bench, "PATCH", path, 200, status="inactive", trunk="trunk")
    assert changed == made | {
        "status": "inactive",
        "trunk": "trunk",
        "updated_at": changed["updated_at"],
    }
    assert await send(bench, "GET", path, 200) == changed
    listed = await send(bench, "GET", "/v1/numbers", 200)
    assert [number["number"] for number in listed["data"]] == [OURS, SPARE, "+4930123456"]
    await send(bench, "DELETE", path, 204)
    for method in ("GET", "DELETE"):
        await send(bench, method, path, 404)
    await send(bench, "PATCH", path, 404, status="active")


@pytest.mark.both_stores
async def test_numbers_come_in_pages_oldest_first(bench: Bench) -> None:
    for digit in range(5):
        await bench.store.numbers.create(NewNumber(f"+49301234{digit}00"))
    path, seen = "/v1/numbers?limit=3", []
    while True:
        page = await send(bench, "GET", path, 200)
        seen += [number["number"] for number in page["data"]]
        if not page["has_more"]:
            break
        path = f"/v1/numbers?limit=3&cursor={page['next_cursor']}"
    assert seen == [OURS, SPARE, *(f"+49301234{digit}00" for digit in range(5))]
    await send(bench, "GET", "/v1/numbers?cursor=mine", 422)


WRONG_NUMBERS: list[tuple[dict[str, Any], str, str]] = [
    ({"number": "030 123456"}, "/number", "E.164"),
    ({"number": None}, "/number", "string"),
    ({"trunk": "nowhere"}, "/trunk", "no such trunk"),
    ({"status": None}, "/status", "'active' or 'inactive'"),
    ({"description": "x" * 501}, "/description", "500"),
    ({"name": "Berlin"}, "/name", "unknown key"),
]


async def test_a_wrong_number_is_refused_with_a_pointer(bench: Bench) -> None:
    for change, pointer, told in WRONG_NUMBERS:
        problem = await send(
            bench, "POST", "/v1/numbers", 422, **({"number": "+4930123456"} | change)
        )
        assert problem["errors"][0]["pointer"] == pointer
        assert told in problem["errors"][0]["detail"]


@pytest.mark.both_stores
async def test_a_number_is_registered_once(bench: Bench) -> None:
    problem = await send(bench, "POST", "/v1/numbers", 409, number=OURS)
    assert problem["code"] == "number_taken"


async def test_a_number_that_waiting_calls_show_is_not_deleted(bench: Bench) -> None:
    (first, *_) = (await bench.store.numbers.page(limit=1)).items
    call = await bench.store.calls.create(NewCall("+15551234567", OURS, "hi"))
    problem = await send(bench, "DELETE", f"/v1/numbers/{first.id}", 409)
    assert (problem["code"], "not over: 1" in problem["detail"]) == ("number_in_use", True)
    await bench.store.calls.request_cancel(call.id)
    await send(bench, "DELETE", f"/v1/numbers/{first.id}", 204)


@pytest.mark.both_stores
async def test_the_settings_are_seeded_once_and_change_nothing_later(store: Store) -> None:
    """CB-19: the first number of `calls.numbers` is the oldest."""
    for _ in range(2):
        await store.numbers.seed("trunk", [OURS, SPARE])
    numbers = (await store.numbers.page(limit=10)).items
    assert [number.number for number in numbers] == [OURS, SPARE]
    await store.numbers.change(numbers[0].id, {"status": "inactive"})
    await store.trunks.change("trunk", {"max_channels": 7})
    await store.numbers.seed("trunk", [SPARE, "+4930123456", OURS])
    again = (await store.numbers.page(limit=10)).items
    assert [number.number for number in again] == [OURS, SPARE, "+4930123456"]
    assert again[0].status == "inactive"
    (trunk,) = await store.trunks.list()
    assert trunk.max_channels == 7


# -- the way out ---------------------------------------------------------------------------------


def trunk(name: str, *prefixes: str, status: str = "active") -> Trunk:
    return Trunk(
        name=name,
        status="active" if status == "active" else "inactive",
        allowed_prefixes=prefixes,
        created_at=0,
        updated_at=0,
        channels_in_use=0,
    )


@pytest.mark.parametrize(
    ("to", "wanted"),
    [
        ("+4930123456", ["berlin", "germany", "any", "also-any"]),
        ("+4412345678", ["berlin", "any", "also-any"]),
        ("+4989123456", ["germany", "berlin", "any", "also-any"]),
        ("+15551234567", ["any", "also-any"]),
    ],
)
def test_the_longest_allowed_prefix_wins_then_the_oldest_trunk(to: str, wanted: list[str]) -> None:
    trunks = [
        trunk("off", "+4930123", status="inactive"),
        trunk("any"),
        trunk("germany", "+49", "+43"),
        trunk("berlin", "+4", "+4930"),
        trunk("also-any"),
        trunk("france", "+33"),
    ]
    assert [one.name for one in trunks_for(to, trunks)] == wanted


async def test_without_a_number_no_call_goes_out(store: Store) -> None:
    """CB-20."""
    await store.numbers.seed("trunk", [])
    with pytest.raises(Invalid, match="no active caller number"):
        await store.numbers.route("+15551234567")
    number = await store.numbers.create(NewNumber(OURS, status="inactive"))
    with pytest.raises(Invalid, match="no active caller number"):
        await store.numbers.route("+15551234567")
    await store.numbers.change(number.id, {"status": "active"})
    assert (await store.numbers.route("+15551234567")).from_number == OURS


async def test_the_oldest_active_number_is_the_default(store: Store) -> None:
    """CB-17, CB-18, CB-19."""
    await store.numbers.seed("trunk", [OURS, SPARE])
    assert vars(await store.numbers.route("+15551234567")) == {
        "from_number": OURS,
        "trunk": "trunk",
    }
    assert (await store.numbers.route("+15551234567", SPARE)).from_number == SPARE
    (first, *_) = (await store.numbers.page(limit=1)).items
    await store.numbers.change(first.id, {"status": "inactive"})
    assert (await store.numbers.route("+15551234567")).from_number == SPARE
    for wrong in (OURS, "+4930123456"):
        with pytest.raises(Invalid, match="agent's active numbers"):
            await store.numbers.route("+15551234567", wrong)


@pytest.mark.both_stores
async def test_a_number_bound_to_a_trunk_goes_out_there_only(store: Store) -> None:
    await store.trunks.create(NewTrunk("us", allowed_prefixes=("+1",)))
    await store.trunks.create(NewTrunk("de", allowed_prefixes=("+49",)))
    await store.numbers.create(NewNumber(OURS, trunk="us"))
    assert (await store.numbers.route("+15551234567")).trunk == "us"
    with pytest.raises(Invalid, match="no active trunk"):
        await store.numbers.route("+4930123456")
    await store.numbers.create(NewNumber("+4930999999", trunk="de"))
    route = await store.numbers.route("+4930123456")
    assert (route.from_number, route.trunk) == ("+4930999999", "de")
    with pytest.raises(Invalid, match="no active trunk"):
        await store.numbers.route("+4930123456", OURS)
    await store.numbers.create(NewNumber(SPARE))
    assert (await store.numbers.route("+4930123456", SPARE)).trunk == "de"
    await store.trunks.change("de", {"status": "inactive"})
    with pytest.raises(Invalid, match="no active trunk"):
        await store.numbers.route("+4930123456", SPARE)
