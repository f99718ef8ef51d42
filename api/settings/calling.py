"""What calls may be placed, who is told of them, and what tools may reach."""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, IPvAnyNetwork, SecretStr

from api.base.signing import check_secret
from api.policy.destinations import COUNTRIES, Destinations
from api.policy.zones import zone
from api.settings.section import E164, Certificates, Prefix, Section

#: Body of a webhook.
PayloadStyle = Literal["call", "envelope", "callingbox", "callingbox_call", "oneinbox", "revox"]


def _signing_secret(secret: SecretStr) -> SecretStr:
    check_secret(secret.get_secret_value())
    return secret


def _time_zone(name: str) -> str:
    zone(name)
    return name


def _country(code: str) -> str:
    if code not in COUNTRIES:
        raise ValueError(f"{code!r} is no country's two letters (ISO 3166), as DE")
    return code


class Calls(Section):
    """What calls may be placed."""

    numbers: tuple[E164, ...] = Field(
        default=(),
        description="Caller numbers of this deployment, the default first. They are added to "
        "`/v1/numbers` where they are not there; the oldest active one is the default.",
    )
    inbound_numbers: Mapping[Annotated[str, Field(min_length=1, max_length=40)], E164] = Field(
        default_factory=dict,
        description="Numbers of yours by what the trunk tells in their place of inbound calls, "
        'where that is no form of the number itself: `{ "100" = "+15551234567" }`.',
    )
    trusted_caller_id_trunks: tuple[str, ...] = Field(
        default=(),
        description="Trunks whose caller ids are proven (a carrier that signs or screens them). A "
        "caller over any other may show somebody else's number: it is not put on the do-not-call "
        "list by what is said, and gets no text messages.",
    )
    allowed_countries: tuple[Annotated[str, AfterValidator(_country)], ...] = Field(
        default=(),
        description="Countries (ISO 3166, as `DE`) that calls and transfers may go to beside those "
        "of `calls.numbers` and of the caller number that is shown.",
    )
    allowed_prefixes: tuple[Prefix, ...] = Field(
        default=(),
        description="Numbers that calls and transfers may go to by how they begin, as `+1876`. "
        "Premium-rate, shared-cost, personal, pager, company (UAN), satellite, short and emergency "
        "numbers are refused, at home too, unless a prefix beyond the country code names them, as "
        "`+1900` or `+881`; `+` alone is every ordinary number of the world.",
    )
    max_calls_per_number_per_day: int = Field(
        default=20,
        ge=0,
        description="Most calls that may be placed to one number in 24 hours, whoever places them, "
        "each with all its attempts; 0 is no limit.",
    )
    max_calls_per_day: int = Field(
        default=0,
        ge=0,
        description="Most calls that one API key may place in 24 hours, its campaigns' among them; "
        "0 is no limit.",
    )
    max_minutes_per_day: int = Field(
        default=0,
        ge=0,
        description="Most minutes that the calls of one API key may last in 24 hours; one that is "
        "not over counts with its longest duration. 0 is no limit.",
    )
    default_country: Annotated[str, AfterValidator(_country)] | None = Field(
        default=None,
        description="Country (ISO 3166, as `US`) whose national forms are understood where a "
        "number is asked for, as `(555) 123-4567`; unset takes `+` and the country code only.",
    )
    default_language: str = Field(
        default="en", description="Language of a call that names none, as `en` or `en-GB`."
    )
    default_timezone: Annotated[str, AfterValidator(_time_zone)] | None = Field(
        default=None,
        description="Time zone of callees whose number does not tell theirs and may be in it "
        "(mobile, toll-free, of no country), as `Europe/Berlin`; unset is where the capital of "
        "the number's country is, or most of its people live.",
    )
    max_concurrent: int = Field(
        default=10, ge=1, description="Most calls in progress (lines in use) at one time."
    )
    max_analyses: int = Field(
        default=2,
        ge=1,
        description="Most calls at one time that are over and whose result the language model is "
        "looking for; their lines are free.",
    )
    ring_timeout_s: int = Field(default=30, ge=1, le=600, description="Seconds to let it ring.")
    analysis: bool = Field(
        default=True,
        description="Whether the language model says what a call came to: `outcome`, `summary`.",
    )
    max_duration_s: int = Field(
        default=600,
        ge=5,
        le=86_400,
        description="Longest conversation in seconds; a call may ask for less.",
    )
    max_transferred_s: int = Field(
        default=14_400,
        ge=60,
        le=86_400,
        description="How long two people may talk whom a transfer has joined, in seconds; then "
        "they are hung up.",
    )
    max_without_audio_s: float = Field(
        default=20.0,
        ge=11,
        le=3600,
        description="Seconds without any audio from the far end, comfort noise included, after "
        "which the agent hangs up; on hold it waits for `voice.max_hold_s`.",
    )

    @cached_property
    def destinations(self) -> Destinations:
        """Where calls may go, but for the home of the number that a call shows."""
        home = Destinations.countries_of(self.numbers)
        return Destinations(home | frozenset(self.allowed_countries), self.allowed_prefixes)


class Webhooks(Section):
    """Deliveries of lifecycle events."""

    timeout_s: float = Field(default=10.0, gt=0, description="Seconds a receiver has to answer.")
    allow_http: bool = Field(
        default=False, description="Whether `http://` receivers are allowed beside `https://`."
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(),
        description="If given, only these host names are delivered to (`*.example.org` too). A key "
        "with the scope `call` names no receiver elsewhere.",
    )
    allowed_networks: tuple[IPvAnyNetwork, ...] = Field(
        default=(),
        description="Networks (CIDR) allowed although they are loopback, link-local, or this "
        "machine's own addresses, which are refused otherwise.",
    )
    retry_schedule_s: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        default=(60, 300, 1800, 7200, 18_000, 36_000, 86_400),
        description="Seconds before each retry of a failed delivery; then it is given up.",
    )
    retry_jitter: float = Field(
        default=0.2,
        ge=0,
        lt=1,
        description="Random share by which a delay is shortened or lengthened.",
    )
    per_host: int = Field(
        default=4, ge=1, description="Most simultaneous deliveries to one receiver."
    )
    concurrency: int = Field(default=32, ge=1, description="Most simultaneous deliveries in all.")
    payload: PayloadStyle = Field(
        default="call",
        description="Body: `call`, the call object with a `type` key; `envelope`, "
        "`{id, type, timestamp, data: {call}}`; `callingbox`, "
        "`{id, type, created, api_version, data: {call}}`; `callingbox_call`, its call object "
        "alone; `oneinbox` and `revox`, as those services tell it. An endpoint may choose its own; "
        "a call placed in a dialect has that dialect's.",
    )
    secret: Annotated[SecretStr, AfterValidator(_signing_secret)] | None = Field(
        default=None,
        description="Default signing secret (`whsec_…`); unset means one made at the first start, "
        "which can be rotated.",
    )


class Tools(Section):
    """What agents' tools, and language models that a request names, may reach over HTTP."""

    allow_http: bool = Field(
        default=False, description="Whether `http://` is allowed beside `https://`."
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(),
        description="If given, only these host names are reached (`*.example.org` too). A key with "
        "the scope `call` brings no tools for elsewhere.",
    )
    allowed_networks: tuple[IPvAnyNetwork, ...] = Field(
        default=(),
        description="Networks (CIDR) allowed although they are loopback, link-local, or this "
        "machine's own addresses, which are refused otherwise.",
    )
    ca_file: Certificates | None = Field(
        default=None,
        description="Certificates (PEM) to trust beside the public ones, as of your own authority.",
    )
