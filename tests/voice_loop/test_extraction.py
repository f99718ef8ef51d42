"""The call's typed result, from whatever the model says."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import pytest

from tests.voice_loop.scripted import Mind
from voice_loop.extraction import ExtractionError, extract, tokens_for
from voice_loop.ports import EngineError, ReplyTooLong
from voice_loop.prompts import Message, extraction_messages

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


async def test_a_field_may_be_named_a_little_otherwise() -> None:
    """Models that are not held to the schema write names as they please."""
    names = ["Customer Email", "prénom", "1st choice", "size", "Size?"]
    schema = {
        **SCHEMA,
        "properties": {name: {"type": ["string", "null"]} for name in names},
        "required": names,
    }
    returns = dict.fromkeys(names, "string")
    said = {"customer_email": "a", "PRENOM": "b", "1st Choice": "c", "size": "d", "Size?": "e"}
    result = await extract(mind_of(returns, said), returns, schema, TURNS)
    assert list(result.items()) == list(zip(names, "abcde", strict=True))
    del said["size"], said["Size?"]
    with pytest.raises(ExtractionError):
        await extract(mind_of(returns, {**said, "SIZE": "d"}), returns, schema, TURNS)


def mind_of(returns: Mapping[str, Any], answer: Mapping[str, Any]) -> Mind:
    return Mind({extraction_messages(returns, TURNS)[-1]["content"]: json.dumps(answer)})


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


FOUND = {"visit": True, "day": "tuesday"}
PLAIN = json.dumps(FOUND)


@pytest.mark.parametrize(
    "answer",
    [
        f"```json\n{PLAIN}\n```",
        f"```\n{PLAIN}\n```",
        f"```json\n{PLAIN}",
        f"Here is the result: {PLAIN}",
        f"Here is the result:\n\n```json\n{PLAIN}\n```\nI hope that helps!",
        f"{PLAIN} I hope that helps!",
        f"{PLAIN}\n```",
        f"{PLAIN}\n{PLAIN}",
        f"\ufeff{PLAIN}",
        f"\ufeff\n{PLAIN}\n",
        f"<think>Is it {{tuesday}}?</think>\n{PLAIN}",
        f"It may be {{}}. No, it is tuesday.</think>{PLAIN}",
        f"<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>{PLAIN}",
        f'The form is {{"visit": "boolean", "day": "string"}}, so: {PLAIN}',
        f"[{PLAIN}]",
        f"json\n{PLAIN}",
        f"<answer>{PLAIN}</answer>",
        '{"visit": true, "day": "tuesday",}',
        "{'visit': True, 'day': 'tuesday'}",
        '{"visit": "true", "day": "tuesday"}',
        '{"visit": "True", "day": "tuesday"}',
        '{visit: true, day: "tuesday"}',
        '{"visit": true, "day": "tuesday"',
        "{\n  “visit”: true, “day”: “tuesday”\n}",
    ],
)
async def test_json_as_models_write_it_is_read(answer: str) -> None:
    assert await extract(mind(answer), RETURNS, SCHEMA, TURNS) == FOUND


@pytest.mark.parametrize(
    ("written", "meant", "kind"),
    [
        ('"3"', 3, "integer"),
        ('"3"', 3, "number"),
        ('" 3.5 "', 3.5, "number"),
        ('"3.5"', None, "integer"),
        ('"three"', None, "number"),
        ('"null"', None, "number"),
        ('"false"', False, "boolean"),
        ("3", None, "string"),
    ],
)
async def test_what_is_written_as_text_is_taken_as_what_it_says(
    written: str, meant: Any, kind: str
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": [kind, "null"]}}, "required": ["n"]}
    llm = Mind({extraction_messages({"n": kind}, [])[-1]["content"]: f'{{"n": {written}}}'})
    if meant is None and written != '"null"':
        with pytest.raises(ExtractionError, match=r"\$\.n breaks `type`"):
            await extract(llm, {"n": kind}, schema, [])
    else:
        assert await extract(llm, {"n": kind}, schema, []) == {"n": meant}


class Narrow(Mind):
    """Has room for so many tokens."""

    def __init__(self, room: int) -> None:
        super().__init__({})
        self.room = room

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        schema: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> AsyncGenerator[str, None]:
        assert schema is not None
        self.asked.append(list(messages))
        if max_tokens > self.room:
            raise ReplyTooLong("no room")
        assert len(messages[0]["content"]) < 4 * self.room, "only what is asked is told"
        yield json.dumps({name: name[-2:] for name in schema["properties"]})


@pytest.mark.parametrize(("room", "asked"), [(100_000, 1), (4_000, 3), (1_000, 15)])
async def test_many_fields_with_long_names_are_found_in_parts(room: int, asked: int) -> None:
    returns = {
        f"{'a_field_with_quite_a_long_name_' * 2}{n:02}": "string" for n in range(63, -1, -1)
    }
    schema = {
        "type": "object",
        "properties": {name: {"type": ["string", "null"]} for name in returns},
        "required": list(returns),
        "additionalProperties": False,
    }
    llm = Narrow(room)
    result = await extract(llm, returns, schema, [])
    assert list(result) == list(returns)
    assert all(value == name[-2:] for name, value in result.items())
    assert len(llm.asked) == asked


async def test_one_field_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(ReplyTooLong):
        await extract(Narrow(10), RETURNS, SCHEMA, TURNS)


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


async def test_what_is_within_lists_and_objects_is_taken_as_it_is_meant() -> None:
    """Fields that may be null, too: a schema for each of the two stands in `anyOf`."""
    null = {"type": "null"}
    place = {
        "type": "object",
        "properties": {"floor": {"anyOf": [{"type": "integer"}, null]}},
        "required": ["floor"],
        "additionalProperties": False,
    }
    ages = {"type": "array", "items": {"type": "integer"}}
    schema = {
        "type": "object",
        "properties": {"ages": {"anyOf": [ages, null]}, "place": {"anyOf": [place, null]}},
        "required": ["ages", "place"],
        "additionalProperties": False,
    }
    returns: dict[str, Any] = {"ages": "int[]", "place": {"floor": "int"}}
    messages = extraction_messages(returns, TURNS)
    llm = Mind({messages[-1]["content"]: '{"ages": ["3", 4], "place": {"floor": "2"}}'})
    result = await extract(llm, returns, schema, TURNS)
    assert result == {"ages": [3, 4], "place": {"floor": 2}}


def test_an_answer_has_an_end_however_deep_its_lists_are() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(20):
        schema = {"type": "array", "items": schema}
    assert tokens_for(schema) == 8_192
