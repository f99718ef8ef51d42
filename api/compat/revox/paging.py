"""`page` and `page_size`, as Revox counts."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from api.base.problems import FieldError, invalid
from api.http.endpoint import Exchange, Parameter
from api.http.paging import read_number

MAX_SIZE: Final = 100
DEFAULT_SIZE: Final = 20
#: The last page that can be asked for.
MAX_PAGE: Final = 1_000_000

PARAMETERS: Final = (
    Parameter(
        "page",
        "query",
        "1 for the first.",
        {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 1},
    ),
    Parameter(
        "page_size",
        "query",
        "How many on a page.",
        {"type": "integer", "minimum": 1, "maximum": MAX_SIZE, "default": DEFAULT_SIZE},
    ),
)


@dataclass(frozen=True)
class Page:
    """What was asked for."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        """How many come before it."""
        return (self.number - 1) * self.size

    def told(self, total: int) -> dict[str, int]:
        """The page as answers tell it."""
        return {"page": self.number, "page_size": self.size, "total": total}


def read_page(exchange: Exchange, others: Collection[str] = ()) -> Page:
    """Read the parameters; 422 for one that is wrong, or not one of these and `others`."""
    query = exchange.request.query_params
    unknown = set(query) - {"page", "page_size", *others}
    if unknown:
        raise invalid([FieldError("unknown parameter", parameter=min(unknown))])
    return Page(
        _number(exchange, "page", 1, MAX_PAGE),
        _number(exchange, "page_size", DEFAULT_SIZE, MAX_SIZE),
    )


def _number(exchange: Exchange, name: str, default: int, most: int) -> int:
    text = exchange.request.query_params.get(name, str(default))
    return read_number(text, name, 1, most)
