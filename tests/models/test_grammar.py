"""Schemas as grammars: which texts llama.cpp then lets a model write, and which not.

llama.cpp's own grammar machine is the judge, fed through the starter vocabulary.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.grammar import MOST_CHARACTERS, MOST_ITEMS, beginning_with, gbnf, tool_call_rules
from models.llama_cpp_binding import Grammar, Logits, Model
from voice_loop.ports import EngineError
from voice_loop.tools import ToolSpec

Judge = Callable[[str, str], bool]
Allows = Callable[[dict[str, Any], str], bool]


def likeliest(logits: Logits) -> int:
    return int(np.argmax(logits))


@pytest.fixture(scope="module")
def judge(model_dir: Path) -> Judge:
    """Whether a grammar lets a text be written, to its end."""
    model = Model(model_dir / "llama.gguf")
    end = next(token for token in range(model.vocab_size) if model.ends(token))

    def judge(rules: str, text: str) -> bool:
        grammar = Grammar(model, rules)
        try:
            for token in (*model.tokenize(text), end):
                only = np.full(model.vocab_size, -np.inf, np.float32)
                only[token] = 1.0
                if grammar.choose(only, likeliest) != token:
                    return False
        except EngineError:
            return False
        finally:
            grammar.close()
        return True

    return judge


@pytest.fixture(scope="module")
def allows(judge: Judge) -> Allows:
    """Whether a schema's grammar lets a text be written, to its end."""
    return lambda schema, text: judge(gbnf(schema), text)


def field(schema: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": schema}, "required": ["a"]}


NULLABLE = {"anyOf": [{"type": "string"}, {"type": "null"}]}


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "boolean"}, ["true", "false"], ["null", '"true"', "1"]),
        ({"type": "integer"}, ["0", "-7", "120"], ["01", "1.5", "-", '"1"']),
        ({"type": "number"}, ["0", "-1.25", "3"], [".5", "1.", "1e5", "NaN"]),
        (NULLABLE, ["null", '"null"', '""'], ["nul", "0"]),
        ({"type": ["integer", "null"]}, ["null", "4"], ['"4"']),
        ({"enum": ["yes", "no", None]}, ['"yes"', "null"], ['"maybe"', '"ye"', "yes"]),
        ({"const": "x"}, ['"x"'], ['"y"']),
        ({"type": "string", "format": "date"}, ['"2026-02-28"'], ['"2026-13-01"', '"friday"']),
        (
            {"type": "string", "format": "date-time"},
            ['"2026-02-28T09:30:00Z"', '"2026-02-28T09:30:00+01:00"'],
            ['"2026-02-28"', '"2026-02-28T24:30:00Z"'],
        ),
        ({"type": "array", "items": {"type": "integer"}}, ["[]", "[1]", "[1, 2]"], ["[1,2]", "1"]),
        ({"type": "array", "items": {"enum": ["x"]}, "minItems": 1}, ['["x"]'], ["[]"]),
        ({"type": "string", "maxLength": 3}, ['"abc"'], ['"abcd"']),
        (
            {"type": "string", "pattern": "^[0-9A-D*#,]{1,5}$"},
            ['"1"', '"12*#,"'],
            ['""', '"123456"', '"1e"', '"\\n"'],
        ),
        (
            {"type": "string", "pattern": r"^\+[1-9]\d{2,4}x?$"},
            ['"+123"', '"+12345x"'],
            ['"123"', '"+023"', '"+12"', '"+123xx"'],
        ),
    ],
)
def test_values(allows: Allows, schema: Any, good: list[str], bad: list[str]) -> None:
    for value in good:
        assert allows(field(schema), f'{{"a": {value}}}'), value
        json.loads(value)
    for value in bad:
        assert not allows(field(schema), f'{{"a": {value}}}'), value


def test_all_properties_in_their_order(allows: Allows) -> None:
    schema = {
        "type": "object",
        "properties": {"b": {"type": "boolean"}, "a": {"type": "null"}},
        "required": ["a", "b"],
        "additionalProperties": False,
        "description": "two",
    }
    assert allows(schema, json.dumps({"b": True, "a": None}))
    assert not allows(schema, json.dumps({"a": None, "b": True}))
    assert not allows(schema, json.dumps({"b": True}))
    assert not allows(schema, json.dumps({"b": True, "a": None, "c": 1}))


def test_properties_that_are_not_required_may_be_left_out(allows: Allows) -> None:
    one = {"type": "integer"}
    schema = {
        "type": "object",
        "properties": {"a": one, "b": one, "c": one, "d": one},
        "required": ["b"],
    }
    for kept in ("abcd", "b", "ab", "bc", "bd", "abd"):
        assert allows(schema, json.dumps(dict.fromkeys(kept, 1))), kept
    for wrong in ("acd", "ba", ""):
        assert not allows(schema, json.dumps(dict.fromkeys(wrong, 1))), wrong
    assert allows({"type": "object"}, "{}")
    free = {"type": "object", "properties": {"a": one, "b": one}}
    assert all(allows(free, text) for text in ("{}", '{"b": 1}', '{"a": 1}', '{"a": 1, "b": 1}'))
    assert not allows(free, '{, "b": 1}')


BOOK = ToolSpec(
    "book",
    "Books a slot.",
    {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "whose"},
            "at": {"type": "string", "format": "date-time"},
            "kind": {"enum": ["new", "old"]},
            "seats": {"type": "number"},
        },
        "required": ["name", "at"],
        "additionalProperties": False,
    },
)
MARKED = "<tool_call>"
AT = "2026-02-28T09:30:00Z"


@pytest.mark.parametrize(
    ("call", "good"),
    [
        ({"name": "book", "arguments": {"name": "ann", "at": AT}}, True),
        ({"name": "book", "arguments": {"name": "ann", "at": AT, "kind": "old"}}, True),
        ({"name": "book", "arguments": {"name": "ann", "at": AT, "seats": 2}}, True),
        ({"name": "end_call", "arguments": {}}, True),
        ({"name": "book", "arguments": {"name": "ann", "at": "friday"}}, False),
        ({"name": "book", "arguments": {"name": "ann", "at": AT, "kind": "odd"}}, False),
        ({"name": "book", "arguments": {}}, False),
        ({"name": "book", "arguments": {"name": "ann", "at": AT, "url": "x"}}, False),
        ({"name": "transfer", "arguments": {}}, False),
        ({"name": "end_call", "arguments": {"name": "ann"}}, False),
        ({"arguments": {}, "name": "end_call"}, False),
    ],
)
def test_tool_calls(judge: Judge, call: dict[str, Any], good: bool) -> None:
    rules = beginning_with(MARKED, tool_call_rules([BOOK]))
    text = json.dumps(call)
    assert judge(rules, f"{MARKED}{text}</tool_call>") is good
    assert judge(rules, f"{MARKED}\n{text}\n</tool_call>") is good
    assert not judge(rules, f"{MARKED}{text}")
    assert not judge(rules, f"{MARKED}{text}</tool_call>, and")


def test_a_tool_may_have_the_parameters_of_end_call_changed(judge: Judge) -> None:
    why = ToolSpec("end_call", "", field({"enum": ["done"]}))
    rules = beginning_with(MARKED, tool_call_rules([why]))
    assert judge(rules, MARKED + '{"name": "end_call", "arguments": {"a": "done"}}</tool_call>')
    assert not judge(rules, MARKED + '{"name": "end_call", "arguments": {}}</tool_call>')


def test_strings_hold_no_control_characters(allows: Allows) -> None:
    # Written as \u escapes, a reply could hold half a surrogate pair.
    assert not allows(field({"type": "string"}), json.dumps({"a": "ñ"}))
    fine = json.dumps({"a": 'say "hi"\n\\ ñ é 漢'}, ensure_ascii=False)
    assert allows(field({"type": "string"}), fine)
    for character in ("\n", "\t", "\x00", "\x1f"):
        assert not allows(field({"type": "string"}), f'{{"a": "x{character}y"}}')


@pytest.mark.parametrize(
    "text",
    ['a "quoted" ]} root ::= "x', "back\\slash", "line\nbreak", '"', "\\", "ñandú", "{0,9}"],
)
def test_no_text_ends_its_literal(allows: Allows, text: str) -> None:
    """Choices and names come from API clients: they are matched exactly, whatever they hold."""
    choice = field({"enum": [text, "other"]})
    assert allows(choice, json.dumps({"a": text}, ensure_ascii=False))
    assert allows(choice, '{"a": "other"}')
    assert not allows(choice, '{"a": "x"}')
    named = {"type": "object", "properties": {text: {"type": "null"}}}
    assert allows(named, json.dumps({text: None}, ensure_ascii=False))
    assert not allows(named, '{"x": null}')


def test_what_a_model_might_never_end_is_bounded(allows: Allows) -> None:
    string, array = field({"type": "string"}), field({"type": "array", "items": {"type": "null"}})
    assert allows(string, json.dumps({"a": "x" * MOST_CHARACTERS}))
    assert not allows(string, json.dumps({"a": "x" * (MOST_CHARACTERS + 1)}))
    assert allows(array, json.dumps({"a": [None] * MOST_ITEMS}))
    assert not allows(array, json.dumps({"a": [None] * (MOST_ITEMS + 1)}))


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "text"}, "the type 'text' is not known"),
        ({"type": "string", "pattern": "^a+$"}, r"the pattern '\^a\+\$' cannot be enforced"),
        ({"type": "string", "pattern": "[0-9]{2}"}, "the pattern '.*' cannot be enforced"),
        ({"type": "integer", "minimum": 3}, "`minimum` cannot be enforced"),
        ({"type": "string", "format": "email"}, "the format 'email' is not known"),
        ({"$ref": "http://example.com/schema"}, "the type None is not known"),
        ({"type": "array"}, "None is no schema"),
        ({"type": "array", "items": {"type": "null"}, "minItems": 99}, "array of 99"),
        ({"enum": ["\ud800"]}, "not a JSON Schema"),
        ({"anyOf": 5}, "not a JSON Schema"),
    ],
)
def test_what_cannot_be_enforced_is_refused(schema: Any, reason: str) -> None:
    with pytest.raises(EngineError, match=reason):
        gbnf(field(schema))


def test_required_properties_must_be_there() -> None:
    with pytest.raises(EngineError, match="'b' is not among the properties"):
        gbnf({"type": "object", "properties": {}, "required": ["b"]})


def test_an_endless_schema_is_refused() -> None:
    endless: dict[str, Any] = {"type": "array"}
    endless["items"] = endless
    with pytest.raises(EngineError, match="not a JSON Schema"):
        gbnf(endless)
