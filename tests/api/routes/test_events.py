"""The event stream over a real server: replay, live, resume, slow readers."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from api.resources.attempt import Ended
from api.resources.turn import Turn
from api.routes.events import frame, stream
from api.store import Store
from api.store.event_bus import QUEUE_LIMIT
from tests.api.conftest import Bench
from tests.api.story import BUSY, NORMAL, claim_up_to, claimed


async def follow(bench: Bench, call_id: str, last: int | None = None) -> AsyncGenerator[Any, None]:
    """Messages as (id, type, data); comments as text."""
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    async with bench.client.stream(
        "GET", f"/v1/calls/{call_id}/events", headers=headers
    ) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        message: dict[str, str] = {}
        async for line in response.aiter_lines():
            if line.startswith(":"):
                yield line
            elif line:
                name, _, value = line.partition(": ")
                message[name] = value
            elif message:
                yield int(message["id"]), message["event"], json.loads(message["data"])
                message = {}


async def tell(bench: Bench, call_id: str) -> None:
    await claim_up_to(bench.store, 9)
    await bench.store.calls.record_ringing(call_id, time.time())
    await bench.store.calls.record_answered(call_id, time.time())
    await bench.store.calls.add_turn(call_id, Turn("agent", "hi\n\nevent: x", 1.0, 2.0))
    await bench.store.calls.record_ended(call_id, Ended(time.time(), NORMAL, "agent_hangup"))


STORY = [
    "call.queued",
    "call.initiated",
    "call.ringing",
    "call.answered",
    "call.turn",
    "call.ended",
    "call.transcript.final",
    "call.completed",
]


@pytest.mark.both_stores
async def test_live_events_come_once_in_order_and_then_the_stream_ends(bench: Bench) -> None:
    call = await bench.create()
    messages = []
    telling = None
    async with asyncio.timeout(20):
        async for message in follow(bench, call["id"]):
            if isinstance(message, str):
                continue
            messages.append(message)
            if telling is None:
                telling = asyncio.create_task(tell(bench, call["id"]))
    assert telling is not None
    await telling
    assert [kind for _, kind, _ in messages] == STORY
    assert [number for number, _, _ in messages] == list(range(1, len(STORY) + 1))
    turn = messages[4][2]
    assert turn["data"]["turn"]["text"] == "hi\n\nevent: x"
    read = (await bench.client.get(f"/v1/calls/{call['id']}")).json()
    assert messages[-1][2]["data"]["call"] == read


@pytest.mark.both_stores
async def test_a_finished_call_is_replayed_and_resumed(bench: Bench) -> None:
    call = await bench.create()
    await tell(bench, call["id"])
    path = f"/v1/calls/{call['id']}/events"
    kinds = [item[1] async for item in follow(bench, call["id"]) if not isinstance(item, str)]
    assert kinds == STORY
    kinds = [item[1] async for item in follow(bench, call["id"], 5) if not isinstance(item, str)]
    assert kinds == STORY[5:]
    response = await bench.client.get(path, headers={"Last-Event-ID": str(len(STORY))})
    assert response.status_code == 204
    for wrong in ("x", "-1", "1e3", "9" * 30):
        response = await bench.client.get(path, headers={"Last-Event-ID": wrong})
        assert response.json()["errors"][0]["parameter"] == "Last-Event-ID"


async def test_a_silent_call_has_a_heartbeat(bench: Bench) -> None:
    call = await bench.create()
    comments = []
    async with asyncio.timeout(20), aclosing(follow(bench, call["id"])) as messages:
        async for message in messages:
            if isinstance(message, str):
                comments.append(message)
            if len(comments) == 3:
                break
    assert comments == [": connected", ": heartbeat", ": heartbeat"]


async def test_a_reader_that_goes_away_leaves_nothing_behind(bench: Bench) -> None:
    call = await bench.create()
    async with aclosing(follow(bench, call["id"])) as messages:
        async for message in messages:
            if not isinstance(message, str):
                break
    async with asyncio.timeout(20):
        while bench.store.bus._subscriptions:
            await asyncio.sleep(0.01)


@pytest.mark.both_stores
async def test_a_reader_too_slow_for_the_bus_still_gets_everything(store: Store) -> None:
    """More events than its queue holds while it reads none: the table has what the bus dropped."""
    call_id = (await claimed(store)).call.id
    messages = stream(store, call_id, 0, heartbeat_s=5)
    seen = [await anext(messages) for _ in range(3)]  # the comment and two events
    waiting = asyncio.ensure_future(anext(messages))
    await store.calls.record_digit(call_id, 0.0, "1", 80)
    seen.append(await waiting)
    for number in range(QUEUE_LIMIT + 10):
        await store.calls.record_digit(call_id, float(number), "1", 80)
    assert store.bus._subscriptions == {}  # dropped
    await store.calls.record_ended(call_id, Ended(time.time(), BUSY, "x"))
    seen += [message async for message in messages]
    numbers = [int(message.split()[1]) for message in seen if message.startswith("id: ")]
    assert numbers == list(range(1, QUEUE_LIMIT + 16))


@pytest.mark.both_stores
async def test_what_is_in_the_table_and_on_the_bus_is_told_once(store: Store) -> None:
    """An event committed between subscribing and reading the table comes both ways."""
    call_id = (await claimed(store)).call.id
    messages = stream(store, call_id, 0, heartbeat_s=5)
    seen = [await anext(messages) for _ in range(3)]
    waiting = asyncio.ensure_future(anext(messages))
    await store.calls.record_digit(call_id, 0.0, "1", 80)
    for event in await store.calls.events(call_id):
        store.bus.publish(event)
    seen.append(await waiting)
    await store.calls.record_ended(call_id, Ended(time.time(), BUSY, "x"))
    seen += [message async for message in messages]
    numbers = [int(message.split()[1]) for message in seen if message.startswith("id: ")]
    assert numbers == [1, 2, 3, 4, 5]


async def test_an_unknown_call_has_no_stream(bench: Bench) -> None:
    response = await bench.client.get("/v1/calls/none/events")
    assert response.status_code == 404
    head = await bench.client.head(f"/v1/calls/{(await bench.create())['id']}/events")
    assert head.status_code == 200


def test_nothing_in_an_event_can_break_out_of_its_line() -> None:
    from api.resources.event import CallEvent

    event = CallEvent("evt_1", "c", 3, "call.turn", 0.0, False, {"t": "a\r\nb\u2028c\x00"})
    lines = frame(event).split("\n")
    assert len(lines) == 5
    assert lines[:2] == ["id: 3", "event: call.turn"]
    assert lines[3:] == ["", ""]
