"""Webhooks as receivers get them: styles of the body, signatures, headers."""

import hashlib
import hmac
import json
from typing import Any, get_args

import pytest

from api.base.signing import (
    callingbox_signature,
    check_secret,
    new_secret,
    signed_headers,
)
from api.resources.webhook import NewEndpoint, WebhookEvent
from api.settings import PayloadStyle
from api.store import Store
from api.webhooks.message import payload
from tests.api.receiver import Received, receiving
from tests.api.story import answered, new_call
from tests.api.webhooks.test_deliverer import SECRET, delivering

KEYS = {
    "envelope": {"id", "type", "timestamp", "data"},
    "callingbox": {"id", "type", "created", "api_version", "data"},
}


@pytest.mark.parametrize("style", KEYS)
async def test_an_envelope_can_be_chosen(store: Store, style: str) -> None:
    """CB-113, X-CB-10."""
    async with receiving() as receiver, delivering(store, payload=style):
        call = await new_call(store, webhook_url=receiver.url)
        (request,) = await receiver.wait(1)
    body = request.verified(SECRET)
    assert set(body) == KEYS[style]
    assert (body["id"], body["type"]) == (request.headers["webhook-id"], "call.queued")
    assert body["data"] == {"call": call.shown.model_dump()}
    if style == "callingbox":
        assert (body["created"], body["api_version"]) == (int(call.created_at), "2026-04")


async def test_each_endpoint_may_choose_its_own_style(store: Store) -> None:
    """CB-113; one that does not has the deployment's."""
    async with (
        receiving() as own,
        receiving() as plain,
        receiving() as boxed,
        delivering(store, payload="envelope"),
    ):
        await store.endpoints.create(NewEndpoint(plain.url, payload="call"))
        await store.endpoints.create(NewEndpoint(boxed.url, payload="callingbox"))
        call = await new_call(store, webhook_url=own.url)
        told = [(await receiver.wait(1))[0] for receiver in (own, plain, boxed)]
    bodies = [json.loads(request.body) for request in told]
    assert bodies[0]["data"]["call"]["id"] == call.id
    assert bodies[1] == {"type": "call.queued"} | bodies[0]["data"]["call"]
    assert set(bodies[2]) == KEYS["callingbox"]


def callingbox_verifies(request: Received, secret: str) -> bool:
    """As a receiver of CallingBox's webhooks would check, written from X-CB-11."""
    parts = request.headers["callingbox-signature"].split(",")
    assert parts[0].startswith("t=")
    signed = parts[0][2:].encode() + b"." + request.body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return any(hmac.compare_digest(part, f"v1={expected}") for part in parts[1:])


async def test_callingboxs_headers_stand_beside_the_standard_ones(store: Store) -> None:
    """X-CB-11, X-CB-12: a receiver made for CallingBox verifies what it gets."""
    async with receiving() as receiver, delivering(store):
        call = await new_call(store, webhook_url=receiver.url)
        (request,) = await receiver.wait(1)
    assert request.verified(SECRET)
    assert callingbox_verifies(request, SECRET)
    assert not callingbox_verifies(request, new_secret())
    assert f"t={request.headers['webhook-timestamp']}," in request.headers["callingbox-signature"]
    assert request.headers["callingbox-event-id"] == request.headers["webhook-id"]
    assert request.headers["callingbox-event-type"] == "call.queued"
    assert request.headers["x-callingbox-event"] == "call.queued"
    assert request.headers["x-callingbox-call-id"] == call.id


async def test_in_an_overlap_there_is_a_callingbox_signature_for_each_secret(store: Store) -> None:
    """X-CB-11, X-CB-18."""
    async with receiving() as receiver, delivering(store):
        made = await store.endpoints.create(NewEndpoint(receiver.url))
        rotated = await store.endpoints.rotate(made.id, 3600)
        await answered(store)
        (request, *_) = await receiver.wait(3)
    assert request.headers["callingbox-signature"].count("v1=") == 2
    assert callingbox_verifies(request, made.secret)
    assert callingbox_verifies(request, rotated.secret)


def test_callingboxs_signature() -> None:
    """Computed once with OpenSSL: printf '1700000000.{}' | openssl dgst -sha256 -hmac whsec_a."""
    assert callingbox_signature(["whsec_a"], 1700000000, b"{}") == (
        "t=1700000000,v1=04339dc4f01d6541e8d3b7e4bd93cd2d4f680ccb28592270900b08e49cc09e57"
    )


@pytest.mark.parametrize("style", get_args(PayloadStyle))
def test_an_event_without_a_call_object_tells_its_facts_there(style: PayloadStyle) -> None:
    event = WebhookEvent("evt_1", "call.digit", 1.0, "c", {"digit": "5"})
    body: dict[str, Any] = json.loads(payload(event, style))
    bare = style not in {"envelope", "callingbox"}
    assert (body if bare else body["data"]).items() >= {
        "call_id": "c",
        "digit": "5",
    }.items()


def test_the_body_is_one_line_of_json() -> None:
    event = WebhookEvent("evt_1", "call.queued", 0.0, "c", {"call": {"prompt": "a\nü"}})
    assert payload(event, "call") == '{"type":"call.queued","prompt":"a\\nü"}'.encode()
    assert json.loads(payload(event, "envelope"))["timestamp"] == "1970-01-01T00:00:00.000Z"


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_MTIz", "whsec_%%%", "x" * 40])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_"):
        check_secret(secret)


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of the Standard Webhooks documentation and libraries."""
    headers = signed_headers(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
