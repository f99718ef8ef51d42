"""Trunks: over which ways calls go out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from pydantic import Field

from api.base.fields import Body, Change
from api.base.numbers import Prefix
from api.base.times import Timestamp
from api.resources.answer import Resource

Activity = Literal["active", "inactive"]


@dataclass(frozen=True)
class NewTrunk:
    """A trunk as it comes in, already checked."""

    name: str
    """What the PBX calls it."""
    status: Activity = "active"
    description: str = ""
    allowed_prefixes: Sequence[str] = ()
    """`+` and digits; none: every number may be dialled."""
    max_channels: int | None = None
    calls_per_second: int | None = None
    allow_refer: bool = False
    """Whether it may be sent a REFER (RFC 3515)."""
    priority: int = 10
    """Of trunks that fit equally well, the lowest goes first."""
    pbx: str | None = None
    """Which of several PBXs has it; None is that of `[pbx]`."""


T = TypeVar("T", bound=NewTrunk)


@dataclass(frozen=True, kw_only=True)
class Trunk(NewTrunk):
    """A stored trunk."""

    created_at: float
    updated_at: float
    channels_in_use: int
    """Attempts on it that are not over, and second legs of transfers."""
    failures: int = 0
    """Calls in a row that it failed (`api.policy.trunks`)."""
    resting_until: float | None = None
    """Unix seconds; once they are past, one call tries it. None of a trunk that works."""
    rest_reason: str | None = None
    """What the last call that it failed ended with, for people."""


@dataclass(frozen=True)
class Route:
    """How an order goes out."""

    from_number: str
    trunk: str


def trunks_for(number: str, trunks: Sequence[T]) -> list[T]:
    """Active trunks that take `number`: the longest allowed prefix first, then the lowest
    priority, then the oldest.

    Args:
        number: E.164.
        trunks: oldest first.
    """
    matches = [(_match(number, trunk), trunk) for trunk in trunks if trunk.status == "active"]
    fitting = [(length, trunk) for length, trunk in matches if length is not None]
    fitting.sort(key=lambda match: (-match[0], match[1].priority))
    return [trunk for _, trunk in fitting]


def _match(number: str, trunk: NewTrunk) -> int | None:
    """Length of the longest allowed prefix of `number`; None if there is none."""
    if not trunk.allowed_prefixes:
        return 0
    fitting = (len(prefix) for prefix in trunk.allowed_prefixes if number.startswith(prefix))
    return max(fitting, default=None)


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
_PRIORITY = (
    "Of trunks whose prefixes fit a number equally well, the lowest goes first; the others are "
    "tried where it fails."
)
_PBX = (
    "Which PBX has it: a name of `[pbxs.NAME]` in the settings; null: that of `[pbx]`. Its calls "
    "wait for no other one."
)
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
    priority: int = Field(default=10, ge=0, le=65_535, description=_PRIORITY, examples=[10])
    pbx: str | None = Field(default=None, max_length=63, description=_PBX, examples=["berlin"])


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
    priority: int = Field(description=_PRIORITY, examples=[10])
    pbx: str | None = Field(description=_PBX, examples=["berlin"])
    channels_in_use: int = Field(description="Calls on it now.", examples=[2])
    failures: int = Field(description="Calls in a row that it failed.", examples=[0])
    resting_until: Timestamp | None = Field(
        description="Until then nothing is dialled on it, as it failed; after that, one call at a "
        "time until one gets through. null: it works."
    )
    rest_reason: str | None = Field(description="What it failed with last, as it rests.")
    created_at: Timestamp
    updated_at: Timestamp
