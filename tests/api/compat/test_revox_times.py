"""When a Revox order is to be dialled: times as its clients write them, and what it waits for."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from api.base.times import rfc3339
from api.policy.retry import WEEKDAYS
from api.resources.attempt import Ended
from tests.api.compat.test_revox import TO, placed, read, refused
from tests.api.conftest import Bench
from tests.api.story import BUSY, claim_up_to

#: Of `TO`.
NEW_YORK = ZoneInfo("America/New_York")
PARIS = ZoneInfo("Europe/Paris")


def in_two_days() -> datetime:
    """A wall clock's reading, without a zone."""
    return (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=0, tzinfo=None)


def told(local: datetime, zone: ZoneInfo) -> str:
    return rfc3339(local.replace(tzinfo=zone).timestamp())


@pytest.mark.rows("RV-266", "RV-267", "RV-270", "RV-294")
async def test_a_time_without_an_offset_is_the_callees(bench: Bench) -> None:
    at = in_two_days()
    forms = (at.isoformat(), at.isoformat(" "), f"{at.isoformat()}.000", f"{at:%Y%m%dT%H%M%S}")
    for form in forms:
        call = await placed(bench, scheduled_at=form, force_now=True)
        assert (call["scheduled_at"], call["status"]) == (told(at, NEW_YORK), "scheduled"), form
    call = await placed(
        bench, scheduled_at=at.isoformat(), phone_number="+12065550142", force_now=True
    )
    assert call["scheduled_at"] == told(at, ZoneInfo("America/Los_Angeles"))
    day = at.replace(hour=0, minute=0, second=0)
    call = await placed(bench, scheduled_at=f"{day:%Y-%m-%d}", force_now=True)
    assert call["scheduled_at"] == told(day, NEW_YORK)


@pytest.mark.rows("RV-134", "RV-266")
async def test_a_time_without_an_offset_is_in_the_zone_that_was_given(bench: Bench) -> None:
    at = in_two_days()
    retry = {"timezone": "Europe/Paris"}
    inline = {"prompt": "x", "call_retry_config": retry}
    call = await placed(bench, scheduled_at=at.isoformat(), assistant=inline, force_now=True)
    assert call["scheduled_at"] == told(at, PARIS)
    kept = await bench.client.post("/api/assistants", json={"name": "A", **inline})
    stored = kept.json()["assistant"]["id"]
    call = await placed(bench, scheduled_at=at.isoformat(), assistant_id=stored, force_now=True)
    assert call["scheduled_at"] == told(at, PARIS)


@pytest.mark.rows("RV-268", "RV-270")
async def test_a_time_may_be_in_seconds_or_milliseconds(bench: Bench) -> None:
    at = int(time.time()) + 3600
    for wish in (at, float(at), at * 1000, at * 1000.0, str(at), str(at * 1000)):
        call = await placed(bench, scheduled_at=wish, force_now=True)
        assert (call["scheduled_at"], call["status"]) == (rfc3339(at), "scheduled")
    past = int(time.time() * 1000) - 5_000
    assert (await placed(bench, scheduled_at=past, force_now=True))["scheduled_at"] is None


@pytest.mark.parametrize("wrong", ["soon", "", "10:00", True, [], {}, 1e300, 10**14, "9" * 14])
async def test_what_is_no_time_is_refused_at_its_place(bench: Bench, wrong: Any) -> None:
    body = {"phone_number": TO, "scheduled_at": wrong}
    assert set(await refused(bench, body)) == {"/scheduled_at"}


@pytest.mark.parametrize(
    "wrong",
    [
        *("9" * 400, "9" * 5000, "0" * 400, "٩" * 400, "-" + "9" * 400),
        *(10**400, -(10**400), 10**308, -(10**308), float("1e308")),
        *("10000-01-01T00:00", "9999-12-31T23:59:59-14:00"),
    ],
    ids=lambda wrong: f"{type(wrong).__name__}-{str(wrong)[:12]}",
)
async def test_what_is_beyond_all_times_is_refused_at_its_place(bench: Bench, wrong: Any) -> None:
    """As an order's, and as a campaign's."""
    assert set(await refused(bench, {"phone_number": TO, "scheduled_at": wrong})) == {
        "/scheduled_at"
    }
    kept = await bench.client.post("/api/assistants", json={"name": "A", "prompt": "x"})
    campaign = {
        "assistant_id": kept.json()["assistant"]["id"],
        "contacts": [{"to_phone_number": TO}],
        "name": "Recalls",
        "scheduled_at": wrong,
    }
    answer = await bench.client.post("/api/campaigns", json=campaign)
    assert answer.status_code == 422, answer.text
    assert [one["pointer"] for one in answer.json()["error"]["errors"]] == ["/scheduled_at"]


@pytest.mark.rows("X-RV-3")
async def test_a_campaigns_time_may_be_written_so_too(bench: Bench) -> None:
    assistant = {"name": "A", "prompt": "x"}
    kept = await bench.client.post("/api/assistants", json=assistant)
    at = in_two_days()
    body: dict[str, Any] = {
        "assistant_id": kept.json()["assistant"]["id"],
        "contacts": [{"to_phone_number": TO}],
        "name": "Recalls",
    }
    paris = {"call_retry_config": {"timezone": "Europe/Paris"}}
    stamp = at.replace(tzinfo=UTC).timestamp()
    for more, wanted in (
        ({"scheduled_at": at.isoformat()}, told(at, NEW_YORK)),
        ({"scheduled_at": at.isoformat(), **paris}, told(at, PARIS)),
        ({"scheduled_at": stamp * 1000}, rfc3339(stamp)),
    ):
        answer = await bench.client.post("/api/campaigns", json=body | more)
        assert answer.status_code == 201, answer.text
        assert answer.json()["campaign"]["scheduled_at"] == wanted


@pytest.mark.rows("RV-101", "RV-294", "RV-299")
async def test_an_order_that_awaits_a_window_is_scheduled(bench: Bench) -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    retry = {
        "allowed_days": [WEEKDAYS[tomorrow.weekday()]],
        "calling_windows": [
            {"calling_window_start_time": "00:00", "calling_window_end_time": "24:00"}
        ],
        "timezone": "UTC",
    }
    opening = rfc3339(datetime.combine(tomorrow, datetime.min.time(), UTC).timestamp())
    assistant = {"prompt": "x", "call_retry_config": retry}
    call = await placed(bench, assistant=assistant)
    assert (call["status"], call["scheduled_at"]) == ("scheduled", opening)
    assert (await read(bench, call["id"]))["scheduled_at"] == opening
    for status, wanted in (("scheduled", [call["id"]]), ("queued_for_calling", [])):
        listed = (await bench.client.get("/api/call", params={"statuses": status})).json()
        assert [one["id"] for one in listed["calls"]] == wanted


@pytest.mark.rows("RV-101", "RV-266", "RV-294", "RV-299")
@pytest.mark.parametrize(("after_opening", "opens_later"), [(-3600, True), (3600, False)])
async def test_a_time_outside_the_windows_waits_for_the_next(
    bench: Bench, after_opening: int, opens_later: bool
) -> None:
    """It is told when the order is dialled; our own API tells the time that was asked for too."""
    day = datetime.now(UTC).date() + timedelta(days=2)
    retry = {
        "allowed_days": [WEEKDAYS[day.weekday()]],
        "calling_windows": [
            {"calling_window_start_time": "00:00", "calling_window_end_time": "24:00"}
        ],
        "timezone": "UTC",
    }
    opening = datetime.combine(day, datetime.min.time(), UTC).timestamp()
    asked = rfc3339(opening + after_opening)
    dialled = rfc3339(opening) if opens_later else asked
    assistant = {"prompt": "x", "call_retry_config": retry}
    call = await placed(bench, assistant=assistant, scheduled_at=asked)
    assert (call["status"], call["scheduled_at"]) == ("scheduled", dialled)
    assert (await read(bench, call["id"]))["scheduled_at"] == dialled
    (listed,) = (await bench.client.get("/api/call")).json()["calls"]
    assert listed["scheduled_at"] == dialled
    native = (await bench.client.get(f"/v1/calls/{call['id']}")).json()
    assert (native["scheduled_at"], native["next_attempt_at"]) == (asked, dialled)


@pytest.mark.rows("RV-126", "RV-294", "RV-299", "RV-304")
async def test_an_order_that_awaits_its_next_attempt_is_scheduled(bench: Bench) -> None:
    whole_day = {"calling_window_start_time": "00:00", "calling_window_end_time": "24:00"}
    retry = {
        "allowed_days": list(WEEKDAYS),
        "calling_windows": [{**whole_day, "retry_delay_seconds": 600}],
        "timezone": "UTC",
    }
    call = await placed(bench, assistant={"prompt": "x", "call_retry_config": retry})
    assert (call["status"], call["scheduled_at"]) == ("queued_for_calling", None)
    await claim_up_to(bench.store, 1)
    ended = time.time()
    await bench.store.calls.record_ended(call["id"], Ended(ended, BUSY, "busy"))
    waiting = await read(bench, call["id"])
    assert (waiting["status"], waiting["scheduled_at"]) == ("scheduled", rfc3339(ended + 600))
