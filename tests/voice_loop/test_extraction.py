"""The call's typed result, from whatever the model says."""

import json
from typing import Any

import pytest

from tests.voice_loop.scripted import Mind
from voice_loop.extraction import ExtractionError, extract
from voice_loop.ports import EngineError
from voice_loop.prompts import extraction_messages

RETURNS = {"visit": "boolean", "day": "string"}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "visit": {"type": ["boolean", "null"]},
        "day": {"type": ["string", "null"]},
    },
    "required": ["visit", "day"],
    "additionalProperties": False,
}
TURNS: list[Any] = [("agent", "what day?"), ("person", "tuesday")]


def mind(answer: str) -> Mind:
    messages = extraction_messages(RETURNS, TURNS)
    return Mind({messages[-1]["content"]: answer})


async def test_the_result_has_the_fields_in_the_order_of_the_client() -> None:
    llm = mind('{"day": "tuesday", "visit": true}')
    result = await extract(llm, RETURNS, SCHEMA, TURNS)
    assert list(result.items()) == [("visit", True), ("day", "tuesday")]
    assert llm.asked == [extraction_messages(RETURNS, TURNS)]
    assert llm.open == 0


@pytest.mark.rows("RV-230")
async def test_the_model_reads_what_the_client_wrote_of_a_field() -> None:
    told = {"day": {"type": "string", "description": "The day of the visit."}}
    (system, _) = extraction_messages(told, TURNS)
    assert "The day of the visit." in system["content"]


async def test_the_model_is_held_to_the_schema_in_a_fixed_order() -> None:
    llm = mind('{"day": null, "visit": null}')
    assert await extract(llm, RETURNS, SCHEMA, TURNS) == {"visit": None, "day": None}
    schema = llm.schemas[0]
    assert schema is not None
    assert list(schema["properties"]) == schema["required"] == ["day", "visit"]
    assert schema["properties"] == SCHEMA["properties"]
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "i would say tuesday",
        '{"day": "tuesday", "visit": tr',
        '{"day": "tuesday"}',
        '{"day": "tuesday", "visit": "yes"}',
        '{"day": "tuesday", "visit": true, "more": 1}',
        '["tuesday"]',
        "null",
        "[" * 100_000,
        '{"day": NaN, "visit": null}',
        '{"day": "\\ud800", "visit": null}',
        '{"day": "\\u0000", "visit": null}',
    ],
)
async def test_what_does_not_match_is_an_error_in_one_line(answer: str) -> None:
    with pytest.raises(ExtractionError, match=r"^the model's answer does not match `returns`: .+$"):
        await extract(mind(answer), RETURNS, SCHEMA, TURNS)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "1" * 400])
async def test_numbers_that_json_has_not_are_refused(number: str) -> None:
    returns = {"rating": "number"}
    schema = {
        "type": "object",
        "properties": {"rating": {"type": "number"}},
        "required": ["rating"],
    }
    llm = Mind({extraction_messages(returns, [])[-1]["content"]: json.dumps({"rating": 1})})
    assert await extract(llm, returns, schema, []) == {"rating": 1}
    llm.answers = dict.fromkeys(llm.answers, f'{{"rating": {number}}}')
    with pytest.raises(ExtractionError, match="out of range"):
        await extract(llm, returns, schema, [])


async def test_a_failing_engine_is_told() -> None:
    llm = mind("{}")
    llm.fault.error = "out of memory"
    with pytest.raises(EngineError, match="out of memory"):
        await extract(llm, RETURNS, SCHEMA, TURNS)
    assert llm.open == 0
