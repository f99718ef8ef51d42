"""Orders over the real test bed: several attempts, a shared key, a cancel, a budget."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from pbx.testbed import persona
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
        while (call := await phone.client.call(call_id))["status"] not in statuses:
            await asyncio.sleep(0.05)
    return call


async def test_busy_then_unanswered_then_talks(either_phone: Phone) -> None:
    """RV-111…130: three attempts of one order, one terminal event, the last one's result."""
    phone = either_phone
    retry = WHOLE_WEEK | {"max_attempts": 5, "call_twice_in_a_row": True}
    number = persona("relenting").number
    before = dialled(phone, number)
    call = await phone.call("relenting", retry=retry)
    assert (call["status"], call["attempt_count"]) == ("completed", 3)
    assert call["result"] == {"confirmed": True, "day": "monday", "time": "eight thirty a m"}
    assert call["reservation_status"] == "settled"
    assert dialled(phone, number) - before == 3
    told = await phone.client._json("GET", f"/v1/calls/{call['id']}/attempts")
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
    """RV-255…259: the second one waits until the first one's line is free, and says so."""
    key = {"key": "one at a time", "max": 1}
    first = await phone.place("silent", concurrency=key)
    await until(phone, first["id"], "in_progress")
    second = await phone.place("busy", concurrency=key)
    for _ in range(5):
        await asyncio.sleep(0.05)
        waiting = await phone.client.call(second["id"])
        assert (waiting["status"], waiting["waiting_for"]) == ("queued", "concurrency_key")
    await phone.client.end(first["id"])
    assert (await phone.wait(second["id"]))["status"] == "busy"
    assert (await until(phone, first["id"], "completed"))["end_reason"] == "operator_hangup"


async def test_canceled_between_two_attempts(phone: Phone) -> None:
    """It is over at once, and nobody is called again."""
    later = WHOLE_WEEK["calling_windows"][0] | {"retry_delay_seconds": 3600}
    number = persona("busy").number
    before = dialled(phone, number)
    placed = await phone.place("busy", retry=WHOLE_WEEK | {"calling_windows": [later]})
    async with asyncio.timeout(20):
        while (call := await phone.client.call(placed["id"]))["attempt_count"] == 0 or call[
            "status"
        ] != "queued":
            await asyncio.sleep(0.05)
    assert call["waiting_for"] == "retry_delay"
    await phone.client.end(placed["id"])
    call = await phone.wait(placed["id"])
    assert (call["status"], call["attempt_count"]) == ("canceled", 1)
    assert call["reservation_status"] == "released"
    assert dialled(phone, number) - before == 1


async def test_scheduled_for_later(phone: Phone) -> None:
    """RV-266: not before its time, and then at once."""
    at = datetime.now(UTC) + timedelta(seconds=1.5)
    placed = await phone.place("busy", scheduled_at=at.isoformat())
    assert (placed["status"], placed["waiting_for"]) == ("queued", "scheduled_at")
    call = await phone.wait(placed["id"])
    assert call["status"] == "busy"
    (attempt,) = (await phone.client._json("GET", f"/v1/calls/{call['id']}/attempts"))["data"]
    assert datetime.fromisoformat(attempt["created_at"]) >= at - timedelta(milliseconds=1)
