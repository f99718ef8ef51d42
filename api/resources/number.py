"""Caller numbers."""

from dataclasses import dataclass

from pydantic import Field

from api.base.fields import Body, Change
from api.base.numbers import E164
from api.base.times import Timestamp
from api.resources.answer import Resource
from api.resources.trunk import Activity

_DESCRIPTION = Field(default="", max_length=500, description="Yours.", examples=["Berlin"])


@dataclass(frozen=True)
class NewNumber:
    """A caller number as it comes in, already checked."""

    number: str
    trunk: str | None = None
    """The one that it may be shown on; None: all of them."""
    status: Activity = "active"
    description: str = ""
    caller_name: str | None = None
    """Shown beside it, where neither agent nor call has a name of its own."""


@dataclass(frozen=True, kw_only=True)
class OwnedNumber(NewNumber):
    """A stored caller number."""

    id: str
    created_at: float
    updated_at: float


_NUMBER_STATUS = "`inactive`: it is not shown; calls that wait with it go on waiting."
_NUMBER_NAME = (
    "Name that is shown beside it where neither agent nor call has a `caller_name`; null: none."
)
_NUMBER_TRUNK = "The only trunk that it may be shown on; null: it may be shown on all of them."


class _NumberFields(Body):
    trunk: str | None = Field(default=None, description=_NUMBER_TRUNK)
    status: Activity = Field(default="active", description=_NUMBER_STATUS)
    description: str = _DESCRIPTION
    caller_name: str | None = Field(
        default=None,
        min_length=1,
        max_length=80,
        description=_NUMBER_NAME,
        examples=["Lopez Dental"],
    )


class CreateNumber(_NumberFields):
    """A caller number to add."""

    number: E164 = Field(description="E.164.", examples=["+15559876543"])


class ChangeNumber(_NumberFields, Change):
    """What to change; the rest stays."""


class NumberObject(Resource):
    """A caller number."""

    id: str = Field(json_schema_extra={"format": "uuid"})
    number: str = Field(examples=["+15559876543"])
    trunk: str | None = Field(description=_NUMBER_TRUNK, examples=[None])
    status: Activity = Field(description=_NUMBER_STATUS)
    description: str = Field(examples=["Berlin"])
    caller_name: str | None = Field(description=_NUMBER_NAME, examples=["Lopez Dental"])
    created_at: Timestamp
    updated_at: Timestamp
