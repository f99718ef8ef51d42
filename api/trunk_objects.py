"""Trunks and caller numbers as the API tells and takes them."""

from typing import Any

from pydantic import BaseModel, Field

from api.fields import Body, without_default
from api.number_fields import E164, Prefix
from api.resources import Activity, OwnedNumber, Trunk
from api.times import Timestamp, rfc3339

TRUNK_NAME = r"^[A-Za-z0-9_.-]{1,64}$"

_NAME = "Name of the trunk on the PBX: Asterisk's PJSIP endpoint, FreeSWITCH's gateway."
_STATUS = "`inactive`: nothing more is dialled on it; calls that wait for it go on waiting."
_PREFIXES = "Only numbers that begin with one of these are dialled on it; none: every number."
_CHANNELS = "Most calls on it at one time; null: as many as `calls.max_concurrent` allows."
_RATE = "Most calls that are started on it within a second; null: no limit."
_REFER = (
    "Whether the carrier takes a SIP REFER: a cold transfer then needs no channel of ours. Else it "
    "is made by calling and joining."
)
_NUMBER_STATUS = "`inactive`: it is not shown; calls that wait with it go on waiting."
_NUMBER_TRUNK = "The only trunk that it may be shown on; null: it may be shown on all of them."
_DESCRIPTION = Field(default="", max_length=500, description="Yours.", examples=["Berlin"])
_CHANGED_DESCRIPTION = Field(
    default="", max_length=500, examples=["Berlin"], json_schema_extra=without_default
)


class CreateTrunk(Body):
    """A trunk to add."""

    name: str = Field(pattern=TRUNK_NAME, description=_NAME, examples=["carrier-a"])
    status: Activity = Field(default="active", description=_STATUS)
    description: str = _DESCRIPTION
    allowed_prefixes: list[Prefix] = Field(
        default=[], max_length=500, description=_PREFIXES, examples=[["+1", "+49"]]
    )
    max_channels: int | None = Field(
        default=None, ge=1, le=10_000, description=_CHANNELS, examples=[30]
    )
    calls_per_second: int | None = Field(
        default=None, ge=1, le=1000, description=_RATE, examples=[5]
    )
    allow_refer: bool = Field(default=False, description=_REFER)


class ChangeTrunk(Body):
    """What to change; the rest stays."""

    status: Activity = Field(
        default="active", description=_STATUS, json_schema_extra=without_default
    )
    description: str = _CHANGED_DESCRIPTION
    allowed_prefixes: list[Prefix] = Field(
        default=[],
        max_length=500,
        description=_PREFIXES,
        examples=[["+49"]],
        json_schema_extra=without_default,
    )
    max_channels: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description=_CHANNELS,
        examples=[60],
        json_schema_extra=without_default,
    )
    calls_per_second: int | None = Field(
        default=None, ge=1, le=1000, description=_RATE, json_schema_extra=without_default
    )
    allow_refer: bool = Field(default=False, description=_REFER, json_schema_extra=without_default)


class TrunkObject(BaseModel):
    """A way out for calls."""

    name: str = Field(description=_NAME, examples=["carrier-a"])
    status: Activity = Field(description=_STATUS)
    description: str = Field(examples=["Berlin"])
    allowed_prefixes: list[str] = Field(description=_PREFIXES, examples=[["+1", "+49"]])
    max_channels: int | None = Field(description=_CHANNELS, examples=[30])
    calls_per_second: int | None = Field(description=_RATE, examples=[5])
    allow_refer: bool = Field(description=_REFER)
    channels_in_use: int = Field(description="Calls on it now.", examples=[2])
    created_at: Timestamp
    updated_at: Timestamp


class TrunkList(BaseModel):
    """Every trunk, oldest first."""

    data: list[TrunkObject]
    has_more: bool = Field(examples=[False])
    next_cursor: str | None = Field(examples=[None])


class CreateNumber(Body):
    """A caller number to add."""

    number: E164 = Field(description="E.164.", examples=["+15559876543"])
    trunk: str | None = Field(default=None, description=_NUMBER_TRUNK)
    status: Activity = Field(default="active", description=_NUMBER_STATUS)
    description: str = _DESCRIPTION


class ChangeNumber(Body):
    """What to change; the rest stays."""

    trunk: str | None = Field(
        default=None, description=_NUMBER_TRUNK, json_schema_extra=without_default
    )
    status: Activity = Field(
        default="active",
        description=_NUMBER_STATUS,
        examples=["inactive"],
        json_schema_extra=without_default,
    )
    description: str = _CHANGED_DESCRIPTION


class NumberObject(BaseModel):
    """A caller number."""

    id: str = Field(json_schema_extra={"format": "uuid"})
    number: str = Field(examples=["+15559876543"])
    trunk: str | None = Field(description=_NUMBER_TRUNK, examples=[None])
    status: Activity = Field(description=_NUMBER_STATUS)
    description: str = Field(examples=["Berlin"])
    created_at: Timestamp
    updated_at: Timestamp


class NumberList(BaseModel):
    """Caller numbers, oldest first."""

    data: list[NumberObject]
    has_more: bool = Field(examples=[False])
    next_cursor: str | None = Field(
        description="Give it as `cursor` to get the next page.", examples=[None]
    )


def trunk_object(trunk: Trunk) -> dict[str, Any]:
    """The JSON object of `trunk`."""
    return TrunkObject(
        name=trunk.name,
        status=trunk.status,
        description=trunk.description,
        allowed_prefixes=list(trunk.allowed_prefixes),
        max_channels=trunk.max_channels,
        calls_per_second=trunk.calls_per_second,
        allow_refer=trunk.allow_refer,
        channels_in_use=trunk.channels_in_use,
        created_at=rfc3339(trunk.created_at),
        updated_at=rfc3339(trunk.updated_at),
    ).model_dump()


def number_object(number: OwnedNumber) -> dict[str, Any]:
    """The JSON object of `number`."""
    return NumberObject(
        id=number.id,
        number=number.number,
        trunk=number.trunk,
        status=number.status,
        description=number.description,
        created_at=rfc3339(number.created_at),
        updated_at=rfc3339(number.updated_at),
    ).model_dump()
