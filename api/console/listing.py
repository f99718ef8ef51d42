"""What a list of the API can be searched by, as fields of a form."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from api.console.visit import OPERATIONS, Visit


@dataclass(frozen=True)
class Filter:
    """A field to search by."""

    name: str
    description: str
    choices: tuple[str, ...]
    """Empty: any text."""
    example: str
    value: str


def filters_of(operation: str, given: Mapping[str, str]) -> list[Filter]:
    """The parameters of a list's endpoint, less those of its pages."""

    def each() -> Iterator[Filter]:
        for one in OPERATIONS[operation].parameters:
            if one.place == "query" and one.name not in {"limit", "cursor"}:
                example = one.example[0] if isinstance(one.example, list) else one.example
                yield Filter(
                    one.name,
                    one.description,
                    tuple(one.schema.get("enum", ())),
                    str(example or ""),
                    given.get(one.name, ""),
                )

    return list(each())


def page_query(visit: Visit) -> list[tuple[str, str]]:
    """What was asked for: a form sends its empty fields, too."""
    pairs = visit.request.query_params.multi_items()
    return [(name, value.strip()) for name, value in pairs if value.strip()]
