"""What all dialects have in common: paths, default dialects of keys, errors, webhooks."""

import asyncio
import time
from functools import partial
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from api.base.problems import FieldError, Problem, invalid
from api.base.refusals import Invalid
from api.compat.dialects import DIALECTS
from api.compat.translation import Translation
from api.compat.webhooks import webhook_body
from api.resources.attempt import Ended
from api.resources.dialect import Dialect
from api.webhooks.deliverer import WebhookDeliverer
from tests.api.conftest import Bench
from tests.api.receiver import receiving
from tests.api.story import NORMAL, answered, new_call
from tests.api.webhooks.test_deliverer import SECRET, webhooks


async def keyed(bench: Bench, dialect: Dialect | None, **values: Any) -> dict[str, str]:
    """Headers with a key of this dialect."""
    _, key = await bench.store.keys.create("client", dialect=dialect, **values)
    return {"Authorization": f"Bearer {key}"}


async def test_a_key_tells_its_dialect(bench: Bench) -> None:
    """X-RV-7: the service's clients send our own keys."""
    made = await bench.client.post(
        "/v1/api_keys", json={"name": "crm", "scope": "call", "dialect": "revox"}
    )
    assert (made.status_code, made.json()["dialect"]) == (201, "revox")
    read = await bench.client.get(f"/v1/api_keys/{made.json()['id']}")
    assert read.json()["dialect"] == "revox"
    wrong = await bench.client.post(
        "/v1/api_keys", json={"name": "crm", "scope": "call", "dialect": "vapi"}
    )
    assert [error["pointer"] for error in wrong.json()["errors"]] == ["/dialect"]


async def test_a_path_without_its_prefix_is_the_dialects_for_its_keys_alone(bench: Bench) -> None:
    call = await new_call(bench.store)
    long, short = f"/api/call/{call.id}", f"/call/{call.id}"
    revox = await keyed(bench, "revox")
    whole = await bench.client.get(long)
    assert whole.json()["call"]["id"] == call.id
    for path in (long, short):
        assert (await bench.client.get(path, headers=revox)).json() == whole.json()
    for dialect in (None, "callingbox"):
        answer = await bench.client.get(short, headers=await keyed(bench, dialect))
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    # What the dialect does not have is ours.
    native = await bench.client.get(f"/v1/calls/{call.id}", headers=revox)
    assert native.json()["to_number"] == call.to_number
    assert (await bench.client.get(short, headers={"Authorization": ""})).status_code == 401
    assert short not in (await bench.client.get("/openapi.json")).json()["paths"]
    assert (await bench.client.delete(short, headers=revox)).status_code == 405


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_what_is_not_there_is_told_in_the_dialects_way(
    bench: Bench, dialect: Dialect
) -> None:
    """X-CB-26: 404 and 405 of paths that no route has."""
    answer = await bench.client.get(f"{DIALECTS[dialect].prefix}/nothing/here")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")
    told = answer.json()
    DIALECTS[dialect].error_model.model_validate(told, strict=True)
    assert "/openapi.json" in str(told)
    assert answer.headers["x-request-id"].startswith("req_")


async def test_revox_errors(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """401, 403, 404, 405, 429 and 500 under `/api`, and under a key's short path."""
    path = "/api/call/none"

    async def told(answer: httpx.Response) -> tuple[int, str]:
        (error,) = answer.json().values()
        assert set(error) == {"message", "code", "errors"}
        return answer.status_code, error["code"]

    client = bench.client
    assert await told(await client.get(path, headers={"Authorization": ""})) == (
        401,
        "unauthorized",
    )
    assert await told(await client.get(path)) == (404, "not_found")
    assert await told(await client.put(path)) == (405, "method_not_allowed")
    revox = await keyed(bench, "revox", rate_limit_per_minute=1)
    assert await told(await client.get("/call/none", headers=revox)) == (404, "not_found")
    limited = await client.get(path, headers=revox)
    assert await told(limited) == (429, "rate_limited")
    assert limited.headers["retry-after"].isdigit()
    monkeypatch.setattr(bench.store.calls, "get", None)
    assert await told(await client.get(path)) == (500, "internal_error")


async def test_a_revox_call_is_told_once_when_its_order_is_complete(bench: Bench) -> None:
    """RV-97, RV-98: `{"call": …}` as it is read, signed with our headers."""
    settings = webhooks(secret=SECRET)
    render = partial(webhook_body, bench.services)
    async with receiving() as receiver:
        call = await answered(bench.store, webhook_url=receiver.url, dialect="revox")
        deliverer = asyncio.create_task(WebhookDeliverer(bench.store, settings, render).run())
        await bench.store.calls.record_ended(call.id, Ended(time.time(), NORMAL, "agent_hangup"))
        (request,) = await receiver.wait(1)
        async with asyncio.timeout(20):
            while (await bench.store.calls.get(call.id)).webhook_status != "delivered":
                await asyncio.sleep(0.01)
        deliverer.cancel()
    told = Webhook(SECRET).verify(request.body, request.headers)
    read = (await bench.client.get(f"/api/call/{call.id}")).json()
    assert told["call"] | {"updated_at": ""} == read["call"] | {"updated_at": ""}
    assert read["call"]["status"] == "completed"
    assert len(receiver.got) == 1


async def test_an_endpoint_may_choose_a_dialects_body(bench: Bench) -> None:
    """For every event that it asks for, the call as it then is; a test is about none."""
    render = partial(webhook_body, bench.services)
    async with receiving() as receiver:
        endpoint = await bench.client.post(
            "/v1/webhook_endpoints", json={"url": receiver.url, "payload": "revox"}
        )
        deliverer = WebhookDeliverer(bench.store, webhooks(secret=SECRET), render)
        task = asyncio.create_task(deliverer.run())
        call = await answered(bench.store)
        await receiver.wait(3)
        path = f"/v1/webhook_endpoints/{endpoint.json()['id']}/test"
        assert (await bench.client.post(path)).status_code == 202
        *told, test = await receiver.wait(4)
        task.cancel()
    secret = endpoint.json()["signing_secret"]
    for request in told:
        body = Webhook(secret).verify(request.body, request.headers)
        assert body["call"]["id"] == call.id
    assert Webhook(secret).verify(test.body, test.headers)["type"] == "webhook.test"


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        (
            "/compat/callingbox/v1/calls",
            {"to": "+15551234567", "language": "es"},
            "/agent_id: its agent's voice: the voice 'en' is for en",
        ),
        (
            "/compat/oneinbox/v1/calls",
            {
                "to_number": "+15551234567",
                "from_number": "+15559876543",
                "overrides": {"transcriber": {"language": "es"}},
            },
            "its agent's tts/voice_id: the voice 'en' is for en",
        ),
        (
            "/api/call",
            {"phone_number": "+12125550142", "prompt_variables": {}},
            "/assistant_id: its agent's prompt: {{patient}} has no value; give it in "
            "`prompt_variables`",
        ),
    ],
)
async def test_what_is_wrong_in_a_stored_agent_is_told_in_the_clients_words(
    bench: Bench, path: str, body: dict[str, Any], told: str
) -> None:
    agent: dict[str, Any] = {"name": "Ada", "instructions": "Call {{patient}}."}
    if "patient" not in told:
        agent = {"name": "Ada", "instructions": "Call.", "voice": {"id": "en"}}
    agent_id = (await bench.client.post("/v1/agents", json=agent)).json()["id"]
    named = {"assistant_id" if path == "/api/call" else "agent_id": agent_id}
    answer = await bench.client.post(path, json=body | named)
    assert answer.status_code in {400, 422}, answer.text
    assert told in answer.text


def test_what_the_store_refuses_points_into_the_request_too() -> None:
    ours = Translation()
    ours.put("number_id", "9b2f", ("phone", "id"))
    with pytest.raises(Problem) as caught, ours.told("revox"):
        raise Invalid("there is no such number", field="number_id")
    assert [error.pointer for error in caught.value.errors] == ["/phone/id"]


@pytest.mark.parametrize(
    ("dialect", "ours", "place", "detail"),
    [
        ("callingbox", "/voice/id", "/voice", "x"),
        ("callingbox", "/webhook_url", "/webhook_url", "x"),
        ("callingbox", "/returns/day/type", "/returns/day/type", "x"),
        ("callingbox", "/retry/timezone", "", "retry/timezone: x"),
        ("oneinbox", "/voice/id", "/tts/voice_id", "x"),
        ("oneinbox", "/instructions", "/llm/system_prompt", "x"),
        ("oneinbox", "/tools/0/url", "", "tools/0/url: x"),
        ("revox", "/instructions", "/prompt", "x"),
        ("revox", "/max_duration_seconds", "/max_call_duration_secs", "x"),
        ("revox", "/name", "/theirs", "x"),
    ],
)
def test_what_was_kept_before_is_told_by_the_services_name(
    dialect: Dialect, ours: str, place: str, detail: str
) -> None:
    """No value of the request leads to it: it is the stored agent's."""
    made = Translation()
    made.put("name", "Ada", ("theirs",))
    with pytest.raises(Problem) as caught, made.told(dialect):
        raise invalid([FieldError("x", ours)])
    (error,) = caught.value.errors
    assert (error.pointer, error.detail) == (place, detail)
