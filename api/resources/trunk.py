"""Trunks: over which ways calls go out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeVar

from pydantic import Field

from api.base.dial_patterns import fits
from api.base.fields import Body, Change
from api.base.numbers import Prefix, is_extension
from api.base.sip_uris import PATTERN, fits_uri, is_sip_uri
from api.base.times import Timestamp
from api.policy.rewriting import Rule
from api.policy.trunks import draw
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
    weight: int = 0
    """Of those with one priority, they share calls in this proportion; 0 comes after them."""
    pbx: str | None = None
    """Which of several PBXs has it; None is that of `[pbx]`."""
    dial_string: str | None = None
    """What the PBX dials, as a template; None is `pbx.dial_string`."""
    number_rules: Sequence[Mapping[str, str]] = ()
    """How the PBX takes the number that is called; each as `Rule`."""
    caller_rules: Sequence[Mapping[str, str]] = ()
    """How it takes the number that is shown."""
    inbound_number_rules: Sequence[Mapping[str, str]] = ()
    """What is meant by the number that it tells was dialled."""
    inbound_caller_rules: Sequence[Mapping[str, str]] = ()
    """What is meant by the number that it tells is calling."""
    extensions: Sequence[str] = ()
    """Patterns of extensions that may be dialled on it (`api.base.dial_patterns`); none: none."""
    sip_uris: Sequence[str] = ()
    """Rules of SIP URIs that may be dialled on it (`api.base.sip_uris`); none: none."""


T = TypeVar("T", bound=NewTrunk)


def group_of(trunk: NewTrunk) -> tuple[int, frozenset[str]] | None:
    """What trunks have in common of which each may have the calls of another; None: it shares
    none, or has what is dialled on it alone."""
    if not trunk.weight or trunk.extensions or trunk.sip_uris:
        return None
    return trunk.priority, frozenset(trunk.allowed_prefixes)


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


def trunks_for(number: str, trunks: Sequence[T], key: str = "") -> list[T]:
    """Active trunks that take `number`: the longest allowed prefix first, then the lowest
    priority, then as their weights have it (`draw`), then the oldest.

    Args:
        number: E.164, or an extension or SIP URI, which those take that have a rule for it.
        trunks: oldest first.
        key: of the call that draws one.
    """

    def lot(trunk: NewTrunk) -> float:
        return draw(key, trunk.name, trunk.weight)

    matches = [(_match(number, trunk), trunk) for trunk in trunks if trunk.status == "active"]
    fitting = [(length, trunk) for length, trunk in matches if length is not None]
    fitting.sort(key=lambda match: (-match[0], match[1].priority, lot(match[1])))
    return [trunk for _, trunk in fitting]


def _match(number: str, trunk: NewTrunk) -> int | None:
    """Length of the longest allowed prefix of `number`; None if there is none."""
    if is_extension(number):
        return 0 if any(fits(number, pattern) for pattern in trunk.extensions) else None
    if is_sip_uri(number):
        return 0 if any(fits_uri(number, rule) for rule in trunk.sip_uris) else None
    if not trunk.allowed_prefixes:
        return 0
    fitting = (len(prefix) for prefix in trunk.allowed_prefixes if number.startswith(prefix))
    return max(fitting, default=None)


def rules_of(told: Sequence[Mapping[str, str]]) -> list[Rule]:
    """A trunk's rules as what applies them."""
    return [Rule(**one) for one in told]


TRUNK_NAME = r"^[A-Za-z0-9_.-]([A-Za-z0-9_. -]{0,62}[A-Za-z0-9_.-])?$"
_KEYS: Final = r"^\+?[0-9*#]{0,20}$"
_EXTENSION: Final = r"^([0-9*#XZN]|\[([0-9](-[0-9])?)+\]){2,8}$"
_PATTERN: Final = r"^([0-9*#+XZN]|\[([0-9](-[0-9])?)+\])*[.!]?$"

ExtensionPattern = Annotated[str, Field(pattern=_EXTENSION, max_length=100)]
SipUriRule = Annotated[str, Field(pattern=PATTERN, max_length=200)]
_NAME = (
    "Name of the trunk on the PBX: Asterisk's PJSIP endpoint, FreeSWITCH's gateway; `{trunk}` of "
    "its `dial_string`."
)
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
_WEIGHT = (
    "Of trunks that fit a number equally well and have one `priority`, those with a weight share "
    "the calls in this proportion: 3 has three of four beside 1. Where one has no room (its "
    "`max_channels`, its `calls_per_second`), another of theirs with the same `allowed_prefixes` "
    "takes the call at once. 0: it shares none, and comes after those that do."
)
_PBX = (
    "Which PBX has it: a name of `[pbxs.NAME]` in the settings; null: that of `[pbx]`. Its calls "
    "wait for no other one."
)
_DIAL_STRING = (
    "What the PBX dials, with `{number}` and, if need be, `{trunk}`: `PJSIP/{number}@{trunk}`, "
    "`Local/{number}@from-internal/n`, `SIP/{trunk}/{number}`; over FreeSWITCH "
    "`sofia/gateway/{trunk}/{number}`, `loopback/{number}/default`, `user/{number}`. null: "
    "`pbx.dial_string`, else the first of these."
)
_NUMBER_RULES = (
    "How the PBX takes the number that is called: the first rule that fits is applied; where none "
    "does, the number goes as it is, in E.164 form with the plus sign."
)
_RULE: Final = {"prefix": "+49", "match": ".", "prepend": "0"}
_INBOUND_RULE: Final = {"prefix": "0", "match": "ZX.", "prepend": "+49"}
_CALLER_RULES = "How it takes the caller number that is shown, likewise."
_DESCRIPTION = Field(default="", max_length=500, description="Yours.", examples=["Berlin"])


_INBOUND_NUMBER_RULES = (
    "What the number means that the trunk tells was dialled, likewise: to E.164. Where none fits, "
    "it is read as usual."
)
_INBOUND_CALLER_RULES = "What the number means that it tells is calling, likewise."
_EXTENSIONS = (
    "Extensions, queues, ring groups and short codes that calls and transfers may go to on it, as "
    "patterns of 2 to 8 keys: digits, `*`, `#`, `X` a digit, `Z` 1 to 9, `N` 2 to 9, `[13-5]` one "
    "of those. They are dialled as they are, and cost nothing; emergency numbers are none. "
    "Without any, only numbers are dialled."
)
_SIP_URIS = (
    "SIP URIs that calls and transfers may go to on it, by their hosts: `pbx.example`, "
    "`*.office.example` for every host below, with a port where the URI has one. A host alone is "
    "of users that begin with a letter; `2XX@pbx.example` is of keys (as `extensions`), "
    "`bob@pbx.example` of one user, `*@pbx.example` of all. For a `dial_string` of "
    "`PJSIP/{number}@…` or `sofia/…`. Without any, no SIP URI is dialled."
)


class NumberRule(Body):
    """As FreePBX's dial patterns: `prepend` + `prefix` | `match`."""

    prefix: str = Field(
        default="",
        pattern=_KEYS,
        description="What the number begins with; it is taken off.",
        examples=["+49"],
    )
    match: str = Field(
        default=".",
        min_length=1,
        max_length=60,
        pattern=_PATTERN,
        description="What the rest is, all of it: digits, `*`, `#`, `+`; `X` a digit, `Z` 1 to 9, "
        "`N` 2 to 9, `[13-5]` one of those; at the end `.` one or more of any, `!` any number.",
        examples=["."],
    )
    prepend: str = Field(
        default="", pattern=_KEYS, description="What is put in front of the rest.", examples=["0"]
    )


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
    weight: int = Field(default=0, ge=0, le=100, description=_WEIGHT, examples=[3])
    pbx: str | None = Field(default=None, max_length=20, description=_PBX, examples=["berlin"])
    dial_string: str | None = Field(
        default=None,
        max_length=200,
        description=_DIAL_STRING,
        examples=["PJSIP/{number}@{trunk}"],
    )
    number_rules: list[NumberRule] = Field(
        default=[], max_length=50, description=_NUMBER_RULES, examples=[[_RULE]]
    )
    caller_rules: list[NumberRule] = Field(
        default=[], max_length=50, description=_CALLER_RULES, examples=[[_RULE]]
    )
    inbound_number_rules: list[NumberRule] = Field(
        default=[], max_length=50, description=_INBOUND_NUMBER_RULES, examples=[[_INBOUND_RULE]]
    )
    inbound_caller_rules: list[NumberRule] = Field(
        default=[], max_length=50, description=_INBOUND_CALLER_RULES, examples=[[_INBOUND_RULE]]
    )
    extensions: list[ExtensionPattern] = Field(
        default=[], max_length=100, description=_EXTENSIONS, examples=[["2XX", "600"]]
    )
    sip_uris: list[SipUriRule] = Field(
        default=[], max_length=100, description=_SIP_URIS, examples=[["pbx.example"]]
    )


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
    weight: int = Field(description=_WEIGHT, examples=[3])
    pbx: str | None = Field(description=_PBX, examples=["berlin"])
    dial_string: str | None = Field(description=_DIAL_STRING, examples=["PJSIP/{number}@{trunk}"])
    number_rules: list[NumberRule] = Field(description=_NUMBER_RULES, examples=[[_RULE]])
    caller_rules: list[NumberRule] = Field(description=_CALLER_RULES, examples=[[_RULE]])
    inbound_number_rules: list[NumberRule] = Field(
        description=_INBOUND_NUMBER_RULES, examples=[[_INBOUND_RULE]]
    )
    inbound_caller_rules: list[NumberRule] = Field(
        description=_INBOUND_CALLER_RULES, examples=[[_INBOUND_RULE]]
    )
    extensions: list[str] = Field(description=_EXTENSIONS, examples=[["2XX", "600"]])
    sip_uris: list[str] = Field(description=_SIP_URIS, examples=[["pbx.example"]])
    channels_in_use: int = Field(description="Calls on it now.", examples=[2])
    failures: int = Field(description="Calls in a row that it failed.", examples=[0])
    resting_until: Timestamp | None = Field(
        description="Until then nothing is dialled on it, as it failed; after that, one call at a "
        "time until one gets through. null: it works."
    )
    rest_reason: str | None = Field(description="What it failed with last, as it rests.")
    created_at: Timestamp
    updated_at: Timestamp
