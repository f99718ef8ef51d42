"""Revox's own client, unchanged, holds real calls over the test bed."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.cli.example import EXAMPLE
from api.http.server import http_server, listen
from pbx.testbed import persona
from tests.api.compat.test_revox import same_keys
from tests.api.revox_examples import CALL_KEYS
from tests.compat.revox_client import RevoxClient, RevoxError
from tests.e2e.conftest import Phone

#: In the words that the starter models know.
ASSISTANT: dict[str, Any] = {
    "prompt": f"{EXAMPLE['prompt']}\nFacts: {json.dumps(EXAMPLE['context'])}",
    "structured_output_config": [
        {"name": "confirmed", "required": True, "type": "boolean"},
        {"name": "day", "required": False, "type": "string"},
        {"name": "time", "required": False, "type": "string"},
    ],
}


@dataclass
class Hook:
    """What a webhook receiver was sent."""

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)


@contextlib.asynccontextmanager
async def receiving(secret: str) -> AsyncIterator[Hook]:
    """A receiver that verifies what it is sent as Standard Webhooks."""
    hook = Hook()

    async def receive(request: Request) -> Response:
        hook.bodies.append(Webhook(secret).verify(await request.body(), dict(request.headers)))
        hook.came.set()
        return Response(status_code=204)

    app = Starlette(routes=[Route("/hook", receive, methods=["POST"])])
    with listen("127.0.0.1", 0) as listener:
        async with http_server(app, listener):
            hook.url = f"http://127.0.0.1:{listener.getsockname()[1]}/hook"
            yield hook


@pytest.mark.rows("RV-1", "RV-2", "RV-11", "RV-13", "RV-97", "RV-98", "RV-263", "RV-272")
@pytest.mark.rows("RV-219…220", "RV-223…224", "RV-226", "RV-487", "RV-488", "RV-494…495", "RV-499")
@pytest.mark.rows("RV-507", "RV-512", "RV-514…518", "X-RV-1")
async def test_an_order_is_placed_polled_and_told(phone: Phone) -> None:
    """Dispatch, poll, result, transcript, recording, and the signed webhook."""
    called = persona("talker").number
    async with (
        receiving(phone.server.webhook_secret) as hook,
        RevoxClient(f"{phone.server.url}/api", phone.key) as revox,
    ):
        placed = await revox.place(
            called,
            assistant=ASSISTANT | {"webhook_url": hook.url},
            force_now=True,
            metadata={"customer": "42"},
        )
        assert placed["status"] in {"queued_for_calling", "calling"}
        async with asyncio.timeout(60):
            call = await revox.resolved(placed["id"])
            await hook.came.wait()
        same_keys(call, CALL_KEYS)
        assert (call["status"], call["calls_count"]) == ("completed", 1)
        (attempt,) = call["call_attempts"]
        assert (attempt["status"], attempt["dial_error"]) == ("completed", None)
        assert attempt["result"] == "human"
        assert attempt["ended_by"] in {"agent", "user"}
        assert attempt["structured_output"]["confirmed"] is True
        roles = {turn["role"] for turn in attempt["transcript"]}
        assert roles == {"user", "assistant"}
        assert (await revox.download(attempt["recording_url"]))[:4] == b"RIFF"
        (told,) = hook.bodies
        assert told["call"]["id"] == call["id"]
        assert told["call"]["call_attempts"][0]["transcript"] == attempt["transcript"]
        assert told["call"]["metadata"] == {"customer": "42"}


@pytest.mark.rows("RV-220", "RV-264", "RV-268", "RV-294", "RV-299", "RV-491", "RV-512")
async def test_an_order_in_the_clients_own_words_and_at_its_own_time(phone: Phone) -> None:
    """Variables and outputs with spaces, accents and signs; a time in milliseconds."""
    names = ["Is it confirmed?", "¿Le conviene el 1er día?"]
    at = int(time.time() + 3) * 1000
    async with RevoxClient(f"{phone.server.url}/api", phone.key) as revox:
        placed = await revox.place(
            persona("talker").number,
            assistant={
                "prompt": "{{The task}}\nFacts: {{los hechos}}",
                "structured_output_config": [
                    {"name": name, "required": False, "type": "boolean"} for name in names
                ],
                "sms_template": "Thank you,\n{{los hechos}}",
            },
            prompt_variables={
                "The task": EXAMPLE["prompt"],
                "los hechos": json.dumps(EXAMPLE["context"]),
            },
            scheduled_at=at,
            force_now=True,
        )
        assert placed["status"] == "scheduled"
        assert datetime.fromisoformat(placed["scheduled_at"]).timestamp() == at / 1000
        for name in ("llm_model", "call_retry_config"):
            assert isinstance(placed[name], dict)
        assert placed["assistant"]["voice"]["id"]
        async with asyncio.timeout(60):
            call = await revox.resolved(placed["id"])
        assert call["status"] == "completed"
        (attempt,) = call["call_attempts"]
        assert datetime.fromisoformat(attempt["started_at"]).timestamp() >= at / 1000
        assert attempt["result"] == "human"
        assert list(attempt["structured_output"]) == names


@pytest.mark.rows("RV-92", "RV-490", "RV-492")
async def test_a_machine_is_no_human(phone: Phone) -> None:
    async with RevoxClient(f"{phone.server.url}/api", phone.key) as revox:
        placed = await revox.place(
            persona("voicemail").number,
            assistant=ASSISTANT | {"call_retry_config": {"max_retry_attempts": 1}},
            force_now=True,
        )
        async with asyncio.timeout(60):
            call = await revox.resolved(placed["id"])
        assert call["last_call_attempt"]["result"] == "voicemail"


@pytest.mark.rows("RV-117", "RV-294", "RV-299")
async def test_an_order_waits_for_its_window_as_scheduled(phone: Phone) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    async with RevoxClient(f"{phone.server.url}/api", phone.key) as revox:
        retry = {
            "allowed_days": [f"{tomorrow:%A}".lower()],
            "calling_windows": [
                {"calling_window_start_time": "9am", "calling_window_end_time": "6:30pm"}
            ],
            "timezone": "UTC",
        }
        placed = await revox.place(
            persona("talker").number, assistant=ASSISTANT | {"call_retry_config": retry}
        )
        read = await revox.get(placed["id"])
        await phone.ask("POST", f"/v1/calls/{placed['id']}/cancel")
    opening = tomorrow.replace(hour=9, minute=0, second=0, microsecond=0)
    assert (read["status"], read["calls_count"]) == ("scheduled", 0)
    assert datetime.fromisoformat(read["scheduled_at"]) == opening


@pytest.mark.rows("RV-4", "RV-253", "RV-264", "RV-476", "RV-479", "X-RV-2")
async def test_a_stored_assistant_calls_a_busy_line_with_a_key_of_its_dialect(
    phone: Phone,
) -> None:
    """The client's base URL is the server itself: `/call` is Revox's for its key."""
    _, key = await phone.server.store.keys.create("revox", dialect="revox")
    async with RevoxClient(phone.server.url, key) as revox:
        assistant = await revox.create_assistant(
            name="Appointments",
            prompt="Call {{name}}.",
            call_retry_config={"max_retry_attempts": 1, "timezone": "Europe/Berlin"},
        )
        placed = await revox.place(
            persona("busy").number,
            assistant_id=assistant["id"],
            prompt_variables={"name": "Maria"},
            force_now=True,
        )
        async with asyncio.timeout(60):
            call = await revox.resolved(placed["id"])
        assert (call["status"], call["last_call_attempt"]["dial_error"]) == ("completed", "busy")
        assert call["assistant"]["name"] == "Appointments"
        with pytest.raises(RevoxError) as refused:
            await revox.place("nobody")
        assert refused.value.status == 422
        assert refused.value.body["error"]["errors"][0]["pointer"] == "/phone_number"
