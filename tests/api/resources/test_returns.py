"""The `returns` of a call as JSON Schema."""

from typing import Any
from zoneinfo import ZoneInfo

import jsonschema
import pytest

from api.resources.returns import check_returns, result_schema, settle_result, told_returns

BERLIN = ZoneInfo("Europe/Berlin")
_NO_TIME = "`x` is no date-time"
DAYS = ["2026-03-04", "2026-03-05"]
RETURNS: dict[str, Any] = {
    "confirmed": "boolean",
    "name": "string",
    "count": "integer",
    "price": {"type": "number", "description": "In euros."},
    "day": "date",
    "when": {"type": "string", "format": "date-time"},
    "mood": ["good", "bad"],
    "size": {"type": "string", "enum": ["s", "m"]},
    "colour": {"enum": ["red"]},
    "items": {"type": "array", "items": "string"},
    "scores": {"type": "array", "items": {"type": "integer"}},
}

SAID = {
    "confirmed": True,
    "name": "Maria",
    "count": 2,
    "price": 9.5,
    "day": "2025-04-15",
    "when": "2025-04-15T14:30:00Z",
    "mood": "good",
    "size": "m",
    "colour": "red",
    "items": ["a", "b"],
    "scores": [1],
}


@pytest.mark.rows("X-CB-28", "RV-223…229", "RV-231")
def test_every_form_of_a_type_is_understood() -> None:
    assert check_returns(RETURNS) == []
    schema = result_schema(RETURNS)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(SAID, schema)


def test_what_was_not_said_is_null_but_present() -> None:
    """CB-72, CB-126, X-CB-28."""
    schema = result_schema(RETURNS)
    jsonschema.validate(dict.fromkeys(RETURNS), schema)
    for name in RETURNS:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({key: None for key in RETURNS if key != name}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(SAID | {"more": 1}, schema)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("confirmed", "yes"),
        ("name", 1),
        ("count", 1.5),
        ("price", "9"),
        ("mood", "so so"),
        ("size", "l"),
        ("colour", ""),
        ("items", [1]),
        ("scores", ["1"]),
    ],
)
def test_values_of_another_type_are_refused(name: str, value: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(SAID | {name: value}, result_schema(RETURNS))


def test_too_many_fields_are_refused() -> None:
    (error,) = check_returns({f"f{number}": "string" for number in range(65)})
    assert error.pointer == "/returns"


@pytest.mark.rows("RV-228…229")
def test_a_date_that_is_in_no_calendar_is_not_taken() -> None:
    returns = {"day": "date", "when": "datetime", "name": "string"}
    found = {"day": "2027-02-30", "when": "2027-03-01T09:00:00Z", "name": "2027-02-30"}
    assert settle_result(returns, found, BERLIN) == (found | {"day": None}, "`day` is no date")


@pytest.mark.parametrize(
    ("wanted", "found", "settled", "fault"),
    [
        ("date", "20260304", "2026-03-04", None),
        ("date", "March 4, 2026", "2026-03-04", None),
        ("date", "04/03/2026", None, "`x` is no date"),
        ("date", "", None, None),
        ("date", "null", None, None),
        ({"type": "string", "format": "date"}, "2026-3-4", "2026-03-04", None),
        ("datetime", "2026-03-04T10:00:00", "2026-03-04T10:00:00+01:00", None),
        ("datetime", "2026-07-04T24:00", "2026-07-05T00:00:00+02:00", None),
        ("datetime", "2026-03-04", None, "`x` is no date-time"),
        ({"type": "string", "format": "date-time"}, "next week", None, "`x` is no date-time"),
        ({"type": "array", "items": "date"}, ["20260304", "2026-03-05"], DAYS, None),
        ({"type": "array", "items": "date"}, ["20260304", "soon"], None, "`x` is no date"),
        ({"type": "date", "required": True}, "soon", None, "`x` is no date"),
        ({"type": "date", "required": True}, "", None, "`x` is required and was not said"),
        ("string", "20260304", "20260304", None),
        ("date | number", "20260304", "2026-03-04", None),
        ("number | date | null", "2026-02-30", None, "`x` is no date"),
        ("date | number", 20260304, 20260304, None),
        ("date | number", "none", None, None),
        ("date | datetime", "20260304", "2026-03-04", None),
        ("date | datetime", "20260304T1000", "2026-03-04T10:00:00+01:00", None),
        ("date | datetime", "soon", None, "`x` is no date or date-time"),
        ("date | string", "20260304", "2026-03-04", None),
        ("string | date", "next week", "next week", None),
        ("date | string", "none", "none", None),
        ({"type": ["boolean", "date"]}, "20260304", "2026-03-04", None),
        ({"oneOf": ["date", {"enum": ["never"]}]}, "never", "never", None),
        ({"oneOf": ["date", {"enum": ["never"]}]}, "soon", None, "`x` is no date"),
        ({"day": "date | number"}, {"day": "20260304"}, {"day": "2026-03-04"}, None),
        ({"day": "date | number"}, {"day": "2026-02-30"}, None, "`x` is no date"),
        ({"anyOf": [{"anyOf": ["date", "number"]}, "boolean"]}, "20260304", "2026-03-04", None),
        ({"type": "array", "items": "date | number"}, ["20260304", 3], ["2026-03-04", 3], None),
        ({"type": "array", "items": "date | number"}, ["soon", 3], None, "`x` is no date"),
        ("date[] | date", ["20260304", "2026-03-05"], DAYS, None),
        ("date[] | number[]", [3], [3], None),
        ("date[] | string[]", ["20260304", "soon"], ["20260304", "soon"], None),
        ({"anyOf": [{"day": "date"}, {"at": "datetime"}]}, {"at": "soon"}, None, _NO_TIME),
        (
            {"anyOf": [{"day": "date"}, {"name": "string"}]},
            {"day": "20260304"},
            {"day": "2026-03-04"},
            None,
        ),
    ],
)
def test_dates_are_brought_into_their_format_where_that_is_certain(
    wanted: Any, found: Any, settled: Any, fault: str | None
) -> None:
    returns = {"x": wanted}
    assert check_returns(returns) == []
    assert settle_result(returns, {"x": found}, BERLIN) == ({"x": settled}, fault)


@pytest.mark.parametrize(
    "wanted",
    [
        {"type": "integer", "format": "date"},
        {"type": "array", "items": "string", "format": "date"},
        {"enum": ["a"], "format": "date"},
        {"type": "string", "enum": ["a"], "format": "date-time"},
        {"type": "string", "format": "time"},
    ],
)
def test_a_format_that_would_say_nothing_is_refused(wanted: Any) -> None:
    (error,) = check_returns({"x": wanted})
    assert error.pointer == "/returns/x/format"


@pytest.mark.rows("RV-222")
def test_what_is_required_is_missed() -> None:
    returns = {"a": {"type": "string", "required": True}, "b": {"type": "date", "required": False}}
    assert check_returns(returns) == []
    told = "`a` is required and was not said"
    assert settle_result(returns, {"a": None, "b": None}, BERLIN) == ({"a": None, "b": None}, told)
    assert settle_result(returns, {"a": "x", "b": None}, BERLIN) == ({"a": "x", "b": None}, None)
    (error,) = check_returns({"a": {"type": "string", "required": "yes"}})
    assert error.pointer == "/returns/a/required"


#: As people write them: the type, and what it stands for.
WRITTEN: list[tuple[Any, dict[str, Any]]] = [
    *((name, {"type": "string"}) for name in ("text", "str", "String", " TEXT ", "string?")),
    *((name, {"type": "boolean"}) for name in ("bool", "Boolean", "true/false", "bool | null")),
    *((name, {"type": "integer"}) for name in ("int", "Integer", "whole number", "int?")),
    *((name, {"type": "number"}) for name in ("float", "double", "decimal", "num", "Number")),
    *((name, {"type": "string", "format": "date-time"}) for name in ("timestamp", "date-time")),
    *(
        (name, {"type": "string"})
        for name in (
            *("string | null", "null | string", "string or null", "string/null", "text|none"),
            *("optional string", "Optional[str]", "?string", "string | undefined"),
        )
    ),
    *(
        (name, {"type": "array", "items": {"type": "string"}})
        for name in (
            *("array", "list", "string[]", "text []", "array of strings", "list of text"),
            *(
                "List[str]",
                "Array<string>",
                "array[string]",
                "(string | null)[]",
                "string[] | null",
            ),
        )
    ),
    ("int[]", {"type": "array", "items": {"type": "integer"}}),
    ("list of dates", {"type": "array", "items": {"type": "string", "format": "date"}}),
    (["string"], {"type": "array", "items": {"type": "string"}}),
    ("number | string", {"anyOf": [{"type": "number"}, {"type": "string"}]}),
    ("yes | no | not sure", {"enum": ["yes", "no", "not sure"]}),
    ("'yes' | \"no\" | null", {"enum": ["yes", "no"]}),
    ("enum: red, green", {"enum": ["red", "green"]}),
    ("enum(red, green)", {"enum": ["red", "green"]}),
    ("one of [red, green]", {"enum": ["red", "green"]}),
    ([1, 2, 3], {"enum": [1, 2, 3]}),
    (["yes", "no", None], {"enum": ["yes", "no", None]}),
    ("date: the new day", {"type": "string", "format": "date", "description": "the new day"}),
    ("string (first name)", {"type": "string", "description": "first name"}),
    ("boolean - did they agree?", {"type": "boolean", "description": "did they agree?"}),
    (
        "string[], what hurts",
        {"type": "array", "items": {"type": "string"}, "description": "what hurts"},
    ),
    *(
        (text, {"type": kind})
        for text, kind in (
            *((one, "boolean") for one in ("nullable boolean", "required boolean")),
            *((one, "boolean") for one in ("boolean required", "boolean (required)")),
            *((one, "boolean") for one in ("true or false", "true / false", "bool or unknown")),
            *((one, "number") for one in ("float nullable", "number | unknown")),
        )
    ),
    *(
        (f"{name}{sign}{meaning}", {"type": name, "description": meaning})
        for name, sign, meaning in (
            ("boolean", " ", "true if confirmed"),
            ("boolean", " ", "indicating consent"),
            ("boolean", " or null ", "if unknown"),
            ("boolean", ". ", "True if they agree"),
            ("boolean", " = ", "they agree"),
            ("boolean", ", required: ", "they agree"),
            ("boolean", ": ", "true or false"),
            ("integer", " ", "1-5"),
            ("integer", " ", "between 1 and 5"),
            ("number", " ", "of guests"),
            ("string", ", ", "not required"),
        )
    ),
    *(
        (f"date {meaning}", {"type": "string", "format": "date", "description": meaning})
        for meaning in ("of birth", "in YYYY-MM-DD format", "required by law")
    ),
    ("date or null if none", {"type": "string", "format": "date", "description": "if none"}),
    ("ISO 8601 datetime", {"type": "string", "format": "date-time"}),
    ("date and time", {"type": "string", "format": "date-time"}),
    ("array of strings or null", {"type": "array", "items": {"type": "string"}}),
    *(
        (name, {"type": "array", "items": {"type": "number"}})
        for name in ("array(number)", "list (of numbers)", "array: numbers")
    ),
    *(
        (name, {"type": "array", "items": {"type": "string", "format": "date"}})
        for name in ("array: list of dates", "list: dates", "array of dates or null")
    ),
    (
        "list of symptoms",
        {"type": "array", "items": {"type": "string"}, "description": "of symptoms"},
    ),
    *(
        (text, {"type": "string", "description": text})
        for text in (
            *("time of arrival", "long description", "list price in euros", "real name"),
            *("date or time of the visit", "required documents", "what is required, if any"),
        )
    ),
    ("text of the complaint", {"type": "string", "description": "of the complaint"}),
    *(
        (text, {"enum": ["yes", "no"], "description": "answer"})
        for text in ("yes|no|null: answer", '"yes" | "no" (answer)', "answer: yes | no")
    ),
    ("9:30 | 10:30", {"enum": ["9:30", "10:30"]}),
    ("a: one | b: two", {"enum": ["a: one", "b: two"]}),
    (["string", "null"], {"type": "string"}),
    (["string", "number"], {"anyOf": [{"type": "string"}, {"type": "number"}]}),
    (["text", "call"], {"enum": ["text", "call"]}),
    ("the day that suits them", {"type": "string", "description": "the day that suits them"}),
    ({"description": "The new day"}, {"type": "string", "description": "The new day"}),
    ({"type": "bool", "description": "Agreed"}, {"type": "boolean", "description": "Agreed"}),
    ({"type": ["string", "null"]}, {"type": "string"}),
    ({"type": "integer", "nullable": True}, {"type": "integer"}),
    ({"type": "list", "items": "int"}, {"type": "array", "items": {"type": "integer"}}),
    ({"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Name"}, {"type": "string"}),
    ({"const": "yes"}, {"enum": ["yes"]}),
    (
        {"street": "text", "floors": "int"},
        {
            "type": "object",
            "properties": {
                "street": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                "floors": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            },
            "required": ["street", "floors"],
            "additionalProperties": False,
        },
    ),
    (
        [{"name": "string"}],
        {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
                "required": ["name"],
                "additionalProperties": False,
            },
        },
    ),
]


@pytest.mark.rows("CB-13", "X-CB-28")
@pytest.mark.parametrize(("wanted", "schema"), WRITTEN)
def test_types_are_read_as_people_write_them(wanted: Any, schema: dict[str, Any]) -> None:
    assert check_returns({"field": wanted}) == []
    whole = result_schema({"field": wanted})
    jsonschema.Draft202012Validator.check_schema(whole)
    jsonschema.validate({"field": None}, whole)
    found = whole["properties"]["field"]
    if "enum" in schema:
        choices = [choice for choice in schema["enum"] if choice is not None]
        assert found == schema | {"enum": [*choices, None]}
    else:
        assert found == {"anyOf": [schema, {"type": "null"}]}


WRONG_TYPES: tuple[Any, ...] = (None, True, 3, {}, [], [None], [["a"]], ["a", "a"])


@pytest.mark.parametrize(
    ("wanted", "place"),
    [
        *(
            (name, "")
            for name in ("money", "", "null", "string | money", "money[]", "object", "Map<x>")
        ),
        ("x" + "[]" * 200, ""),
        ("string" + "[]" * 6, ""),
        ("array of " * 50 + "string", ""),
        ({"type": "string" + "[]" * 6}, ""),
        ({"a": {"b": "string" + "[]" * 4}}, "/a/b"),
        ({"type": "string[]", "items": "number"}, "/items"),
        ({"type": "string", "properties": {"a": "string"}}, "/properties"),
        ("x?" * 200, ""),
        *((wrong, "") for wrong in WRONG_TYPES),
        ({"type": "money"}, "/type"),
        ({"type": "money", "enum": ["a"]}, "/type"),
        ({"type": "object"}, "/type"),
        ({"type": "string", "minLength": 3}, "/minLength"),
        ({"type": "string", "format": "uri"}, "/format"),
        ({"type": "number", "format": "date"}, "/format"),
        ({"enum": ["a"], "format": "date"}, "/format"),
        ({"type": "array", "items": "money"}, "/items"),
        ({"enum": []}, "/enum"),
        ({"street": "text", "floors": "money"}, "/floors"),
        ({"type": "object", "properties": {"a": {"type": "money"}}}, "/properties/a/type"),
        ([{"name": "money"}], "/0/name"),
        ({"anyOf": [{"type": "null"}]}, "/anyOf"),
        ({"anyOf": ["string", "money"]}, "/anyOf/1"),
        ({"type": ["string", "money"]}, "/type/1"),
        ({"a": {"b": {"c": {"d": {"e": {"f": "string"}}}}}}, "/a/b/c/d/e/f"),
        ({"type": "string", "description": 3}, "/description"),
    ],
)
def test_others_are_refused_by_the_place_that_is_wrong(wanted: Any, place: str) -> None:
    (error,) = check_returns({"field": wanted})
    assert error.pointer == f"/returns/field{place}", error


def test_a_refused_type_is_told_the_known_ones() -> None:
    (error,) = check_returns({"price": "money"})
    assert "'money'" in error.detail
    assert all(name in error.detail for name in ("string", "integer", "datetime", "string[]"))


def test_fields_within_fields_count_too() -> None:
    wide = {f"f{number}": "string" for number in range(40)}
    (error,) = check_returns({"a": wide, "b": wide})
    assert "at most 64 fields" in error.detail


def test_the_whole_may_be_the_schema_of_an_object() -> None:
    returns = {
        "type": "object",
        "properties": {
            "confirmed": {"type": "boolean"},
            "place": {
                "type": "object",
                "properties": {"street": {"type": "string"}, "floor": {"type": "integer"}},
                "required": ["street"],
            },
        },
        "required": ["confirmed"],
    }
    assert check_returns(returns) == []
    assert list(result_schema(returns)["properties"]) == ["confirmed", "place"]
    found = {"confirmed": None, "place": {"street": None, "floor": 2}}
    fault = "`confirmed` is required and was not said; `place.street` is required and was not said"
    assert settle_result(returns, found, BERLIN) == (found, fault)
    wrong = {"type": "object", "properties": {"a": {"type": "money"}}}
    assert [error.pointer for error in check_returns(wrong)] == ["/returns/properties/a/type"]


def test_a_model_is_told_one_name_of_a_type() -> None:
    returns = {"a": "bool", "b": "string | null", "c": ["x", "y"], "d": "the day that suits"}
    assert told_returns(returns) == returns | {"a": "boolean", "b": "string"}


WHOLE: dict[str, Any] = {"type": "object", "properties": {"a": "boolean"}}


@pytest.mark.parametrize(
    ("returns", "found", "path"),
    [
        *(
            ({"type": "object", "properties": {"a": one}, "required": ["a"]}, {"a": None}, "a")
            for one in (
                *("boolean", "yes | no", ["yes", "no"], "the day", {"enum": ["x"]}),
                *({"anyOf": ["string", "number"]}, {"b": "string"}, {"description": "The day"}),
            )
        ),
        *(
            ({"a": one}, {"a": None}, "a")
            for one in (
                "required boolean",
                "date (required): the day",
                "yes | no, required",
                "why (required)",
            )
        ),
        ({"a": [{"n": {"type": "string", "required": True}}]}, {"a": [{"n": None}]}, "a[0].n"),
        ({"a": [{"n": "string required"}]}, {"a": [{"n": "x"}, {"n": None}]}, "a[1].n"),
        (
            {"a": {"anyOf": ["string", {"n": "required string"}]}},
            {"a": {"n": None}},
            "a.n",
        ),
        (
            {
                "type": "object",
                "properties": {
                    "a": {"type": "object", "properties": {"n": "string"}, "required": ["n"]}
                },
                "required": ["a"],
            },
            {"a": {"n": None}},
            "a.n",
        ),
    ],
)
def test_what_is_required_in_any_form_is_missed(
    returns: dict[str, Any], found: dict[str, Any], path: str
) -> None:
    assert check_returns(returns) == []
    assert settle_result(returns, found, BERLIN) == (
        found,
        f"`{path}` is required and was not said",
    )


def test_a_model_is_told_what_is_required() -> None:
    told = told_returns(WHOLE | {"required": ["a"]})
    assert told == {"a": {"type": "boolean", "required": True}}
    assert told_returns({"a": "bool, required"}) == told


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"required": ["b"]}, "/returns/required/0"),
        ({"required": True}, "/returns/required"),
        ({"required": [["a"]]}, "/returns/required/0"),
        ({"strict": True}, "/returns/strict"),
    ],
)
def test_what_a_schema_says_without_effect_is_refused(more: dict[str, Any], place: str) -> None:
    assert [error.pointer for error in check_returns(WHOLE | more)] == [place]
