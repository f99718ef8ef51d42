"""What the client makes of bytes: objects of other releases, event streams, webhooks."""

import json
import subprocess
import sys
import time
from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.base.signing import new_secret, signed_headers
from api.client import AgentObject, ApiError, CallObject, CampaignReport, WebhookError, read_webhook
from api.client.errors import AnswerError
from api.client.reading import read
from api.client.sse import EventStreamReader
from api.resources.turn import TurnObject
from api.resources.webhook import TEST_EVENT, WebhookEvent
from api.routes.events import frame
from api.settings import PayloadStyle
from api.store import Store
from api.webhooks.message import message_headers, payload
from tests.api.conftest import Bench
from tests.api.story import completed

SECRET = new_secret()
LIGHT = """
import sys
import api.client
heavy = {"sqlalchemy", "alembic", "aiosqlite", "asyncpg", "uvicorn", "numpy", "llama_cpp", "piper",
    "faster_whisper", "ctranslate2", "onnxruntime", "voice_loop.audio", "pbx.switch", "models",
    "api.store", "api.routes", "api.http.services"}
print(*sorted(heavy & set(sys.modules)))
"""


def test_importing_it_loads_neither_server_nor_engines() -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, check=True, text=True)
    assert done.stdout.split() == []


async def test_objects_of_a_later_release_are_read(bench: Bench) -> None:
    told = await bench.create(concurrency={"key": "clinic", "max": 2})
    assert read(CallObject, told | {"mood": "fine"}).id == told["id"]
    later = told | {"status": "parked", "mood": "fine"}
    later["concurrency"] |= {"scope": "site"}
    call = read(CallObject, later)
    assert (call.status, call.to_number) == ("parked", told["to_number"])
    assert call.concurrency is not None
    assert (call.concurrency.key, call.concurrency.max) == ("clinic", 2)
    assert not hasattr(call, "mood")


async def test_objects_of_an_earlier_release_lack_what_it_does_not_tell(bench: Bench) -> None:
    told = await bench.create()
    del told["summary"]
    call = read(CallObject, told)
    assert call.status == "queued"
    with pytest.raises(AttributeError, match="summary"):
        _ = call.summary


async def test_a_retry_policy_of_another_release_is_read(bench: Bench) -> None:
    """Its zone is not known here."""
    made = (await bench.client.post("/v1/agents", json={"name": "Ada"})).json()
    told = made | {"retry": {"timezone": "Mars/Base", "pauses": [60]}}
    assert read(AgentObject, told).retry == told["retry"]


def test_choices_of_a_later_release_are_read_within_lists_and_keys() -> None:
    told = {
        "id": "x", "name": "x", "status": "archived", "paused_reason": None, "template": {},
        "max_concurrent": 1, "created_at": "", "started_at": None, "completed_at": None,
        "updated_at": "", "contacts": {"pending": 1, "waiting": 2}, "calls": {"parked": 3},
        "spent_milli_cents": 0,
    }  # fmt: skip
    report = read(CampaignReport, told)
    assert (report.contacts, report.calls) == ({"pending": 1, "waiting": 2}, {"parked": 3})


@pytest.mark.parametrize("found", [None, [], "call", 7, {"id": 7}, {"seq": "one"}])
def test_what_is_no_such_object_is_refused(found: Any) -> None:
    with pytest.raises(AnswerError):
        read(TurnObject, found if not isinstance(found, dict) else {"text": 7} | found)


TEXTS = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))


@given(st.lists(TEXTS), st.sampled_from(["\n", "\r\n"]), st.data())
def test_messages_are_read_however_they_are_cut(texts: list[str], end: str, data: Any) -> None:
    lines = [f": hello{end}{end}"]
    lines += [f"id: 1{end}event: x{end}data: {text}{end}{end}" for text in texts]
    stream = "".join(lines).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    reader = EventStreamReader()
    found = []
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += list(reader.feed(stream[start:stop]))
    assert [one.decode() for one in found] == texts


def test_a_message_of_several_lines_and_one_that_is_cut_off() -> None:
    reader = EventStreamReader()
    assert list(reader.feed(b"data: a\ndata:b\n\ndata: not whole\n")) == [b"a\nb"]


@pytest.mark.parametrize("piece", [b"data: x", b"data: x\n"])
def test_an_endless_message_is_refused(piece: bytes) -> None:
    reader = EventStreamReader(max_bytes=1000)
    fed = (list(reader.feed(piece)) for _ in range(1000))
    with pytest.raises(AnswerError, match="1000 bytes"):
        deque(fed, 0)


async def test_the_servers_own_frames_are_read(store: Store) -> None:
    call = await completed(store)
    told = await store.calls.events(call.id)
    reader = EventStreamReader()
    found = [json.loads(data) for event in told for data in reader.feed(frame(event).encode())]
    assert [one["seq"] for one in found] == [event.seq for event in told]


async def sent(store: Store, kind: str, style: PayloadStyle) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a webhook as the server makes them."""
    call = await completed(store)
    (event,) = (one for one in await store.calls.events(call.id) if one.type == kind)
    told = WebhookEvent(event.id, event.type, event.at, call.id, event.data)
    body = payload(told, style)
    return body, message_headers(told, [new_secret(), SECRET], int(time.time()), body)


@pytest.mark.parametrize("style", ["call", "envelope", "callingbox"])
async def test_a_webhook_of_each_style_is_the_same_event(store: Store, style: PayloadStyle) -> None:
    body, headers = await sent(store, "call.completed", style)
    event = read_webhook(body, {name.upper(): text for name, text in headers.items()}, SECRET)
    assert (event.id, event.type) == (headers["webhook-id"], "call.completed")
    assert event.call is not None
    assert (event.call.id, event.call.status) == (event.call_id, "completed")
    assert event.data["call"]["id"] == event.call_id


@pytest.mark.parametrize("style", ["call", "envelope", "callingbox"])
async def test_a_webhook_without_a_call_object_tells_its_facts(
    store: Store, style: PayloadStyle
) -> None:
    body, headers = await sent(store, "call.ended", style)
    event = read_webhook(body, headers, SECRET)
    assert (event.type, event.call) == ("call.ended", None)
    assert event.call_id == event.data["call_id"]
    told = WebhookEvent("evt_1", TEST_EVENT, time.time(), None, {"message": "hi"})
    body = payload(told, style)
    headers = message_headers(told, [SECRET], int(time.time()), body)
    test = read_webhook(body, headers, SECRET)
    assert (test.id, test.call_id, test.data["message"]) == ("evt_1", None, "hi")


async def test_what_is_not_signed_so_is_refused(store: Store) -> None:
    body, headers = await sent(store, "call.completed", "call")
    old = signed_headers([SECRET], headers["webhook-id"], int(time.time()) - 600, body)
    wrong: list[tuple[bytes, dict[str, str]]] = [
        (body + b" ", headers),
        (body, old),
        (body, {}),
        (body, headers | {"webhook-id": "evt_other"}),
        *(
            (body, headers | {"webhook-signature": one})
            for one in ("", "v1", "v1,", "v1,é", "v2,x")
        ),
        *((body, headers | {"webhook-timestamp": one}) for one in ("", "now", "nan", "1e400")),
        (b"\xff", headers),
    ]
    for sent_body, sent_headers in wrong:
        with pytest.raises(WebhookError):
            read_webhook(sent_body, sent_headers, SECRET)
    with pytest.raises(WebhookError):
        read_webhook(body, headers, new_secret())
    for text in (b"[]", b"{}", b"no", b'{"type": "x", "call": 7, "data": {"call": 7}}'):
        signed = signed_headers([SECRET], "evt_1", int(time.time()), text)
        with pytest.raises((WebhookError, AnswerError)):
            read_webhook(text, signed, SECRET)


def test_errors_that_are_not_ours_are_told_by_their_status() -> None:
    for body in (b"", b"<html>", b"[]", b'{"code": "x"}', b'{"errors": 7}', b'{"errors": [7]}'):
        error = ApiError.of(502, {"retry-after": "later"}, body)
        assert (error.code, error.errors, error.retry_after_s) == ("http_502", (), None)
