"""The client where things go wrong: lost answers, limits, no server, streams that are cut."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from api.client import (
    ApiError,
    Backoff,
    ChangeTrunk,
    CreateCall,
    CreateTrunk,
    OffhookClient,
    UnreachableError,
)
from api.client.backoff import may_repeat
from api.client.errors import AnswerError, OffhookError
from api.resources.attempt import Ended
from api.resources.turn import Turn
from tests.api.conftest import Bench
from tests.api.receiver import Received, receiving, status
from tests.api.routes.test_events import STORY, tell
from tests.api.story import NORMAL, answered, claim_up_to
from tests.api.wire import LossyWire, lossy_wire

TO = "+15551234567"
QUICK = Backoff(first_s=0.01)


@pytest.fixture
async def wire(bench: Bench) -> AsyncIterator[LossyWire]:
    async with lossy_wire(bench.client.base_url.port or 0) as one:
        yield one


@pytest.fixture
async def client(bench: Bench, wire: LossyWire) -> AsyncIterator[OffhookClient]:
    async with OffhookClient(wire.url, bench.key, backoff=QUICK) as one:
        yield one


def sent(wire: LossyWire, start: bytes) -> int:
    return sum(one.startswith(start) for one in wire.requests)


@pytest.mark.both_stores
async def test_an_order_whose_answers_are_lost_is_placed_once(
    client: OffhookClient, bench: Bench, wire: LossyWire
) -> None:
    wire.lose = 3
    call = await client.create_call(CreateCall(to=TO))
    assert sent(wire, b"POST /v1/calls") == 4
    assert [one.id for one in (await bench.store.calls.page(limit=9)).items] == [call.id]


async def test_a_program_that_starts_again_names_its_order_and_gets_the_same_call(
    client: OffhookClient, bench: Bench, wire: LossyWire
) -> None:
    wire.lose = 99
    with pytest.raises(UnreachableError) as lost:
        await client.create_call(CreateCall(to=TO), idempotency_key="order-4711")
    assert lost.value.sent
    assert sent(wire, b"POST /v1/calls") == QUICK.retries + 1
    wire.lose = 0
    call = await client.create_call(CreateCall(to=TO), idempotency_key="order-4711")
    assert [one.id for one in (await bench.store.calls.page(limit=9)).items] == [call.id]


async def test_two_orders_are_two_calls(client: OffhookClient) -> None:
    one, other = [await client.create_call(CreateCall(to=TO)) for _ in range(2)]
    assert one.id != other.id


async def test_what_is_gone_is_gone_though_the_answer_was_lost(
    client: OffhookClient, wire: LossyWire
) -> None:
    await client.create_trunk(CreateTrunk(name="b"))
    wire.lose = 1
    await client.delete_trunk("b")
    assert sent(wire, b"DELETE") == 2
    with pytest.raises(ApiError, match="Not Found"):
        await client.delete_trunk("b")


async def test_a_patch_whose_answer_is_lost_is_not_repeated(
    client: OffhookClient, wire: LossyWire
) -> None:
    await client.create_trunk(CreateTrunk(name="b"))
    wire.lose = 1
    with pytest.raises(UnreachableError, match="cannot reach"):
        await client.change_trunk("b", ChangeTrunk(max_channels=2))
    assert sent(wire, b"PATCH") == 1


async def test_a_key_at_its_limit_is_told_how_long_to_wait(bench: Bench, wire: LossyWire) -> None:
    _, key = await bench.store.keys.create("slow", rate_limit_per_minute=1)
    patient_for_less = Backoff(patience_s=1.0)
    async with OffhookClient(wire.url, key, backoff=patient_for_less) as client:
        await client.get_budget()
        with pytest.raises(ApiError) as refused:
            await client.get_budget()
    assert (refused.value.status, refused.value.code) == (429, "rate_limited")
    assert refused.value.retry_after_s is not None
    assert refused.value.retry_after_s > 1
    assert sent(wire, b"GET /v1/budget") == 2


async def test_a_limit_that_passes_is_waited_for(bench: Bench) -> None:
    async def limited(request: Received, writer: asyncio.StreamWriter) -> None:
        first = len(busy.got) == 1
        await status(429 if first else 302, "Retry-After: 0")(request, writer)

    async with receiving(limited) as busy:
        url = f"http://127.0.0.1:{busy.port}"
        async with OffhookClient(url, bench.key, backoff=QUICK) as client:
            with pytest.raises(ApiError, match="answered 302"):
                await client.get_budget()


async def test_a_server_that_is_not_there_is_named(bench: Bench) -> None:
    async with receiving() as gone:
        url = f"http://127.0.0.1:{gone.port}"
    async with OffhookClient(url, bench.key, backoff=QUICK) as client:
        with pytest.raises(UnreachableError, match=url) as refused:
            await client.get_budget()
        assert not refused.value.sent


async def test_what_is_no_offhook_is_told_as_it_is(bench: Bench) -> None:
    async def page(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>")
        await writer.drain()

    for answer, wanted in (
        (status(200), AnswerError),
        (page, AnswerError),
        (status(302), ApiError),
    ):
        async with receiving(answer) as other:
            url = f"http://127.0.0.1:{other.port}"
            async with OffhookClient(url, bench.key, backoff=QUICK) as client:
                with pytest.raises(wanted):
                    await client.get_budget()
                with pytest.raises(wanted):
                    _ = [one async for one in client.list_calls()]


async def test_a_busy_gateway_is_asked_again_and_its_refusal_told(bench: Bench) -> None:
    async with receiving(status(503)) as busy:
        url = f"http://127.0.0.1:{busy.port}"
        async with OffhookClient(url, bench.key, backoff=QUICK) as client:
            with pytest.raises(ApiError, match="answered 503") as refused:
                await client.create_call({"to": TO})
    assert refused.value.code == "http_503"
    keys = {one.headers["idempotency-key"] for one in busy.got}
    assert (len(busy.got), len(keys)) == (QUICK.retries + 1, 1)


async def test_a_cut_stream_goes_on_where_it_was(
    client: OffhookClient, bench: Bench, wire: LossyWire
) -> None:
    call = await client.create_call(CreateCall(to=TO))
    wire.cut_after = b"event: call.answered"
    types: list[str] = []
    telling: asyncio.Task[None] | None = None
    async with asyncio.timeout(20):
        async for event in client.stream_events(call.id):
            types.append(event.type)
            telling = telling or asyncio.create_task(tell(bench, call.id))
    assert telling is not None
    await telling
    assert types == STORY
    assert not wire.cut_after
    assert sent(wire, b"GET /v1/calls") >= 2


async def test_a_stream_can_be_entered_in_the_middle_and_left(
    client: OffhookClient, bench: Bench
) -> None:
    call = await answered(bench.store)
    async with aclosing(client.stream_events(call.id, after=2)) as events:
        assert (await anext(events)).seq == 3


async def test_a_call_is_waited_for_as_long_as_wanted(
    client: OffhookClient, bench: Bench, wire: LossyWire
) -> None:
    call = await client.create_call(CreateCall(to=TO))
    with pytest.raises(TimeoutError):
        await client.wait_until_over(call.id, timeout_s=0.1)
    waiting = asyncio.create_task(client.wait_until_over(call.id, timeout_s=20))
    wire.lose = 1
    await tell(bench, call.id)
    assert (await waiting).status == "completed"
    with pytest.raises(ApiError, match="no such call"):
        await client.wait_until_over("00000000-0000-4000-8000-000000000000")


async def test_a_silent_stream_is_opened_anew(bench: Bench) -> None:
    async def hush(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: connected\n\n")
        await writer.drain()
        await over.wait()

    over = asyncio.Event()
    patient = Backoff(retries=99, first_s=0.01)
    async with receiving(hush) as silent:
        url = f"http://127.0.0.1:{silent.port}"
        async with OffhookClient(url, bench.key, silence_s=0.02, backoff=patient) as client:
            events = client.stream_events("x", after=7)
            waiting = asyncio.ensure_future(anext(events))
            got = await silent.wait(3)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        over.set()
    assert {one.headers["last-event-id"] for one in got} == {"7"}


async def test_a_file_is_there_when_it_is_whole(
    client: OffhookClient, bench: Bench, wire: LossyWire, tmp_path: Path
) -> None:
    call = await client.create_call(CreateCall(to=TO))
    await claim_up_to(bench.store, 9)
    await bench.store.calls.record_answered(call.id, time.time())
    await bench.store.calls.add_turn(call.id, Turn("person", "hello", 1.0, 2.0))
    content = b"RIFF" + bytes(300_000) + b"end"
    (bench.recordings / "a.wav").write_bytes(content)
    ended = Ended(time.time(), NORMAL, "agent_hangup", recording_path="a.wav")
    await bench.store.calls.record_ended(call.id, ended)
    folder = tmp_path / "files"
    folder.mkdir()
    wire.cut_after = b"RIFF"
    file = await client.get_recording(call.id, folder / "call.wav")
    assert not wire.cut_after
    assert file.read_bytes() == content
    with pytest.raises(ApiError, match="Not Found"):
        await client.get_recording("nobody", folder / "other.wav")
    assert [one.name for one in folder.iterdir()] == ["call.wav"]


def error(status_code: int, code: str = "x") -> ApiError:
    return ApiError(status_code, code, "Error", "")


def lost(*, sent: bool, passing: bool = True) -> UnreachableError:
    return UnreachableError("lost", sent=sent, passing=passing)


@pytest.mark.parametrize(
    ("problem", "methods"),
    [
        (lost(sent=False), "GET POST PUT PATCH DELETE"),
        (lost(sent=True), "GET POST PUT DELETE"),
        (lost(sent=False, passing=False), ""),
        (error(429), "GET POST PUT PATCH DELETE"),
        (error(409, "idempotency_in_flight"), "GET POST PUT PATCH DELETE"),
        (error(503), "GET POST PUT DELETE"),
        (error(409), ""),
        (error(500), ""),
        (error(422), ""),
        (AnswerError("no JSON"), ""),
    ],
)
def test_what_may_be_repeated(problem: OffhookError, methods: str) -> None:
    every = ("GET", "POST", "PUT", "PATCH", "DELETE")
    assert [one for one in every if may_repeat(one, problem)] == methods.split()


def test_waits_double_up_to_a_limit_and_end() -> None:
    backoff = Backoff(retries=8, first_s=1.0, longest_s=8.0, patience_s=60.0)
    waits = [backoff.delay_s(failures, 0.0) for failures in range(1, 10)]
    assert waits == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0, 8.0, None]
    assert backoff.delay_s(1, 1.0) == 0.5
    assert backoff.delay_s(1, 0.0, wanted_s=30.0) == 30.0
    assert backoff.delay_s(1, 0.0, wanted_s=61.0) is None
