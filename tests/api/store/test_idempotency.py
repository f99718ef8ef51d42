"""`Idempotency-Key` over two applications on one store, as two processes have it."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import httpx
import pytest
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response

from api.base.problems import Problem
from api.base.refusals import Refused
from api.http.idempotency import IdempotencyGate
from api.resources.idempotency import Idempotency
from api.store import Store
from api.store.idempotency import ABANDONED_S, KEEP_S
from tests.api.conftest import SEAL, Bench
from tests.api.doors import client_of

pytestmark = pytest.mark.both_stores

pytestmark = pytest.mark.both_stores

HEADERS = Headers({"Idempotency-Key": "k"})
REQUEST = Idempotency("me", "k", "fingerprint")


async def test_two_processes_do_one_request_once(bench: Bench) -> None:
    """The second is told 409 while the first is at it, and the same answer afterwards."""
    body, headers = {"url": "https://a.example/hook"}, {"Idempotency-Key": "one"}
    async with client_of(bench, bench.key) as first, client_of(bench, bench.key) as second:

        async def post(client: httpx.AsyncClient) -> httpx.Response:
            return await client.post("/v1/webhook_endpoints", json=body, headers=headers)

        answers = await asyncio.gather(*(post(one) for one in (first, second) * 5))
        made = [one for one in answers if one.status_code == 201]
        refused = {one.json()["code"] for one in answers if one.status_code != 201}
        assert made
        assert refused <= {"idempotency_in_flight"}
        assert len({one.text for one in made}) == 1
        assert (await post(second)).text == made[0].text
    assert len(await bench.store.endpoints.list()) == 1


async def answer(
    store: Store, work: Callable[[], Awaitable[Response]], fingerprint: str = "fingerprint"
) -> Response:
    async def ignoring(_: Idempotency | None) -> Response:
        return await work()

    gate = IdempotencyGate(store.answers, SEAL)
    return await gate.answer("me", HEADERS, fingerprint, ignoring, reserve=True)


async def made() -> Response:
    return JSONResponse({"made": 1}, 201)


async def must_not_run() -> Response:
    raise AssertionError


async def code(answered: Awaitable[Response]) -> str:
    with pytest.raises((Problem, Refused)) as caught:
        await answered
    assert isinstance(caught.value, Problem | Refused)
    return caught.value.code


async def test_a_request_under_way_is_409_and_with_another_body_422(store: Store) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> Response:
        begun.set()
        await go_on.wait()
        return await made()

    first = asyncio.create_task(answer(store, slow))
    await begun.wait()
    assert await code(answer(store, must_not_run)) == "idempotency_in_flight"
    assert await code(answer(store, must_not_run, "other")) == "idempotency_key_reused"
    go_on.set()
    assert (await first).status_code == 201
    replayed = await answer(store, must_not_run)
    assert (replayed.status_code, replayed.body) == (201, b'{"made":1}')
    assert replayed.headers["idempotency-replayed"] == "true"


async def test_a_refused_or_failed_request_gives_its_key_back(store: Store) -> None:
    async def refused() -> Response:
        raise Problem(422, "validation_failed", "no")

    async def failed() -> Response:
        raise RuntimeError

    async def not_found() -> Response:
        return Response(status_code=404)

    assert await code(answer(store, refused)) == "validation_failed"
    with pytest.raises(RuntimeError):
        await answer(store, failed)
    assert (await answer(store, not_found)).status_code == 404
    assert (await answer(store, made)).status_code == 201


async def test_the_key_of_a_process_that_died_is_free_after_a_minute(store: Store) -> None:
    now = time.time()
    await store.answers.reserve(REQUEST, now - ABANDONED_S + 30)
    assert await code(answer(store, must_not_run)) == "idempotency_in_flight"
    await store.answers.release(REQUEST, now - ABANDONED_S + 30)
    await store.answers.reserve(REQUEST, now - ABANDONED_S)
    assert (await answer(store, made)).status_code == 201


async def test_a_late_answer_does_not_replace_the_one_of_who_took_over(store: Store) -> None:
    died = time.time() - ABANDONED_S
    await store.answers.reserve(REQUEST, died)
    assert (await answer(store, made)).status_code == 201
    await store.answers.keep(REQUEST, died, 200, "late")
    await store.answers.release(REQUEST, died)
    assert (await answer(store, must_not_run)).body == b'{"made":1}'


async def test_an_answer_is_kept_for_a_day(store: Store) -> None:
    now = time.time()
    await store.answers.reserve(REQUEST, now)
    await store.answers.keep(REQUEST, now, 201, "{}")
    kept = await store.answers.find(REQUEST, now + KEEP_S - 1)
    assert kept is not None
    assert await store.answers.find(REQUEST, now + KEEP_S) is None
    await store.answers.reserve(REQUEST, now + KEEP_S)
