"""The rate card and the budget over a real server, and what they do to calls."""

from typing import Any

import pytest

from api.base.money import Rate
from api.base.refusals import Invalid
from api.resources.budget import BudgetObject
from api.resources.call import NewCall
from api.resources.rate import NewRate, RateObject
from api.store import Store
from tests.api.conftest import Bench
from tests.api.story import NODE, NUMBER, OURS, woken

CSV = {"Content-Type": "text/csv"}
GERMANY = {"milli_cents_per_minute": 1200, "increment_seconds": 60, "minimum_seconds": 60}
MINUTE = Rate("+1", 6000)


async def send(bench: Bench, method: str, path: str, wanted: int, body: Any = None) -> Any:
    """What a request is answered, which must have the status that is wanted."""
    response = await bench.client.request(method, path, json=body)
    assert response.status_code == wanted, response.text
    return response.json() if response.content else None


# -- rates ---------------------------------------------------------------------------------------


@pytest.mark.both_stores
async def test_a_rate_is_put_read_replaced_and_deleted(bench: Bench) -> None:
    response = await bench.client.put("/v1/rates/+49", json=GERMANY | {"description": "Germany"})
    assert (response.status_code, response.headers["location"]) == (201, "/v1/rates/+49")
    made = response.json()
    RateObject.model_validate(made, strict=True)
    assert made | GERMANY | {"prefix": "+49", "description": "Germany"} == made
    replaced = await send(bench, "PUT", "/v1/rates/%2B49", 200, {"milli_cents_per_minute": 900})
    assert (replaced["milli_cents_per_minute"], replaced["increment_seconds"]) == (900, 1)
    assert (replaced["created_at"], replaced["description"]) == (made["created_at"], "")
    assert await send(bench, "GET", "/v1/rates/+49", 200) == replaced
    await send(bench, "DELETE", "/v1/rates/+49", 204)
    for path in ("/v1/rates/+49", "/v1/rates/49"):
        await send(bench, "GET", path, 404)
        await send(bench, "DELETE", path, 404)


async def test_a_wrong_rate_is_refused(bench: Bench) -> None:
    for wrong, pointer in (
        ({"milli_cents_per_minute": -1}, "/milli_cents_per_minute"),
        ({"milli_cents_per_minute": 1.5}, "/milli_cents_per_minute"),
        ({"increment_seconds": 0}, "/increment_seconds"),
        ({"minimum_seconds": 3601}, "/minimum_seconds"),
        ({"currency": "EUR"}, "/currency"),
    ):
        problem = await send(bench, "PUT", "/v1/rates/+49", 422, GERMANY | wrong)
        assert problem["errors"][0]["pointer"] == pointer
    problem = await send(bench, "PUT", "/v1/rates/0049", 422, GERMANY)
    assert problem["errors"][0]["parameter"] == "prefix"


@pytest.mark.both_stores
async def test_rates_come_in_pages(bench: Bench) -> None:
    prefixes = sorted(f"+4{digit}" for digit in range(5))
    await bench.store.rates.put_many([NewRate(prefix, 1) for prefix in prefixes])
    page = await send(bench, "GET", "/v1/rates?limit=3", 200)
    rest = await send(bench, "GET", f"/v1/rates?limit=3&cursor={page['next_cursor']}", 200)
    assert [rate["prefix"] for rate in page["data"] + rest["data"]] == prefixes
    assert not rest["has_more"]


@pytest.mark.both_stores
async def test_a_rate_card_goes_out_as_a_file_that_comes_back(bench: Bench) -> None:
    path = "/v1/rates/import"
    text = (
        "prefix,milli_cents_per_minute,increment_seconds,description\n+49,1200,60,Germany\n+,9,,\n"
    )
    taken = await bench.client.post(path, content=text, headers=CSV)
    assert taken.json() == {"added": 2, "known": 0, "refused": 0, "errors": []}
    file = (await bench.client.get("/v1/rates/export")).text
    assert file.splitlines() == [
        "prefix,milli_cents_per_minute,increment_seconds,minimum_seconds,description",
        "+,9,1,0,",
        "+49,1200,60,0,Germany",
    ]
    again = await bench.client.post(path, content=file, headers=CSV)
    assert (again.json()["added"], again.json()["known"]) == (0, 2)
    wrong = await bench.client.post(path, content="+49,x\n49,1\n+1,1\n+1,2\n+2\n", headers=CSV)
    assert [error["detail"] for error in wrong.json()["errors"]] == [
        "line 1: milli_cents_per_minute: Input should be a valid integer, unable to parse string "
        "as an integer",
        "line 2: prefix: must be a plus sign and up to 15 digits, as +4930",
        "line 4: the prefix +1 is in the file twice",
        "line 5: milli_cents_per_minute: Field required",
    ]


@pytest.mark.both_stores
async def test_the_longest_prefix_is_the_price(store: Store) -> None:
    for prefix in ("+1", "+1555", "+15551234567", "+49"):
        await store.rates.put(NewRate(prefix, len(prefix)))
    for number, wanted in (("+15551234567", 12), ("+15559999999", 5), ("+12129999999", 2)):
        rate = await store.rates.price(number)
        assert rate is not None
        assert rate.milli_cents_per_minute == wanted
    assert await store.rates.price("+33123456789") is None
    await store.rates.put(NewRate("+", 1))
    assert await store.rates.price("+33123456789") == Rate("+", 1)


# -- budget --------------------------------------------------------------------------------------


@pytest.mark.both_stores
async def test_a_budget_is_limited_and_told(bench: Bench) -> None:
    fresh = await send(bench, "GET", "/v1/budget", 200)
    assert fresh == {
        "limit_milli_cents": None,
        "spent_milli_cents": 0,
        "reserved_milli_cents": 0,
        "available_milli_cents": None,
        "updated_at": None,
    }
    limited = await send(bench, "PATCH", "/v1/budget", 200, {"limit_milli_cents": 100_000})
    BudgetObject.model_validate(limited, strict=True)
    assert limited["available_milli_cents"] == 100_000
    assert limited == await send(bench, "GET", "/v1/budget", 200)
    free = await send(bench, "PATCH", "/v1/budget", 200, {"limit_milli_cents": None})
    assert free["available_milli_cents"] is None
    for wrong in ({}, {"limit_milli_cents": -1}, {"limit_milli_cents": 0.5}, {"spent": 0}):
        await send(bench, "PATCH", "/v1/budget", 422, wrong)
    entries = (await send(bench, "GET", "/v1/budget/entries", 200))["data"]
    assert [(one["kind"], one["milli_cents"], one["call_id"]) for one in entries] == [
        ("limit", None, None),
        ("limit", 100_000, None),
    ]


async def test_with_a_limit_a_number_without_a_rate_is_not_called(store: Store) -> None:
    assert await store.rates.price(NUMBER) is None
    for limit in (100_000, 0):
        await store.budget.set_limit(limit)
        with pytest.raises(Invalid, match="no rate"):
            await store.rates.price(NUMBER)
    await store.rates.put(NewRate(**MINUTE.json()))
    assert await store.rates.price(NUMBER) == MINUTE


@pytest.mark.both_stores
async def test_every_change_of_the_budget_can_be_read(bench: Bench) -> None:
    store = bench.store
    new = NewCall(NUMBER, OURS, "hi", rate=MINUTE, max_duration_s=60)
    calls = [await store.calls.create(new) for _ in range(3)]
    for call in calls[:2]:
        await store.calls.request_cancel(call.id)
    page = await send(bench, "GET", "/v1/budget/entries?limit=3", 200)
    rest = await send(bench, "GET", f"/v1/budget/entries?cursor={page['next_cursor']}", 200)
    assert [one["kind"] for one in page["data"] + rest["data"]] == ["release"] * 2 + ["reserve"] * 3
    own = await send(bench, "GET", f"/v1/budget/entries?call_id={calls[0].id}", 200)
    assert [(one["kind"], one["milli_cents"]) for one in own["data"]] == [
        ("release", 6000),
        ("reserve", 6000),
    ]
    for query in ("?call_id=mine", "?cursor=mine", "?kind=limit"):
        await send(bench, "GET", f"/v1/budget/entries{query}", 422)
    budget = await store.budget.get()
    assert (budget.reserved_milli_cents, budget.spent_milli_cents) == (6000, 0)


async def test_a_limit_below_what_is_held_keeps_calls_waiting_until_it_is_raised(
    bench: Bench,
) -> None:
    store = bench.store
    await store.calls.create(NewCall(NUMBER, OURS, "hi", rate=MINUTE, max_duration_s=60))
    lowered = await send(bench, "PATCH", "/v1/budget", 200, {"limit_milli_cents": 5999})
    assert (lowered["reserved_milli_cents"], lowered["available_milli_cents"]) == (6000, 0)
    assert not (await store.claims.take(5, NODE)).claims
    await store.claims.wait(0)  # what was to be told so far
    await send(bench, "PATCH", "/v1/budget", 200, {"limit_milli_cents": 6000})
    await woken(store)
    assert len((await store.claims.take(5, NODE)).claims) == 1


async def test_reading_is_for_every_key_and_configuring_for_admins(bench: Bench) -> None:
    _, key = await bench.store.keys.create("reader", "read")
    headers = {"Authorization": f"Bearer {key}"}
    for path in ("trunks", "numbers", "do_not_call", "do_not_call/export", "rates", "budget"):
        response = await bench.client.get(f"/v1/{path}", headers=headers)
        assert response.status_code == 200, path
    for method, path in (
        ("POST", "trunks"),
        ("PATCH", "trunks/trunk"),
        ("DELETE", "trunks/trunk"),
        ("POST", "numbers"),
        ("POST", "do_not_call"),
        ("POST", "do_not_call/import"),
        ("DELETE", f"do_not_call/{NUMBER}"),
        ("PUT", "rates/+1"),
        ("POST", "rates/import"),
        ("PATCH", "budget"),
    ):
        response = await bench.client.request(method, f"/v1/{path}", headers=headers)
        assert response.status_code == 403, path
