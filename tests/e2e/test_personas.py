"""Every persona of the carrier, called through the API: states, causes, times, one end each."""

import asyncio
import io
import wave
from datetime import datetime
from typing import Any

import httpx
import numpy as np
import pytest

from api.base.lifecycle import EVENT_OF, TERMINAL
from tests.e2e.conftest import Phone
from voice_loop.audio import level_dbfs

#: persona → status, hangup cause, SIP code, end reason
REFUSED = {
    "busy": ("busy", "user_busy", 486, "busy"),
    "no answer": ("no_answer", "no_answer", 487, "no_answer"),
    "congestion": ("failed", "normal_circuit_congestion", 503, "trunk_failed"),
    "wrong number": ("failed", "unallocated_number", 404, "failed"),
    "announcement": ("failed", "unallocated_number", 404, "failed"),
    "rejecter": ("failed", "call_rejected", 403, "failed"),
}
#: What Revox calls it.
DIAL_ERRORS = {
    "busy": "busy",
    "no answer": "no_answer",
    "congestion": "too_many_calls",
    "wrong number": "number_non_attributed",
    "announcement": "number_non_attributed",
    "rejecter": "no_international_permission",
}

SURVEY = {
    "prompt": "Do a short survey about the last visit.",
    "context": {"name": "Maria Lopez", "company": "North Dental"},
    "returns": {"rating": "integer", "recommend": "boolean"},
}
DELIVERY = {
    "prompt": "Agree on the delivery. If nobody is at home, ask where to leave it.",
    "context": {"name": "Maria Lopez", "company": "North Parcels", "day": "friday"},
    "returns": {"at_home": "boolean", "place": "string", "time": "string"},
}

#: Every call of this file but those that a test ends itself.
AHEAD: tuple[tuple[str, dict[str, Any]], ...] = (
    *((called, {}) for called in ("talker", "rescheduler", "interrupter", "late answerer")),
    ("survey", SURVEY),
    ("delivery", DELIVERY),
    ("echo", {"max_duration_seconds": 8}),
    ("echo", {"max_duration_seconds": 15}),
    ("noise", {"max_duration_seconds": 8}),
    ("key presser", {"max_duration_seconds": 8}),
    ("stutterer", {"max_duration_seconds": 20}),
    *((called, {}) for called in ("wrong person", "decliner", "silent", "quitter", "hasty")),
    *((called, {}) for called in REFUSED),
    ("intercept", {}),
)


@pytest.fixture(scope="module")
def phone(either_phone: Phone) -> Phone:
    return either_phone


@pytest.fixture(scope="module", autouse=True)
async def all_at_once(phone: Phone) -> None:
    """The calls do not know of each other: place them together, as a busy deployment would."""
    for called, fields in AHEAD:
        phone.call_ahead(called, **fields)


def at(call: dict[str, Any], name: str) -> datetime:
    """One of the call's times."""
    return datetime.fromisoformat(call[name])


def ended_once(phone: Phone, call: dict[str, Any]) -> bool:
    """Whether the call has exactly one terminal event, as its last, and it is the right one."""
    types = phone.types(call["id"])
    ends = [one for one in types if one in {EVENT_OF[status] for status in TERMINAL}]
    return ends == [EVENT_OF[call["status"]]] == types[-1:]


def talked(phone: Phone, call: dict[str, Any], reason: str) -> bool:
    """Whether an answered call ended well: state, causes, times, one terminal event."""
    assert (call["status"], call["end_reason"]) == ("completed", reason)
    assert (call["sip_code"], call["q850_cause"], call["hangup_cause"]) == (200, 16, None)
    assert call["error_code"] is None
    assert at(call, "created_at") <= at(call, "started_at") <= at(call, "answered_at")
    assert at(call, "answered_at") <= at(call, "ended_at") <= at(call, "updated_at")
    seconds = (at(call, "ended_at") - at(call, "answered_at")).total_seconds()
    assert abs(call["billed_duration_seconds"] - seconds) <= 1
    assert call["reservation_status"] == "settled"
    return ended_once(phone, call)


@pytest.mark.parametrize("called", REFUSED)
async def test_unanswered(phone: Phone, called: str) -> None:
    """What the network said decides the state; nothing is billed.

    CB-44, CB-57, CB-62, CB-63, X-CB-5…7, X-CB-9, RV-476…479, RV-481…482.
    """
    call = await phone.call(called)
    status, cause, sip_code, reason = REFUSED[called]
    assert (call["status"], call["hangup_cause"], call["sip_code"], call["end_reason"]) == (
        status,
        cause,
        sip_code,
        reason,
    )
    assert call["answered_at"] is None
    assert call["result"] is None
    assert call["billed_duration_seconds"] == 0
    assert call["reservation_status"] == "released"
    assert call["error_message"]
    assert at(call, "created_at") <= at(call, "ended_at") <= at(call, "updated_at")
    assert ended_once(phone, call)
    assert not await phone.turns(call["id"])
    as_revox = await phone.ask("GET", f"/api/call/{call['id']}")
    assert as_revox["call"]["last_call_attempt"]["dial_error"] == DIAL_ERRORS[called]


async def test_tones_before_the_answer_end_the_call(phone: Phone) -> None:
    """They tell that nobody is reached, and no SIP does."""
    call = await phone.call("intercept")
    assert (call["status"], call["end_reason"]) == ("no_answer", "unavailable")
    assert (call["answered_at"], call["sip_code"]) == (None, 487)
    (attempt,) = (await phone.ask("GET", f"/v1/calls/{call['id']}/attempts"))["data"]
    assert attempt["answerer"] is None
    assert attempt["heard_early"]["who"] == "unavailable"
    assert attempt["heard_early"]["evidence"] == ["special information tones"]
    assert ended_once(phone, call)


async def test_early_media_is_told(phone: Phone) -> None:
    call = await phone.call("announcement")
    assert "call.early_media" in phone.types(call["id"])
    assert "call.answered" not in phone.types(call["id"])


async def test_talker(phone: Phone) -> None:
    """The whole way: transcript, typed result, recording, signed webhooks (CB-46…53, CB-64…91)."""
    call = await phone.call("talker")
    assert talked(phone, call, "agent_hangup")
    assert call["result_status"] == "completed"
    assert call["result"]["confirmed"] is True
    assert set(call["result"]) == {"confirmed", "day", "time"}

    turns = await phone.turns(call["id"])
    said = [turn["text"] for turn in turns if turn["speaker"] == "person"]
    assert said == ["hello", "yes speaking", "yes that works for me"]
    agent = " ".join(turn["text"] for turn in turns if turn["speaker"] == "agent")
    assert "maria lopez" in agent
    assert "monday at eight thirty a m" in agent
    answers = [turn["timings"] for turn in turns if "transcript_ms" in turn["timings"]]
    assert len(answers) >= 3
    for marks in answers[1:]:
        order = [marks[f"{name}_ms"] for name in ("transcript", "first_token", "first_audio")]
        assert order == sorted(order)
        assert marks["wire_ms"] >= max(marks["endpoint_ms"], marks["first_audio_ms"])

    async with httpx.AsyncClient(base_url=phone.server.url) as http:
        answer = await http.get(
            f"/v1/calls/{call['id']}/recording",
            headers={"Authorization": f"Bearer {phone.key}"},
        )
    with wave.open(io.BytesIO(answer.content)) as recording:
        assert recording.getnchannels() == 2
        seconds = recording.getnframes() / recording.getframerate()
        audio = np.frombuffer(recording.readframes(recording.getnframes()), "<i2").reshape(-1, 2)
    assert abs(seconds - call["billed_duration_seconds"]) < 2
    for side in (0, 1):
        blocks = [level_dbfs(block) for block in np.array_split(audio[:, side], len(audio) // 1600)]
        assert max(blocks) > -30
        assert min(blocks) < -50

    async with asyncio.timeout(10):
        while (call := await phone.read(call["id"]))["webhook_status"] == "pending":
            await asyncio.sleep(0.05)
    assert call["webhook_status"] == "delivered"
    assert [kind for call_id, kind in phone.receiver.verified if call_id == call["id"]] == [
        "call.queued",
        "call.ringing",
        "call.answered",
        "call.completed",
    ]
    assert phone.receiver.rejected == 0


async def test_rescheduler(phone: Phone) -> None:
    call = await phone.call("rescheduler")
    assert talked(phone, call, "agent_hangup")
    assert call["result"] == {"confirmed": True, "day": "thursday", "time": "two p m"}


@pytest.mark.parametrize(
    ("called", "fields", "result"),
    [
        ("survey", SURVEY, {"rating": 8, "recommend": True}),
        ("delivery", DELIVERY, {"at_home": False, "place": "front door", "time": None}),
        ("wrong person", {}, {"confirmed": None, "day": None, "time": None}),
        ("decliner", {}, {"confirmed": False, "day": None, "time": None}),
    ],
)
async def test_other_conversations(
    phone: Phone, called: str, fields: dict[str, Any], result: dict[str, Any]
) -> None:
    call = await phone.call(called, **fields)
    assert talked(phone, call, "agent_hangup")
    assert call["result"] == result


@pytest.mark.parametrize(
    ("called", "seconds", "reason"),
    [("stutterer", 20, "person_hangup"), ("echo", 8, None)],
)
async def test_who_does_not_converse(
    phone: Phone, called: str, seconds: int, reason: str | None
) -> None:
    """Whoever or whatever answers, the call ends in time and in order."""
    call = await phone.call(called, max_duration_seconds=seconds)
    assert talked(phone, call, reason or call["end_reason"])
    assert call["billed_duration_seconds"] <= seconds + 1


async def test_echo(phone: Phone) -> None:
    """The agent's voice comes back as loud as it was: it is neither stopped nor answered."""
    call = await phone.call("echo", max_duration_seconds=15)
    opening, *others = await phone.turns(call["id"])
    assert not opening["interrupted"]
    assert {turn["speaker"] for turn in (opening, *others)} == {"agent"}


async def test_interrupter(phone: Phone) -> None:
    """Barge-in: the agent falls silent, and only what was heard is kept."""
    call = await phone.call("interrupter")
    turns = await phone.turns(call["id"])
    cut = [turn for turn in turns if turn["interrupted"]]
    assert len(cut) == 1
    assert cut[0]["speaker"] == "agent"
    assert "does that work for you" not in cut[0]["text"]
    assert "sorry can you repeat that" in [turn["text"] for turn in turns]
    assert talked(phone, call, "agent_hangup")
    assert call["result"]["confirmed"] is True


async def test_hasty(phone: Phone) -> None:
    call = await phone.call("hasty")
    assert talked(phone, call, "person_hangup")
    assert call["billed_duration_seconds"] <= 1


async def test_quitter(phone: Phone) -> None:
    """The person hangs up in the middle of the agent's sentence."""
    call = await phone.call("quitter")
    assert talked(phone, call, "person_hangup")
    turns = await phone.turns(call["id"])
    assert turns[-1]["speaker"] == "agent"


async def test_silent(phone: Phone) -> None:
    """The agent asks whether one is there, then says goodbye."""
    call = await phone.call("silent")
    assert talked(phone, call, "silence")
    texts = [turn["text"] for turn in await phone.turns(call["id"])]
    assert "are you still there?" in texts
    assert texts[-1].endswith("goodbye.")


async def test_late_answerer(phone: Phone) -> None:
    """Early media is no answer: the conversation starts at the 200 OK."""
    call = await phone.call("late answerer")
    types = phone.types(call["id"])
    assert types.index("call.early_media") < types.index("call.answered")
    assert (at(call, "answered_at") - at(call, "started_at")).total_seconds() > 0.8
    assert talked(phone, call, "agent_hangup")
    assert call["result"]["confirmed"] is True


async def test_key_presser(phone: Phone) -> None:
    call = await phone.call("key presser", max_duration_seconds=8)
    assert talked(phone, call, "max_duration")
    keys = [turn["text"] for turn in await phone.turns(call["id"]) if turn["speaker"] == "keypad"]
    assert keys == ["123#"]
    digits = [
        event["data"]["digit"]
        for event in phone.events[call["id"]]
        if event["type"] == "call.digit"
    ]
    assert digits == ["1", "2", "3", "#"]


async def test_longest_conversation(phone: Phone) -> None:
    """The agent says in time that time is up."""
    call = await phone.call("noise", max_duration_seconds=8)
    assert talked(phone, call, "max_duration")
    assert 3 <= call["billed_duration_seconds"] <= 9


async def test_cancel_while_ringing(phone: Phone) -> None:
    placed = await phone.place("no answer")
    async for event in phone.client.stream_events(placed["id"]):
        if event.type == "call.ringing":
            break
    await phone.client.cancel_call(placed["id"])
    call = await phone.wait(placed["id"])
    assert (call["status"], call["end_reason"]) == ("canceled", "canceled")
    assert ended_once(phone, call)


async def test_hang_up_in_the_middle(phone: Phone) -> None:
    placed = await phone.place("silent")
    async for event in phone.client.stream_events(placed["id"]):
        if event.type == "call.answered":
            break
    await phone.client.hang_up_call(placed["id"])
    call = await phone.wait(placed["id"])
    assert talked(phone, call, "operator_hangup")


async def test_nothing_is_left_behind(phone: Phone) -> None:
    """After all of the above: no channel on either Asterisk, no media leg, no running call."""
    async with asyncio.timeout(10):
        while await phone.bed.ours.channels() or await phone.bed.carrier.channels():
            await asyncio.sleep(0.1)
    assert phone.server.dialer.active == 0
    assert phone.server.media.open_legs == 0
