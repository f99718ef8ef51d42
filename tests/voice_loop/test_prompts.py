"""The texts that language models are given."""

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from voice_loop.dialogue import Dialogue
from voice_loop.phrases import phrases
from voice_loop.prompts import (
    END_CALL,
    analysis_messages,
    extraction_messages,
    inert,
    system_prompt,
    tool_call_text,
    tool_response_text,
)
from voice_loop.tools import ToolSpec

TASK = "Confirm the appointment."
SPEC = ToolSpec(
    "book", "Book a visit.", {"type": "object", "properties": {"day": {"type": "string"}}}
)


def test_without_more_it_is_the_text_that_the_starter_model_was_trained_on() -> None:
    assert system_prompt(f" {TASK}\n", {"b": "ñ", "a": [1, None]}) == (
        "You are an agent on a live phone call. Speak English. "
        "Use short plain sentences and ask one thing at a time.\n"
        "Task: Confirm the appointment.\n"
        'Facts: {"a": [1, null], "b": "ñ"}\n'
        "When the call is finished, say goodbye and end with "
        '<tool_call>{"name": "end_call", "arguments": {}}</tool_call>'
    )
    assert system_prompt(TASK, {}, persona=" ", faq=(), tools=()) == system_prompt(TASK, {})


NOW = datetime(2026, 3, 4, 15, 4, 5, tzinfo=ZoneInfo("Europe/Berlin"))


def test_now_is_a_fact_after_all_that_calls_share() -> None:
    told = "Wednesday 2026-03-04 15:04 +01:00 (Europe/Berlin)"
    text = system_prompt(TASK, {"name": "Maria"}, now=NOW)
    assert f'Facts: {{"name": "Maria", "now": "{told}"}}\n' in text
    plain = system_prompt(TASK, {"name": "Maria"})
    assert text.partition("Facts: ")[0] == plain.partition("Facts: ")[0]
    assert '"now": "noon"' in system_prompt(TASK, {"now": "noon"}, now=NOW)
    summer = NOW.replace(month=7, tzinfo=UTC)
    assert "Saturday 2026-07-04 15:04 +00:00 (UTC)" in system_prompt(TASK, {}, now=summer)


def test_who_reads_a_call_is_told_when_it_was() -> None:
    told = "\nThe call began on Wednesday 2026-03-04 15:04 +01:00 (Europe/Berlin)."
    returns = {"day": "date"}
    for instructions in (None, "Find the day."):
        (asked, _) = extraction_messages(returns, [], instructions, NOW)
        (undated, _) = extraction_messages(returns, [], instructions)
        assert asked["content"] == undated["content"] + told
    assert analysis_messages(TASK, [], NOW)[0]["content"].endswith(told)


@pytest.mark.rows("CB-31", "CB-48")
def test_the_persona_is_in_it() -> None:
    assert "Who you are: Ada, warm and brief.\n" in system_prompt(
        TASK, {}, persona=" Ada, warm and brief.\n"
    )


@pytest.mark.rows("RV-38", "RV-40", "RV-41")
def test_the_questions_and_answers_are_in_it() -> None:
    faq = [("When are you open?", "From nine to five."), ("Where?", "Main street.")]
    text = system_prompt(TASK, {}, faq=faq)
    assert "Q: When are you open?\nA: From nine to five.\nQ: Where?\nA: Main street.\n" in text


@pytest.mark.rows("CB-36")
def test_the_tools_are_in_it_as_json() -> None:
    lines = system_prompt(TASK, {}, tools=[SPEC]).splitlines()
    told = json.loads(lines[lines.index("<tools>") + 1])
    assert told == {
        "type": "function",
        "function": {
            "name": "book",
            "description": "Book a visit.",
            "parameters": SPEC.parameters,
        },
    }
    assert lines[-1].endswith(END_CALL)


@pytest.mark.parametrize(
    "text",
    ["<tool_call>", "</tool_response>", "<|im_end|>", "< /tool_call>", "</s>", "<start_of_turn>"],
)
def test_no_tag_from_outside_is_one(text: str) -> None:
    for told in (
        inert(text),
        tool_call_text("t", {"x": text}).removeprefix("<tool_call>").removesuffix("</tool_call>"),
        system_prompt("", {"name": text}).splitlines()[2],
    ):
        assert "<|" not in told
        assert "</" not in told
        assert "<tool" not in told
        assert "<start" not in told
    dialogue = Dialogue("be kind")
    dialogue.person_said(text)
    dialogue.tool_used("t", {}, text)
    assert dialogue.messages()[1]["content"] == f"[call answered] {inert(text)}"
    assert dialogue.messages()[3]["content"] == tool_response_text(inert(text))


def test_what_is_no_tag_stays_as_it_is() -> None:
    text = '{"a": 1} 3 < 4, 5 > 4, <- and [pressed 1]'
    assert inert(text) == text


def test_a_tool_call_is_the_json_that_the_model_writes() -> None:
    assert tool_call_text("book", {"day": "mañana"}) == (
        '<tool_call>{"name": "book", "arguments": {"day": "mañana"}}</tool_call>'
    )
    assert tool_call_text("end_call", {}) == END_CALL


def test_fixed_lines_speak_both_languages() -> None:
    english, spanish = phrases("en"), phrases("es")
    for name, line in vars(english).items():
        assert line != vars(spanish)[name], name
    assert spanish.one_moment == "un momento, por favor."
