"""The server is killed (SIGKILL) in the middle of its calls, and none comes after it."""

import asyncio
import time
from pathlib import Path

import httpx
import pytest

from api.store import Store
from pbx.switch import LIMIT_MARGIN_S
from pbx.testbed import TestBed, persona
from tests.e2e.mortal import Mortal
from tests.e2e.test_inbound_killed import ring_once_it_takes_calls, taking_calls
from tests.e2e.test_killed import environment

_LONGEST_S = 10
#: For Asterisk to hang up, and for us to see it, on a busy machine.
_SLACK_S = 20


async def until_talking(client: httpx.AsyncClient, count: int) -> None:
    async with asyncio.timeout(30):
        while True:
            calls = (await client.get("/v1/calls")).json()["data"]
            if [call["status"] for call in calls] == ["in_progress"] * count:
                return
            await asyncio.sleep(0.05)


@pytest.mark.timeout(200)
async def test_the_pbx_ends_the_calls_by_itself(bed: TestBed, tmp_path: Path) -> None:
    """An outbound call and an inbound one: neither side of the trunk keeps a channel."""
    base = taking_calls(bed, tmp_path)
    calls = base.calls.model_copy(update={"max_duration_s": _LONGEST_S})
    settings = base.model_copy(update={"calls": calls})
    store = await Store.open(settings.store)
    _, key = await store.keys.create("tests")
    await store.close()
    headers = {"Authorization": f"Bearer {key}"}
    async with Mortal.started("nowhere", environment(settings)) as one:
        async with httpx.AsyncClient(base_url=one.url, headers=headers, timeout=30) as client:
            (number,) = (await client.get("/v1/numbers")).json()["data"]
            agent = {"name": "Ada", "type": "inbound", "number_ids": [number["id"]]}
            assert (await client.post("/v1/agents", json=agent)).status_code == 201
            body = {"to": persona("silent").number, "prompt": "Confirm the appointment."}
            assert (await client.post("/v1/calls", json=body)).status_code == 201
            await ring_once_it_takes_calls(bed, settings)
            await until_talking(client, 2)
        one.kill()
        await one.ended()
        killed_at = time.monotonic()
        assert len(await bed.ours.channels()) == 4
        async with asyncio.timeout(_LONGEST_S + LIMIT_MARGIN_S + _SLACK_S):
            while await bed.ours.channels() or await bed.carrier.channels():
                await asyncio.sleep(0.2)
        assert time.monotonic() - killed_at > 1, "they ended with the server: nothing was shown"
