"""Revox's call orders, golden: requests as its text has them, and exactly the answer's keys."""

import copy
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

import pytest

from api.base.lifecycle import STATUSES as NATIVE
from api.base.times import rfc3339
from api.calls.conversing import conversation_config
from api.compat.mapping import (
    CALL_STATUS,
    REVOX_DIAL_ERRORS,
    REVOX_END,
    REVOX_RESULT,
    STATES,
    revox_attempt_status,
    revox_dial_error,
    revox_end,
    state_of,
)
from api.compat.revox.calls import STATUSES
from api.compat.revox.objects import RevoxAttempt
from api.policy.retry import WEEKDAYS, CallingWindow, RetryPolicy
from api.resources.attempt import Attempt, Ended
from api.resources.turn import Turn
from pbx.switch import Cause
from tests.api.conftest import Bench
from tests.api.revox_examples import ASSISTANT, CALL_KEYS, ORDER
from tests.api.story import (
    BUSY,
    NORMAL,
    NUMBER,
    OURS,
    answered,
    claim_up_to,
    claimed,
    completed,
    new_call,
)

#: In Manhattan: its time zone is known.
TO = "+12125550142"


async def placed(bench: Bench, **members: Any) -> dict[str, Any]:
    """The call of an order that must be accepted."""
    answer = await bench.client.post("/api/call", json={"phone_number": TO} | members)
    assert answer.status_code == 201, answer.text
    call: dict[str, Any] = answer.json()["call"]
    return call


async def read(bench: Bench, call_id: str) -> dict[str, Any]:
    answer = await bench.client.get(f"/api/call/{call_id}")
    assert answer.status_code == 200, answer.text
    call: dict[str, Any] = answer.json()["call"]
    return call


async def calendly(bench: Bench, **members: Any) -> dict[str, str]:
    """A calendar to book in."""
    kind = {"id": "checkup", "name": "Check-up", "duration_minutes": 30, "timezone": "UTC"}
    calendar: dict[str, Any] = {
        "name": "Front desk",
        "kind": "caldav",
        "url": "https://dav.example.org/calendars/frontdesk/",
        "username": "offhook",
        "password": "secret",
        "event_types": [kind],
    }
    answer = await bench.client.post("/v1/calendar_connections", json=calendar | members)
    assert answer.status_code == 201, answer.text
    return {"connection_id": answer.json()["id"], "event_type_id": "checkup"}


async def refused(bench: Bench, body: Mapping[str, Any]) -> dict[str, str]:
    """Pointers of what is wrong with an order, each with its code."""
    answer = await bench.client.post("/api/call", json=body)
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    return {one["pointer"]: one.get("code", error["code"]) for one in error["errors"]}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The order with another value at a path, such as `assistant.voice.speed`."""
    body = copy.deepcopy(ORDER)
    *parents, last = path.split(".")
    place: Any = body
    for name in parents:
        place = place[int(name)] if isinstance(place, list) else place[name]
    place[int(last) if isinstance(place, list) else last] = value
    return body


def same_keys(found: Any, wanted: Any, place: str = "call") -> None:
    """Fail unless an answer has exactly the example's keys, as far as there is one; members that
    the text calls optional may be missing within what a client gave."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        given = ".input_schema" in place or ".structured_output_config" in place
        keys = {key for key in wanted if not given or key in found}
        assert set(found) == keys, place
        for key in keys:
            same_keys(found[key], wanted[key], f"{place}.{key}")
    elif isinstance(wanted, list) and found is not None:
        assert isinstance(found, list), place
        for one in found:
            same_keys(one, wanted[0], place)


@pytest.mark.rows("RV-1", "RV-4", "RV-12", "RV-592", "RV-100", "RV-109", "RV-112", "RV-119")
@pytest.mark.rows("RV-123", "RV-129", "RV-133", "RV-47", "RV-54", "RV-262", "RV-266", "RV-269")
@pytest.mark.rows("RV-276", "RV-526")
async def test_the_example_request_is_enough(bench: Bench) -> None:
    """Only `phone_number`: the deployment's agent, number and retry policy."""
    call = await placed(bench)
    assert call["call_retry_config"] == {
        "allowed_days": ["monday", "tuesday", "wednesday", "thursday", "friday"],
        "calling_windows": [
            {
                "calling_window_start_time": "10:00",
                "calling_window_end_time": "18:00",
                "retry_delay_seconds": 7200,
            }
        ],
        "call_twice_in_a_row": False,
        "max_retry_attempts": 3,
        "timezone": None,
    }
    assert call["from_phone_number"] == "+15559876543"
    assert call["first_sentence_delay_ms"] == 400
    # It may be night in Manhattan, or Sunday.
    assert (call["status"], call["scheduled_at"] is None) in {
        ("queued_for_calling", True),
        ("scheduled", False),
    }
    assert (call["call_attempts"], call["last_call_attempt"], call["campaign"]) == ([], None, None)
    assert call["assistant"]["prompt"]
    native = (await bench.client.get(f"/v1/calls/{call['id']}")).json()
    assert (native["agent"]["first_sentence_delay_ms"], native["retry"]["max_attempts"]) == (400, 3)


@pytest.mark.rows("RV-593", "RV-594", "RV-271…275", "RV-316…386", "RV-406…471", "RV-554…572")
async def test_the_answer_has_exactly_the_examples_keys(equipped: Bench) -> None:
    assistant = ASSISTANT | {"calendly": await calendly(equipped)}
    whole = await placed(equipped, **{**ORDER, "assistant": assistant, "scheduled_at": None})
    same_keys(whole, CALL_KEYS)
    assert list(whole["assistant"])[-2:] == ["faq_items", "pending_faq_count"]
    same_keys(await placed(equipped), CALL_KEYS)
    await claim_up_to(equipped.store, 9)
    call = whole["id"]
    await equipped.store.calls.record_answered(call, time.time())
    used = {
        "name": "check_inventory",
        "arguments": {"name": "brush"},
        "output": "3",
        "is_error": False,
    }
    for turn in (Turn("person", "hello", 1.0, 2.0), Turn("tool", "3", 2.0, 3.0, tool=used)):
        await equipped.store.calls.add_turn(call, turn)
    read_back = await read(equipped, call)
    same_keys(read_back, CALL_KEYS)
    (attempt,) = read_back["call_attempts"]
    RevoxAttempt.model_validate(attempt, strict=True)
    assert read_back["last_call_attempt"] == attempt


@pytest.mark.rows("RV-11", "RV-13…14", "RV-17", "RV-20", "RV-24…27", "RV-30", "RV-37…38")
@pytest.mark.rows("RV-40…42", "RV-44", "RV-48", "RV-52", "RV-55", "RV-60", "RV-62…63", "RV-68")
@pytest.mark.rows("RV-70", "RV-73", "RV-82", "RV-86", "RV-89", "RV-91", "RV-93", "RV-95", "RV-97")
@pytest.mark.rows("RV-99", "RV-101", "RV-111", "RV-117…118", "RV-122", "RV-126", "RV-130")
@pytest.mark.rows("RV-134", "RV-136", "RV-137", "RV-139", "RV-141", "RV-144…145", "RV-147…149")
@pytest.mark.rows("RV-151…152", "RV-159…161", "RV-167", "RV-170…171", "RV-173…174", "RV-176…177")
@pytest.mark.rows("RV-180…181", "RV-203", "RV-205…220", "RV-222…223", "RV-230…232", "RV-235")
@pytest.mark.rows("RV-237", "RV-239", "RV-242", "RV-247", "RV-252", "RV-255", "RV-257…258")
@pytest.mark.rows("RV-260…261", "RV-263…264", "RV-266", "RV-291…294", "RV-323…325")
async def test_every_member_is_echoed(equipped: Bench) -> None:
    # The order's caller number holds before the assistant's.
    asked = ASSISTANT | {"from_phone_number": ORDER["from_phone_number"]}
    asked["calendly"] = await calendly(equipped)
    call = await placed(equipped, **{**ORDER, "assistant": asked})
    (faq,) = asked["faq_items"]
    (shown,) = call["assistant"]["faq_items"]
    assert shown == faq | {
        "id": shown["id"],
        "needs_human_answer": False,
        "source": "human",
    }
    for member in asked.keys() - {"faq_items"}:
        assert call["assistant"][member] == asked[member], member
    assert call["call_retry_config"] == asked["call_retry_config"]
    assert call["llm_model"] == asked["llm_model"]
    assert call["prompt_variables"] == ORDER["prompt_variables"]
    assert call["metadata"] == ORDER["metadata"]
    assert (call["scheduled_at"], call["status"]) == (ORDER["scheduled_at"], "scheduled")
    assert (call["to_phone_number"], call["from_phone_number"]) == (TO, "+15559876543")
    assert await read(equipped, call["id"]) == call
    other = await placed(equipped)
    assert call["organization_id"] == call["assistant"]["organization_id"]
    assert call["organization_id"] == other["organization_id"] != ""
    native = (await equipped.client.get(f"/v1/calls/{call['id']}")).json()
    assert native["concurrency"] == ORDER["concurrency"]
    assert native["force_now"] is True
    assert native["language"] == "es", "the voice's"
    tools = {tool["type"] for tool in native["agent"]["tools"]}
    assert tools == {"http", "transfer", "send_sms", "calendar", "send_digits", "skip_turn"}
    assert native["returns"]["confirmed"] == {"type": "boolean", "required": True}
    assert native["returns"]["day"]["enum"] == ["monday", "tuesday"]
    assert native["agent"]["voicemail_action"] == "leave_message"


@pytest.mark.rows("RV-47", "RV-59", "RV-67", "RV-81", "RV-92", "RV-16", "RV-19", "X-RV-5")
async def test_what_is_left_out_is_not_done(bench: Bench) -> None:
    call = await placed(bench, assistant={"prompt": "x"})
    native = (await bench.client.get(f"/v1/calls/{call['id']}")).json()["agent"]
    assert native == {
        "instructions": "x",
        "first_sentence_delay_ms": 400,
        "max_duration_end_message": "",
        "retry": {},
    }
    nulls = dict.fromkeys(ASSISTANT.keys() - {"prompt"})
    call = await placed(bench, assistant={"prompt": "x"} | nulls)
    assert {name for name in nulls if call["assistant"][name] is not None} == {
        *("call_retry_config", "custom_tools", "faq_items", "first_sentence_delay_ms"),
        *("first_sentence_mode", "ivr_navigation_enabled", "llm_model", "sms_enabled", "voice"),
    }
    again = (await bench.client.get(f"/v1/calls/{call['id']}")).json()["agent"]
    assert {name: value for name, value in again.items() if value not in ([], "hangup")} == native


@pytest.mark.parametrize(
    ("path", "value", "pointer"),
    [
        ("phone_number", "555", "/phone_number"),
        ("phone_number", None, "/phone_number"),
        ("assistant_id", "x", "/assistant_id"),
        ("assistant_id", "3d1f6c0a-7a52-4f0e-9c86-2b7f10a4c9de", "/assistant_id"),
        ("concurrency.key", 5, "/concurrency/key"),
        ("concurrency.max", 0, "/concurrency/max"),
        ("force_now", "yes", "/force_now"),
        ("from_phone_number", "+15550000000", "/from_phone_number"),
        ("metadata.foo", 5, "/metadata/foo"),
        ("prompt_variables.foo", 5, "/prompt_variables/foo"),
        ("scheduled_at", "soon", "/scheduled_at"),
        ("phone", "x", "/phone"),
        ("assistant.prompt", None, "/assistant/prompt"),
        ("assistant.prompt", "Call {{somebody}}.", "/assistant/prompt"),
        ("assistant.promt", "x", "/assistant/promt"),
        ("assistant.background_sound", "city-ambience.ogg", "/assistant/background_sound"),
        ("assistant.background_sound_volume", -0.1, "/assistant/background_sound_volume"),
        ("assistant.background_sound_volume", 1.1, "/assistant/background_sound_volume"),
        ("assistant.email_notification_address", "x", "/assistant/email_notification_address"),
        (
            "assistant.email_notification_outcomes.0",
            "bored",
            "/assistant/email_notification_outcomes/0",
        ),
        ("assistant.faq_items.0.answer", None, "/assistant/faq_items/0/answer"),
        ("assistant.first_sentence_delay_ms", -1, "/assistant/first_sentence_delay_ms"),
        ("assistant.first_sentence_delay_ms", 2**53, "/assistant/first_sentence_delay_ms"),
        ("assistant.first_sentence_delay_ms", 60_001, "/assistant/first_sentence_delay_ms"),
        ("assistant.first_sentence_delay_ms", 0.5, "/assistant/first_sentence_delay_ms"),
        ("assistant.first_sentence_mode", "loud", "/assistant/first_sentence_mode"),
        ("assistant.human_transfer_mode", "hot", "/assistant/human_transfer_mode"),
        ("assistant.transfer_phone_number", None, "/assistant/human_transfer_mode"),
        ("assistant.transfer_phone_number", "555", "/assistant/transfer_phone_number"),
        ("assistant.ivr_navigation_enabled", 1, "/assistant/ivr_navigation_enabled"),
        ("assistant.max_call_duration_secs", 4, "/assistant/max_call_duration_secs"),
        ("assistant.max_call_duration_secs", 601, "/assistant/max_call_duration_secs"),
        ("assistant.max_duration_end_message", "x" * 151, "/assistant/max_duration_end_message"),
        ("assistant.thinking_sound", "bell.ogg", "/assistant/thinking_sound"),
        ("assistant.thinking_sound_probability", 1.1, "/assistant/thinking_sound_probability"),
        ("assistant.thinking_sound_probability", -0.1, "/assistant/thinking_sound_probability"),
        ("assistant.thinking_sound_volume", 1.1, "/assistant/thinking_sound_volume"),
        ("assistant.thinking_sound_volume", -0.1, "/assistant/thinking_sound_volume"),
        ("assistant.voice.id", "", "/assistant/voice/id"),
        ("assistant.voice.id", "nobody", "/assistant/voice/id"),
        ("assistant.voice.provider", "polly", "/assistant/voice/provider"),
        ("assistant.voice.speed", 0.5, "/assistant/voice/speed"),
        ("assistant.voice.speed", 1.6, "/assistant/voice/speed"),
        ("assistant.voice.volume", 0.4, "/assistant/voice/volume"),
        ("assistant.voice.volume", 2.1, "/assistant/voice/volume"),
        ("assistant.webhook_url", "ftp://x.example", "/assistant/webhook_url"),
        ("assistant.sms_template", "{{nobody}}", "/assistant/sms_template"),
        (
            "assistant.structured_output_prompt",
            "{{patient}}",
            "/assistant/structured_output_prompt",
        ),
        (
            "assistant.calendly",
            {"connection_id": "x", "event_type_id": "checkup"},
            "/assistant/calendly/connection_id",
        ),
        ("assistant.prompt_flow.nodes.0.type", "x", "/assistant/prompt_flow/nodes/0/type"),
        (
            "assistant.prompt_flow.nodes.0.position.x",
            "0",
            "/assistant/prompt_flow/nodes/0/position/x",
        ),
        ("assistant.prompt_flow.edges.0.id", None, "/assistant/prompt_flow/edges/0/id"),
    ],
)
@pytest.mark.rows("RV-18", "RV-21", "RV-22", "RV-28", "RV-31…36", "RV-45", "RV-46", "RV-53")
@pytest.mark.rows("RV-55", "RV-64", "RV-74…80", "RV-83", "RV-84", "RV-87", "RV-88", "RV-238")
@pytest.mark.rows("RV-239…241", "RV-243", "RV-244", "RV-248", "RV-249", "RV-218", "RV-234")
@pytest.mark.rows("RV-252", "RV-253", "RV-254", "RV-259", "RV-267")
async def test_a_wrong_member_is_refused_with_its_pointer(
    equipped: Bench, path: str, value: Any, pointer: str
) -> None:
    assert set(await refused(equipped, changed(path, value))) == {pointer}


@pytest.mark.parametrize(
    ("path", "value", "pointer"),
    [
        ("body_template", "{", "body_template"),
        ("body_template", "{{name}}", "body_template"),
        ("description", "", "description"),
        ("headers.0.key", "", "headers/0/key"),
        ("headers.0.key", "Host", "headers/0/key"),
        ("headers.0.value", "{{nobody}}", "headers/0/value"),
        ("input_schema.0.name", "", "input_schema/0/name"),
        ("input_schema.0.required", None, "input_schema/0/required"),
        ("input_schema.0.type", "list", "input_schema/0/type"),
        ("input_schema.0.enum_options", None, "input_schema/0/enum_options"),
        ("input_schema.0.description", 5, "input_schema/0/description"),
        ("method", "HEAD", "method"),
        ("name", "", "name"),
        ("name", "Check Inventory", "name"),
        ("name", "end_call", "name"),
        ("query_params.0.key", "", "query_params/0/key"),
        ("query_params.0.value", None, "query_params/0/value"),
        ("url", "", "url"),
        ("url", "http://127.0.0.1/x", "url"),
        ("url", "https://{{name}}.example/", "url"),
    ],
)
@pytest.mark.rows("RV-139…142", "RV-145", "RV-146", "RV-150…160", "RV-162…169", "RV-172…175")
async def test_a_wrong_tool_is_refused_with_its_pointer(
    equipped: Bench, path: str, value: Any, pointer: str
) -> None:
    body = changed(f"assistant.custom_tools.0.{path}", value)
    assert set(await refused(equipped, body)) == {f"/assistant/custom_tools/0/{pointer}"}


@pytest.mark.parametrize(
    ("path", "value", "pointer"),
    [
        ("allowed_days", [], "allowed_days"),
        ("allowed_days.0", "funday", "allowed_days/0"),
        ("call_twice_in_a_row", "no", "call_twice_in_a_row"),
        ("calling_windows", [], "calling_windows"),
        (
            "calling_windows.0.calling_window_end_time",
            "25:00",
            "calling_windows/0/calling_window_end_time",
        ),
        (
            "calling_windows.0.calling_window_start_time",
            "noon",
            "calling_windows/0/calling_window_start_time",
        ),
        ("calling_windows.0.retry_delay_seconds", 0, "calling_windows/0/retry_delay_seconds"),
        ("calling_windows.0.retry_delay_seconds", 2**53, "calling_windows/0/retry_delay_seconds"),
        ("max_retry_attempts", 0, "max_retry_attempts"),
        ("max_retry_attempts", 2**53, "max_retry_attempts"),
        ("max_retry_attempts", 51, "max_retry_attempts"),
        ("timezone", "Mars/Olympus", "timezone"),
        ("calling_window_start_time", "9am", "calling_windows"),
    ],
)
@pytest.mark.rows("RV-101", "RV-111", "RV-117…118", "RV-120", "RV-122", "RV-124", "RV-126…128")
@pytest.mark.rows("RV-130…132", "RV-134", "X-RV-6")
async def test_a_wrong_retry_policy_is_refused_with_its_pointer(
    equipped: Bench, path: str, value: Any, pointer: str
) -> None:
    body = changed(f"assistant.call_retry_config.{path}", value)
    assert set(await refused(equipped, body)) == {f"/assistant/call_retry_config/{pointer}"}


@pytest.mark.rows("RV-135")
async def test_toll_free_numbers_are_called_by_the_clock_of_most_of_their_country(
    bench: Bench,
) -> None:
    toll_free = "+18005550142"
    for asked in ({}, {"assistant": {"prompt": "x"}}):
        placed_call = await placed(bench, phone_number=toll_free, **asked)
        stored = await bench.store.calls.get(placed_call["id"])
        assert tuple(stored.zones) == ("America/New_York",)
    universal = {"phone_number": "+80012345678"}
    place = set(await refused(bench, universal))
    assert place == {"/phone_number"}, "nobody knows its time zone"
    assert (await placed(bench, **universal, force_now=True))["to_phone_number"] == "+80012345678"
    config = {"timezone": "America/Chicago"}
    call = await placed(
        bench, phone_number=toll_free, assistant={"prompt": "x", "call_retry_config": config}
    )
    assert call["call_retry_config"]["timezone"] == "America/Chicago"


@pytest.mark.rows("RV-120", "RV-124", "X-RV-6")
async def test_retry_policies_in_every_form(bench: Bench) -> None:
    """Partial ones, the earlier flat form, times as `6pm`."""

    async def window(config: Mapping[str, Any]) -> dict[str, Any]:
        call = await placed(bench, assistant={"prompt": "x", "call_retry_config": config})
        (one,) = call["call_retry_config"]["calling_windows"]
        return dict(one)

    assert await window({}) == await window({"max_retry_attempts": 2.0})
    flat = {"calling_window_start_time": "9am", "calling_window_end_time": "6pm"}
    assert await window(flat) == {
        "calling_window_start_time": "09:00",
        "calling_window_end_time": "18:00",
        "retry_delay_seconds": 7200,
    }
    assert await window({"calling_windows": [flat]}) == await window(flat)
    late = {"prompt": "x", "call_retry_config": {"calling_window_end_time": "9"}}
    assert set(await refused(bench, {"phone_number": TO, "assistant": late})) == {
        "/assistant/call_retry_config/calling_window_end_time"
    }


@pytest.mark.parametrize(
    ("path", "value", "pointer"),
    [
        ("0.name", "", "0/name"),
        ("0.name", " ", "0/name"),
        ("0.name", "day", "1/name"),
        ("0.required", None, "0/required"),
        ("0.type", "integer", "0/type"),
        ("0.type", "enum", "0/enum_options"),
        ("1.enum_options", [], "1/enum_options"),
        ("1.enum_options", ["a", "a"], "1/enum_options"),
        ("1.description", 5, "1/description"),
    ],
)
@pytest.mark.rows("RV-220…231")
async def test_a_wrong_output_field_is_refused_with_its_pointer(
    equipped: Bench, path: str, value: Any, pointer: str
) -> None:
    body = changed(f"assistant.structured_output_config.{path}", value)
    assert set(await refused(equipped, body)) == {f"/assistant/structured_output_config/{pointer}"}


UNKNOWN = "provider_not_configured"
MODELS = {
    "dedicated": {"name": "ministral-3-8b-instruct", "type": "dedicated-instance"},
    "openrouter": {
        "openrouter_model_id": "openai/gpt-4.1",
        "openrouter_provider": "openai",
        "type": "openrouter",
    },
    "custom": {
        "api_key": "very secret",
        "api_url": "https://llm.example.org/v1",
        "model_name": "llama",
        "type": "custom",
    },
    "realtime": {
        "provider": "openai",
        "realtime_model_id": "gpt-realtime",
        "type": "realtime",
        "realtime_voice_id": "marin",
    },
}


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.rows("RV-176…194", "RV-202", "RV-382…405", "RV-568…591")
@pytest.mark.partial("RV-195…201")
async def test_each_kind_of_model_is_resolved_and_echoed(equipped: Bench, kind: str) -> None:
    model = MODELS[kind]
    call = await placed(equipped, assistant={"prompt": "x", "llm_model": model})
    shown = model | ({"api_key": "********"} if kind == "custom" else {})
    assert call["llm_model"] == call["assistant"]["llm_model"] == shown
    stored = await equipped.store.calls.get(call["id"])
    assert "very secret" not in repr(stored)
    if kind == "realtime":  # an ordinary model and a voice, which the aliases name
        assert stored.agent["voice"] == {"id": "marin", "provider": "openai"}


@pytest.mark.parametrize(
    ("kind", "change", "pointer", "code"),
    [
        ("dedicated", {}, "name", UNKNOWN),
        ("dedicated", {"name": "gpt-5"}, "name", UNKNOWN),
        ("dedicated", {"name": ""}, "name", "validation_failed"),
        ("openrouter", {}, "openrouter_model_id", UNKNOWN),
        ("openrouter", {"openrouter_model_id": ""}, "openrouter_model_id", "validation_failed"),
        ("openrouter", {"openrouter_provider": None}, "openrouter_provider", "validation_failed"),
        ("custom", {"api_key": ""}, "api_key", "validation_failed"),
        ("custom", {"api_url": "nowhere"}, "api_url", "validation_failed"),
        ("custom", {"api_url": "http://127.0.0.1/v1"}, "api_url", "validation_failed"),
        ("custom", {"model_name": ""}, "model_name", "validation_failed"),
        ("realtime", {"provider": "acme"}, "provider", "validation_failed"),
        ("realtime", {"provider": "google"}, "realtime_model_id", UNKNOWN),
        ("realtime", {}, "realtime_model_id", UNKNOWN),
        ("realtime", {"realtime_voice_id": ""}, "realtime_voice_id", "validation_failed"),
        ("realtime", {"realtime_voice_id": "puck"}, "realtime_voice_id", UNKNOWN),
    ],
)
@pytest.mark.rows("RV-177", "RV-182…192", "RV-202")
@pytest.mark.refused("RV-195…201")
async def test_a_model_that_there_is_not_is_refused(
    bench: Bench, kind: str, change: dict[str, Any], pointer: str, code: str
) -> None:
    """No aliases are configured: a cloud model's name means nothing here."""
    model = MODELS[kind] | change
    body = {"phone_number": TO, "assistant": {"prompt": "x", "llm_model": model}}
    assert (await refused(bench, body))[f"/assistant/llm_model/{pointer}"] == code


@pytest.mark.rows("RV-246", "RV-247", "RV-251", "RV-242", "RV-245", "RV-250")
async def test_the_ranges_of_a_voice_are_its_providers(equipped: Bench) -> None:
    async def voice(**members: Any) -> dict[str, Any]:
        call = await placed(equipped, assistant={"prompt": "x", "voice": members})
        return dict(call["assistant"]["voice"])

    assert await voice(id="rachel", provider="elevenlabs", volume=1.5) == {
        "id": "rachel",
        "provider": "elevenlabs",
        "speed": 1.0,
        "volume": 1.5,
    }
    assert (await voice(id="en", provider="cartesia", speed=0.6))["speed"] == 0.6
    native = (await equipped.client.get("/v1/calls")).json()["data"]
    assert "volume" not in native[1]["agent"]["voice"], "it is ignored"
    for speed in (0.6, 1.3):
        asked = {"id": "rachel", "provider": "elevenlabs", "speed": speed}
        body = {"phone_number": TO, "assistant": {"prompt": "x", "voice": asked}}
        assert set(await refused(equipped, body)) == {"/assistant/voice/speed"}


@pytest.mark.rows("RV-14", "RV-27", "RV-68", "RV-93")
async def test_what_needs_something_that_is_not_configured_is_refused(bench: Bench) -> None:
    asked = {
        "prompt": "x",
        "after_call_sms_prompt": "x",
        "email_notification_address": "a@example.org",
        "sms_enabled": True,
        "voicemail_sms_prompt": "x",
    }
    found = await refused(bench, {"phone_number": TO, "assistant": asked})
    assert found == {f"/assistant/{name}": "not_configured" for name in asked if name != "prompt"}


@pytest.mark.rows("RV-266", "RV-268", "RV-270")
async def test_a_time_may_be_in_seconds(bench: Bench) -> None:
    at = int(time.time()) + 3600
    for wish in (at, float(at)):
        call = await placed(bench, scheduled_at=wish, force_now=True)
        assert (call["scheduled_at"], call["status"]) == (rfc3339(at), "scheduled")


@pytest.mark.rows("RV-52", "RV-53", "RV-54")
async def test_an_assistants_number_is_one_of_ours(bench: Bench) -> None:
    for wrong in ("+15550000000", "5550100099"):
        body = {"phone_number": TO, "assistant": {"prompt": "x", "from_phone_number": wrong}}
        assert set(await refused(bench, body)) == {"/assistant/from_phone_number"}
    for given, shown in (("+15550100099", "+15550100099"), (None, OURS)):
        call = await placed(bench, assistant={"prompt": "x", "from_phone_number": given})
        assert call["from_phone_number"] == shown


@pytest.mark.rows("RV-204")
async def test_a_drawing_of_the_prompt_changes_nothing(bench: Bench) -> None:
    held = []
    flows: list[Any] = [None, ASSISTANT["prompt_flow"], {"nodes": [], "edges": []}]
    for flow in flows:
        call = await placed(bench, assistant={"prompt": "Say hello.", "prompt_flow": flow})
        assert call["assistant"]["prompt_flow"] == flow
        stored = await bench.store.calls.get(call["id"])
        held.append(replace(conversation_config(bench.services.settings, stored), now=None))
    assert held[0].task == "Say hello."
    assert held[1:] == held[:1] * 2


@pytest.mark.rows("RV-3")
async def test_a_body_that_says_it_is_something_else(bench: Bench) -> None:
    body = b'{"phone_number": "+12125550142"}'
    for kind in ("application/x-www-form-urlencoded", "text/plain; charset=utf-8", ""):
        answer = await bench.client.post("/api/call", content=body, headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["error"]["code"]) == (
            415,
            "unsupported_media_type",
        )
    good = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert (await bench.client.post("/api/call", content=body, headers=good)).status_code == 201


@pytest.mark.rows("RV-25", "RV-26")
async def test_a_calendar_must_be_there_and_take_bookings(bench: Bench) -> None:
    async def pointer(asked: Mapping[str, str]) -> set[str]:
        assistant = {"prompt": "x", "calendly": asked}
        return set(await refused(bench, {"phone_number": TO, "assistant": assistant}))

    asked = await calendly(bench)
    assert await pointer(asked | {"connection_id": "x"}) == {"/assistant/calendly/connection_id"}
    assert await pointer(asked | {"event_type_id": "x"}) == {"/assistant/calendly/event_type_id"}
    feed = await calendly(bench, kind="ics", username=None, password=None)
    assert await pointer(feed) == {"/assistant/calendly/connection_id"}


async def test_an_idempotent_order_gets_the_same_answer(bench: Bench) -> None:
    headers = {"Idempotency-Key": "one"}
    first, second = [
        await bench.client.post("/api/call", json={"phone_number": TO}, headers=headers)
        for _ in range(2)
    ]
    assert (second.status_code, second.json()) == (201, first.json())
    assert second.headers["idempotency-replayed"] == "true"


@pytest.mark.rows("RV-295", "RV-297…302", "RV-287…290")
@pytest.mark.partial("RV-296")
def test_every_status_has_its_name() -> None:
    """`initializing` is never seen: an order is on disk before it is answered."""
    assert CALL_STATUS["revox"] == {
        "queued": "queued_for_calling",
        "scheduled": "scheduled",
        "initiated": "calling",
        "ringing": "calling",
        "in_progress": "calling",
        "analyzing": "calling",
        "completed": "completed",
        "no_answer": "completed",
        "busy": "completed",
        "canceled": "cancelled",
        "failed": "errored",
    }
    assert set(STATES) == {*NATIVE, "scheduled", "analyzing"}
    assert {*CALL_STATUS["revox"].values(), "initializing"} == set(STATUSES)


@pytest.mark.rows("RV-295", "RV-297…304", "RV-287…290", "RV-279…280", "RV-282…286", "X-RV-1")
async def test_statuses_as_they_come(bench: Bench) -> None:
    """Each order is found by its status, alone and by `statuses`."""
    store = bench.store
    found: dict[str, str] = {}
    found["scheduled"] = (await new_call(store, scheduled_at=time.time() + 900)).id
    found["calling"] = (await answered(store)).id
    found["completed"] = (await completed(store)).id
    canceled = await new_call(store)
    await store.calls.request_cancel(canceled.id)
    found["cancelled"] = canceled.id
    failed = await claimed(store)
    cause = Cause("failed", "unallocated_number", "No such number.", 1, 404, "a@b")
    await store.calls.record_ended(failed.call.id, Ended(time.time(), cause, "failed"))
    found["errored"] = failed.call.id
    found["queued_for_calling"] = (await new_call(store)).id
    for status, call_id in found.items():
        call = await read(bench, call_id)
        assert call["status"] == status
        assert call["is_cancelled"] == (status == "cancelled")
        assert call["is_completed"] == (status == "completed")
        assert (call["direction"], call["first_sentence_delay_ms"]) == ("outbound", 400)
        assert (call["from_phone_number"], call["to_phone_number"]) == (OURS, NUMBER)
        assert call["created_at"] <= call["updated_at"]
        listed = (await bench.client.get("/api/call", params={"statuses[]": status})).json()
        assert [one["id"] for one in listed["calls"]] == [call_id]
        assert listed["total"] == 1
    none = (await bench.client.get("/api/call", params={"statuses": "initializing"})).json()
    assert none == {"calls": [], "page": 1, "page_size": 20, "total": 0}
    several: dict[str, Any] = {"statuses[]": ["completed", "errored"], "page_size": 1, "page": 2}
    page = (await bench.client.get("/api/call", params=several)).json()
    assert ([one["id"] for one in page["calls"]], page["total"]) == ([found["completed"]], 2)
    for name, value in (("page", "0"), ("page_size", "101"), ("statuses", "x"), ("size", "1")):
        wrong = await bench.client.get("/api/call", params={name: value})
        assert wrong.json()["error"]["errors"][0]["parameter"] == name


@pytest.mark.rows("RV-304", "RV-305", "RV-306", "RV-313", "RV-315", "RV-512", "RV-513")
async def test_an_order_waits_for_its_result_as_calling(bench: Bench) -> None:
    """Who polls for `completed` finds the result; `updated_at` grows with each change."""
    call = await answered(bench.store, returns={"ok": "boolean"}, dialect="revox")
    ended = Ended(time.time(), NORMAL, "agent_hangup", awaits_result=True)
    over = await bench.store.calls.record_ended(call.id, ended)
    assert state_of(over) == "analyzing"
    waiting = await read(bench, call.id)
    assert (waiting["status"], waiting["last_call_attempt"]["structured_output"]) == (
        "calling",
        None,
    )
    await bench.store.calls.record_result(call.id, {"ok": True})
    done = await read(bench, call.id)
    assert (done["status"], done["last_call_attempt"]["structured_output"]) == (
        "completed",
        {"ok": True},
    )
    assert (done["outcome"], done["outcome_summary"]) == (None, None)
    assert done["updated_at"] >= waiting["updated_at"] >= waiting["created_at"]


def _attempt(**values: Any) -> Attempt:
    given = dict.fromkeys(Attempt.__dataclass_fields__) | {"state": "failed", "ended_at": 9.0}
    return Attempt(**given | values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "sip", "q850"),
    [
        ("number_non_attributed", (404, 410, 484, 604), (1, 22, 28)),
        ("too_many_calls", (429, 503), (34, 42)),
        ("busy", (486, 600), (17,)),
        ("temporarily_unavailable", (480, 500, 502, 504), (38, 41)),
        ("no_answer", (408, 487), (18, 19)),
        ("no_international_permission", (403,), ()),
        ("precondition_failed", (412, 488, 580), ()),
        ("non_classified_error", (599, 603), (127,)),
    ],
)
@pytest.mark.rows("RV-476…484", "RV-530", "RV-531")
def test_every_dial_error(wanted: str, sip: tuple[int, ...], q850: tuple[int, ...]) -> None:
    assert wanted in REVOX_DIAL_ERRORS
    for code in sip:
        assert revox_dial_error(_attempt(sip_code=code)) == wanted
    for cause in q850:
        assert revox_dial_error(_attempt(q850_cause=cause)) == wanted


@pytest.mark.rows("RV-476", "RV-481", "RV-495…500", "RV-538", "RV-539")
def test_an_attempts_status_and_what_has_no_dial_error() -> None:
    live = {"dialing": "queued", "ringing": "ringing", "in_progress": "ongoing"}
    for state, status in live.items():
        attempt = _attempt(state=state, ended_at=None)
        assert (revox_attempt_status(attempt), revox_dial_error(attempt)) == (status, None)
    spoken = _attempt(state="completed", answered_at=1.0)
    assert (revox_attempt_status(spoken), revox_dial_error(spoken)) == ("completed", None)
    rung = _attempt(state="no_answer")
    assert (revox_attempt_status(rung), revox_dial_error(rung)) == ("error", "no_answer")
    assert revox_dial_error(_attempt(state="canceled", sip_code=487)) is None


@pytest.mark.rows("RV-501…504", "RV-506…511", "RV-540…542")
@pytest.mark.partial("RV-505")
def test_who_ended_an_attempt() -> None:
    wanted = {
        "agent_hangup": ("agent", "tool_end_call"),
        "voicemail": ("agent", "voicemail"),
        "transferred": ("agent", "transfer"),
        "ivr_no_navigate": ("agent", "ivr_no_navigate"),
        "person_hangup": ("user", None),
        "silence": ("system", None),
        "max_duration": ("system", None),
        "engine_error": ("system", None),
        "operator_hangup": ("system", None),
    }
    assert wanted == REVOX_END
    for reason, told in wanted.items():
        assert revox_end(_attempt(end_reason=reason, answered_at=1.0)) == told
    assert revox_end(_attempt(end_reason="anything", answered_at=1.0)) == ("system", None)
    assert revox_end(_attempt(end_reason="person_hangup")) == (None, None)
    assert revox_end(_attempt(answered_at=1.0, ended_at=None)) == (None, None)


@pytest.mark.rows("RV-488", "RV-490…492", "RV-535")
@pytest.mark.partial("RV-489", "RV-493", "RV-536")
def test_who_answered() -> None:
    """Menus and call screening are not recognised yet."""
    results = set(get_args(get_args(RevoxAttempt.model_fields["result"].annotation)[0]))
    assert set(REVOX_RESULT.values()) == results
    assert REVOX_RESULT["machine"] == "voicemail"
    assert REVOX_RESULT["screening"] == "ios-screening-filter"


@pytest.mark.rows("RV-7", "RV-8", "RV-272", "RV-275", "RV-472…476", "RV-479", "RV-485…486")
@pytest.mark.rows("RV-488", "RV-494…496", "RV-500", "RV-526…530", "RV-532…533", "RV-537", "RV-543")
async def test_attempts_are_told_the_newest_first(bench: Bench) -> None:
    store = bench.store
    retry = RetryPolicy(frozenset(WEEKDAYS), (CallingWindow(0, 24 * 60),), True)
    call = (await claimed(store, retry=retry, zones=("UTC",), dialect="revox")).call.id
    await store.calls.record_ended(call, Ended(time.time(), BUSY, "busy"))
    (again,) = await claim_up_to(store, 1)
    told = await read(bench, call)
    newest, oldest = told["call_attempts"]
    assert (told["status"], told["calls_count"]) == ("calling", 2)
    assert told["last_call_attempt"] == newest
    assert (newest["id"], newest["status"], newest["dial_error"]) == (
        again.attempt.id,
        "queued",
        None,
    )
    assert (oldest["status"], oldest["dial_error"], oldest["result"]) == ("error", "busy", None)
    assert (oldest["answered_at"], oldest["transcript"]) == (None, [])
    assert oldest["phone_number"] == told["to_phone_number"]
    assert oldest["started_at"] <= oldest["ended_at"]


@pytest.mark.rows("RV-487", "RV-502", "RV-508", "RV-514…521", "RV-523…525", "RV-534")
@pytest.mark.rows("RV-522", "RV-544…553")
async def test_an_attempt_with_what_was_said_and_recorded(bench: Bench) -> None:
    store = bench.store
    call = await answered(store, dialect="revox")
    tool = {"name": "t", "arguments": {"a": 1}, "output": "gone", "is_error": True}
    garbled = {"name": "", "arguments": '{"a": ', "output": "That was no JSON.", "is_error": True}
    for turn in (
        Turn("agent", "hello", 1.0, 2.0),
        Turn("person", "yes", 2.0, 3.0),
        Turn("keypad", "5", 3.0, 3.0),
        Turn("tool", "gone", 3.0, 4.0, tool=tool),
        Turn("tool", "That was no JSON.", 4.0, 4.0, tool=garbled),
    ):
        await store.calls.add_turn(call.id, turn)
    (bench.recordings / "a.wav").write_bytes(b"RIFF" + bytes(100))
    ended = Ended(time.time(), NORMAL, "agent_hangup", recording_path="a.wav", answered_by="human")
    await store.calls.record_ended(call.id, ended)
    (attempt,) = (await read(bench, call.id))["call_attempts"]
    said = [(turn["role"], turn["content"]) for turn in attempt["transcript"]]
    spoken = [("assistant", "hello"), ("user", "yes"), ("user", "5"), ("tool", "gone")]
    assert said == [*spoken, ("tool", "That was no JSON.")]
    assert attempt["transcript"][3] | {"role": "tool"} == {
        "content": "gone",
        "role": "tool",
        "tool_arguments": {"a": 1},
        "tool_is_error": True,
        "tool_name": "t",
        "tool_output": "gone",
    }
    told = attempt["transcript"][4]
    assert (told["tool_name"], told["tool_arguments"]) == (None, '{"a": ')
    assert attempt["transcript"][0]["tool_name"] is None
    assert (attempt["result"], attempt["ended_by"], attempt["end_reason"]) == (
        "human",
        "agent",
        "tool_end_call",
    )
    heard = await bench.client.get(attempt["recording_url"], headers={"Authorization": ""})
    assert heard.content == b"RIFF" + bytes(100)
