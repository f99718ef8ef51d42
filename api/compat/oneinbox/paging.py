"""`limit` and `offset`, as OneInbox counts (X-OI-3)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from api.base.problems import FieldError, invalid
from api.http.endpoint import Exchange, Parameter
from api.http.paging import read_number

MAX_LIMIT: Final = 100
DEFAULT_LIMIT: Final = 20
MAX_OFFSET: Final = 1_000_000

LIMIT: Final = Parameter(
    "limit",
    "query",
    "Most items.",
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
)
PARAMETERS: Final = (
    LIMIT,
    Parameter(
        "offset",
        "query",
        "How many to pass over.",
        {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0},
    ),
)


@dataclass(frozen=True)
class Part:
    """What was asked for."""

    limit: int
    offset: int

    def told(self, total: int) -> dict[str, int]:
        """As answers tell it."""
        return {"total": total, "limit": self.limit, "offset": self.offset}


def read_part(exchange: Exchange, others: Collection[str] = ()) -> Part:
    """Read the parameters; 422 for one that is wrong, or not one of these and `others`."""
    limit = read_limit(exchange, ("offset", *others))
    return Part(limit, _number(exchange, "offset", 0, 0, MAX_OFFSET))


def read_limit(exchange: Exchange, others: Collection[str] = ()) -> int:
    """The same of `limit` alone."""
    if unknown := set(exchange.request.query_params) - {"limit", *others}:
        raise invalid([FieldError("unknown parameter", parameter=min(unknown))])
    return _number(exchange, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)


def _number(exchange: Exchange, name: str, default: int, least: int, most: int) -> int:
    text = exchange.request.query_params.get(name, str(default))
    return read_number(text, name, least, most)
