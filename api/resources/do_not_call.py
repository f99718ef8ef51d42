"""The do-not-call list."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import Field

from api.base.csv_files import Read, csv_lines, read_csv
from api.base.fields import Body
from api.base.numbers import E164, E164_WANTED, is_e164
from api.base.times import Timestamp, rfc3339
from api.resources.answer import Resource

DoNotCallSource = Literal["api", "import", "outcome"]


@dataclass(frozen=True)
class ListedNumber:
    """A number that is never called."""

    number: str
    source: DoNotCallSource
    reason: str
    call_id: str | None
    """Of the call in which it was asked for."""
    created_at: float


MAX_REASON: Final = 500
COLUMNS: Final = ("number", "reason", "source", "call_id", "created_at")

#: What people write between the digits.
_SEPARATORS = re.compile(r"[\s().\-/]")


class AddDoNotCall(Body):
    """A number that must not be called."""

    number: E164 = Field(description="E.164.", examples=["+15551234567"])
    reason: str = Field(
        default="", max_length=MAX_REASON, description="Yours.", examples=["asked by letter"]
    )


class DoNotCallObject(Resource):
    """A number that is never called."""

    number: str = Field(examples=["+15551234567"])
    reason: str = Field(examples=["asked by letter"])
    source: DoNotCallSource = Field(
        description="`api`; `import`: a CSV file; `outcome`: it was asked for in a call."
    )
    call_id: str | None = Field(description="The call in which it was asked for.", examples=[None])
    created_at: Timestamp


def read_do_not_call(body: bytes) -> Read[tuple[str, str]]:
    """Numbers with their reasons from a CSV file. Raises Problem 422.

    Spaces, brackets, dots, dashes and slashes in a number are left out. What `do_not_call_csv`
    wrote is read too; its further columns do not matter.
    """
    return read_csv(body, COLUMNS, _taken, {"phone": "number", "to": "number"})


def do_not_call_csv(listed: Sequence[ListedNumber]) -> str:
    """Lines of a CSV file with `COLUMNS`."""
    return csv_lines(
        (one.number, one.reason, one.source, one.call_id, rfc3339(one.created_at)) for one in listed
    )


def _taken(values: Mapping[str, str]) -> tuple[str, str]:
    number = _SEPARATORS.sub("", values.get("number", ""))
    if not is_e164(number):
        raise ValueError(f"number {E164_WANTED}")
    reason = values.get("reason", "")
    if len(reason) > MAX_REASON:
        raise ValueError(f"reason has {len(reason)} characters; it may have {MAX_REASON}")
    return number, reason
