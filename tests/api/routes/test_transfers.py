"""`POST /v1/calls/{id}/transfer` over a real server: what is refused, what is begun."""

from typing import Any

import pytest

from api.resources.call import Call
from api.resources.trunk import NewTrunk
from tests.api.conftest import Bench
from tests.api.story import answered, completed

THIRD = "+15550100200"


async def on_the_line(bench: Bench) -> Call:
    return await answered(bench.store, trunk="trunk")


async def ask(bench: Bench, call: Call, wanted: int, **body: Any) -> dict[str, Any]:
    """What the request is answered with, which must have the status that is wanted."""
    response = await bench.client.post(f"/v1/calls/{call.id}/transfer", json=body)
    assert response.status_code == wanted, response.text
    answer: dict[str, Any] = response.json()
    return answer


@pytest.mark.rows("RV-55", "RV-57")
async def test_a_transfer_is_noted_and_the_runner_told(bench: Bench) -> None:
    call = await on_the_line(bench)
    told = await ask(bench, call, 202, number=THIRD)
    at = told["transfer"].pop("at")
    assert told["transfer"] == {
        "number": THIRD,
        "mode": "cold",
        "method": "bridge",
        "status": "dialing",
        "reason": None,
    }
    assert told["updated_at"] >= at
    assert bench.asked == [call.id]
    kept = (await bench.store.calls.get(call.id)).transfer
    assert kept is not None
    assert (kept["trunk"], kept["caller_number"]) == ("trunk", call.from_number)
    assert (await ask(bench, call, 409, number=THIRD))["code"] == "transfer_under_way"


@pytest.mark.rows("RV-58")
async def test_a_trunk_that_takes_refer_is_asked_for_it(bench: Bench) -> None:
    call = await on_the_line(bench)
    problem = await ask(bench, call, 422, number=THIRD, method="refer")
    assert (problem["code"], problem["errors"][0]["pointer"]) == ("refer_not_allowed", "/method")
    await bench.client.patch("/v1/trunks/trunk", json={"allow_refer": True})
    told = await ask(bench, call, 202, number=THIRD, method="refer")
    assert told["transfer"]["method"] == "refer"


async def test_a_transfer_stays_on_the_pbx_that_has_the_call(bench: Bench) -> None:
    """Another one cannot join the two."""
    await bench.store.trunks.create(NewTrunk("better", priority=1, pbx="berlin"))
    call = await on_the_line(bench)
    await ask(bench, call, 202, number=THIRD)
    kept = (await bench.store.calls.get(call.id)).transfer
    assert kept is not None
    assert kept["trunk"] == "trunk"

    there = await answered(bench.store, trunk="better")
    await ask(bench, there, 202, number=THIRD)
    kept = (await bench.store.calls.get(there.id)).transfer
    assert kept is not None
    assert kept["trunk"] == "better"
    await bench.client.patch("/v1/trunks/better", json={"allowed_prefixes": ["+49"]})
    third = await answered(bench.store, trunk="better")
    problem = await ask(bench, third, 422, number=THIRD)
    assert problem["code"] == "no_trunk"
    assert "of the call's PBX" in problem["detail"]


@pytest.mark.rows("RV-56", "RV-95")
async def test_a_warm_one_keeps_what_the_briefing_is_to_hold(bench: Bench) -> None:
    call = await on_the_line(bench)
    wanted = {"number": THIRD, "mode": "warm", "summary_instructions": "Say the order number."}
    told = await ask(bench, call, 202, **wanted)
    assert told["transfer"]["mode"] == "warm"
    kept = (await bench.store.calls.get(call.id)).transfer
    assert kept is not None
    assert kept["summary_instructions"] == "Say the order number."


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "/number"),
        ({"number": "4711"}, "/number"),
        ({"number": "sip:x@y"}, "/number"),
        ({"number": THIRD, "mode": "lukewarm"}, "/mode"),
        ({"number": THIRD, "method": "fax"}, "/method"),
        ({"number": THIRD, "mode": "warm", "method": "refer"}, "/method"),
        ({"number": THIRD, "summary_instructions": "x" * 4001}, "/summary_instructions"),
        ({"number": THIRD, "to": THIRD}, "/to"),
    ],
)
async def test_a_wrong_field_is_pointed_at(bench: Bench, body: dict[str, Any], place: str) -> None:
    call = await on_the_line(bench)
    problem = await ask(bench, call, 422, **body)
    assert [error["pointer"] for error in problem["errors"]] == [place]
    assert bench.asked == []


async def test_only_where_one_may_call(bench: Bench) -> None:
    call = await on_the_line(bench)
    await bench.store.do_not_call.add(THIRD, "")
    problem = await ask(bench, call, 422, number=THIRD)
    assert (problem["code"], problem["errors"][0]["pointer"]) == ("do_not_call", "/number")
    await bench.client.patch("/v1/trunks/trunk", json={"allowed_prefixes": ["+1212"]})
    problem = await ask(bench, call, 422, number="+15550100201")
    assert (problem["code"], problem["errors"][0]["pointer"]) == ("no_trunk", "/number")


async def test_under_a_budget_only_where_it_is_known_what_that_costs(bench: Bench) -> None:
    call = await on_the_line(bench)
    await bench.client.patch("/v1/budget", json={"limit_milli_cents": 10_000_000})
    problem = await ask(bench, call, 422, number=THIRD)
    assert (problem["code"], problem["errors"][0]["pointer"]) == ("no_rate", "/number")
    await bench.client.put("/v1/rates/+1555", json={"milli_cents_per_minute": 1000})
    await ask(bench, call, 202, number=THIRD)


async def test_only_while_it_is_in_progress(bench: Bench) -> None:
    over = await completed(bench.store)
    assert (await ask(bench, over, 409, number=THIRD))["code"] == "not_in_progress"
    response = await bench.client.post("/v1/calls/nobody/transfer", json={"number": THIRD})
    assert response.status_code == 404


async def test_a_full_trunk_and_a_number_that_is_gone(bench: Bench) -> None:
    call = await on_the_line(bench)
    await bench.client.patch("/v1/trunks/trunk", json={"max_channels": 1})
    assert (await ask(bench, call, 409, number=THIRD))["code"] == "trunk_full"
    await bench.store.trunks.create(NewTrunk("other", allowed_prefixes=(THIRD,)))
    (number,) = [
        one.id
        for one in (await bench.store.numbers.page(limit=9)).items
        if one.number == call.from_number
    ]
    await bench.store.numbers.change(number, {"status": "inactive"})
    assert (await ask(bench, call, 409, number=THIRD))["code"] == "from_number_not_allowed"
