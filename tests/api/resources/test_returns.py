"""The `returns` of a call as JSON Schema."""

from typing import Any
from zoneinfo import ZoneInfo

import jsonschema
import pytest

from api.resources.returns import check_returns, result_schema, settle_result

BERLIN = ZoneInfo("Europe/Berlin")
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
