"""Queries of lists: read by the parameters that the documentation describes."""

from collections.abc import Collection, Iterable
from typing import Any

from api.base.problems import FieldError, invalid
from api.http.endpoint import Exchange, Parameter
from api.http.paging import read_number


def whole_number(
    name: str, description: str, *, least: int, most: int = 1_000_000, default: int
) -> Parameter:
    """A parameter that is a whole number."""
    limits = {"minimum": least, "maximum": most, "default": default}
    return Parameter(name, "query", description, {"type": "integer", **limits})


def read_query(
    exchange: Exchange, parameters: Iterable[Parameter], others: Collection[str] = ()
) -> dict[str, Any]:
    """The value of each of the parameters: its default, else None, where the query has none.

    Raises Problem: 422 for a wrong value, or a parameter beyond these and `others`.
    """
    query = exchange.request.query_params
    values = {one.name: _value(one, query.get(one.name)) for one in parameters}
    if unknown := set(query) - set(values) - set(others):
        raise invalid([FieldError("unknown parameter", parameter=min(unknown))])
    return values


def _value(parameter: Parameter, text: str | None) -> Any:
    name, schema = parameter.name, parameter.schema
    if schema["type"] == "integer":
        given = str(schema["default"]) if text is None else text
        return read_number(given, name, schema["minimum"], schema["maximum"])
    choices = schema.get("enum")
    if text is not None and choices is not None and text not in choices:
        raise invalid([FieldError(f"must be one of {', '.join(choices)}", parameter=name)])
    return text
