"""Two servers on one PostgreSQL and one PBX: they share the orders, and survive one's death."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.base.lifecycle import TERMINAL
from api.client import OffhookClient
from api.resources.call import CallObject
from api.store import Store
from pbx.testbed import TestBed, persona
from tests.e2e.conftest import settings_on
from tests.e2e.mortal import Mortal
from tests.e2e.test_killed import environment
from tests.postgres import PostgresServer, at


@dataclass
class Pair:
    """A client of each server, the first one's process, and the store that they share."""

    client_of_one: OffhookClient
    client_of_other: OffhookClient
    one: Mortal
    store: Store


@pytest.fixture
async def pair(
    bed: TestBed, tmp_path: Path, postgres_server: PostgresServer
) -> AsyncIterator[Pair]:
    base = settings_on(bed, tmp_path)
    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(postgres_server.database())
        store = await Store.open(at(url))
        stack.push_async_callback(store.close)
        _, key = await store.keys.create("tests")
        clients, servers = [], []
        for index in range(2):
            first = 13500 + 50 * index
            settings = base.model_copy(
                update={
                    "store": at(url),
                    "calls": base.calls.model_copy(update={"max_concurrent": 2}),
                    "recordings": base.recordings.model_copy(update={"enabled": False}),
                    "rtp": base.rtp.model_copy(update={"port_min": first, "port_max": first + 49}),
                }
            )
            server = await stack.enter_async_context(
                Mortal.started("nowhere", environment(settings))
            )
            servers.append(server)
            clients.append(await stack.enter_async_context(OffhookClient(server.url, key)))
        yield Pair(clients[0], clients[1], servers[0], store)


async def until(client: OffhookClient, call_id: str, *statuses: str) -> CallObject:
    async with asyncio.timeout(40):
        while (call := await client.get_call(call_id)).status not in statuses:
            await asyncio.sleep(0.05)
    return call


async def nodes(pair: Pair, call_ids: list[str]) -> dict[str, str | None]:
    found = {}
    for call_id in call_ids:
        (attempt,) = await pair.store.calls.attempts(call_id)
        found[call_id] = attempt.node_id
    return found


@pytest.mark.timeout(240)
async def test_two_servers_share_the_orders_and_survive_the_death_of_one(
    pair: Pair, bed: TestBed
) -> None:
    before = Counter(number for number, _ in bed.dialled())
    silent, busy = persona("silent").number, persona("busy").number
    # Twice two slots: every order placed at one server, dialled by both.
    held = [
        (await pair.client_of_one.create_call({"to": silent, "prompt": "Wait."})).id
        for _ in range(4)
    ]
    for call_id in held:
        await until(pair.client_of_other, call_id, "in_progress")
    who = await nodes(pair, held)
    assert sorted(Counter(who.values()).values()) == [2, 2]
    waiting = (await pair.client_of_one.create_call({"to": busy})).id
    assert (await pair.client_of_other.get_call(waiting)).waiting_for == "free_slot"

    # Whoever is asked, the one that runs a call ends it, and its events are told everywhere.
    for one in (held[0], next(other for other in held if who[other] != who[held[0]])):
        events = asyncio.create_task(_types(pair.client_of_other, one))
        await pair.client_of_one.hang_up_call(one)
        async with asyncio.timeout(30):
            assert (await events)[-1] == "call.completed"
        held.remove(one)
    assert (await until(pair.client_of_other, waiting, "busy")).attempt_count == 1

    pair.one.kill()
    async with asyncio.timeout(60):
        orphan = await _first_over(pair.client_of_other, held)
    assert (orphan.status, orphan.end_reason) == ("failed", "server_restart")
    (alive,) = set(held) - {orphan.id}
    assert (await pair.client_of_other.get_call(alive)).status == "in_progress"
    await pair.client_of_other.end_call(alive)
    assert (await until(pair.client_of_other, alive, "completed")).attempt_count == 1
    again = (await pair.client_of_other.create_call({"to": busy})).id
    assert (await until(pair.client_of_other, again, "busy")).attempt_count == 1
    after = Counter(number for number, _ in bed.dialled())
    assert (after - before)[silent] == 4
    assert (after - before)[busy] == 2
    assert "0 active channels" in await bed.ours.cli("core show channels count")


async def _first_over(client: OffhookClient, call_ids: list[str]) -> CallObject:
    while True:
        for call_id in call_ids:
            call = await client.get_call(call_id)
            if call.status in TERMINAL:
                return call
        await asyncio.sleep(0.1)


async def _types(client: OffhookClient, call_id: str) -> list[str]:
    return [event.type async for event in client.stream_events(call_id)]
