"""Orders over the real test bed: several attempts, a shared key, a cancel, a budget."""

import asyncio
import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.client import ApiError
from pbx.testbed import persona
from pbx.testbed.personas import CAUSE_NUMBER
from tests.e2e.conftest import Phone

WHOLE_WEEK: dict[str, Any] = {
    "allowed_days": [
        "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
    ],
    "calling_windows": [{"start": "00:00", "end": "24:00", "retry_delay_seconds": 0.5}],
    "timezone": "Europe/Berlin",
}  # fmt: skip


def dialled(phone: Phone, number: str) -> int:
    return sum(1 for called, _ in phone.bed.dialled() if called == number)


async def until(phone: Phone, call_id: str, *statuses: str) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while (call := await phone.read(call_id))["status"] not in statuses:
            await asyncio.sleep(0.05)
    return call


async def test_busy_then_unanswered_then_talks(either_phone: Phone) -> None:
    """Three attempts of one order, one terminal event, the last one's result.

    RV-7, RV-111, RV-114, RV-126, RV-130.
    """
    phone = either_phone
    retry = WHOLE_WEEK | {"max_attempts": 5, "call_twice_in_a_row": True}
    number = persona("relenting").number
    before = dialled(phone, number)
    call = await phone.call("relenting", retry=retry)
    assert (call["status"], call["attempt_count"]) == ("completed", 3)
    assert call["result"] == {"confirmed": True, "day": "monday", "time": "eight thirty a m"}
    assert call["reservation_status"] == "settled"
    assert dialled(phone, number) - before == 3
    told = await phone.ask("GET", f"/v1/calls/{call['id']}/attempts")
    assert [one["state"] for one in told["data"]] == ["busy", "no_answer", "completed"]
    assert told["data"][0]["sip_code"] == 486
    waits = [
        (two["created_at"], one["ended_at"])
        for one, two in zip(told["data"], told["data"][1:], strict=False)
    ]
    assert all(later > earlier for later, earlier in waits)
    types = phone.types(call["id"])
    assert types.count("call.attempt_ended") == 2
    assert types.count("call.queued") == 1
    assert [one for one in types if one == "call.completed"] == types[-1:]
    assert {turn["attempt"] for turn in await phone.turns(call["id"])} == {3}


async def test_two_orders_under_one_key(phone: Phone) -> None:
    """RV-9, RV-255…258: the second one waits until the first one's line is free, and says so."""
    key = {"key": "one at a time", "max": 1}
    first = await phone.place("silent", concurrency=key)
    await until(phone, first["id"], "in_progress")
    second = await phone.place("busy", concurrency=key)
    for _ in range(5):
        await asyncio.sleep(0.05)
        waiting = await phone.read(second["id"])
        assert (waiting["status"], waiting["waiting_for"]) == ("queued", "concurrency_key")
    await phone.client.end_call(first["id"])
    assert (await phone.wait(second["id"]))["status"] == "busy"
    assert (await until(phone, first["id"], "completed"))["end_reason"] == "operator_hangup"


async def test_canceled_between_two_attempts(phone: Phone) -> None:
    """It is over at once, and nobody is called again."""
    later = WHOLE_WEEK["calling_windows"][0] | {"retry_delay_seconds": 3600}
    number = persona("busy").number
    before = dialled(phone, number)
    placed = await phone.place("busy", retry=WHOLE_WEEK | {"calling_windows": [later]})
    async with asyncio.timeout(20):
        while (call := await phone.read(placed["id"]))["attempt_count"] == 0 or call[
            "status"
        ] != "queued":
            await asyncio.sleep(0.05)
    assert call["waiting_for"] == "retry_delay"
    await phone.client.end_call(placed["id"])
    call = await phone.wait(placed["id"])
    assert (call["status"], call["attempt_count"]) == ("canceled", 1)
    assert call["reservation_status"] == "released"
    assert dialled(phone, number) - before == 1


async def test_scheduled_for_later(phone: Phone) -> None:
    """RV-6, RV-266: not before its time, and then at once."""
    at = datetime.now(UTC) + timedelta(seconds=1.5)
    placed = await phone.place("busy", scheduled_at=at.isoformat())
    assert (placed["status"], placed["waiting_for"]) == ("queued", "scheduled_at")
    call = await phone.wait(placed["id"])
    assert call["status"] == "busy"
    (attempt,) = (await phone.ask("GET", f"/v1/calls/{call['id']}/attempts"))["data"]
    assert datetime.fromisoformat(attempt["created_at"]) >= at - timedelta(milliseconds=1)


async def request(phone: Phone, method: str, path: str, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = await phone.ask(method, path, **options)
    return found


async def test_a_campaign_of_fourteen(phone: Phone) -> None:
    """X-RV-3: paced, paused and resumed; every contact is called once; the results come as CSV."""
    busy, hasty = persona("busy").number, persona("hasty").number
    contacts: list[dict[str, Any]] = [
        *({"to": CAUSE_NUMBER.format(cause)} for cause in _CAUSES),
        {"to": busy, "context": {"name": "Maria Lopez"}},
        {"to": hasty, "metadata": {"row": "14"}},
    ]
    before = [number for number, _ in phone.bed.dialled()]
    made = await request(
        phone,
        "POST",
        "/v1/campaigns",
        json={
            "name": "fourteen",
            "template": {"prompt": "Confirm the appointment."},
            "max_concurrent": 3,
            "contacts": contacts,
            "launch": True,
        },
    )
    path = f"/v1/campaigns/{made['id']}"
    await _some_over(phone, made["id"], 4)
    await request(phone, "POST", f"{path}/pause")
    await _none_live(phone, made["id"])
    paused = len(phone.bed.dialled())
    assert paused - len(before) < len(contacts)
    await asyncio.sleep(1.0)
    assert len(phone.bed.dialled()) == paused
    assert (await request(phone, "GET", path))["status"] == "paused"
    await request(phone, "POST", f"{path}/resume")
    async with asyncio.timeout(60):
        while (await request(phone, "GET", path))["status"] != "completed":
            await asyncio.sleep(0.1)
    after = [number for number, _ in phone.bed.dialled()][len(before) :]
    assert sorted(after) == sorted(contact["to"] for contact in contacts)
    calls = await request(phone, "GET", f"/v1/calls?campaign_id={made['id']}&limit=50")
    spans = [
        (datetime.fromisoformat(call["created_at"]), datetime.fromisoformat(call["ended_at"]))
        for call in calls["data"]
    ]
    assert max(sum(a <= at < b for a, b in spans) for at, _ in spans) <= 3
    answer = await phone.client.request("GET", f"{path}/results.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == len(contacts) == 14
    by_number = {row["to"]: row for row in rows}
    assert by_number[busy]["status"] == "busy"
    assert by_number[hasty]["status"] == "completed"


#: Q.850 causes with which the carrier refuses: twelve different numbers of one persona. They are
#: the network's answers; after one of the trunk's own faults its orders would wait.
_CAUSES = (1, 2, 3, 17, 18, 19, 20, 21, 22, 28, 31, 58)


async def _some_over(phone: Phone, campaign_id: str, count: int) -> None:
    async with asyncio.timeout(40):
        while await _count(phone, campaign_id, lambda call: bool(call["ended_at"])) < count:
            await asyncio.sleep(0.02)


async def _none_live(phone: Phone, campaign_id: str) -> None:
    live = {"initiated", "ringing", "in_progress"}
    async with asyncio.timeout(40):
        while await _count(phone, campaign_id, lambda call: call["status"] in live):
            await asyncio.sleep(0.05)


async def _count(phone: Phone, campaign_id: str, wanted: Callable[[dict[str, Any]], bool]) -> int:
    found = await request(phone, "GET", f"/v1/calls?campaign_id={campaign_id}&limit=50")
    return sum(1 for call in found["data"] if wanted(call))


async def test_a_budget_that_runs_out(phone: Phone) -> None:
    """X-CB-30: the worst case is held, what was talked is paid, and then nothing more goes out."""
    await request(phone, "PUT", "/v1/rates/+1555", json={"milli_cents_per_minute": 60_000})
    await request(phone, "PATCH", "/v1/budget", json={"limit_milli_cents": None})
    spent = (await request(phone, "GET", "/v1/budget"))["spent_milli_cents"]
    limit = spent + 70_000
    await request(phone, "PATCH", "/v1/budget", json={"limit_milli_cents": limit})
    try:
        talk = {"max_duration_seconds": 60}
        first = await phone.place("quitter", **talk)
        with pytest.raises(ApiError, match="budget is used up"):
            await phone.place("quitter", **talk)
        call = await phone.wait(first["id"])
        assert call["reservation_status"] == "settled"
        assert call["billing_amount_milli_cents"] == call["billed_duration_seconds"] * 1000 > 0
        budget = await request(phone, "GET", "/v1/budget")
        assert budget["reserved_milli_cents"] == 0
        assert budget["spent_milli_cents"] == spent + call["billing_amount_milli_cents"]
        (attempt,) = (await request(phone, "GET", f"/v1/calls/{call['id']}/attempts"))["data"]
        assert attempt["billing_amount_milli_cents"] == call["billing_amount_milli_cents"]
        refused = await phone.call("busy", **talk)
        assert (refused["billing_amount_milli_cents"], refused["reservation_status"]) == (
            0,
            "released",
        )
    finally:
        await request(phone, "PATCH", "/v1/budget", json={"limit_milli_cents": None})
        await phone.client.delete_rate("+1555")
