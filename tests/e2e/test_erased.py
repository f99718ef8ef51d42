"""What is erased is in no file: after a server was killed in the middle of recording a call, or of
erasing it, and on every node of a shared store."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.base.lifecycle import TERMINAL
from api.cli.example import EXAMPLE
from api.settings import Settings, StoreSection
from api.store import Store
from api.store.tables import metadata
from pbx.testbed import TestBed, persona
from tests.e2e.conftest import settings_on
from tests.e2e.mortal import ERASING_POINTS, RECORDING_POINTS, Mortal
from tests.e2e.test_killed import environment
from tests.files import holding
from tests.postgres import PostgresServer, at

CANARY = "canary-of-metadata-4711"
#: Servers that run at one time.
AT_ONCE = 3


def settings_of(bed: TestBed, folder: Path, store: StoreSection, index: int) -> Settings:
    base = settings_on(bed, folder)
    first = 14000 + 20 * index
    return base.model_copy(
        update={
            "store": store,
            "calls": base.calls.model_copy(update={"max_concurrent": 1}),
            "recordings": base.recordings.model_copy(update={"dir": folder / "recordings"}),
            "rtp": base.rtp.model_copy(update={"port_min": first, "port_max": first + 19}),
        }
    )


async def key_of(store: StoreSection) -> str:
    opened = await Store.open(store)
    _, key = await opened.keys.create("tests")
    await opened.close()
    return key


@contextlib.asynccontextmanager
async def asking(url: str, key: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
        yield client


async def place(client: httpx.AsyncClient, who: str) -> str:
    body = {"to": persona(who).number, "metadata": {"crm": CANARY}, **EXAMPLE}
    answer = await client.post("/v1/calls", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def until(client: httpx.AsyncClient, call_id: str, *statuses: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            call: dict[str, Any] = (await client.get(f"/v1/calls/{call_id}")).json()
            if call["status"] in statuses:
                return call
            await asyncio.sleep(0.1)


def recorded(folder: Path) -> list[str]:
    """The calls of which there are recordings below a folder."""
    return [file.stem for file in folder.rglob("*.wav")]


async def erased(client: httpx.AsyncClient, call_id: str) -> httpx.Response:
    """The answer to erasing, once the call's result is not on the way any more."""
    async with asyncio.timeout(60):
        while (answer := await client.delete(f"/v1/calls/{call_id}")).status_code == 409:
            await asyncio.sleep(0.1)
    return answer


async def needles(client: httpx.AsyncClient, call_id: str, number: str) -> list[str]:
    """What must not be found any more: the number in its forms, the words, the metadata."""
    turns = (await client.get(f"/v1/calls/{call_id}/transcript")).json()["turns"]
    words = [turn["text"] for turn in turns if len(turn["text"]) > 15]
    return [number, number[1:], "Maria Lopez", CANARY, *words]


@pytest.mark.timeout(400)
async def test_killed_while_recording_or_erasing(bed: TestBed, tmp_path: Path) -> None:
    """The file that was cut short is named by its attempt, and erased with it."""

    async def one(point: str, index: int, store: StoreSection, key: str) -> None:
        folder, number = store.path.parent, persona("quitter").number
        env = environment(settings_of(bed, folder, store, index))
        async with slots:
            async with Mortal.started(point, env) as server, asking(server.url, key) as client:
                call_id = await place(client, "quitter")
                if point in ERASING_POINTS:
                    await until(client, call_id, *TERMINAL)
                    with contextlib.suppress(httpx.TransportError):
                        await erased(client, call_id)
                assert await server.ended() == -signal.SIGKILL
            files = recorded(folder)
            assert len(files) == (0 if "begun" in point or "booked" in point else 1), point
            async with Mortal.started("nowhere", env) as server, asking(server.url, key) as client:
                found = [number, number[1:], "Maria Lopez", CANARY]
                if point in RECORDING_POINTS:
                    call = await until(client, call_id, *TERMINAL)
                    assert call["end_reason"] == "server_restart", point
                    assert call["recording_available"] is bool(files), point
                    recording = await client.get(f"/v1/calls/{call_id}/recording")
                    assert recording.status_code == (200 if files else 404), point
                    found = await needles(client, call_id, number)
                    assert (await erased(client, call_id)).status_code == 204, point
                async with asyncio.timeout(30):
                    while (await erased(client, call_id)).status_code != 404:
                        await asyncio.sleep(0.1)
                assert holding(folder, *found) == [], point
                assert recorded(folder) == [], point

    slots = asyncio.Semaphore(AT_ONCE)
    points = (*RECORDING_POINTS, *ERASING_POINTS)
    stores = [
        StoreSection(path=tmp_path / str(index) / "offhook.db") for index in range(len(points))
    ]
    keys = [await key_of(store) for store in stores]  # one store is opened at a time
    async with asyncio.TaskGroup() as group:
        for index, point in enumerate(points):
            group.create_task(one(point, index, stores[index], keys[index]))


@pytest.mark.timeout(300)
async def test_each_node_of_a_shared_store_erases_its_own_one_of_them_down(
    bed: TestBed, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(postgres_server.database())
        key, number = await key_of(at(url)), persona("silent").number
        envs = [
            environment(settings_of(bed, tmp_path / name, at(url), 10 + index))
            for index, name in enumerate(("one", "other"))
        ]
        one = await stack.enter_async_context(Mortal.started("nowhere", envs[0]))
        client = await stack.enter_async_context(asking(one.url, key))
        async with Mortal.started("nowhere", envs[1]) as other:
            calls = [await place(client, "silent") for _ in range(2)]
            for call_id in calls:
                await until(client, call_id, "in_progress")
            async with asyncio.timeout(30):
                while len(recorded(tmp_path)) < 2:
                    await asyncio.sleep(0.1)
            (mine,) = recorded(tmp_path / "one")
            (theirs,) = set(calls) - {mine}
            other.kill()
            await other.ended()
        await client.post(f"/v1/calls/{mine}/hangup")
        found = [number, number[1:], CANARY]
        for call_id in calls:
            async with asyncio.timeout(60):
                while (await client.get(f"/v1/calls/{call_id}")).json()["ended_at"] is None:
                    await asyncio.sleep(0.1)
        call = (await client.get(f"/v1/calls/{theirs}")).json()
        assert (call["end_reason"], call["recording_available"]) == ("server_restart", True)
        elsewhere = await client.get(f"/v1/calls/{theirs}/recording")
        assert (elsewhere.status_code, elsewhere.json()["code"]) == (421, "recording_elsewhere")
        assert (await client.get(f"/v1/calls/{mine}/recording")).status_code == 200

        assert (await erased(client, mine)).status_code == 204
        for _ in range(2):
            left = await erased(client, theirs)
            assert left.status_code == 202, left.text
            assert left.json()["nodes"][0] in elsewhere.json()["detail"]
        assert recorded(tmp_path) == [theirs]
        async with Mortal.started("nowhere", envs[1]):
            async with asyncio.timeout(30):
                while (await erased(client, theirs)).status_code != 404:
                    await asyncio.sleep(0.1)
        assert recorded(tmp_path) == []
        assert holding(tmp_path, *found) == []
        assert await rows_with(url, *found) == []


async def rows_with(url: str, *texts: str) -> list[tuple[str, str]]:
    """The tables of a PostgreSQL of which a row holds one of the texts."""
    store = await Store.open(at(url))

    async def work(connection: AsyncConnection) -> list[tuple[str, str]]:
        return [
            (table, wanted)
            for table in metadata.tables
            for wanted in texts
            if await connection.scalar(
                text(f"SELECT count(*) FROM {table} AS r WHERE r::text LIKE :wanted"),
                {"wanted": f"%{wanted}%"},
            )
        ]

    found = await store.database.read(work)
    await store.close()
    return found
