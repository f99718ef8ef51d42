"""The query of a list: `limit`, `cursor` and its filters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from api.base.problems import FieldError, invalid
from api.http.endpoint import Exchange, Parameter

PAGE_LIMIT: Final = 200
PAGE_DEFAULT: Final = 50

#: Allowed values by parameter; None where any text is.
Filters = Mapping[str, tuple[str, ...] | None]


@dataclass(frozen=True)
class PageQuery:
    """What was asked for."""

    limit: int
    cursor: str | None
    filters: Mapping[str, Any]
    """By parameter: a text, one of the allowed ones where there are such."""


def read_page_query(exchange: Exchange, filters: Filters = MappingProxyType({})) -> PageQuery:
    """Read the parameters; 422 for one that is unknown or wrong."""
    query = exchange.request.query_params
    unknown = set(query) - {"limit", "cursor", *filters}
    if unknown:
        raise invalid([FieldError("unknown parameter", parameter=min(unknown))])
    found = {name: query[name] for name in filters if name in query}
    for name, value in found.items():
        allowed = filters[name]
        if allowed is not None and value not in allowed:
            raise invalid([FieldError(f"must be one of {', '.join(allowed)}", parameter=name)])
    limit = query.get("limit", str(PAGE_DEFAULT))
    number = read_number(limit, "limit", 1, PAGE_LIMIT)
    return PageQuery(number, query.get("cursor"), found)


def read_number(text: str, parameter: str, least: int, most: int) -> int:
    """The whole number that a parameter is; 422 unless it is one from `least` to `most`."""
    if text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most:
        return int(text)
    raise invalid([FieldError(f"must be {least} to {most}", parameter=parameter)])


def page_parameters(what: str, statuses: Sequence[str] = ()) -> tuple[Parameter, ...]:
    """`limit`, `cursor` and, where there are any to choose from, `status` in the words of the
    documentation."""
    choices = {"type": "string", "enum": list(statuses)}
    status = Parameter("status", "query", f"Only these {what.lower()}.", choices)
    limit: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": PAGE_LIMIT}
    page = (
        Parameter("limit", "query", f"{what} on the page.", limit | {"default": PAGE_DEFAULT}),
        Parameter(
            "cursor",
            "query",
            "`next_cursor` of the page before.",
            example="WzE3OTg3OTc2MDAuMCwgIjZmMWMyZDNlIl0=",
        ),
    )
    return (*page, status) if statuses else page
