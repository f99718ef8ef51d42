"""Trunks that fail, as clients see it: the next one carries the call, and who fails rests."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from pbx.testbed import TestBed, persona
from tests.e2e.conftest import Phone
from tests.pbx.played_carrier import PlayedCarrier, more_trunks

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
async def carriers(bed: TestBed, phone: Phone) -> AsyncIterator[dict[str, PlayedCarrier]]:
    """Trunks before the good one, of which the settings know nothing."""
    answers = {"silent": (), "congested": (100, 503), "engaged": (100, 486)}
    async with more_trunks(bed, answers) as made:
        await phone.ask("PATCH", "/v1/trunks/trunk", {"priority": 50})
        yield made
        for name in answers:
            await phone.client.request("DELETE", f"/v1/trunks/{name}", good=frozenset({404}))
        await phone.ask("PATCH", "/v1/trunks/trunk", {"priority": 10})


async def tried(phone: Phone, call: dict[str, Any]) -> list[tuple[str, str, int | None]]:
    found = await phone.ask("GET", f"/v1/calls/{call['id']}/attempts")
    return [(one["trunk"], one["end_reason"], one["sip_code"]) for one in found["data"]]


async def test_a_silent_and_a_congested_trunk_are_passed_over(
    phone: Phone, bed: TestBed, carriers: dict[str, PlayedCarrier]
) -> None:
    for name, priority in (("silent", 1), ("congested", 2)):
        await phone.ask("POST", "/v1/trunks", {"name": name, "priority": priority})
    before = len(bed.dialled())

    call = await phone.call("busy")

    assert (call["status"], call["sip_code"], call["attempt_count"]) == ("busy", 486, 3)
    assert await tried(phone, call) == [
        ("silent", "trunk_unreachable", None),
        ("congested", "trunk_failed", 503),
        ("trunk", "busy", 486),
    ]
    assert [number for number, _ in bed.dialled()[before:]] == [persona("busy").number]
    assert [len(carriers[name].calls) for name in ("silent", "congested")] == [1, 1]
    assert phone.types(call["id"]).count("call.busy") == 1
    silent = await phone.ask("GET", "/v1/trunks/silent")
    assert silent["failures"] == 1
    assert silent["resting_until"] is not None
    assert "no answer" in silent["rest_reason"]
    health = (await phone.client.get_health()).checks["trunks"]
    assert health.ok
    assert "silent" in health.message

    assert (await phone.call("busy"))["status"] == "busy"
    assert len(carriers["silent"].calls) == 1  # it rests


async def test_a_number_that_is_busy_is_dialled_on_no_other_trunk(
    phone: Phone, bed: TestBed, carriers: dict[str, PlayedCarrier]
) -> None:
    await phone.ask("POST", "/v1/trunks", {"name": "engaged", "priority": 1})
    before = len(bed.dialled())

    call = await phone.call("busy")

    assert await tried(phone, call) == [("engaged", "busy", 486)]
    assert len(bed.dialled()) == before


async def test_a_call_without_another_trunk_fails_and_tells_so(
    phone: Phone, carriers: dict[str, PlayedCarrier]
) -> None:
    number = persona("busy").number
    await phone.ask("POST", "/v1/trunks", {"name": "silent", "allowed_prefixes": [number]})
    await phone.ask("PATCH", "/v1/trunks/trunk", {"status": "inactive"})
    try:
        call = await phone.call("busy")
    finally:
        await phone.ask("PATCH", "/v1/trunks/trunk", {"status": "active"})
    assert (call["status"], call["end_reason"], call["sip_code"]) == (
        "failed",
        "trunk_unreachable",
        None,
    )
    assert "trunk gave no answer" in call["error_message"]
