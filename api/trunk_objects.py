"""Trunks and caller numbers as the API tells and takes them."""

from pydantic import Field

from api.answers import Resource
from api.fields import Body, Change
from api.number_fields import E164, Prefix
from api.resources import Activity
from api.times import Timestamp

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


class _TrunkFields(Body):
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


class CreateTrunk(_TrunkFields):
    """A trunk to add."""

    name: str = Field(pattern=TRUNK_NAME, description=_NAME, examples=["carrier-a"])


class ChangeTrunk(_TrunkFields, Change):
    """What to change; the rest stays."""


class TrunkObject(Resource):
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


class _NumberFields(Body):
    trunk: str | None = Field(default=None, description=_NUMBER_TRUNK)
    status: Activity = Field(default="active", description=_NUMBER_STATUS)
    description: str = _DESCRIPTION


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
    created_at: Timestamp
    updated_at: Timestamp
