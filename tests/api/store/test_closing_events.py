"""What is told of a call that is over, before its final event: recording, transcript, result."""

import time

import pytest

from api.resources.attempt import Ended
from api.resources.turn import Turn
from api.resources.webhook import NewEndpoint
from api.store import Store
from tests.api.receiver import receiving
from tests.api.story import BUSY, NORMAL, answered, claimed
from tests.api.webhooks.test_deliverer import delivering

CLOSING = ["call.recording.available", "call.transcript.final", "call.analyzed"]
ENDED = Ended(
    time.time() + 60,
    NORMAL,
    "agent_hangup",
    awaits_result=True,
    recording_path="x.wav",
    recording_seconds=1.5,
    recording_bytes=48_044,
)


@pytest.mark.both_stores
async def test_recording_transcript_and_result_are_told_before_the_final_event(
    store: Store,
) -> None:
    """X-OI-6, CB-22: to endpoints that name them, in order; a call's own URL has the eight only."""
    async with receiving() as endpoint, receiving() as own, delivering(store):
        made = await store.endpoints.create(
            NewEndpoint(endpoint.url, enabled_events=("call.completed", *CLOSING))
        )
        call = await answered(store, webhook_url=own.url)
        await store.calls.add_turn(call.id, Turn("agent", "hello", 10.0, 11.0))
        await store.calls.add_turn(call.id, Turn("person", "hi", 11.0, 12.0, confidence=0.5))
        await store.calls.record_ended(call.id, ENDED)
        await endpoint.wait(2)
        await store.calls.record_result(call.id, {"ok": True})
        told = [request.verified(made.secret) for request in await endpoint.wait(4)]
        await own.wait(4)
    assert [body["type"] for body in told] == [*CLOSING, "call.completed"]
    recording, transcript, analyzed, completed = told
    assert recording["call_id"] == transcript["call_id"] == analyzed["call_id"] == call.id
    assert recording["recording"] == {
        "path": f"/v1/calls/{call.id}/recording",
        "attempt": 1,
        "duration_seconds": 1.5,
        "bytes": 48_044,
    }
    assert [turn["text"] for turn in transcript["transcript"]["turns"]] == ["hello", "hi"]  # type: ignore[index]
    assert analyzed["analysis"] == {
        "result": {"ok": True},
        "result_status": "completed",
        "result_error": None,
        "outcome": None,
        "summary": None,
    }
    assert completed["result"] == {"ok": True}
    assert len(own.got) == 4


async def test_told_again_nothing_is_told_twice(store: Store) -> None:
    call = await answered(store)
    await store.calls.add_turn(call.id, Turn("agent", "hello", 10.0, 11.0))
    for _ in range(2):
        await store.calls.record_ended(call.id, ENDED)
    for _ in range(2):
        await store.calls.record_result(call.id, None, "the model failed")
    told = [event.type for event in await store.calls.events(call.id)]
    assert [kind for kind in told if kind in CLOSING] == CLOSING
    assert told[-1] == "call.completed"


async def test_where_nobody_spoke_there_is_nothing_of_it_to_tell(store: Store) -> None:
    call = (await claimed(store)).call
    await store.calls.record_ended(call.id, Ended(time.time(), BUSY, "busy"))
    told = [event.type for event in await store.calls.events(call.id)]
    assert not set(CLOSING) & set(told)
