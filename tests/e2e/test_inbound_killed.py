"""The server is killed (SIGKILL) in the middle of an inbound call and started again."""

import asyncio
import contextlib
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.base.lifecycle import TERMINAL
from api.cli.example import CALLER_NUMBER
from api.settings import Settings
from api.store import Store
from pbx.testbed import TestBed
from pbx.testbed.loopback import free_block
from tests.e2e.conftest import settings_on
from tests.e2e.mortal import Mortal
from tests.e2e.test_inbound import no_channels, ring
from tests.e2e.test_killed import environment


def taking_calls(bed: TestBed, folder: Path) -> Settings:
    base = settings_on(bed, folder)
    # The next server has the same one; nobody else gets it by chance.
    port = free_block(1)
    return base.model_copy(
        update={
            "pbx": base.pbx.model_copy(update={"inbound": True}),
            "recordings": base.recordings.model_copy(update={"enabled": False}),
            "rtp": base.rtp.model_copy(update={"port_min": port, "port_max": port}),
        }
    )


async def ring_once_it_takes_calls(bed: TestBed, settings: Settings) -> None:
    """A server says that it listens for HTTP before Asterisk can ask it about a call."""
    agi = settings.pbx.fastagi
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(agi.host, agi.port)
                writer.close()
                break
            await asyncio.sleep(0.05)
    ring(bed)


async def the_call(client: httpx.AsyncClient) -> dict[str, Any]:
    """Once it is over."""
    async with asyncio.timeout(60):
        while True:
            (call,) = (await client.get("/v1/calls?direction=inbound")).json()["data"]
            if call["status"] in TERMINAL:
                found: dict[str, Any] = call
                return found
            await asyncio.sleep(0.1)


@pytest.mark.timeout(200)
@pytest.mark.parametrize("point", ["inbound call written", "answer written", "turn written"])
async def test_the_next_one_ends_the_call_once(bed: TestBed, tmp_path: Path, point: str) -> None:
    """No channel is left at the PBX, neither of an answered call nor of a ringing one."""
    settings = taking_calls(bed, tmp_path)
    env = environment(settings)
    store = await Store.open(settings.store)
    _, key = await store.keys.create("tests")
    await store.close()
    headers = {"Authorization": f"Bearer {key}"}
    async with Mortal.started(point, env) as one:
        async with httpx.AsyncClient(base_url=one.url, headers=headers, timeout=30) as client:
            (number,) = (await client.get("/v1/numbers")).json()["data"]
            assert number["number"] == CALLER_NUMBER
            agent = {"name": "Ada", "type": "inbound", "number_ids": [number["id"]]}
            made = await client.post("/v1/agents", json=agent)
            assert made.status_code == 201, made.text
        await ring_once_it_takes_calls(bed, settings)
        assert await one.ended() == -signal.SIGKILL
    async with (
        Mortal.started("nowhere", env) as again,
        httpx.AsyncClient(base_url=again.url, headers=headers, timeout=30) as client,
    ):
        call = await the_call(client)
        await no_channels(bed)
    assert (call["status"], call["end_reason"]) == ("failed", "server_restart")
    assert (call["answered_at"] is None) == (point == "inbound call written")
    store = await Store.open(settings.store)
    events = await store.calls.events(call["id"])
    await store.close()
    assert [event.terminal for event in events] == [False] * (len(events) - 1) + [True]
    assert Counter(event.type for event in events)["call.ended"] == 1
