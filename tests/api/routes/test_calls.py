"""`/v1/calls` over a real server: what is accepted, refused, read back."""

import asyncio
import json
import re
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.base.times import rfc3339
from api.resources.attempt import Ended
from api.resources.call import CallObject
from api.resources.rate import NewRate
from api.resources.turn import Turn
from pbx.switch import Cause
from tests.api.conftest import Bench
from tests.api.story import claim_up_to

JSON = {"Content-Type": "application/json"}

#: CB-122: the keys of the hosted service's call object.
SEED_KEYS = {
    "id",
    "to_number",
    "from_number",
    "status",
    "direction",
    "prompt",
    "context",
    "returns",
    "result",
    "result_status",
    "result_error",
    "language",
    "webhook_url",
    "webhook_status",
    "webhook_error",
    "created_at",
    "started_at",
    "answered_at",
    "ended_at",
    "duration_seconds",
    "billed_duration_seconds",
    "billing_amount_milli_cents",
    "reservation_status",
    "error_code",
    "error_message",
    "hangup_cause",
    "metadata",
    "updated_at",
}

NORMAL = Cause("completed", "normal_clearing", "The call ended normally.", 16)


@pytest.mark.both_stores
async def test_a_call_is_created_with_every_field(bench: Bench) -> None:
    body = {
        "to": "+15551234567",
        "prompt": "Confirm dental appointment\ntomorrow at 2pm",
        "context": {"patient": "María 李", "n": [1, 2.5, None, True]},
        "returns": {"confirmed": "boolean", "reschedule_to": "string", "mood": ["good", "bad"]},
        "language": "es",
        "from_number": "+15550100099",
        "webhook_url": "https://hooks.example.org/x",
        "metadata": {"order": "77"},
        "max_duration_seconds": 60,
    }
    call = await bench.create(**body)
    assert set(call) >= SEED_KEYS
    CallObject.model_validate(call, strict=True)
    assert call["to_number"] == body["to"]
    for name in (
        "prompt",
        "context",
        "returns",
        "language",
        "from_number",
        "webhook_url",
        "metadata",
        "max_duration_seconds",
    ):
        assert call[name] == body[name]
    assert (call["status"], call["direction"], call["result_status"]) == (
        "queued",
        "outbound",
        "pending",
    )
    assert (call["webhook_status"], call["reservation_status"]) == ("pending", "reserved")
    for name in (
        "result",
        "started_at",
        "answered_at",
        "ended_at",
        "duration_seconds",
        "billed_duration_seconds",
        "error_code",
        "hangup_cause",
        "answered_by",
    ):
        assert call[name] is None
    uuid.UUID(call["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", call["created_at"])
    read = await bench.client.get(f"/v1/calls/{call['id']}")
    assert read.json() == call


async def test_the_defaults(bench: Bench) -> None:
    call = await bench.create()
    assert call["from_number"] == "+15559876543"  # CB-19: the oldest
    assert (call["language"], call["context"], call["metadata"]) == ("en", {}, {})
    assert call["webhook_status"] == "none"  # CB-105


async def test_to_number_is_the_same_field(bench: Bench) -> None:
    response = await bench.client.post("/v1/calls", json={"to_number": "+15550100001"})
    assert response.json()["to_number"] == "+15550100001"
    response = await bench.client.post("/v1/calls", json={"to_number": "12"})
    assert response.json()["errors"][0]["pointer"] == "/to_number"
    await bench.store.do_not_call.add("+15550100001", "asked for it")
    response = await bench.client.post("/v1/calls", json={"to_number": "+15550100001"})
    assert response.json()["code"] == "do_not_call"
    assert response.json()["detail"] == "/to_number: is on the do-not-call list"


@pytest.mark.parametrize(
    ("change", "pointer", "told"),
    [
        ({"to": "5551234"}, "/to", "E.164"),
        ({"to": "+1555\r\nAction: Originate"}, "/to", "U+000D"),
        ({"to": "+1555%0AAction"}, "/to", "E.164"),
        ({"to": "+１５５５１２３４５６７"}, "/to", "E.164"),
        ({"to": 15551234567}, "/to", "string"),
        ({"to": "+" + "1" * 10_000}, "/to", "E.164"),
        ({"promt": "x"}, "/promt", "did you mean prompt?"),
        ({"prompt": ""}, "/prompt", "empty"),
        ({"prompt": "a\x00b"}, "/prompt", "U+0000"),
        ({"prompt": "a\x85b"}, "/prompt", "U+0085"),
        ({"context": {"a": {"b": ["x", "\x1b"]}}}, "/context/a/b/1", "U+001B"),
        ({"context": []}, "/context", "dictionary"),
        ({"metadata": {"a\nb": 1}}, "/metadata/a\nb", "key"),
        ({"returns": {"when": "dat"}}, "/returns/when", "known types are string"),
        ({"returns": {"a/b": "dat"}}, "/returns/a~1b", "known types are string"),
        ({"returns": {" ": "string"}}, "/returns/ ", "name"),
        ({"returns": {"when": {"type": "object"}}}, "/returns/when/type", "known types"),
        ({"returns": {"when": {"type": "string", "min": 1}}}, "/returns/when/min", "unknown key"),
        ({"returns": {"when": []}}, "/returns/when", "choose from"),
        ({"returns": {"when": None}}, "/returns/when", "not a type"),
        ({"returns": {"a": {"type": "array", "items": 3}}}, "/returns/a/items", "not a type"),
        ({"language": "xx"}, "/language", "they speak: en, es"),
        ({"language": "en\r\n"}, "/language", "U+000D"),
        ({"from_number": "+15550000000"}, "/from_number", "/v1/numbers"),
        ({"webhook_url": "ftp://x/"}, "/webhook_url", "https://"),
        ({"webhook_url": "https://u:p@x/"}, "/webhook_url", "password"),
        ({"webhook_url": "http://169.254.169.254/latest"}, "/webhook_url", "refused"),
        ({"webhook_url": "http://[::1]:80/"}, "/webhook_url", "refused"),
        ({"webhook_url": "http://[::ffff:169.254.0.1]/"}, "/webhook_url", "refused"),
        ({"webhook_url": "https://x:99999/"}, "/webhook_url", "not a URL"),
        ({"webhook_url": "https://x/\n"}, "/webhook_url", "U+000A"),
        ({"webhook_url": "https://x/ y"}, "/webhook_url", "ASCII"),
        ({"max_duration_seconds": 601}, "/max_duration_seconds", "at most 600"),
        ({"max_duration_seconds": 0}, "/max_duration_seconds", "greater"),
        ({"max_duration_seconds": True}, "/max_duration_seconds", "integer"),
        ({"max_duration_seconds": 10**30}, "/max_duration_seconds", "at most"),
        ({"max_duration_seconds": 10**400}, "/max_duration_seconds", "out of range"),
        ({"metadata": {"a": [{"b": -(10**309)}]}}, "/metadata/a/0/b", "out of range"),
    ],
)
async def test_a_wrong_field_is_named(
    bench: Bench, change: dict[str, Any], pointer: str, told: str
) -> None:
    body = {"to": "+15551234567"} | change
    response = await bench.client.post("/v1/calls", json=body)
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == 422
    assert problem["request_id"] == response.headers["x-request-id"]
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert told in problem["errors"][0]["detail"]
    assert (await bench.store.calls.page(limit=1)).items == ()


async def test_every_wrong_field_is_named_at_once(bench: Bench) -> None:
    body = {"to": "1", "language": "xx", "returns": {"a": "b"}}
    response = await bench.client.post("/v1/calls", json=body)
    pointers = {error["pointer"] for error in response.json()["errors"]}
    assert pointers == {"/to", "/language", "/returns/a"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nul",
        b'{"to": "+15551234567", "to": "+15551234568"}',
        b'{"to": NaN}',
        b'{"context": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b"\xff\xfe",
    ],
)
async def test_a_body_that_is_no_json_is_400(bench: Bench, body: bytes) -> None:
    response = await bench.client.post("/v1/calls", content=body, headers=JSON)
    assert response.status_code == 400
    assert response.json()["code"] == "malformed_json"


@pytest.mark.parametrize("number", [b"1e999", b"-1e400", b"9" * 400, b"-" + b"9" * 5000])
@pytest.mark.parametrize("field", ["metadata", "context", "variables", "returns"])
async def test_a_number_that_no_double_holds_is_refused_at_its_place(
    bench: Bench, field: str, number: bytes
) -> None:
    body = b'{"to": "+15551234567", "%s": {"a": {"b": [1, %s]}}}' % (field.encode(), number)
    response = await bench.client.post("/v1/calls", content=body, headers=JSON)
    assert response.status_code == 422, response.text
    (error,) = response.json()["errors"]
    assert error == {"detail": "the number is out of range", "pointer": f"/{field}/a/b/1"}


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"1", b"null", b"true"])
async def test_a_body_that_is_no_object_is_422(bench: Bench, body: bytes) -> None:
    response = await bench.client.post("/v1/calls", content=body, headers=JSON)
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "")


async def test_deep_nesting_and_lone_surrogates_are_refused(bench: Bench) -> None:
    deep: Any = "x"
    for _ in range(20):
        deep = [deep]
    response = await bench.client.post(
        "/v1/calls", json={"to": "+15551234567", "context": {"a": deep}}
    )
    assert "deeper" in response.json()["detail"]
    response = await bench.client.post(
        "/v1/calls", content=b'{"to": "+15551234567", "prompt": "\\ud800"}', headers=JSON
    )
    assert "surrogate" in response.json()["detail"]
    response = await bench.client.post(
        "/v1/calls", content=b'{"to": "+15551234567", "\\udfff": 1}', headers=JSON
    )
    assert response.status_code == 422


async def test_a_body_too_large_is_413_announced_or_not(bench: Bench) -> None:
    big = b" " * 70_000

    async def drip() -> Any:
        for _ in range(70):
            yield b" " * 1000

    for content in (big, drip()):
        response = await bench.client.post("/v1/calls", content=content, headers=JSON)
        assert response.status_code == 413
        assert response.json()["code"] == "body_too_large"
    assert (await bench.create())["status"] == "queued"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [
    "to",
    "to_number",
    "prompt",
    "context",
    "returns",
    "language",
    "from_number",
    "webhook_url",
    "metadata",
    "max_duration_seconds",
    "x",
]


@pytest.mark.both_stores
async def test_a_path_or_a_query_with_a_nul_is_known_to_nobody(bench: Bench) -> None:
    """PostgreSQL holds none in a text, and would fail."""
    for path in ("/v1/calls/%00", "/v1/calls/%00/events", "/v1/campaigns/a%00", "/v1/numbers/%00"):
        assert (await bench.client.get(path)).status_code == 404
    for name, value in (("to_number", "%00"), ("metadata", "customer:%0042"), ("cursor", "a%00")):
        answer = await bench.client.get(f"/v1/calls?{name}={value}")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["parameter"] == name


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=4))
async def test_hostile_values_never_break_the_server(bench: Bench, body: dict[str, Any]) -> None:
    response = await bench.client.post("/v1/calls", content=json.dumps(body).encode(), headers=JSON)
    assert response.status_code in {201, 400, 422}
    if response.status_code == 201:
        call = response.json()
        for name in ("context", "metadata", "returns"):
            assert call[name] == (body.get(name) or {})


@pytest.mark.parametrize("name", ["to", "to_number"])
async def test_the_number_is_pointed_at_by_the_name_that_it_was_given(
    bench: Bench, name: str
) -> None:
    async def told(number: str) -> tuple[str, str]:
        problem = (await bench.client.post("/v1/calls", json={name: number})).json()
        return problem["code"], problem["errors"][0]["pointer"]

    await bench.client.post("/v1/do_not_call", json={"number": "+15551234567"})
    assert await told("+15551234567") == ("do_not_call", f"/{name}")
    assert await told("12") == ("validation_failed", f"/{name}")
    await bench.client.patch("/v1/trunks/trunk", json={"allowed_prefixes": ["+49"]})
    assert await told("+15551234568") == ("no_trunk", f"/{name}")


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_that_does_not_say_that_it_is_json(bench: Bench, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    answer = await bench.client.post(
        "/v1/calls", content=b'{"to": "+15551234567"}', headers=headers
    )
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert (await bench.client.get("/v1/calls")).json()["data"] == []


async def test_no_numbers_is_an_error_of_its_own(bench: Bench) -> None:
    """CB-20."""
    for number in (await bench.store.numbers.page(limit=9)).items:
        await bench.store.numbers.change(number.id, {"status": "inactive"})
    response = await bench.client.post("/v1/calls", json={"to": "+15551234567"})
    assert (response.status_code, response.json()["code"]) == (422, "no_active_number")


async def test_the_oldest_active_number_is_shown(bench: Bench) -> None:
    """CB-19, and `calls.numbers` in its order."""
    assert (await bench.create())["from_number"] == "+15559876543"
    (oldest,) = [
        one for one in (await bench.store.numbers.page(limit=9)).items
        if one.number == "+15559876543"
    ]  # fmt: skip
    await bench.store.numbers.change(oldest.id, {"status": "inactive"})
    assert (await bench.create())["from_number"] == "+15550100099"


@pytest.mark.both_stores
async def test_money_is_held_and_refused(bench: Bench) -> None:
    """X-CB-30: the worst case is held; what the budget does not allow is refused."""
    await bench.store.rates.put(NewRate("+1", 6000))
    await bench.store.budget.set_limit(100_000)
    call = await bench.create(max_duration_seconds=600)
    assert call["reservation_status"] == "reserved"
    assert (await bench.store.budget.get()).reserved_milli_cents == 60_000
    body = {"to": "+15551234567", "max_duration_seconds": 600}
    refused = await bench.client.post("/v1/calls", json=body)
    assert (refused.status_code, refused.json()["code"]) == (402, "budget_exceeded")
    unpriced = await bench.client.post("/v1/calls", json={"to": "+4930123456"})
    assert (unpriced.status_code, unpriced.json()["code"]) == (422, "no_rate")
    await bench.client.post(f"/v1/calls/{call['id']}/cancel")
    assert (await bench.store.budget.get()).reserved_milli_cents == 0
    assert (await bench.client.post("/v1/calls", json=body)).status_code == 201


@pytest.mark.both_stores
async def test_who_is_on_the_list_is_not_called(bench: Bench) -> None:
    """RV-312: refused at creation, and stopped while it waits."""
    waiting = await bench.create()
    await bench.store.do_not_call.add("+15551234567", "asked in writing")
    refused = await bench.client.post("/v1/calls", json={"to": "+15551234567"})
    assert (refused.status_code, refused.json()["code"]) == (422, "do_not_call")
    assert await claim_up_to(bench.store, 1) == []
    stopped = (await bench.client.get(f"/v1/calls/{waiting['id']}")).json()
    assert (stopped["status"], stopped["end_reason"]) == ("failed", "do_not_call")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("to_number=%2B15551234567", ["a", "b"]),
        ("to_number=%2B15557654321", ["c"]),
        ("metadata=customer:42", ["a", "c"]),
        ("metadata=customer:42&metadata=city:bonn", ["c"]),
        ("concurrency_key=desk", ["b"]),
        ("status=canceled", ["b"]),
        ("status=queued&metadata=customer:42", ["a", "c"]),
        ("created_after=2020-01-01T00:00:00Z", ["a", "b", "c"]),
        ("created_before=2020-01-01T00:00:00%2B02:00", []),
        ("from_number=%2B15550000000", []),
        ("campaign_id=none", []),
        ("api_key_id=none", []),
    ],
)
@pytest.mark.both_stores
async def test_lists_are_filtered(bench: Bench, query: str, found: list[str]) -> None:
    names = {}
    bodies: dict[str, dict[str, Any]] = {
        "a": {"metadata": {"customer": "42", "deep": {"customer": "43"}}},
        "b": {"concurrency": {"key": "desk", "max": 1}, "metadata": {"customer": 42}},
        "c": {"to": "+15557654321", "metadata": {"customer": "42", "city": "bonn"}},
    }
    for name, body in bodies.items():
        names[(await bench.create(**body))["id"]] = name
    ids = {name: call_id for call_id, name in names.items()}
    await bench.client.post(f"/v1/calls/{ids['b']}/cancel")
    answer = await bench.client.get(f"/v1/calls?{query}")
    assert answer.status_code == 200, answer.text
    assert sorted(names[call["id"]] for call in answer.json()["data"]) == found


@pytest.mark.parametrize("query", ["metadata=x", "metadata=:x", "created_after=yesterday",
                                   "created_before=2027-01-01T00:00:00"])  # fmt: skip
async def test_a_wrong_filter_is_named(bench: Bench, query: str) -> None:
    answer = await bench.client.get(f"/v1/calls?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (
        422, query.partition("=")[0],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"scheduled_at": "tomorrow"}, "/scheduled_at"),
        ({"scheduled_at": "2027-01-01T09:00:00"}, "/scheduled_at"),
        ({"scheduled_at": "2999-01-01T09:00:00Z"}, "/scheduled_at"),
        ({"scheduled_at": True}, "/scheduled_at"),
        ({"retry": {"max_attempts": 0}}, "/retry/max_attempts"),
        ({"retry": {"timezone": "Mars/Base"}}, "/retry/timezone"),
        ({"to": "+80012345678", "retry": {}}, "/retry/timezone"),
        ({"concurrency": {"key": "x"}}, "/concurrency/max"),
        ({"concurrency": {"key": "x", "max": 0}}, "/concurrency/max"),
        ({"concurrency": {"key": "", "max": 1}}, "/concurrency/key"),
        ({"force_now": "yes"}, "/force_now"),
    ],
)
async def test_a_wrong_wish_for_time_is_named(
    bench: Bench, fields: dict[str, Any], pointer: str
) -> None:
    answer = await bench.client.post("/v1/calls", json={"to": "+12125550123"} | fields)
    assert answer.status_code == 422, answer.text
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


@pytest.mark.both_stores
async def test_a_scheduled_order_says_what_it_waits_for(bench: Bench) -> None:
    """RV-266…270; the policy completed by its defaults: RV-100, 109, 112, 119, 123, 129, 133."""
    at = time.time() + 7 * 24 * 3600
    for wish in (at, datetime.fromtimestamp(at, UTC).isoformat()):
        call = await bench.create(to="+12125550123", scheduled_at=wish, retry={}, force_now=True)
        assert (call["status"], call["waiting_for"]) == ("queued", "scheduled_at")
        assert call["scheduled_at"] == call["next_attempt_at"] == rfc3339(at)
        assert call["retry"] == {
            "allowed_days": ["monday", "tuesday", "wednesday", "thursday", "friday"],
            "calling_windows": [{"start": "10:00", "end": "18:00", "retry_delay_seconds": 7200}],
            "call_twice_in_a_row": False,
            "max_attempts": 3,
            "timezone": None,
        }
    past = await bench.create(scheduled_at=at - 30 * 24 * 3600)
    assert (past["scheduled_at"], past["waiting_for"]) == (None, "free_slot")
    assert [claim.call.id for claim in await claim_up_to(bench.store, 9)] == [past["id"]]


@pytest.mark.parametrize(
    ("header", "error"),
    [
        (None, ""),
        ("Basic eDp5", "invalid_token"),
        ("Bearer", "invalid_token"),
        ("Bearer sk_wrong", "invalid_token"),
        ("Bearer sk_" + "x" * 5000, "invalid_token"),
    ],
)
async def test_a_key_is_asked_for(bench: Bench, header: str | None, error: str) -> None:
    async with httpx.AsyncClient(base_url=bench.client.base_url, trust_env=False) as stranger:
        headers = {} if header is None else {"Authorization": header}
        for path in ("/v1/calls", f"/v1/calls/{uuid.uuid4()}", "/v1/webhook_secret"):
            response = await stranger.get(path, headers=headers)
            assert response.status_code == 401
            assert response.headers["www-authenticate"].startswith("Bearer")
            assert error in response.headers["www-authenticate"]


async def test_a_revoked_key_is_refused(bench: Bench) -> None:
    (record,) = await bench.store.keys.list()
    assert await bench.store.keys.revoke(record.id)
    assert (await bench.client.get("/v1/calls")).status_code == 401


@pytest.mark.both_stores
async def test_pages_hold_every_call_once_newest_first(bench: Bench) -> None:
    made = [(await bench.create())["id"] for _ in range(7)]
    seen: list[str] = []
    cursor = None
    for _ in range(4):
        parameters = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await bench.client.get("/v1/calls", params=parameters)).json()
        seen += [call["id"] for call in page["data"]]
        cursor = page["next_cursor"]
        assert page["has_more"] == (cursor is not None)
    assert cursor is None
    assert seen == made[::-1]


@pytest.mark.both_stores
async def test_pages_can_be_of_one_status(bench: Bench) -> None:
    first, second = await bench.create(), await bench.create()
    await bench.client.post(f"/v1/calls/{first['id']}/cancel")
    page = (await bench.client.get("/v1/calls", params={"status": "canceled"})).json()
    assert [call["id"] for call in page["data"]] == [first["id"]]
    page = (await bench.client.get("/v1/calls", params={"status": "queued"})).json()
    assert [call["id"] for call in page["data"]] == [second["id"]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "201"),
        ("limit", "x"),
        ("limit", "²"),
        ("limit", "9" * 30),
        ("cursor", "zzz"),
        ("cursor", "W10="),
        ("cursor", "ä"),
        ("cursor", "Ww=="),
        ("status", "done"),
        ("order", "1"),
    ],
)
async def test_a_wrong_parameter_is_named(bench: Bench, name: str, value: str) -> None:
    response = await bench.client.get("/v1/calls", params={name: value})
    assert response.status_code == 422
    assert response.json()["errors"][0]["parameter"] == name


async def test_polling_is_cheap(bench: Bench) -> None:
    call = await bench.create()
    path = f"/v1/calls/{call['id']}"
    first = await bench.client.get(path)
    again = await bench.client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    await claim_up_to(bench.store, 1)
    changed = await bench.client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (changed.status_code, changed.json()["status"]) == (200, "initiated")


async def test_unknown_things_are_problems_too(bench: Bench) -> None:
    for path in ("/nowhere", "/v1/calls/x", f"/v1/calls/{uuid.uuid4()}/transcript"):
        response = await bench.client.get(path)
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
    response = await bench.client.delete("/v1/calls")
    assert response.status_code == 405
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}


async def test_the_request_id_is_ours_unless_a_sane_one_is_given(bench: Bench) -> None:
    given_id = await bench.client.get("/v1/calls", headers={"X-Request-Id": "abc-1"})
    assert given_id.headers["x-request-id"] == "abc-1"
    hostile = await bench.client.get("/v1/calls", headers={"X-Request-Id": 'a"b<c>'})
    assert re.fullmatch(r"req_[0-9a-f]{32}", hostile.headers["x-request-id"])


async def run_to_answer(bench: Bench, call_id: str) -> None:
    await claim_up_to(bench.store, 1)
    await bench.store.calls.record_ringing(call_id, time.time())
    await bench.store.calls.record_answered(call_id, time.time())


@pytest.mark.both_stores
async def test_the_transcript_grows_turn_by_turn(bench: Bench) -> None:
    call = await bench.create()
    await run_to_answer(bench, call["id"])
    now = time.time()
    await bench.store.calls.add_turn(
        call["id"], Turn("agent", "hello --", now, now + 1, True, timings={"tts_ms": 9.5})
    )
    await bench.store.calls.add_turn(
        call["id"], Turn("person", "yes", now + 1, now + 2, confidence=0.9)
    )
    answer = (await bench.client.get(f"/v1/calls/{call['id']}/transcript")).json()
    assert (answer["call_id"], answer["status"]) == (call["id"], "in_progress")
    assert [(turn["seq"], turn["speaker"], turn["text"]) for turn in answer["turns"]] == [
        (1, "agent", "hello --"),
        (2, "person", "yes"),
    ]
    assert answer["turns"][0]["interrupted"] is True
    assert answer["turns"][0]["timings"] == {"tts_ms": 9.5}
    assert answer["turns"][1]["confidence"] == 0.9


async def test_cancel_and_hang_up_go_where_they_can(bench: Bench) -> None:
    """Cancel works until the answer, hang-up after it; the answer says what to use instead."""
    queued = await bench.create()
    response = await bench.client.post(f"/v1/calls/{queued['id']}/hangup")
    assert (response.status_code, response.json()["code"]) == (409, "not_answered")
    response = await bench.client.post(f"/v1/calls/{queued['id']}/cancel")
    assert (response.status_code, response.json()["status"]) == (200, "canceled")
    assert response.json()["reservation_status"] == "released"
    response = await bench.client.post(f"/v1/calls/{queued['id']}/cancel")
    assert (response.status_code, response.json()["code"]) == (409, "already_ended")
    assert bench.asked == []

    live = await bench.create()
    await claim_up_to(bench.store, 1)
    response = await bench.client.post(f"/v1/calls/{live['id']}/cancel")
    assert (response.status_code, response.json()["status"]) == (202, "initiated")
    await bench.store.calls.record_answered(live["id"], time.time())
    response = await bench.client.post(f"/v1/calls/{live['id']}/cancel")
    assert (response.status_code, response.json()["code"]) == (409, "already_answered")
    response = await bench.client.post(f"/v1/calls/{live['id']}/hangup")
    assert response.status_code == 202
    assert bench.asked == [f"{live['id']}:cancel", f"{live['id']}:hangup"]


async def test_a_recording_is_served_with_ranges_and_from_its_folder_only(bench: Bench) -> None:
    call = await bench.create()
    path = f"/v1/calls/{call['id']}/recording"
    assert (await bench.client.get(path)).json()["code"] == "no_recording"
    await run_to_answer(bench, call["id"])
    (bench.recordings / "a.wav").write_bytes(b"RIFF" + bytes(range(100)))
    ended = Ended(time.time(), NORMAL, "agent_hangup", recording_path="a.wav")
    await bench.store.calls.record_ended(call["id"], ended)
    whole = await bench.client.get(path)
    assert (whole.status_code, whole.headers["content-type"]) == (200, "audio/wav")
    assert whole.content[:4] == b"RIFF"
    part = await bench.client.get(path, headers={"Range": "bytes=4-6"})
    assert (part.status_code, part.content) == (206, bytes([0, 1, 2]))
    assert (await bench.client.get(path, headers={"Range": "bytes=900-"})).status_code == 416

    outside = await bench.create()
    await run_to_answer(bench, outside["id"])
    (bench.recordings.parent / "secret.wav").write_bytes(b"x")
    ended = Ended(time.time(), NORMAL, "agent_hangup", recording_path="../secret.wav")
    await bench.store.calls.record_ended(outside["id"], ended)
    response = await bench.client.get(f"/v1/calls/{outside['id']}/recording")
    assert response.status_code == 404


async def test_a_recording_in_opus_is_served_as_such(bench: Bench) -> None:
    call = await bench.create()
    await run_to_answer(bench, call["id"])
    (bench.recordings / "a.opus").write_bytes(b"OggS" + bytes(range(100)))
    ended = Ended(time.time(), NORMAL, "agent_hangup", recording_path="a.opus")
    await bench.store.calls.record_ended(call["id"], ended)
    path, asked = f"/v1/calls/{call['id']}/recording", {"Range": "bytes=0-3"}
    whole = await bench.client.get(path)
    assert (whole.status_code, whole.headers["content-type"]) == (200, "audio/ogg")
    assert 'filename="a.opus"' in whole.headers["content-disposition"]
    part = await bench.client.get(path, headers=asked)
    assert (part.status_code, part.content) == (206, b"OggS")
    link = (await bench.client.get(f"{path}_link")).json()["url"]
    linked = await bench.client.get("/" + link.partition("//")[2].partition("/")[2])
    assert (linked.status_code, linked.headers["content-type"]) == (200, "audio/ogg")


@pytest.mark.both_stores
async def test_an_idempotency_key_gets_one_call_and_one_answer(bench: Bench) -> None:
    body = {"to": "+15551234567", "prompt": "hi"}
    headers = {"Idempotency-Key": "order-1"}
    first = await bench.client.post("/v1/calls", json=body, headers=headers)
    await claim_up_to(bench.store, 1)
    again = await bench.client.post("/v1/calls", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    other = await bench.client.post("/v1/calls", json=body | {"prompt": "ho"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    wrong = await bench.client.post("/v1/calls", json=body, headers={"Idempotency-Key": "a b"})
    assert wrong.json()["errors"][0]["parameter"] == "Idempotency-Key"
    assert len((await bench.store.calls.page(limit=9)).items) == 1


async def test_a_call_is_rendered_once_for_event_answer_and_key(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = 0
    validate = CallObject.model_validate

    def counting(record: object) -> CallObject:
        nonlocal rendered
        rendered += 1
        return validate(record)

    monkeypatch.setattr(CallObject, "model_validate", counting)
    body, headers = {"to": "+15551234567"}, {"Idempotency-Key": "order-3"}
    answer = await bench.client.post("/v1/calls", json=body, headers=headers)
    (event,) = await bench.store.calls.events(answer.json()["id"])
    assert event.data["call"] == answer.json()
    assert rendered == 1


async def test_an_idempotency_key_is_free_again_after_a_refusal(bench: Bench) -> None:
    headers = {"Idempotency-Key": "order-2"}
    refused = await bench.client.post("/v1/calls", json={"to": "1"}, headers=headers)
    assert refused.status_code == 422
    made = await bench.client.post("/v1/calls", json={"to": "+15551234567"}, headers=headers)
    assert made.status_code == 201


async def test_cancel_under_one_idempotency_key_answers_the_same(bench: Bench) -> None:
    call = await bench.create()
    path, headers = f"/v1/calls/{call['id']}/cancel", {"Idempotency-Key": "c"}
    first = await bench.client.post(path, headers=headers)
    again = await bench.client.post(path, headers=headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()


@pytest.mark.both_stores
async def test_simultaneous_posts_under_one_key_make_one_call(bench: Bench) -> None:
    async def post() -> int:
        response = await bench.client.post(
            "/v1/calls", json={"to": "+15551234567"}, headers={"Idempotency-Key": "k"}
        )
        return response.status_code

    codes = await asyncio.gather(*(post() for _ in range(10)))
    assert 201 in codes
    assert set(codes) <= {201, 409}
    assert len((await bench.store.calls.page(limit=20)).items) == 1


async def test_health_tells_of_every_part(bench: Bench) -> None:
    from api.http.services import Check

    async with httpx.AsyncClient(base_url=bench.client.base_url, trust_env=False) as stranger:
        good = await stranger.get("/healthz")
        assert (good.status_code, good.json()["checks"]["store"]["ok"]) == (200, True)
        bench.health["pbx"] = Check(False, "wrong AMI password; set pbx.ami.secret")
        bad = await stranger.get("/healthz")
    assert bad.status_code == 503
    assert bad.json()["checks"]["pbx"] == {
        "ok": False,
        "message": "wrong AMI password; set pbx.ami.secret",
    }


async def test_a_fault_of_ours_is_a_500_problem(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(bench.store, "calls")
    response = await bench.client.get("/v1/calls")
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert response.json()["request_id"] in caplog.text
