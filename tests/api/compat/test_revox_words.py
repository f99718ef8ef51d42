"""What people write into Revox's clients: texts of several lines, and names in their own words."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from api.agents.effective import effective
from api.calls.results import extract_results
from api.resources.attempt import Ended
from api.resources.tool_fields import HttpTool
from api.resources.turn import Turn
from api.settings.calling import Calls
from api.tools.inputs import parameters, read_inputs
from api.tools.request import request_of
from models.grammar import tool_call_rules
from tests.api.compat.test_revox import TO, placed, read, refused
from tests.api.conftest import Bench
from tests.api.story import NORMAL, claim_up_to
from tests.api.switchboard import Clerk
from tests.voice_loop.scripted import Detector, Ears, Mouth
from voice_loop.ports import Engines
from voice_loop.tools import ToolSpec

LINES = "Hello,\r\nyour\tappointment:\nMonday."
#: Every member that is a text of any length.
TEXTS = (
    "prompt",
    "after_call_sms_prompt",
    "end_of_call_sentence",
    "first_sentence",
    "max_duration_end_message",
    "sms_template",
    "structured_output_prompt",
    "voicemail_message",
    "voicemail_sms_prompt",
    "warm_transfer_summary_instructions",
)


@pytest.mark.rows("RV-14", "RV-37", "RV-42", "RV-63", "RV-70", "RV-91", "RV-93")
async def test_a_text_keeps_its_lines(equipped: Bench) -> None:
    assistant: dict[str, Any] = {
        **dict.fromkeys(TEXTS, LINES),
        "sms_enabled": True,
        "human_transfer_mode": "warm",
        "transfer_phone_number": "+15550100200",
        "faq_items": [{"question": LINES, "answer": LINES}],
        "structured_output_config": [
            {"name": "day", "required": False, "type": "string", "description": LINES}
        ],
        "custom_tools": [
            {
                "body_template": "{}",
                "description": LINES,
                "headers": [],
                "input_schema": [
                    {"name": "x", "required": True, "type": "string", "description": LINES}
                ],
                "method": "POST",
                "name": "look_up",
                "query_params": [{"key": "q", "value": LINES}],
                "url": "https://crm.example.org/stock",
            }
        ],
    }
    call = await placed(
        equipped, assistant=assistant, metadata={"note": LINES}, prompt_variables={"note": LINES}
    )
    for told in (call, await read(equipped, call["id"])):
        for name in TEXTS:
            assert told["assistant"][name] == LINES, name
        for name in ("custom_tools", "structured_output_config"):
            (one,) = told["assistant"][name]
            assert one.items() >= assistant[name][0].items()
        assert told["assistant"]["faq_items"][0]["answer"] == LINES
        assert (told["metadata"], told["prompt_variables"]) == ({"note": LINES}, {"note": LINES})
    kept = await equipped.client.post("/api/assistants", json={"name": "A", **assistant})
    assert kept.status_code == 201, kept.text
    assert kept.json()["assistant"]["sms_template"] == LINES


async def test_a_text_that_is_only_kept_keeps_its_lines(equipped: Bench) -> None:
    """Without `sms_enabled` and `human_transfer_mode`, and the body of a GET."""
    members = ("sms_template", "warm_transfer_summary_instructions")
    tool = {
        "body_template": '{"a":\n"b"}',
        "description": "Look it up.",
        "headers": [],
        "input_schema": [],
        "method": "GET",
        "name": "look_up",
        "query_params": [],
        "url": "https://crm.example.org/stock",
    }
    assistant = {"prompt": "x", **dict.fromkeys(members, LINES), "custom_tools": [tool]}
    told = (await placed(equipped, assistant=assistant))["assistant"]
    assert {name: told[name] for name in members} == dict.fromkeys(members, LINES)
    assert told["custom_tools"] == [tool]


async def test_a_name_has_one_line(equipped: Bench) -> None:
    output = {"name": "a\nb", "required": False, "type": "string"}
    asked = {"prompt": "x", "structured_output_config": [output]}
    body = {"phone_number": TO, "assistant": asked}
    assert set(await refused(equipped, body)) == {"/assistant/structured_output_config/0/name"}
    body = {"phone_number": TO, "prompt_variables": {"a\nb": "c"}}
    assert set(await refused(equipped, body)) == {"/prompt_variables/a\nb"}


#: Names as people give them.
NAMES = (
    "Customer Email",
    "prénom",
    "1st choice",
    "Is it o.k.? (y/n)",
    "e-mail",
    "日付",
    'the "size"',
    "a" * 128,
)


@pytest.mark.rows("RV-220", "RV-221", "RV-512")
@pytest.mark.parametrize("name", [*NAMES, "#1", "{x}", " x"])
async def test_an_output_has_the_name_that_it_was_given(equipped: Bench, name: str) -> None:
    output = {"name": name, "required": True, "type": "string"}
    call = await placed(
        equipped, assistant={"prompt": "x", "structured_output_config": [output]}, force_now=True
    )
    assert call["assistant"]["structured_output_config"] == [output]
    assert (await claim_up_to(equipped.store, 1))[0].call.id == call["id"]
    calls = equipped.store.calls
    await calls.record_answered(call["id"], time.time())
    await calls.add_turn(call["id"], Turn("person", "Large.", 1.0, 2.0))
    ended = Ended(time.time(), NORMAL, "agent_hangup", awaits_result=True)
    over = await calls.record_ended(call["id"], ended)
    clerk = Clerk({})
    clerk.result = json.dumps({name: "large"})
    engines = Engines(Ears(), clerk, Mouth(), lambda _: Detector())
    await extract_results(equipped.store, over, lambda _: engines, Calls(analysis=False))
    assert json.dumps(name, ensure_ascii=False) in clerk.asked_for_result[0]["content"]
    told = await read(equipped, call["id"])
    assert told["last_call_attempt"]["structured_output"] == {name: "large"}


@pytest.mark.parametrize("name", ["", " ", "a" * 129, "a\x00", "a\u2028b"])
async def test_what_is_no_name_is_refused_at_its_place(equipped: Bench, name: str) -> None:
    output = {"name": name, "required": True, "type": "string"}
    asked = {"prompt": "x", "structured_output_config": [output]}
    body = {"phone_number": TO, "assistant": asked}
    assert set(await refused(equipped, body)) == {"/assistant/structured_output_config/0/name"}


@pytest.mark.rows("RV-264", "RV-265")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["{{%s}}", "{{ %s }}"])
async def test_a_variable_of_any_name_has_its_value(equipped: Bench, name: str, form: str) -> None:
    place = form % name
    texts = dict.fromkeys(("prompt", "first_sentence", "sms_template"), f"Say {place}.")
    assistant = {"name": "A", **texts, "sms_enabled": True}
    kept = (await equipped.client.post("/api/assistants", json=assistant)).json()["assistant"]
    call = await placed(equipped, assistant_id=kept["id"], prompt_variables={name: "Maria"})
    assert call["prompt_variables"] == {name: "Maria"}
    stored = await equipped.store.calls.get(call["id"])
    held = effective(stored, time.time())
    assert (held.instructions, held.first_sentence) == ("Say Maria.", "Say Maria.")
    body = {"phone_number": TO, "assistant_id": kept["id"], "prompt_variables": {"other": "x"}}
    assert set((await refused(equipped, body)).values()) == {"unknown_variable"}


@pytest.mark.parametrize(
    "text", ["{{#if x}}", "{{> part}}", "{{/if}}", "{{}}", "{{a\nb}}", "{{a|b}}"]
)
async def test_what_begins_no_variable_is_refused(equipped: Bench, text: str) -> None:
    body = {"phone_number": TO, "assistant": {"prompt": f"Say {text}."}}
    assert set(await refused(equipped, body)) == {"/assistant/prompt"}


@pytest.mark.rows("RV-149", "RV-139", "RV-171")
@pytest.mark.parametrize("name", NAMES)
async def test_a_tools_input_of_any_name_reaches_the_request(equipped: Bench, name: str) -> None:
    place = f"{{{{{name}}}}}"
    tool = {
        "body_template": json.dumps({"given": place, "said": f"It is {place}."}),
        "description": "Look it up.",
        "headers": [],
        "input_schema": [{"name": name, "required": True, "type": "number"}],
        "method": "POST",
        "name": "look_up",
        "query_params": [{"key": "q", "value": place}],
        "url": f"https://crm.example.org/stock/{place}",
    }
    call = await placed(equipped, assistant={"prompt": "x", "custom_tools": [tool]})
    assert call["assistant"]["custom_tools"] == [tool]
    (kept,) = (await equipped.store.calls.get(call["id"])).agent["tools"]
    held = HttpTool.model_validate(kept)
    now = datetime.now(UTC)
    spec = ToolSpec("look_up", "", parameters(held.input_schema, now))
    assert name in spec.parameters["properties"]
    tool_call_rules([spec])
    request = request_of(held, read_inputs(held.input_schema, {name: "3"}, now))
    assert request.url == "https://crm.example.org/stock/3?q=3"
    assert json.loads(request.body or b"") == {"given": 3, "said": "It is 3."}
