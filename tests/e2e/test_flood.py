"""A live call while strangers hold connections and ask without end."""

import asyncio
import logging

import httpx
import pytest

from tests.api.flood import answer, idle_connections
from tests.e2e.conftest import Phone

REQUEST = b"GET /v1/calls HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_a_call_and_its_api_go_on(phone: Phone, caplog: pytest.LogCaptureFixture) -> None:
    port = httpx.URL(phone.server.url).port
    assert port is not None
    caplog.set_level(logging.WARNING)
    over = asyncio.Event()

    async def hammer() -> None:
        while not over.is_set():
            await answer(port, REQUEST)
            await asyncio.sleep(0.05)

    async with idle_connections(port, 1100):
        hammers = [asyncio.create_task(hammer()) for _ in range(10)]
        call = await phone.call("talker")
        over.set()
        await asyncio.gather(*hammers)
    assert call["status"] == "completed"
    assert call["result"] is not None
    (attempt,) = (await phone.ask("GET", f"/v1/calls/{call['id']}/attempts"))["data"]
    assert attempt["media"]["lost"] == 0
    assert len([one for one in caplog.records if one.name.startswith("api.")]) <= 2
