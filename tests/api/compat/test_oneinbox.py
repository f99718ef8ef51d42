"""OneInbox's calls, golden: requests as its document has them, and exactly the answer's keys."""

import copy
import json
import time
from functools import partial
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from api.agents.effective import effective
from api.calls.conversing import conversation_config
from api.compat.mapping import CALL_STATUS, ONEINBOX_END, ONEINBOX_ROLE, STATES
from api.compat.oneinbox.calls import STATUSES
from api.compat.oneinbox.elsewhere import ELSEWHERE
from api.compat.oneinbox.objects import OneInboxCall, OneInboxMessage
from api.compat.webhooks import webhook_body
from api.resources.attempt import Ended
from api.resources.call import Call
from api.resources.turn import Speaker, Turn
from pbx.switch import Cause
from tests.api.conftest import Bench
from tests.api.receiver import receiving
from tests.api.story import BUSY, NORMAL, TOMORROW, answered, claim_up_to, new_call
from tests.api.webhooks.test_deliverer import SECRET, delivering
from tests.compat.oneinbox_client import KEYS
from voice_loop.analysis import Analysis

BASE = "/compat/oneinbox/v1"
TO, OURS = "+15551234567", "+15559876543"
NOBODY = "3c90c3cc-0d44-4b50-8888-8dd25736052a"

#: The document's example, with values for its placeholders.
ORDER: dict[str, Any] = {
    "agent_id": NOBODY,
    "to_number": TO,
    "from_number": OURS,
    "scheduled_at": "2023-11-07T05:31:56Z",
    "variables": {"patient": "Maria", "visits": 3, "new": False},
    "webhook_url": "https://your-server.example/hook",
    "overrides": {
        "llm": {
            "model": "gpt-4.1",
            "temperature": 0.5,
            "system_prompt": "Confirm the appointment of {{patient}}.\nBe brief.",
        },
        "transcriber": {"model": "local", "language": "es"},
        "tts": {"voice_id": "cartesia/sofia", "model": "es", "speed": 1.2, "stability": 0.3},
        "first_message": "Hola, {{patient}}.",
    },
    "metadata": {"customer": "42"},
}


async def agent(bench: Bench, **fields: Any) -> str:
    """The id of a stored agent of our own API."""
    made = await bench.client.post("/v1/agents", json={"name": "Ada"} | fields)
    assert made.status_code == 201, made.text
    agent_id: str = made.json()["id"]
    return agent_id


async def placed(bench: Bench, **members: Any) -> dict[str, Any]:
    """A call that must be accepted; without `agent_id`, of an agent made for it."""
    if "agent_id" not in members:
        members["agent_id"] = await agent(bench, instructions="Confirm it.")
    body = {"to_number": TO, "from_number": OURS} | members
    answer = await bench.client.post(f"{BASE}/calls", json=body)
    assert answer.status_code == 201, answer.text
    call: dict[str, Any] = answer.json()
    return call


async def read(bench: Bench, call_id: str) -> dict[str, Any]:
    answer = await bench.client.get(f"{BASE}/calls/{call_id}")
    assert answer.status_code == 200, answer.text
    call: dict[str, Any] = answer.json()
    assert list(call) == KEYS
    OneInboxCall.model_validate(call, strict=True)
    return call


async def native(bench: Bench, call_id: str) -> dict[str, Any]:
    call: dict[str, Any] = (await bench.client.get(f"/v1/calls/{call_id}")).json()
    return call


def changed(path: str, value: Any) -> dict[str, Any]:
    """The example with another value at a path, such as `overrides.tts.speed`."""
    body = copy.deepcopy(ORDER)
    *parents, last = path.split(".")
    place = body
    for name in parents:
        place = place[name]
    place[last] = value
    return body


# -- placing a call --------------------------------------------------------------------------------


@pytest.mark.rows("OI-1", "OI-4", "OI-6", "OI-8", "OI-10…13", "OI-15…25", "OI-27…31", "OI-33…38")
@pytest.mark.rows("OI-49…52", "OI-56…58")
@pytest.mark.partial("OI-26")
async def test_the_documents_example_is_accepted_and_answered_with_its_keys(
    equipped: Bench,
) -> None:
    agent_id = await agent(equipped, persona="You are Ada.", instructions="Ask.", language="en")
    call = await placed(equipped, **ORDER | {"agent_id": agent_id})
    assert list(call) == KEYS
    assert call["agent_id"] == agent_id
    for name in ("to_number", "from_number", "variables", "metadata"):
        assert call[name] == ORDER[name], name
    assert (call["type"], call["status"], call["direction"]) == ("outbound", "queued", "outbound")
    unset = [name for name in KEYS if call[name] is None]
    assert unset == [
        *("room_name", "scheduled_at", "started_at", "ended_at", "duration_seconds", "end_reason"),
        *("transcript", "recording_url", "cost_cents", "twilio_call_sid", "outcome", "ai_summary"),
        "credits_used",
    ]
    assert (call["messages"], call["analysis"], call["latency"]) == ([], {}, {})
    assert await read(equipped, call["id"]) == call
    ours = await native(equipped, call["id"])
    assert ours["agent"] == {
        "instructions": ORDER["overrides"]["llm"]["system_prompt"],
        "language": "es",
        "llm": {"model": "gpt-4.1", "temperature": 0.5},
        "transcriber": {"model": "local", "language": "es"},
        "voice": {"id": "cartesia/sofia", "model": "es", "speed": 1.2, "stability": 0.3},
        "first_sentence": "Hola, {{patient}}.",
        "first_sentence_mode": "static",
        "variables": ORDER["variables"],
        "from_number": OURS,
        "webhook_url": ORDER["webhook_url"],
    }
    assert (ours["webhook_url"], ours["retry"]) == (ORDER["webhook_url"], None)
    assert (await equipped.store.calls.get(call["id"])).dialect == "oneinbox"


@pytest.mark.rows("OI-10", "OI-12", "OI-37", "OI-38", "OI-49")
async def test_three_members_are_enough(bench: Bench) -> None:
    """Null is as good as absent."""
    names = ("scheduled_at", "variables", "webhook_url", "overrides", "metadata")
    for members in ({}, dict.fromkeys(names)):
        call = await placed(bench, **members)
        assert (call["variables"], call["metadata"], call["scheduled_at"]) == ({}, {}, None)
    later = await placed(bench, scheduled_at=TOMORROW)
    assert (later["scheduled_at"], later["status"]) == (TOMORROW, "queued")


@pytest.mark.rows("OI-27")
async def test_with_an_empty_first_message_the_person_speaks_first(bench: Bench) -> None:
    agent_id = await agent(bench, first_sentence="Hello.", first_sentence_mode="static")
    call = await placed(bench, agent_id=agent_id, overrides={"first_message": ""})
    assert (await native(bench, call["id"]))["agent"]["first_sentence_mode"] == "none"
    kept = await placed(bench, agent_id=agent_id, overrides={"tts": {"speed": 1.5}})
    assert (await native(bench, kept["id"]))["agent"] == {
        "first_sentence": "Hello.",
        "first_sentence_mode": "static",
        "voice": {"speed": 1.5},
        "from_number": OURS,
    }


@pytest.mark.rows("OI-11", "OI-38", "OI-27", "OI-18")
async def test_what_is_within_a_variable_is_named_by_its_path(bench: Bench) -> None:
    variables = {
        "customer": {"name": "Maria", "address": {"city": "Lima"}, "vip": True},
        "slots": ["monday", "friday"],
        "customer.name": "Mrs. Lopez",
        "orders": [{"id": 7}],
    }
    prompt = (
        "{{customer.name}} of {{ customer.address.city }}, {{customer.vip}}: {{slots}}, "
        "{{slots.1}}, {{orders.0.id}}, {{customer.address}}"
    )
    overrides = {"llm": {"system_prompt": prompt}, "first_message": "Hi {{customer.address.city}}."}
    call = await placed(bench, variables=variables, overrides=overrides)
    assert call["variables"] == variables
    stored = await bench.store.calls.get(call["id"])
    config = conversation_config(bench.services.settings, stored)
    told = 'Mrs. Lopez of Lima, true: monday, friday, friday, 7, {"city": "Lima"}'
    assert (config.task, config.first_sentence) == (told, "Hi Lima.")


@pytest.mark.rows("OI-24", "OI-13", "OI-23")
@pytest.mark.parametrize(
    ("kept", "given", "spoken"),
    [
        ({"id": "en"}, {"model": "es"}, {"model": "es"}),
        ({"model": "en"}, {"voice_id": "es"}, {"id": "es"}),
        ({"provider": "cartesia", "id": "sofia"}, {"model": "en"}, {"model": "en"}),
        ({"id": "en"}, {"voice_id": "es", "model": "es"}, {"id": "es", "model": "es"}),
        ({"id": "en", "speed": 1.2}, {"speed": 0.9}, {"id": "en", "speed": 0.9}),
    ],
)
async def test_the_voice_is_what_is_named_last(
    equipped: Bench, kept: dict[str, Any], given: dict[str, Any], spoken: dict[str, Any]
) -> None:
    """A model alone is another voice than the agent's `voice_id`, and the other way round."""
    language = "es" if "provider" in kept else "en"
    agent_id = await agent(equipped, voice=kept, language=language)
    call = await placed(equipped, agent_id=agent_id, overrides={"tts": given})
    assert (await native(equipped, call["id"]))["agent"]["voice"] == spoken
    changed = await equipped.client.patch(f"{BASE}/agents/{agent_id}", json={"tts": given})
    assert changed.status_code == 200, changed.text
    ours = (await equipped.client.get(f"/v1/agents/{agent_id}")).json()["voice"]
    assert {name: value for name, value in ours.items() if value is not None} == spoken


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("agent_id", None, "agent_id"),
        ("agent_id", "ada", "agent_id"),
        ("agent_id", NOBODY, "agent_id"),
        ("to_number", None, "to_number"),
        ("to_number", "15551234567", "to_number"),
        ("to_number", "+05551234567", "to_number"),
        ("to_number", "+1555123456789012", "to_number"),
        ("to_number", "+1", "to_number"),
        ("to_number", "+12", "to_number"),  # the pattern's, but nobody's number
        ("from_number", "5559876543", "from_number"),
        ("from_number", "+15550000000", "from_number"),
        ("scheduled_at", "soon", "scheduled_at"),
        ("scheduled_at", 1700000000, "scheduled_at"),
        ("variables", {"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}}, "variables.a"),
        ("overrides.first_message", "for {{patient.name}}", "overrides.first_message"),
        ("webhook_url", "ftp://x.example", "webhook_url"),
        ("overrides.llm.model", "gpt-9", "overrides.llm.model"),
        ("overrides.llm.temperature", 2.1, "overrides.llm.temperature"),
        ("overrides.llm.temperature", "hot", "overrides.llm.temperature"),
        ("overrides.llm.system_prompt", "", "overrides.llm.system_prompt"),
        ("overrides.llm.system_prompt", "for {{nobody}}", "overrides.llm.system_prompt"),
        ("overrides.transcriber.model", "nova-3", "overrides.transcriber.model"),
        ("overrides.transcriber", {"language": "tlh"}, "overrides.transcriber.language"),
        ("overrides.tts.voice_id", "rachel", "overrides.tts.voice_id"),
        ("overrides.tts.model", "sonic", "overrides.tts.model"),
        ("overrides", {"tts": {"voice_id": "en", "model": "es"}}, "overrides.tts.model"),
        ("overrides.tts.speed", 3, "overrides.tts.speed"),
        ("overrides.tts.stability", 1.1, "overrides.tts.stability"),
        ("overrides.first_message", "for {{nobody}}", "overrides.first_message"),
        ("overrides.first_mesage", "x", "overrides.first_mesage"),
        ("metadata", "x", "metadata"),
        ("recipient", "x", "recipient"),
    ],
)
@pytest.mark.rows("OI-4", "OI-5", "OI-7", "OI-9", "OI-8", "OI-16", "OI-17", "OI-20", "OI-21")
@pytest.mark.rows("OI-23…26")
async def test_a_wrong_member_is_told_as_fastapi_does(
    equipped: Bench, path: str, value: Any, place: str
) -> None:
    body = {"agent_id": await agent(equipped)} | changed(path, value)
    if path != "agent_id":
        body["agent_id"] = await agent(equipped)
    answer = await equipped.client.post(f"{BASE}/calls", json=body)
    assert answer.status_code == 422, answer.text
    told = answer.json()
    assert set(told) == {"detail"}
    assert {".".join(map(str, one["loc"])) for one in told["detail"]} == {f"body.{place}"}
    assert all(set(one) == {"loc", "msg", "type"} for one in told["detail"])


@pytest.mark.rows("OI-2", "OI-3")
async def test_other_errors(bench: Bench) -> None:
    client, calls = bench.client, f"{BASE}/calls"
    answers = {
        401: await client.get(calls, headers={"Authorization": "Bearer oi_sk_none"}),
        404: await client.get(f"{calls}/{NOBODY}"),
        405: await client.put(calls, json={}),
        415: await client.post(calls, content="{}", headers={"Content-Type": "text/plain"}),
    }
    for status, answer in answers.items():
        assert (answer.status_code, set(answer.json())) == (status, {"detail"})
        assert isinstance(answer.json()["detail"], str)
    broken = await client.post(calls, content="{", headers={"Content-Type": "application/json"})
    assert (broken.status_code, broken.json()["detail"][0]["loc"]) == (400, ["body"])


@pytest.mark.partial("X-OI-1", "X-OI-4")
async def test_a_page_calls_with_a_token(bench: Bench) -> None:
    """What becomes of it: `tests/api/routes/test_web_calls.py`."""
    made = await bench.client.post("/v1/agents", json={"name": "Web"})
    asked = {"agent_id": made.json()["id"], "origin": "https://www.example.org"}
    answer = await bench.client.post(f"{BASE}/calls/web", json=asked)
    assert answer.status_code == 200
    assert answer.json().keys() == {"agent_id", "server_url", "participant_token"}
    assert answer.json()["server_url"].endswith("/v1/web_call_offers")
    unknown = await bench.client.post(f"{BASE}/calls/web", json={**asked, "agent_id": NOBODY})
    assert unknown.status_code == 422


@pytest.mark.refused("X-OI-6", "X-OI-7", "X-OI-8")
@pytest.mark.parametrize("path", ELSEWHERE)
async def test_what_is_found_elsewhere_is_said_to_be(bench: Bench, path: str) -> None:
    for method in ("GET", "POST"):
        answer = await bench.client.request(method, f"{BASE}/{path}")
        assert (answer.status_code, ELSEWHERE[path] in answer.json()["detail"]) == (501, True)


@pytest.mark.refused("X-OI-10")
async def test_keys_are_ours(bench: Bench) -> None:
    for prefix in ("oi_sk_", "oi_pk_"):
        key = bench.key.replace("sk_", prefix)
        headers = {"Authorization": f"Bearer {key}", "Origin": "https://shop.example"}
        answer = await bench.client.get(f"{BASE}/calls", headers=headers)
        assert (answer.status_code, set(answer.json())) == (401, {"detail"})


# -- reading ---------------------------------------------------------------------------------------


@pytest.mark.rows("OI-32", "X-OI-1")
def test_every_status_has_one_of_theirs() -> None:
    assert dict(CALL_STATUS["oneinbox"]) == {
        "queued": "queued",
        "scheduled": "queued",
        "initiated": "initiated",
        "ringing": "initiated",
        "in_progress": "in_progress",
        "analyzing": "completed",
        "completed": "completed",
        "no_answer": "failed",
        "busy": "failed",
        "canceled": "failed",
        "failed": "failed",
    }
    assert set(CALL_STATUS["oneinbox"]) == set(STATES)
    assert set(CALL_STATUS["oneinbox"].values()) == set(STATUSES)
    assert set(ONEINBOX_ROLE) == set(get_args(Speaker))


async def talked(bench: Bench, *, awaits_result: bool = False, reason: str = "agent_hangup") -> str:
    """A call that rang after 1 s, was answered after 5 and over after 39.5."""
    await bench.client.put("/v1/rates/+1", json={"milli_cents_per_minute": 5000})
    call = await placed(bench)
    await claim_up_to(bench.store, 9)
    at = (await bench.store.calls.get(call["id"])).created_at
    store = bench.store.calls
    await store.record_ringing(call["id"], at + 1)
    await store.record_answered(call["id"], at + 5)
    marks = {"endpoint_ms": 300.0, "transcript_ms": 350.0, "first_token_ms": 450.0}
    turns = [
        Turn("agent", "Hello.", at + 5, at + 6),
        Turn("person", "Who is it?", at + 6, at + 7),
        Turn("agent", "Ada.", at + 8, at + 9, timings=marks | {"first_audio_ms": 500.0}),
        Turn("keypad", "1", at + 9, at + 9),
        Turn(
            "tool",
            "42",
            at + 10,
            at + 10,
            tool={"name": "look_up", "arguments": {"a": 1}, "output": "42", "is_error": False},
        ),
        Turn("agent", "Bye.", at + 11, at + 12, timings={**marks, "first_token_ms": 350.0}),
    ]
    for turn in turns:
        await store.add_turn(call["id"], turn)
    ended = Ended(at + 39.5, NORMAL, reason, awaits_result=awaits_result, answered_by="human")
    await store.record_ended(call["id"], ended)
    call_id: str = call["id"]
    return call_id


@pytest.mark.rows("OI-39…48", "OI-53…55", "X-OI-11", "X-OI-5")
async def test_a_completed_call(bench: Bench) -> None:
    call_id = await talked(bench, awaits_result=True)
    call = await read(bench, call_id)
    assert (call["status"], call["analysis"], call["outcome"]) == ("completed", {}, None)
    analysis = Analysis("not_interested", "They said no.", "No need.")
    await bench.store.calls.record_result(call_id, {"ok": True}, analysis=analysis)
    call = await read(bench, call_id)
    assert call["analysis"] == {
        "outcome": "Not Interested",
        "summary": "They said no.",
        "structured_data": {"ok": True},
    }
    assert (call["outcome"], call["ai_summary"]) == ("Not Interested", "They said no.")
    assert call["transcript"] == (
        "Agent: Hello.\nUser: Who is it?\nAgent: Ada.\nUser: 1\nAgent: Bye."
    )
    roles = [one["role"] for one in call["messages"]]
    assert roles == ["assistant", "user", "assistant", "user", "tool", "assistant"]
    assert call["messages"][4] | {"started_at": "", "ended_at": ""} == {
        "role": "tool",
        "content": "42",
        "started_at": "",
        "ended_at": "",
        "interrupted": False,
        "tool_name": "look_up",
        "tool_arguments": {"a": 1},
        "tool_is_error": False,
    }
    assert call["latency"] == {
        "llm_ttft": {"avg_ms": 50, "p50_ms": 50, "min_ms": 0, "max_ms": 100, "samples": 2},
        "tts_ttfb": {"avg_ms": 50, "p50_ms": 50, "min_ms": 50, "max_ms": 50, "samples": 1},
        "eou_delay": {"avg_ms": 300, "p50_ms": 300, "min_ms": 300, "max_ms": 300, "samples": 2},
    }
    assert (call["duration_seconds"], call["credits_used"]) == (38.5, round(38.5 / 60, 4))
    ours = await native(bench, call_id)
    assert call["cost_cents"] == (ours["billing_amount_milli_cents"] + 500) // 1000 > 0
    assert call["end_reason"] == "agent_hangup"
    assert (await read(bench, call_id))["recording_url"] is None


async def test_a_variable_that_is_null_is_an_empty_text(bench: Bench) -> None:
    variables = {"n": None, "customer": {"n": None}, "patient": None}
    name = await agent(
        bench, instructions="[{{n}}{{customer.n}}{{patient}}]", variables={"patient": "Ann"}
    )
    call = await placed(bench, agent_id=name, variables=variables)
    assert (call["variables"], (await read(bench, call["id"]))["variables"]) == (variables,) * 2
    held = await bench.store.calls.get(call["id"])
    assert effective(held, time.time()).instructions == "[]"


async def test_tool_arguments_that_are_no_object_are_told_as_the_model_wrote_them(
    bench: Bench,
) -> None:
    call_id = await talked(bench)
    tool = {"name": "look_up", "arguments": '{"a": ', "output": "Try again.", "is_error": True}
    await bench.store.calls.add_turn(call_id, Turn("tool", "Try again.", 1, 1, tool=tool))
    listed = (await bench.client.get(f"{BASE}/calls")).json()["items"]
    for call in (await read(bench, call_id), *listed):
        assert call["messages"][-1]["tool_arguments"] == '{"a": '


def test_what_is_wrong_in_a_thing_is_told_without_what_was_said() -> None:
    with pytest.raises(ValidationError) as caught:
        OneInboxMessage.made_of({"role": "tool", "content": ["my secret"]})
    assert "content" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.rows("OI-32", "OI-42", "X-OI-2", "X-OI-5", "OI-48")
async def test_why_nobody_was_reached(bench: Bench) -> None:
    busy = await placed(bench)
    await claim_up_to(bench.store, 9)
    await bench.store.calls.record_ended(busy["id"], Ended(time.time(), BUSY, "busy"))
    machine = await answered(bench.store)
    cause = Cause("no_answer", "normal_clearing", "A voicemail answered.", 16, 200)
    ended = Ended(time.time(), cause, "voicemail", answered_by="machine")
    await bench.store.calls.record_ended(machine.id, ended)
    stopped = await placed(bench)
    await bench.client.post(f"{BASE}/calls/{stopped['id']}/stop")
    told = [await read(bench, one) for one in (busy["id"], machine.id, stopped["id"])]
    assert [(one["status"], one["end_reason"], one["outcome"]) for one in told] == [
        ("failed", "busy", "Not Connected"),
        ("failed", "voicemail", "Voicemail"),
        ("failed", "api_stop", "Not Connected"),
    ]
    assert told[0]["duration_seconds"] == told[0]["credits_used"] == 0
    assert {one["cost_cents"] for one in told} == {None}
    assert told[1]["agent_id"] == machine.id, "no stored agent made it"
    assert ONEINBOX_END == {
        "operator_hangup": "api_stop",
        "canceled": "api_stop",
        "silence": "silence_timeout",
    }


@pytest.mark.rows("X-OI-3")
async def test_lists(bench: Bench) -> None:
    """Of calls that were placed in any way."""
    ours = await bench.create()
    done = await talked(bench)
    busy = await placed(bench)
    await claim_up_to(bench.store, 9)
    await bench.store.calls.record_ended(busy["id"], Ended(time.time(), BUSY, "busy"))
    mine = await placed(bench)

    async def listed(query: str) -> list[str]:
        answer = await bench.client.get(f"{BASE}/calls{query}")
        assert answer.status_code == 200, answer.text
        return [call["id"] for call in answer.json()["items"]]

    every = [mine["id"], busy["id"], done, ours["id"]]
    whole = (await bench.client.get(f"{BASE}/calls")).json()
    assert [call["id"] for call in whole.pop("items")] == every
    assert whole == {"total": 4, "limit": 20, "offset": 0}
    part = (await bench.client.get(f"{BASE}/calls?limit=2&offset=1")).json()
    assert [call["id"] for call in part.pop("items")] == every[1:3]
    assert part == {"total": 4, "limit": 2, "offset": 1}
    assert await listed(f"?agent_id={mine['agent_id']}") == [mine["id"]]
    assert await listed("?status=failed") == [busy["id"]]
    assert await listed("?status=completed") == [done]
    assert await listed("/cursor?status=queued") == [mine["id"]]
    page = (await bench.client.get(f"{BASE}/calls/cursor?limit=3")).json()
    assert [call["id"] for call in page["items"]] == every[:3]
    assert (page["has_more"], page["limit"]) == (True, 3)
    rest = (
        await bench.client.get(f"{BASE}/calls/cursor", params={"cursor": page["next_cursor"]})
    ).json()
    assert [call["id"] for call in rest.pop("items")] == every[3:]
    assert rest == {"next_cursor": None, "has_more": False, "limit": 20}
    for wrong in ("limit=0", "limit=101", "offset=-1", "status=busy", "page=1"):
        answer = await bench.client.get(f"{BASE}/calls?{wrong}")
        name = wrong.partition("=")[0]
        assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["query", name])
    assert (await bench.client.get(f"{BASE}/calls/cursor?cursor=x")).status_code == 422


@pytest.mark.rows("X-OI-4")
async def test_a_call_is_stopped_wherever_it_is(bench: Bench) -> None:
    waiting = await placed(bench)
    answer = await bench.client.post(f"{BASE}/calls/{waiting['id']}/stop")
    assert (answer.status_code, answer.json()["status"]) == (200, "failed")
    dialled = await placed(bench)
    await claim_up_to(bench.store, 9)
    assert (await bench.client.post(f"{BASE}/calls/{dialled['id']}/stop")).status_code == 200
    talking: Call = await answered(bench.store)
    assert (await bench.client.post(f"{BASE}/calls/{talking.id}/stop")).status_code == 200
    assert bench.asked == [f"{dialled['id']}:cancel", f"{talking.id}:hangup"]
    again = await bench.client.post(f"{BASE}/calls/{waiting['id']}/stop")
    assert (again.status_code, "over" in again.json()["detail"]) == (409, True)


@pytest.mark.both_stores
@pytest.mark.rows("X-OI-4", "X-OI-5")
async def test_an_outcome_is_set(bench: Bench) -> None:
    call_id = await talked(bench)

    async def patched(call: str, wanted: int = 200, **body: Any) -> Any:
        answer = await bench.client.patch(f"{BASE}/calls/{call}", json=body)
        assert answer.status_code == wanted, answer.text
        return answer.json()

    assert (await patched(call_id, outcome="appointment  booked"))["outcome"] == (
        "Appointment Booked"
    )
    read_back = await read(bench, call_id)
    assert read_back["outcome"] == read_back["analysis"]["outcome"] == "Appointment Booked"
    assert (await native(bench, call_id))["outcome"] == "appointment_booked"
    assert (await patched(call_id, outcome=None))["outcome"] is None
    for body in ({}, {"outcome": ""}, {"outcome": " "}, {"outcome": "x" * 65}, {"status": "x"}):
        await patched(call_id, 422, **body)
    waits = await new_call(bench.store)
    assert "not over" in (await patched(waits.id, 409, outcome="Interested"))["detail"]


# -- webhooks --------------------------------------------------------------------------------------


@pytest.mark.rows("OI-12", "X-OI-6")
async def test_a_calls_own_webhook(bench: Bench) -> None:
    """In order, with the call as it then is, signed with our headers."""
    render = partial(webhook_body, bench.services)
    async with receiving() as receiver, delivering(bench.store, render=render):
        call = await placed(bench, webhook_url=receiver.url)
        await claim_up_to(bench.store, 9)
        store, now = bench.store.calls, time.time()
        await store.record_answered(call["id"], now)
        await store.add_turn(call["id"], Turn("person", "hello", now, now + 1))
        await store.record_ended(
            call["id"], Ended(now + 2, NORMAL, "person_hangup", recording_path="x.wav")
        )
        received = await receiver.wait(6)
        told = [one.verified(SECRET) for one in received]
        assert [one["event"] for one in told] == [
            *("call.started", "transcript.partial", "call.recording.available"),
            *("call.ended", "transcript.final", "call.analyzed"),
        ]
        for one in told:
            assert list(one)[:2] == ["event", "call_id"]
            assert [key for key in KEYS if key not in one] == []
            assert (one["call_id"], one["agent_id"]) == (call["id"], call["agent_id"])
        assert told[1]["message"] == {"role": "user", "content": "hello"}
        assert set(told[-1]) == {"event", "call_id", *KEYS}
        assert str(told[-1]["recording_url"]).startswith(str(bench.client.base_url)[:-1])
        failing = await placed(bench, webhook_url=receiver.url)
        await claim_up_to(bench.store, 9)
        await store.record_ended(failing["id"], Ended(time.time(), BUSY, "busy"))
        events = [json.loads(one.body)["event"] for one in (await receiver.wait(8))[6:]]
        assert events == ["call.ended", "call.failed"]


# -- agents ----------------------------------------------------------------------------------------

AGENT: dict[str, Any] = {
    "name": "Dental reminders",
    "llm": {"model": "local", "temperature": 0.5, "system_prompt": "Confirm it."},
    "transcriber": {"model": "local", "language": "es"},
    "tts": {"voice_id": "es", "model": None, "speed": 1.2, "stability": 0.3},
    "first_message": "Hola.",
    "silence_timeout_seconds": 7.5,
    "max_duration_seconds": 120,
    "interruption_sensitivity": 0.7,
    "enable_recording": False,
    "voicemail_message": "Please call back.",
}


@pytest.mark.rows("X-OI-9")
async def test_an_agent_is_made_read_changed_listed_and_archived(bench: Bench) -> None:
    answer = await bench.client.post(f"{BASE}/agents", json=AGENT)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert {name: made[name] for name in AGENT} == AGENT
    assert made["llm_id"] == "local"
    ours = (await bench.client.get(f"/v1/agents/{made['id']}")).json()
    assert (ours["language"], ours["interruption_sensitivity"], ours["recording"]) == (
        "es",
        0.7,
        False,
    )
    assert (ours["voicemail_action"], ours["first_sentence_mode"]) == ("leave_message", "static")
    path = f"{BASE}/agents/{made['id']}"
    change = {
        "llm": {"temperature": 1.0},
        "tts": {"speed": 0.9},
        "interruption_sensitivity": 0,
        "voicemail_message": None,
        "name": "Recalls",
    }
    answer = await bench.client.patch(path, json=change)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["llm"] == AGENT["llm"] | {"temperature": 1.0}
    assert found["tts"] == AGENT["tts"] | {"speed": 0.9}
    assert (found["interruption_sensitivity"], found["voicemail_message"]) == (0, None)
    assert (found["name"], found["first_message"]) == ("Recalls", "Hola.")
    ours = (await bench.client.get(f"/v1/agents/{made['id']}")).json()
    assert (ours["interruption_sensitivity"], ours["voicemail_action"]) == (0, "hangup")
    assert (await bench.client.get(path)).json() == found
    await bench.client.post("/v1/agents", json={"name": "Front desk", "type": "inbound"})
    listed = (await bench.client.get(f"{BASE}/agents")).json()
    assert listed == {"items": [found], "total": 1, "limit": 20, "offset": 0}
    call = await placed(bench, agent_id=made["id"])
    assert (await native(bench, call["id"]))["prompt"] == "Confirm it."
    assert (await bench.client.delete(path)).status_code == 204
    assert (await bench.client.get(f"{BASE}/agents")).json()["items"] == []


@pytest.mark.refused("X-OI-9")
@pytest.mark.parametrize(
    ("member", "value", "place"),
    [
        ("end_call_phrases", ["bye"], "end_call_phrases"),
        ("voicemail_detection", True, "voicemail_detection"),
        ("llm_id", "local", "llm_id"),
        ("interruption_sensitivity", 1.1, "interruption_sensitivity"),
        ("max_duration_seconds", 601, "max_duration_seconds"),
        ("tts", {"voice_id": "rachel"}, "tts.voice_id"),
        ("name", "", "name"),
    ],
)
async def test_a_wrong_member_of_an_agent(
    bench: Bench, member: str, value: Any, place: str
) -> None:
    answer = await bench.client.post(f"{BASE}/agents", json=AGENT | {member: value})
    assert answer.status_code == 422, answer.text
    assert [".".join(one["loc"]) for one in answer.json()["detail"]] == [f"body.{place}"]
    made = (await bench.client.post(f"{BASE}/agents", json=AGENT)).json()
    change = {"llm": {"model": "local"}, member: value}
    answer = await bench.client.patch(f"{BASE}/agents/{made['id']}", json=change)
    assert [".".join(one["loc"]) for one in answer.json()["detail"]] == [f"body.{place}"]
