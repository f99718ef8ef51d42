"""OneInbox's own client, unchanged, holds real calls over the test bed."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.cli.example import CALLER_NUMBER, EXAMPLE
from pbx.testbed import persona
from tests.api.receiver import receiving
from tests.compat.oneinbox_client import KEYS, OneInboxClient, OneInboxError
from tests.e2e.conftest import Phone

#: In the words that the starter models know.
AGENT: dict[str, Any] = {
    "name": "Appointments",
    "instructions": EXAMPLE["prompt"],
    "context": EXAMPLE["context"],
    "returns": EXAMPLE["returns"],
}


@pytest.mark.rows("OI-1", "OI-2", "OI-4", "OI-6", "OI-8", "OI-10…13", "OI-16", "OI-17", "OI-20")
@pytest.mark.rows("OI-21", "OI-23", "OI-25")
@pytest.mark.rows("OI-28…58", "X-OI-1", "X-OI-6", "X-OI-11")
async def test_a_call_is_placed_polled_and_told(phone: Phone) -> None:
    """Dispatch, poll, analysis, recording, and the signed webhooks."""
    agent = await phone.ask("POST", "/v1/agents", AGENT)
    async with (
        receiving() as hook,
        OneInboxClient(f"{phone.server.url}/compat/oneinbox", phone.key) as oneinbox,
    ):
        placed = await oneinbox.create_call(
            agent["id"],
            persona("talker").number,
            CALLER_NUMBER,
            scheduled_at=None,
            variables={"customer": {"name": "Maria", "visits": [2]}},
            webhook_url=hook.url,
            overrides={
                "llm": {"model": "local", "temperature": 0},
                "transcriber": {"model": "local", "language": "en"},
                "tts": {"voice_id": "en", "speed": 1},
            },
            metadata={"customer": "42"},
        )
        assert (list(placed), placed["status"]) == (KEYS, "queued")
        async with asyncio.timeout(60):
            call = await oneinbox.analysed(placed["id"])
            while not hook.got or b'"call.analyzed"' not in hook.got[-1].body:
                await hook.wait(len(hook.got) + 1)
        assert list(call) == KEYS
        assert (call["status"], call["type"]) == ("completed", "outbound")
        assert call["analysis"]["structured_data"] == {
            "confirmed": True,
            "day": "monday",
            "time": "eight thirty a m",
        }
        assert call["analysis"]["outcome"] == call["outcome"]
        assert call["analysis"]["summary"] == call["ai_summary"] is not None
        assert {one["role"] for one in call["messages"]} == {"assistant", "user"}
        for one in call["messages"]:
            assert one["content"] in call["transcript"]
        assert {"llm_ttft", "tts_ttfb", "eou_delay"} == set(call["latency"])
        assert all(one["samples"] >= 1 for one in call["latency"].values())
        assert call["credits_used"] == round(call["duration_seconds"] / 60, 4) > 0
        assert call["end_reason"] in {"agent_hangup", "person_hangup"}
        assert (await oneinbox.download(call["recording_url"]))[:4] == b"RIFF"
        told = [one.verified(phone.server.webhook_secret) for one in hook.got]
        events = [one["event"] for one in told]
        assert (events[0], events[-1]) == ("call.started", "call.analyzed")
        assert set(events) == {
            *("call.started", "transcript.partial", "call.recording.available", "call.ended"),
            *("transcript.final", "call.analyzed"),
        }
        assert {one["call_id"] for one in told} == {call["id"]}
        last: Any = told[-1]
        assert (last["analysis"], last["messages"]) == (call["analysis"], call["messages"])


@pytest.mark.rows("OI-14", "OI-10", "OI-11", "OI-27", "OI-32")
async def test_a_scheduled_call_is_made_by_the_agent_as_it_is_by_then(phone: Phone) -> None:
    """With a key of its dialect: the client's base URL is the server itself."""
    _, key = await phone.server.store.keys.create("oneinbox", dialect="oneinbox")
    agent = await phone.ask("POST", "/v1/agents", AGENT)
    gone = await phone.ask("POST", "/v1/agents", AGENT)
    at = (datetime.now(UTC) + timedelta(seconds=6)).isoformat()
    async with OneInboxClient(phone.server.url, key) as oneinbox:
        placed, doomed = [
            await oneinbox.create_call(
                one["id"],
                persona("talker").number,
                CALLER_NUMBER,
                scheduled_at=at,
                variables={"customer": {"name": "maria"}},
            )
            for one in (agent, gone)
        ]
        assert placed["scheduled_at"] is not None
        opening = {"first_sentence": "hello {{customer.name}}", "first_sentence_mode": "static"}
        await phone.ask("PATCH", f"/v1/agents/{agent['id']}", opening)
        await phone.client.request("DELETE", f"/v1/agents/{gone['id']}")
        async with asyncio.timeout(60):
            call = await oneinbox.analysed(placed["id"])
            failed = await oneinbox.analysed(doomed["id"])
        said = [one["content"] for one in call["messages"] if one["role"] == "assistant"]
        assert (call["status"], said[0].lower().strip(".")) == ("completed", "hello maria")
        assert (failed["status"], failed["end_reason"]) == ("failed", "agent_unusable")
        with pytest.raises(OneInboxError) as refused:
            await oneinbox.create_call(gone["id"], persona("talker").number, CALLER_NUMBER)
        assert refused.value.status == 422
        assert refused.value.detail[0]["loc"] == ["body", "agent_id"]
