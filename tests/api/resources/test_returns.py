"""The `returns` of a call as JSON Schema."""

from typing import Any

import jsonschema
import pytest

from api.resources.returns import check_returns, result_schema, settle_result

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
    assert settle_result(returns, found) == (found | {"day": None}, "`day` is no date")


@pytest.mark.rows("RV-222")
def test_what_is_required_is_missed() -> None:
    returns = {"a": {"type": "string", "required": True}, "b": {"type": "date", "required": False}}
    assert check_returns(returns) == []
    told = "`a` is required and was not said"
    assert settle_result(returns, {"a": None, "b": None}) == ({"a": None, "b": None}, told)
    assert settle_result(returns, {"a": "x", "b": None}) == ({"a": "x", "b": None}, None)
    (error,) = check_returns({"a": {"type": "string", "required": "yes"}})
    assert error.pointer == "/returns/a/required"
