"""A call's trace: its tree, and its way to the operator's collector."""

import asyncio
import builtins
import contextlib
import itertools
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr

from api.resources.attempt import Ended
from api.resources.call import Call
from api.resources.turn import Turn
from api.resources.webhook import Attempted, WebhookEvent
from api.settings import Webhooks
from api.settings.server import Traces
from api.store import Store
from api.telemetry.meter import Meter
from api.telemetry.spans import Span, call_spans, span_id, trace_id, traceparent
from api.telemetry.tracer import Tracer, TracesError
from api.webhooks.deliverer import WebhookDeliverer
from tests.api.receiver import receiving
from tests.api.story import BUSY, NORMAL, NUMBER, answered, claimed, completed
from tests.api.telemetry.collector import Collector, collecting
from tests.api.telemetry.numbers import numbers
from tests.api.webhooks.test_deliverer import LOCAL, SECRET

TIMINGS = {
    "endpoint_ms": 200.0,
    "transcript_ms": 250.0,
    "first_token_ms": 300.0,
    "first_audio_ms": 400.0,
    "wire_ms": 480.0,
}


async def talked(store: Store) -> Call:
    """A call with an answer to something and a tool, which is over."""
    call = await answered(store)
    now = time.time()
    said = Turn("agent", "the secret word", now, now + 1, timings=TIMINGS)
    await store.calls.add_turn(call.id, Turn("person", "hush", now - 2, now - 0.48))
    await store.calls.add_turn(call.id, said)
    tool = {"name": "look_up", "arguments": {"who": "Lopez"}, "output": "x", "is_error": True}
    await store.calls.add_turn(call.id, Turn("tool", "x", now + 1, now + 2, tool=tool))
    return await store.calls.record_ended(call.id, Ended(now + 3, NORMAL, "agent_hangup"))


async def tree(store: Store, call: Call) -> list[Span]:
    attempts = await store.calls.attempts(call.id)
    turns = (await store.calls.turns_of([call.id])).get(call.id, [])
    assert call.ended_at is not None
    return list(call_spans(call, attempts, turns, call.ended_at))


async def test_the_tree_of_a_call(store: Store) -> None:
    call = await talked(store)
    spans = await tree(store, call)
    by_id = {one.span_id: one for one in spans}
    assert len(by_id) == len(spans)
    assert {one.trace_id for one in spans} == {call.id.replace("-", "")}

    def way(one: Span) -> str:
        above = "" if one.parent_id is None else way(by_id[one.parent_id]) + "/"
        return above + one.name

    assert [way(one) for one in spans] == [
        "call",
        "call/wait",
        "call/attempt",
        "call/attempt/ring",
        "call/attempt/talk",
        "call/attempt/talk/turn",
        "call/attempt/talk/turn",
        *(
            f"call/attempt/talk/turn/{name}"
            for name in ("endpointing", "transcribe", "chat", "speak", "wire")
        ),
        "call/attempt/talk/execute_tool look_up",
    ]
    for one in spans:
        assert one.begun <= one.ended
    turn, *steps = [one for one in spans if "/turn" in way(one)][1:]
    assert turn.begun == steps[0].begun
    for one, following in itertools.pairwise(steps):
        assert one.ended == following.begun
    assert steps[-1].ended - turn.begun == pytest.approx(0.48)
    failed = [one.name for one in spans if one.failed]
    assert failed == ["execute_tool look_up"]


async def test_no_span_tells_a_number_or_a_word(store: Store) -> None:
    told = str(await tree(store, await talked(store)))
    for private in (NUMBER, "secret word", "hush", "Lopez", "hi"):
        assert f"'{private}'" not in told
    assert NUMBER[1:] not in told


async def test_an_attempt_that_nobody_answered(store: Store) -> None:
    call = (await claimed(store)).call
    over = await store.calls.record_ended(call.id, Ended(time.time(), BUSY, "busy"))
    spans = await tree(store, over)
    assert [one.name for one in spans] == ["call", "wait", "attempt"]
    assert spans[2].attributes["offhook.sip_code"] == 486
    assert spans[2].attributes["offhook.hangup_cause"] == "user_busy"


def test_ids_are_the_calls_own() -> None:
    call_id = "3f2b8f6e-6a1f-4b6e-9a57-0c1f0d6f7a10"
    assert trace_id(call_id) == "3f2b8f6e6a1f4b6e9a570c1f0d6f7a10"
    assert span_id(call_id) != span_id(call_id, "talk 1")
    version, trace, span, flags = traceparent(call_id).split("-")
    assert (version, trace, span, flags) == ("00", trace_id(call_id), span_id(call_id), "01")


@contextlib.asynccontextmanager
async def tracing(store: Store, collector: Collector, **more: Any) -> AsyncIterator[Tracer]:
    tracer = Tracer(Traces(url=collector.url, **more), store, more.pop("meter", Meter()))
    store.bus.watchers.append(tracer.event)
    task = asyncio.create_task(tracer.run())
    try:
        yield tracer
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_call_and_its_webhook_get_to_the_collector(store: Store) -> None:
    async with collecting() as collector:
        more = {"headers": {"Authorization": SecretStr("Bearer x")}, "service_name": "north"}
        async with tracing(store, collector, **more) as tracer:
            call = await talked(store)
            event = WebhookEvent("evt_1", "call.completed", 0.0, call.id, {})
            tracer.webhook(event, Attempted(False, time.time(), 40, 503))
    names = {one.name for one in collector.spans}
    assert {"call", "attempt", "talk", "turn", "chat", "POST webhook"} <= names
    assert {one.trace_id.hex() for one in collector.spans} == {trace_id(call.id)}
    roots = [one for one in collector.spans if not one.parent_span_id]
    assert [one.name for one in roots] == ["call"]
    (webhook,) = [one for one in collector.spans if one.name == "POST webhook"]
    assert webhook.parent_span_id == roots[0].span_id
    assert webhook.status.code == 2
    assert collector.services == {"north"}
    assert collector.headers[0]["authorization"] == "Bearer x"
    assert NUMBER.encode() not in b"".join(collector.bodies)


async def test_a_receiver_is_told_the_trace_where_there_is_one(store: Store) -> None:
    async with collecting() as collector, tracing(store, collector) as tracer:
        for own in (tracer, None):
            async with receiving() as receiver:
                webhooks = Webhooks.model_validate(LOCAL | {"secret": SECRET})
                deliverer = WebhookDeliverer(store, webhooks, tracer=own)
                task = asyncio.create_task(deliverer.run())
                call = await completed(store, webhook_url=receiver.url)
                got = await receiver.wait(4)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            told = [one.headers.get("traceparent") for one in got]
            if own is None:
                assert told == [None] * 4
                continue
            assert {one.split("-")[1] for one in told if one} == {trace_id(call.id)}
            assert len(set(told)) == 4


@pytest.mark.parametrize("status", [503, 307])
async def test_a_collector_that_takes_nothing_costs_no_call(store: Store, status: int) -> None:
    async with collecting() as collector:
        collector.status = status
        meter = Meter()
        tracer = Tracer(Traces(url=collector.url), store, meter)
        store.bus.watchers.append(tracer.event)
        await talked(store)
        task = asyncio.create_task(tracer.run())
        async with asyncio.timeout(5):
            while not collector.bodies:
                await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    told = numbers(meter.text().decode())
    assert told['offhook_trace_spans_total{outcome="dropped"}'] == 13


async def test_without_the_extra_the_setting_is_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def missing(name: str, *arguments: Any) -> Any:
        if name == "api.telemetry.otlp":
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(TracesError, match=r"pip install 'offhook\[otel\]'"):
        Tracer(Traces(url="http://127.0.0.1:4318/v1/traces"), store, Meter())
