"""A language model on the network that is down, and comes back: nobody is called meanwhile."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from api.http.server import http_server, listen
from api.settings import LlmEndpoint, Models
from pbx.testbed import TestBed
from tests.e2e.conftest import Phone, phoning
from tests.e2e.receptionist import Receptionist


async def healthz(phone: Phone) -> tuple[int, Any]:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{phone.server.url}/healthz")
    return answer.status_code, answer.json()["checks"]["models"]


@pytest.mark.rows("RV-8")
async def test_the_queue_waits_for_the_language_model(bed: TestBed, tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}/v1"
    office = {"office": LlmEndpoint(url=url, model="rules")}
    async with phoning(bed, tmp_path, models=Models(llms=office)) as phone:
        placed = await phone.place("talker", prompt="Talk.", returns={}, llm={"model": "office"})
        async with asyncio.timeout(20):
            while (call := await phone.read(placed["id"]))["waiting_for"] != "engine_down":
                await asyncio.sleep(0.05)
        assert (call["status"], call["attempt_count"]) == ("queued", 0)
        async with asyncio.timeout(20):
            while (health := await healthz(phone))[0] == 200:
                await asyncio.sleep(0.05)
        assert "language model 'office' does not work" in health[1]["message"]
        local = await phone.place("talker")
        assert (await phone.wait(local["id"]))["attempt_count"] == 1
        assert (await phone.read(placed["id"]))["attempt_count"] == 0
        mind = Receptionist(lambda _: "i see. goodbye.")
        app = Starlette(routes=[Route("/v1/chat/completions", mind.chat, methods=["POST"])])
        with listen("127.0.0.1", port) as listener:
            async with http_server(app, listener):
                ended = await phone.wait(placed["id"])
        assert ended["attempt_count"] == 1
        assert ended["answered_at"] is not None
