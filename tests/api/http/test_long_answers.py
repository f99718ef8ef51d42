"""Streams and downloads over a real server: how many, and for how long."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path

import httpx
import pytest
from sqlalchemy import update

from api.http.long_answers import LongAnswers
from api.resources.attempt import Ended
from api.resources.key import KeyScope
from api.settings import StoreSection
from api.store import Store
from api.store.database import Transaction
from api.store.tables import api_keys
from tests.api.conftest import Bench, benching
from tests.api.routes.test_calls import run_to_answer
from tests.api.story import NORMAL

FEW = {"OFFHOOK_SERVER__MAX_STREAMS": "5", "OFFHOOK_SERVER__MAX_STREAMS_PER_KEY": "3"}

#: Bytes of a recording that no socket's buffers hold.
LARGE = 64 * 1024 * 1024


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.http.long_answers.CHECK_S", 0.05)


@contextlib.asynccontextmanager
async def opened(client: httpx.AsyncClient, path: str, count: int) -> AsyncIterator[None]:
    """So many streams, each of which has said something, as soon as there are places for them."""
    async with contextlib.AsyncExitStack() as stack:
        async with asyncio.timeout(20):
            while count:
                answer = await client.send(client.build_request("GET", path), stream=True)
                if answer.status_code == 200:
                    count -= 1
                    stack.push_async_callback(answer.aclose)
                    parts = answer.aiter_raw()  # which closes the stream when it is let go of
                    stack.push_async_callback(parts.aclose)  # type: ignore[attr-defined]
                    await anext(parts)
                else:  # one that was closed before still has its place
                    await answer.aread()  # so that its connection serves the next one
                    await asyncio.sleep(0.01)
        yield


def client_with(bench: Bench, key: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(base_url=bench.services.url, headers=headers, trust_env=False)


async def too_many(client: httpx.AsyncClient, path: str) -> bool:
    """Whether there is no place for another one; else it is closed at once."""
    async with client.stream("GET", path) as answer:
        await answer.aread() if answer.status_code == 429 else None
    if answer.status_code == 200:
        return False
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_streams")
    assert int(answer.headers["retry-after"]) > 0
    return True


async def test_a_key_and_all_have_so_many_streams(store: Store, tmp_path: Path) -> None:
    async with benching(store, tmp_path, FEW) as bench:
        path = f"/v1/calls/{(await bench.create())['id']}/events"
        _, key = await store.keys.create("other")
        async with client_with(bench, key) as other:
            async with opened(bench.client, path, 3):
                assert await too_many(bench.client, path)
                assert not await too_many(other, path)
                async with opened(other, path, 2):
                    assert await too_many(other, path)
            async with opened(bench.client, path, 3):
                pass


async def lessen(store: Store, key_id: str) -> None:
    """As a command that changes a scope would."""

    async def work(transaction: Transaction) -> None:
        changed = update(api_keys).where(api_keys.c.id == key_id).values(scope="read")
        await transaction.connection.execute(changed)

    await store.database.write(work)


async def streamed(client: httpx.AsyncClient, path: str) -> Sequence[str]:
    """All lines of a stream that comes to its end."""
    async with asyncio.timeout(20), client.stream("GET", path) as answer:
        assert answer.status_code == 200
        return [line async for line in answer.aiter_lines()]


@pytest.mark.both_stores
async def test_a_stream_ends_with_its_key_whichever_server_revokes_it(
    bench: Bench, where: StoreSection
) -> None:
    path = f"/v1/calls/{(await bench.create())['id']}/events"
    key, secret = await bench.store.keys.create("other", "read")
    async with client_with(bench, secret) as client, opened(bench.client, path, 1):
        following = asyncio.create_task(streamed(client, path))
        async with opened(client, path, 1):
            elsewhere = await Store.open(where)
            await elsewhere.keys.revoke(key.id)
            await elsewhere.close()
            assert (await following)[0] == ": connected"
        assert (await client.get(path)).status_code == 401
        assert not await too_many(bench.client, path)  # others go on


async def test_what_a_key_may_not_ask_for_any_more_ends(store: Store) -> None:
    key, _ = await store.keys.create("other", "admin")
    answers = LongAnswers(store.keys, 5, 5)
    ended: list[str] = []

    async def hold(scope: KeyScope) -> None:
        with contextlib.suppress(TimeoutError):
            async with answers.watched(key, scope):
                await asyncio.Event().wait()
        ended.append(scope)

    reading, configuring = asyncio.create_task(hold("read")), asyncio.create_task(hold("admin"))
    await asyncio.sleep(0)
    await lessen(store, key.id)
    async with asyncio.timeout(20):
        await configuring
        assert ended == ["admin"]
        await store.keys.revoke(key.id)
        await reading


async def test_who_comes_as_the_last_one_leaves_is_watched(store: Store) -> None:
    key, _ = await store.keys.create("other", "read")
    answers = LongAnswers(store.keys, 5, 5)
    async with answers.watched(key, "read"):
        await asyncio.sleep(0)

    async def hold() -> None:
        async with answers.watched(key, "read"):
            await store.keys.revoke(key.id)
            await asyncio.sleep(10)

    with pytest.raises(TimeoutError):
        await hold()


async def test_who_comes_while_keys_are_looked_at_is_not_ended(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = await store.keys.create("first", "read")
    second, _ = await store.keys.create("second", "read")
    looking, go_on, looked = asyncio.Event(), asyncio.Event(), asyncio.Event()
    live = store.keys.live

    async def slow(ids: Collection[str]) -> Mapping[str, KeyScope]:
        found = await live(ids)
        if looking.is_set():
            looked.set()
        looking.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(store.keys, "live", slow)
    answers = LongAnswers(store.keys, 5, 5)
    async with asyncio.timeout(20), answers.watched(first, "read"):
        await looking.wait()
        async with answers.watched(second, "read"):
            go_on.set()
            await looked.wait()  # for the second time, which was of both


async def test_a_download_ends_with_its_key(bench: Bench) -> None:
    call = await bench.create()
    await run_to_answer(bench, call["id"])
    with (bench.recordings / "a.wav").open("wb") as file:
        file.truncate(LARGE)
    ended = Ended(time.time(), NORMAL, "agent_hangup", recording_path="a.wav")
    await bench.store.calls.record_ended(call["id"], ended)
    key, secret = await bench.store.keys.create("other", "read")
    path = f"/v1/calls/{call['id']}/recording"
    client = client_with(bench, secret)
    async with asyncio.timeout(20), client, client.stream("GET", path) as answer:
        assert answer.headers["content-length"] == str(LARGE)
        await bench.store.keys.revoke(key.id)
        parts = answer.aiter_raw()

        async def read_slowly() -> None:
            async for _ in parts:
                await asyncio.sleep(0.02)

        with pytest.raises(httpx.RemoteProtocolError):
            await read_slowly()


async def test_who_follows_links_has_so_many_downloads(store: Store, tmp_path: Path) -> None:
    few = FEW | {"OFFHOOK_SERVER__MAX_STREAMS_PER_KEY": "1"}
    async with benching(store, tmp_path, few) as bench, asyncio.timeout(20):
        call = await bench.create()
        await run_to_answer(bench, call["id"])
        with (bench.recordings / "a.wav").open("wb") as file:
            file.truncate(LARGE)
        ended = Ended(time.time(), NORMAL, "agent_hangup", recording_path="a.wav")
        await store.calls.record_ended(call["id"], ended)
        url = (await bench.client.get(f"/v1/calls/{call['id']}/recording_link")).json()["url"]
        async with httpx.AsyncClient(trust_env=False) as stranger, opened(stranger, url, 1):
            assert await too_many(stranger, url)
