"""A campaign's contacts as a file, and what has come of them as another."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from api.base.csv_files import Read, csv_lines, read_table
from api.base.written_numbers import read_number_or_uri
from api.resources.call import Call
from api.resources.campaign import Contact, NewContact

#: Names that the column with the number may have.
_NUMBER: Final = ("to", "to_number", "phone")
_METADATA: Final = "metadata."
_VARIABLES: Final = "variables."
_CONTEXT: Final = "context."
_RESULT: Final = "result."

#: Columns of the results that are members of the call object.
_CALL: Final[Mapping[str, str]] = {
    "call_id": "id",
    "status": "status",
    "answered_by": "answered_by",
    "end_reason": "end_reason",
    "outcome": "outcome",
    "summary": "summary",
    "attempts": "attempt_count",
    "duration_seconds": "duration_seconds",
    "billed_seconds": "billed_duration_seconds",
    "milli_cents": "billing_amount_milli_cents",
}


def read_contacts_csv(body: bytes, country: str | None) -> Read[NewContact]:
    """The contacts of a file: `to` (or `phone`, or `to_number`), `metadata.*`, `variables.*`;
    any other column is context. Raises Problem 422 for what is no such file.

    Args:
        body: the file.
        country: whose national forms are understood.
    """
    return read_table(body, partial(_contact, country=country))


def _contact(cells: Mapping[str, str], country: str | None) -> NewContact:
    numbers = {name: cell for name, cell in cells.items() if name.lower() in _NUMBER}
    if len(numbers) != 1:
        raise ValueError(f"must have one number, in a column {', '.join(_NUMBER)}")
    (written,) = numbers.values()
    number = read_number_or_uri(written, country)
    others = {name: cell for name, cell in cells.items() if name not in numbers}
    metadata, variables = (
        {
            name.removeprefix(prefix): others.pop(name)
            for name in list(others)
            if name.startswith(prefix)
        }
        for prefix in (_METADATA, _VARIABLES)
    )
    context = {name.removeprefix(_CONTEXT): cell for name, cell in others.items()}
    return NewContact(number, context, metadata, variables)


class ResultColumns:
    """The columns of a campaign's results: `to`, what was given with each contact, its call."""

    def __init__(self, returns: Iterable[str]) -> None:
        self._context: dict[str, None] = {}
        self._metadata: dict[str, None] = {}
        self._variables: dict[str, None] = {}
        self._returns = tuple(returns)

    def add(self, contacts: Iterable[Contact]) -> None:
        """Have a column for everything that was given with these."""
        for contact in contacts:
            self._context |= dict.fromkeys(contact.context)
            self._metadata |= dict.fromkeys(contact.metadata)
            self._variables |= dict.fromkeys(contact.variables)

    @property
    def names(self) -> list[str]:
        """The first line."""
        return [
            "to",
            *(_CONTEXT + key for key in self._context),
            *(_METADATA + key for key in self._metadata),
            *(_VARIABLES + key for key in self._variables),
            "contact_status",
            "error",
            *_CALL,
            *(_RESULT + name for name in self._returns),
        ]

    def lines(self, contacts: Sequence[Contact], calls: Mapping[str, Call]) -> str:
        """The lines of some contacts.

        Args:
            contacts: whose.
            calls: theirs, by id.
        """
        return csv_lines(
            self._line(contact, calls.get(contact.call_id or "")) for contact in contacts
        )

    def _line(self, contact: Contact, call: Call | None) -> list[object]:
        told = {} if call is None else call.shown.model_dump()
        result = told.get("result") or {}
        return [
            contact.to_number,
            *(_cell(contact.context.get(key)) for key in self._context),
            *(_cell(contact.metadata.get(key)) for key in self._metadata),
            *(_cell(contact.variables.get(key)) for key in self._variables),
            contact.status,
            contact.error,
            *(told.get(name) for name in _CALL.values()),
            *(_cell(result.get(name)) for name in self._returns),
        ]


def _cell(value: Any) -> object:
    """A JSON value in a cell: texts and numbers as they are, anything else as JSON."""
    if value is None or (isinstance(value, str | int | float) and not isinstance(value, bool)):
        return value
    return json.dumps(value, ensure_ascii=False)
