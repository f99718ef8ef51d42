"""`/v1/messages`: what calls sent, read by operators, and gone with what it repeats."""

import time
from pathlib import Path

import pytest

from api.calls.recording_folder import open_folder
from api.calls.recording_keeper import RecordingKeeper
from api.calls.retention import DAY_S, Housekeeper
from api.resources.call import Call
from api.resources.message import NewMessage
from api.settings import Retention
from api.store import Store
from tests.api.conftest import Bench
from tests.api.messaging.test_messages import AFTER, conversed, ended
from tests.api.story import NUMBER, OURS, completed

NOBODY = "00000000-0000-4000-8000-000000000000"


async def sent(store: Store, call: Call, error: str | None = None) -> None:
    message = NewMessage(
        call.id, 1, "sms", NUMBER, OURS, subject=None, body="See you.", error=error
    )
    await store.messages.record(message)


@pytest.mark.both_stores
async def test_messages_are_listed_newest_first_and_read(bench: Bench) -> None:
    first, second = await completed(bench.store), await completed(bench.store)
    await sent(bench.store, first)
    await sent(bench.store, second, "the gateway answered 400")
    await sent(bench.store, second)
    every = (await bench.client.get("/v1/messages")).json()
    assert [one["call_id"] for one in every["data"]] == [second.id, second.id, first.id]
    page = (await bench.client.get("/v1/messages", params={"limit": 2})).json()
    assert page["has_more"]
    rest = await bench.client.get("/v1/messages", params={"cursor": page["next_cursor"]})
    assert [one["call_id"] for one in rest.json()["data"]] == [first.id]
    failed = (await bench.client.get("/v1/messages", params={"status": "failed"})).json()["data"]
    assert [one["last_error"] for one in failed] == ["the gateway answered 400"]
    of_call = (await bench.client.get(f"/v1/calls/{first.id}/messages")).json()
    assert of_call["data"] == every["data"][2:]
    (message,) = of_call["data"]
    assert (await bench.client.get(f"/v1/messages/{message['id']}")).json() == message
    known = {key: message[key] for key in ("kind", "purpose", "recipient", "sender", "body")}
    assert known == {
        "kind": "sms",
        "purpose": "tool",
        "recipient": NUMBER,
        "sender": OURS,
        "body": "See you.",
    }
    assert (message["status"], message["attempt_count"]) == ("sent", 1)
    assert message["sent_at"].endswith("Z")


async def test_what_is_not_there_is_said(bench: Bench) -> None:
    for path in (f"/v1/messages/{NOBODY}", f"/v1/calls/{NOBODY}/messages"):
        assert (await bench.client.get(path)).status_code == 404
    for parameters in ({"status": "lost"}, {"cursor": "x"}, {"kind": "sms"}):
        wrong = await bench.client.get("/v1/messages", params=parameters)
        assert wrong.status_code == 422
        assert wrong.json()["errors"][0]["parameter"] == next(iter(parameters))


async def test_messages_go_with_the_transcript_and_with_the_call(
    store: Store, tmp_path: Path
) -> None:
    call = await conversed(store, AFTER)
    await ended(store, call)
    await sent(store, call)
    retention = Retention.model_validate({"transcripts_days": 1})
    later = time.time() + 2 * DAY_S
    keeper = Housekeeper(
        store,
        retention,
        RecordingKeeper(store, open_folder(tmp_path, "tests")),
        clock=lambda: later,
    )
    assert (await keeper.sweep()).transcripts == 1
    # What is still to be sent stays until it is.
    (left,) = (await store.messages.page(limit=9)).items
    assert (left.purpose, left.status) == ("after_call", "pending")
    assert not (await keeper.sweep()).anything
    await store.messages.attempted(left, OURS, "given up", None)
    assert (await keeper.sweep()).transcripts == 1
    assert (await store.messages.page(limit=9)).items == ()
    await sent(store, call)
    await store.purge.erase([await store.purge.one(call.id)], time.time(), "here")
    assert (await store.messages.page(limit=9)).items == ()
