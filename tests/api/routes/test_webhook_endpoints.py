"""Stored webhook endpoints over a real server: made, told, rotated, disabled, deleted."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from api.base.lifecycle import CALL_EVENTS
from api.resources.turn import Turn
from api.resources.webhook import DeliveryObject, EndpointWithSecret, NewEndpoint
from api.store.endpoints import MAX_ENDPOINTS, MAX_FAILURES
from tests.api.conftest import Bench
from tests.api.receiver import Answer, Received, receiving, status
from tests.api.story import answered, completed, new_call
from tests.api.webhooks.test_deliverer import (
    SECRET,
    babble,
    delivering,
    drip,
    hang,
    hang_up,
    settled,
)

PATH = "/v1/webhook_endpoints"
LIFE = ["call.queued", "call.ringing", "call.answered", "call.completed"]
NOWHERE = "https://hooks.example.org/"


async def add(bench: Bench, url: str, **fields: Any) -> dict[str, Any]:
    """Add an endpoint that must be accepted."""
    response = await bench.client.post(PATH, json={"url": url} | fields)
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def read(bench: Bench, path: str) -> dict[str, Any]:
    response = await bench.client.get(path)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def until(
    bench: Bench, path: str, wanted: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """What is at `path`, once it is as wanted."""
    async with asyncio.timeout(20):
        while not wanted(found := await read(bench, path)):
            await asyncio.sleep(0.01)
    return found


def failed(count: int) -> Callable[[dict[str, Any]], bool]:
    return lambda endpoint: bool(endpoint["consecutive_failures"] == count)


def kinds(requests: list[Received]) -> list[str]:
    return [request.body.split(b'"')[3].decode() for request in requests]


# -- making, reading, changing -------------------------------------------------------------------


async def test_an_endpoint_tells_its_secret_once(bench: Bench) -> None:
    """CB-4, X-CB-17."""
    response = await bench.client.post(PATH, json={"url": NOWHERE, "description": "CRM"})
    made = response.json()
    EndpointWithSecret.model_validate(made, strict=True)
    assert response.headers["location"] == f"{PATH}/{made['id']}"
    assert response.headers["cache-control"] == "no-store"
    secret = made.pop("signing_secret")
    assert secret.startswith("whsec_")
    assert made == await read(bench, f"{PATH}/{made['id']}")
    assert (await read(bench, PATH)) == {"data": [made], "has_more": False, "next_cursor": None}
    assert made | {"url": NOWHERE, "description": "CRM"} == made
    assert (made["enabled_events"], made["status"], made["disabled_reason"]) == (
        ["*"],
        "enabled",
        None,
    )
    stored = await bench.store.endpoints.get(made["id"])
    assert secret not in repr(stored)


@pytest.mark.parametrize(
    ("change", "pointer", "told"),
    [
        ({"url": "http://127.0.0.1:99999/"}, "/url", "not a URL"),
        ({"url": "ftp://x.example/"}, "/url", "https://"),
        ({"url": "https://169.254.169.254/"}, "/url", "refused"),
        ({"url": "https://x/\r\nHost: y"}, "/url", "U+000D"),
        ({"url": None}, "/url", "string"),
        ({"enabled_events": []}, "/enabled_events", "at least 1"),
        ({"enabled_events": ["call.complete"]}, "/enabled_events/0", "mean call.completed?"),
        ({"enabled_events": ["*", 5]}, "/enabled_events/1", "string"),
        ({"status": "paused"}, "/status", "'enabled' or 'disabled'"),
        ({"description": "x" * 501}, "/description", "500"),
        ({"secret": "whsec_mine"}, "/secret", "unknown key"),
    ],
)
async def test_a_wrong_endpoint_is_refused_with_a_pointer(
    bench: Bench, change: dict[str, Any], pointer: str, told: str
) -> None:
    made = await add(bench, NOWHERE)
    for answer in (
        await bench.client.post(PATH, json={"url": f"{NOWHERE}new"} | change),
        await bench.client.patch(f"{PATH}/{made['id']}", json=change),
    ):
        assert answer.status_code == 422, answer.text
        (error,) = answer.json()["errors"]
        assert error["pointer"] == pointer
        assert told in error["detail"]
    assert len((await read(bench, PATH))["data"]) == 1


@pytest.mark.both_stores
async def test_a_url_belongs_to_one_endpoint(bench: Bench) -> None:
    await add(bench, NOWHERE)
    other = await add(bench, f"{NOWHERE}other")
    again = await bench.client.post(PATH, json={"url": NOWHERE})
    moved = await bench.client.patch(f"{PATH}/{other['id']}", json={"url": NOWHERE})
    for answer in (again, moved):
        assert (answer.status_code, answer.json()["code"]) == (409, "url_taken")


@pytest.mark.both_stores
async def test_endpoints_are_bounded(bench: Bench) -> None:
    for number in range(MAX_ENDPOINTS):
        await bench.store.endpoints.create(NewEndpoint(f"{NOWHERE}{number}"))
    answer = await bench.client.post(PATH, json={"url": NOWHERE})
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_endpoints")


@pytest.mark.both_stores
async def test_an_endpoint_is_changed_and_deleted(bench: Bench) -> None:
    made = await add(bench, NOWHERE)
    path = f"{PATH}/{made['id']}"
    changed = await bench.client.patch(path, json={"enabled_events": ["call.turn"]})
    del made["signing_secret"]
    expected = made | {"enabled_events": ["call.turn"], "updated_at": changed.json()["updated_at"]}
    assert changed.json() == expected == await read(bench, path)
    answer = await bench.client.patch(
        path, content=b"{", headers={"Content-Type": "application/json"}
    )
    assert answer.json()["code"] == "malformed_json"
    assert (await bench.client.delete(path)).status_code == 204
    for answer in (
        await bench.client.get(path),
        await bench.client.patch(path, json={}),
        await bench.client.delete(path, headers={"Idempotency-Key": "x"}),
        await bench.client.post(f"{path}/rotate_secret"),
        await bench.client.post(f"{path}/test"),
        await bench.client.get(f"{path}/deliveries"),
        await bench.client.get("/v1/webhook_deliveries/x"),
        await bench.client.post("/v1/webhook_deliveries/x/redeliver"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.both_stores
async def test_an_idempotent_creation_gives_the_same_secret(bench: Bench) -> None:
    headers = {"Idempotency-Key": "one"}
    first = await bench.client.post(PATH, json={"url": NOWHERE}, headers=headers)
    second = await bench.client.post(PATH, json={"url": NOWHERE}, headers=headers)
    assert first.json() == second.json()
    assert second.headers["idempotency-replayed"] == "true"


# -- what is told to whom ------------------------------------------------------------------------


@pytest.mark.both_stores
async def test_every_call_is_told_to_each_endpoint_that_wants_it(bench: Bench) -> None:
    """Each with its own secret, beside the call's own URL (CB-119, OI-12)."""
    async with (
        receiving() as everything,
        receiving() as ends,
        receiving() as talk,
        receiving() as own,
        delivering(bench.store),
    ):
        secret = (await add(bench, everything.url))["signing_secret"]
        await add(bench, ends.url, enabled_events=["call.completed", "call.failed"])
        await add(bench, talk.url, enabled_events=["call.turn", "call.ended"])
        await add(bench, NOWHERE, status="disabled")
        call = await answered(bench.store, webhook_url=own.url)
        await bench.store.calls.add_turn(call.id, Turn("agent", "hi", 1.0, 2.0))
        other = await completed(bench.store)
        await everything.wait(7)
        await ends.wait(1)
        turn, end = await talk.wait(2)
        await own.wait(3)
    assert sorted(kinds(everything.got)) == sorted([*LIFE[:3], *LIFE])
    for request in everything.got:
        assert request.verified(secret)["id"] in {call.id, other.id}
        with pytest.raises(WebhookVerificationError):
            request.verified(SECRET)
    assert kinds(ends.got) == ["call.completed"]
    assert kinds([turn]) == ["call.turn"]
    assert b'"call_id":"' + call.id.encode() in turn.body
    assert b'"text":"hi"' in turn.body
    assert kinds([end]) == ["call.ended"]
    assert kinds(own.got) == LIFE[:3]
    assert all(request.verified(SECRET)["id"] == call.id for request in own.got)


async def test_every_event_of_a_call_can_be_asked_for(bench: Bench) -> None:
    await add(bench, NOWHERE, enabled_events=sorted(CALL_EVENTS))
    call = await answered(bench.store)
    await bench.store.calls.record_digit(call.id, time.time(), "1", 90)
    await bench.store.calls.add_turn(call.id, Turn("keypad", "1", 1.0, 2.0))
    told = {event.type for event in await bench.store.calls.events(call.id)}
    page = await read(bench, f"/v1/calls/{call.id}/webhook_deliveries")
    assert {delivery["event_type"] for delivery in page["data"]} == told


async def test_one_url_is_told_once_under_both_secrets(bench: Bench) -> None:
    """The call's own URL is an endpoint's too: one delivery, which counts as the call's own."""
    async with receiving() as receiver, delivering(bench.store):
        made = await add(bench, receiver.url)
        call = await completed(bench.store, webhook_url=receiver.url)
        await receiver.wait(4)
        done = await settled(bench.store, call, "delivered")
    assert kinds(receiver.got) == LIFE
    for request in receiver.got:
        assert request.verified(made["signing_secret"]) == request.verified(SECRET)
    assert (await bench.client.delete(f"{PATH}/{made['id']}")).status_code == 204
    assert await bench.store.calls.get(call.id) == done
    page = await read(bench, f"/v1/calls/{call.id}/webhook_deliveries")
    assert [delivery["endpoint_id"] for delivery in page["data"]] == [None] * 4


@pytest.mark.both_stores
async def test_after_a_rotation_both_secrets_verify_until_the_overlap_is_over(
    bench: Bench,
) -> None:
    """X-CB-18: the new secret signs at once, the old one for a day beside it."""
    now = [time.time() + 10]
    async with receiving() as receiver, delivering(bench.store, clock=lambda: now[0]):
        made = await add(bench, receiver.url)
        path = f"{PATH}/{made['id']}"
        answer = await bench.client.post(f"{path}/rotate_secret")
        rotated = answer.json()
        old, new = made["signing_secret"], rotated["signing_secret"]
        assert answer.headers["cache-control"] == "no-store"
        assert rotated["previous_secret_until"] > made["created_at"]
        assert "signing_secret" not in await read(bench, path)
        await new_call(bench.store)
        (both,) = await receiver.wait(1)
        assert both.verified(new) == both.verified(old)
        assert len(both.headers["webhook-signature"].split(" ")) == 2
        assert old != new

        now[0] += 24 * 3600 + 600  # the overlap began by the real clock, however late
        await new_call(bench.store)
        _, after = await receiver.wait(2)
        now[0] = time.time() + 20
        last = (
            await bench.client.post(f"{path}/rotate_secret", json={"overlap_seconds": 0})
        ).json()
        assert last["previous_secret_until"] is None
        await new_call(bench.store)
        _, _, at_once = await receiver.wait(3)
    assert len(after.headers["webhook-signature"].split(" ")) == 1
    assert at_once.verified(last["signing_secret"])
    with pytest.raises(WebhookVerificationError):
        at_once.verified(new)
    wrong = await bench.client.post(f"{path}/rotate_secret", json={"overlap_seconds": -1})
    assert wrong.json()["errors"][0]["pointer"] == "/overlap_seconds"


async def test_endpoints_do_not_wait_for_each_other_and_each_keeps_the_order(bench: Bench) -> None:
    async with (
        receiving(status(500)) as failing,
        receiving(hang) as hanging,
        receiving() as sound,
        delivering(bench.store, retry_schedule_s=[0.02] * 50),
    ):
        for receiver in (failing, hanging, sound):
            await add(bench, receiver.url)
        await completed(bench.store)
        await sound.wait(4)
        await failing.wait(3)
        assert set(kinds(failing.got)) == {"call.queued"}
        assert kinds(hanging.got) == ["call.queued"]
        refused = len(failing.got)
        failing.answer = status(204)
        await failing.wait(refused + 4)
    assert kinds(sound.got) == LIFE
    told = kinds(failing.got)
    assert told == sorted(told, key=LIFE.index)
    assert set(told) == set(LIFE)


@pytest.mark.parametrize(
    ("answer", "allowed", "told"),
    [
        (hang, True, "no answer within 1 s"),
        (drip, True, "no answer within 1 s"),
        (hang_up, True, "RemoteProtocolError"),
        (babble, True, "RemoteProtocolError"),
        (status(302, "Location: http://127.0.0.1/"), True, "302 Found; redirects are not followed"),
        (None, True, "ConnectError"),
        (status(204), False, "refused; webhooks.allowed_networks"),
    ],
    ids=["hangs", "drips", "hangs-up", "babbles", "redirects", "vanished", "forbidden"],
)
async def test_what_is_wrong_with_an_endpoint_is_told(
    bench: Bench, answer: Answer | None, allowed: bool, told: str
) -> None:
    """A forbidden address is one that its name leads to only later."""
    rules: dict[str, Any] = {} if allowed else {"allowed_networks": []}
    async with receiving(answer) as receiver:
        made = await add(
            bench, f"http://localhost:{receiver.port}/", enabled_events=["call.queued"]
        )
        if answer is None:
            receiver.close()
        async with delivering(bench.store, retry_schedule_s=[], timeout_s=1.0, **rules):
            await new_call(bench.store)
            path = f"{PATH}/{made['id']}"
            await until(bench, path, failed(1))
            (delivery,) = (await read(bench, f"{path}/deliveries"))["data"]
    assert delivery["status"] == "exhausted"
    assert told in delivery["last_error"]
    assert told in delivery["attempts"][0]["error"]
    assert len(receiver.got) == (answer is not None and allowed)


# -- disabling -----------------------------------------------------------------------------------


@pytest.mark.both_stores
async def test_ten_deliveries_given_up_in_a_row_disable_an_endpoint(bench: Bench) -> None:
    """X-CB-16; what waits is held, and goes out in order once it is enabled again."""
    async with receiving(status(500)) as receiver, delivering(bench.store, retry_schedule_s=[]):
        made = await add(bench, receiver.url, enabled_events=["call.queued"])
        path = f"{PATH}/{made['id']}"
        for number in range(1, MAX_FAILURES):
            await new_call(bench.store)
            found = await until(bench, path, failed(number))
            assert found["status"] == "enabled"
        receiver.answer = status(204)
        await new_call(bench.store)
        await until(bench, path, lambda it: it["consecutive_failures"] == 0)  # in a row only
        receiver.answer = status(500)
        for _ in range(MAX_FAILURES):
            await new_call(bench.store)
        found = await until(bench, path, lambda it: it["status"] == "disabled")
        assert found["disabled_reason"] == "too_many_failures"
        assert found["disabled_at"] is not None
        await new_call(bench.store)  # told to nobody
        assert (await bench.store.deliveries.page(limit=99, status="pending")).items == ()
        count = len((await bench.store.deliveries.page(limit=99)).items)
        assert count == 2 * MAX_FAILURES
        receiver.answer = status(204)
        enabled = await bench.client.patch(path, json={"status": "enabled"})
        assert (enabled.json()["consecutive_failures"], enabled.json()["disabled_reason"]) == (
            0,
            None,
        )
        before = len(receiver.got)
        await new_call(bench.store)
        await receiver.wait(before + 1)


@pytest.mark.both_stores
async def test_gone_disables_an_endpoint_but_not_the_calls_own_delivery(bench: Bench) -> None:
    async with (
        receiving(status(410)) as receiver,
        delivering(bench.store, retry_schedule_s=[3600.0]),
    ):
        made = await add(bench, receiver.url)
        await completed(bench.store)
        path = f"{PATH}/{made['id']}"
        found = await until(bench, path, lambda it: it["status"] == "disabled")
        assert found["disabled_reason"] == "gone"
        receiver.answer = status(204)
        call = await completed(bench.store, webhook_url=receiver.url)
        await settled(bench.store, call, "delivered")


@pytest.mark.both_stores
async def test_what_waits_for_a_disabled_endpoint_is_held_and_sent_later_to_its_new_url(
    bench: Bench,
) -> None:
    async with receiving(status(503)) as old, receiving() as new:
        made = await add(bench, old.url)
        path = f"{PATH}/{made['id']}"
        async with delivering(bench.store, retry_schedule_s=[3600.0] * 3):
            await completed(bench.store)
            await old.wait(1)
            await until(
                bench, f"{path}/deliveries", lambda page: bool(page["data"][-1]["attempts"])
            )
            await bench.client.patch(path, json={"status": "disabled"})
            page = await read(bench, f"{path}/deliveries")
            assert [item["status"] for item in page["data"]] == ["held"] * 4
            assert (await read(bench, path))["disabled_reason"] == "requested"
            for answer in (
                await bench.client.post(f"{path}/test"),
                await bench.client.post(
                    f"/v1/webhook_deliveries/{page['data'][0]['id']}/redeliver"
                ),
            ):
                assert (answer.status_code, answer.json()["code"]) == (409, "endpoint_disabled")
            await bench.client.patch(path, json={"url": new.url, "status": "enabled"})
            await new.wait(4)
        assert len(old.got) == 1
    assert kinds(new.got) == LIFE
    assert {request.path for request in new.got} == {"/hook?x=1"}


@pytest.mark.both_stores
async def test_an_endpoint_disabled_during_an_attempt_stays_so(bench: Bench) -> None:
    release = asyncio.Event()

    async def wait_then_fail(request: Received, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        await status(500)(request, writer)

    async with receiving(wait_then_fail) as receiver, delivering(bench.store):
        made = await add(bench, receiver.url)
        await new_call(bench.store)
        await receiver.wait(1)
        path = f"{PATH}/{made['id']}"
        await bench.client.patch(path, json={"status": "disabled"})
        release.set()
        page = await until(
            bench, f"{path}/deliveries", lambda page: bool(page["data"][0]["attempts"])
        )
    assert page["data"][0]["status"] == "held"
    assert page["data"][0]["next_attempt_at"] is None


@pytest.mark.both_stores
async def test_an_endpoint_deleted_during_an_attempt_is_forgotten(bench: Bench) -> None:
    quick: dict[str, Any] = {
        "timeout_s": 0.3,
        "retry_schedule_s": [0.05] * 50,
    }  # a busy machine may miss some
    async with receiving(hang) as receiver, delivering(bench.store, **quick):
        made = await add(bench, receiver.url)
        await new_call(bench.store)
        await receiver.wait(1)
        assert (await bench.client.delete(f"{PATH}/{made['id']}")).status_code == 204
        async with receiving() as other:
            await add(bench, other.url)
            await new_call(bench.store)
            await other.wait(1)  # the deliverer goes on
    assert all(
        delivery.url == other.url for delivery in (await bench.store.deliveries.page(limit=9)).items
    )


# -- history, redelivery, tests ------------------------------------------------------------------


@pytest.mark.both_stores
async def test_a_delivery_tells_its_attempts(bench: Bench) -> None:
    """CB-120, X-CB-19, X-CB-20."""
    async with receiving(status(500)) as receiver, delivering(bench.store, retry_schedule_s=[0.05]):
        made = await add(bench, receiver.url, enabled_events=["call.queued"])
        call = await bench.create()
        path = f"{PATH}/{made['id']}/deliveries"
        page = await until(bench, path, lambda page: page["data"][0]["status"] == "exhausted")
        for one in page["data"]:
            DeliveryObject.model_validate(one, strict=True)
        (delivery,) = page["data"]
        assert [attempt["response_status"] for attempt in delivery["attempts"]] == [500, 500]
        assert [attempt["number"] for attempt in delivery["attempts"]] == [1, 2]
        assert all(attempt["duration_ms"] >= 0 for attempt in delivery["attempts"])
        assert "500" in delivery["attempts"][0]["error"]
        assert (delivery["call_id"], delivery["endpoint_id"]) == (call["id"], made["id"])
        assert (delivery["attempt_count"], delivery["last_response_status"]) == (2, 500)
        assert delivery["event_id"] == receiver.got[0].headers["webhook-id"]
        one = f"/v1/webhook_deliveries/{delivery['id']}"
        assert await read(bench, one) == delivery
        assert (await read(bench, f"/v1/calls/{call['id']}/webhook_deliveries")) == page
        assert (await read(bench, "/v1/webhook_deliveries?status=exhausted")) == page
        assert (await read(bench, "/v1/webhook_deliveries?status=held"))["data"] == []

        again = await bench.client.post(f"{one}/redeliver")
        assert (again.status_code, again.json()["manual_retry_count"]) == (202, 1)
        found = await until(bench, one, lambda it: it["status"] == "exhausted")
        assert found["attempt_count"] == 4  # the whole schedule again
        receiver.answer = status(204)
        await bench.client.post(f"{one}/redeliver")
        found = await until(bench, one, lambda it: it["status"] == "delivered")
    assert (found["manual_retry_count"], found["last_error"]) == (2, None)
    assert found["delivered_at"] is not None
    assert len({(it.headers["webhook-id"], it.body) for it in receiver.got}) == 1  # X-CB-15


async def test_a_calls_own_delivery_can_be_sent_again(bench: Bench) -> None:
    async with receiving() as receiver, delivering(bench.store):
        call = await completed(bench.store, webhook_url=receiver.url)
        await settled(bench.store, call, "delivered")
        page = await read(bench, f"/v1/calls/{call.id}/webhook_deliveries")
        last = page["data"][0]
        assert (last["event_type"], last["endpoint_id"]) == ("call.completed", None)
        await bench.client.post(f"/v1/webhook_deliveries/{last['id']}/redeliver")
        await receiver.wait(5)
    assert receiver.got[4].verified(SECRET) == receiver.got[3].verified(SECRET)


@pytest.mark.both_stores
async def test_deliveries_come_in_pages(bench: Bench) -> None:
    await add(bench, NOWHERE)
    calls = [await new_call(bench.store) for _ in range(5)]
    found, cursor = [], ""
    while True:
        page = await read(bench, f"/v1/webhook_deliveries?limit=2{cursor}")
        found += [delivery["call_id"] for delivery in page["data"]]
        if not page["has_more"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == [call.id for call in calls[::-1]]
    for query in ("cursor=x", "limit=0", "status=lost", "endpoint=x"):
        answer = await bench.client.get(f"/v1/webhook_deliveries?{query}")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["parameter"] == query.partition("=")[0]


@pytest.mark.parametrize("style", ["call", "envelope"])
@pytest.mark.both_stores
async def test_a_test_event_goes_the_way_of_the_others(bench: Bench, style: str) -> None:
    """X-OI-6."""
    async with receiving() as receiver, delivering(bench.store, payload=style):
        made = await add(bench, receiver.url, enabled_events=["call.failed"])
        answer = await bench.client.post(f"{PATH}/{made['id']}/test")
        assert answer.status_code == 202
        (request,) = await receiver.wait(1)
        one = answer.headers["location"]
        found = await until(bench, one, lambda it: it["status"] == "delivered")
    told = request.verified(made["signing_secret"])
    assert told["type"] == "webhook.test"
    assert (told if style == "call" else told["data"])["endpoint_id"] == made["id"]  # type: ignore[index]
    assert found["event_id"] == request.headers["webhook-id"]
    assert (found["event_type"], found["call_id"]) == ("webhook.test", None)


async def test_a_test_that_fails_is_told_at_once_and_does_not_count(bench: Bench) -> None:
    async with receiving(status(500)) as receiver, delivering(bench.store):
        made = await add(bench, receiver.url)
        answer = await bench.client.post(f"{PATH}/{made['id']}/test")
        one = answer.headers["location"]
        found = await until(bench, one, lambda it: it["status"] == "exhausted")
    assert (found["attempt_count"], found["last_response_status"]) == (1, 500)
    assert (await read(bench, f"{PATH}/{made['id']}"))["consecutive_failures"] == 0
