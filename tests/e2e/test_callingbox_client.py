"""CallingBox's own client, unchanged, holds real calls over the test bed."""

import asyncio
import time

import pytest

from api.cli.example import EXAMPLE
from pbx.testbed import persona
from tests.api.receiver import receiving
from tests.compat.callingbox_client import KEYS, CallingBoxClient, CallingBoxError, verified
from tests.e2e.conftest import Phone
from voice_loop.phrases import phrases


@pytest.mark.rows("CB-1", "CB-3", "CB-5…9", "CB-11…13", "CB-21…24", "CB-43", "CB-45…53")
@pytest.mark.rows("CB-64…91", "CB-96", "CB-103", "CB-107", "CB-110", "CB-113…118", "CB-133")
@pytest.mark.rows("X-CB-11…12")
async def test_a_call_is_placed_polled_and_told(phone: Phone) -> None:
    """Dispatch, poll, result, and every webhook with the service's own signature."""
    async with (
        receiving() as hook,
        CallingBoxClient(f"{phone.server.url}/compat/callingbox", phone.key) as callingbox,
    ):
        placed = await callingbox.create_call(
            persona("talker").number,
            **EXAMPLE,
            webhook_url=hook.url,
            metadata={"customer": "42"},
        )
        assert list(placed) == [*KEYS, "answered_by"]
        assert placed["reservation_status"] == "reserved"
        assert (placed["webhook_status"], placed["webhook_error"]) == ("pending", None)
        async with asyncio.timeout(60):
            call = await callingbox.result(placed["id"])
            received = await hook.wait(4)
            while call["webhook_status"] != "delivered":
                call = await callingbox.get_call(placed["id"])
        assert list(call) == [*KEYS, "answered_by"]
        assert (call["status"], call["result_status"]) == ("completed", "completed")
        assert call["result"] == {"confirmed": True, "day": "monday", "time": "eight thirty a m"}
        assert call["answered_by"] == "human"
        assert call["duration_seconds"] >= call["billed_duration_seconds"] > 0
        assert call["reservation_status"] == "settled"
        assert (call["error_code"], call["error_message"], call["hangup_cause"]) == (None,) * 3
        times = ("created_at", "started_at", "answered_at", "ended_at", "updated_at")
        assert sorted(call[name] for name in times) == [call[name] for name in times]
        secret, now = phone.server.webhook_secret, time.time()
        told = [verified(secret, one.headers, one.body, now) for one in received]
        types = [one.headers["callingbox-event-type"] for one in received]
        assert types == ["call.queued", "call.ringing", "call.answered", "call.completed"]
        assert [one["status"] for one in told] == ["queued", "ringing", "in_progress", "completed"]
        for one in told:
            assert list(one) == [*KEYS, "answered_by"]
        delivery = {"webhook_status": "", "updated_at": ""}
        assert told[-1] | delivery == call | delivery


@pytest.mark.rows("CB-2", "CB-4", "CB-44", "CB-62…63", "CB-87…89", "CB-98", "CB-111", "CB-10")
async def test_a_busy_line_with_a_key_of_its_dialect(phone: Phone) -> None:
    """The client's base URL is the server itself: `/v1/calls` is CallingBox's for its key."""
    _, key = await phone.server.store.keys.create("callingbox", dialect="callingbox")
    async with CallingBoxClient(phone.server.url, key) as callingbox:
        placed = await callingbox.create_call(persona("busy").number)
        async with asyncio.timeout(60):
            call = await callingbox.result(placed["id"])
        assert (call["status"], call["error_code"], call["hangup_cause"]) == (
            *("busy", "486", "user_busy"),
        )
        assert (call["billed_duration_seconds"], call["reservation_status"]) == (0, "released")
        assert (call["result"], call["result_status"]) == (None, "pending")
        assert (await callingbox.list_calls())[0] == call
        with pytest.raises(CallingBoxError) as refused:
            await callingbox.create_call("nobody")
        assert (refused.value.status, refused.value.error[:4]) == (400, "/to:")


@pytest.mark.rows("CB-25", "CB-30…36", "CB-39", "CB-41", "CB-58", "CB-62…63", "X-CB-24")
async def test_an_agent_leaves_words_of_its_own_on_a_machine(phone: Phone) -> None:
    """The line is kept open for a message, which is never what opens the call; the service has no
    variables, and types are as people write them."""
    words = "Confirm the appointment of {{patient}}. If nobody is there, ask to be called back."
    async with CallingBoxClient(f"{phone.server.url}/compat/callingbox", phone.key) as callingbox:
        agent = await callingbox.create_agent(
            "Reminders",
            type="outbound",
            instructions=words,
            returns={"confirmed": "bool", "day": "string | null", "times": "string[]"},
            voicemail_action="leave_message",
        )
        assert (agent["instructions"], agent["voicemail_action"]) == (words, "leave_message")
        placed = await callingbox.create_call(
            persona("voicemail").number, agent_id=agent["id"], context=EXAMPLE["context"]
        )
        assert (placed["prompt"], placed["returns"]) == (words, agent["returns"])
        async with asyncio.timeout(60):
            call = await callingbox.result(placed["id"])
        assert (call["status"], call["answered_by"]) == ("no_answer", "machine")
        assert (call["result"], call["billed_duration_seconds"]) == (None, 0)
        *_, left = await callingbox.transcript(call["id"])
    # The starter set's model knows no machines, and asks its opening question: the phrase is left.
    assert left == {"role": "agent", "content": phrases("en").voicemail}
