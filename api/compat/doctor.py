"""What a stock client of a hosted service needs here: whether it is there, and the lines to add to
`offhook.toml` where it is not. What `offhook doctor --dialect` tells."""

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from api.compat.dialects import DIALECTS
from api.egress.policy import EgressError, EgressPolicy
from api.resources.dialect import Dialect
from api.settings import Settings
from models.registry import EngineRegistry, Kind

#: Settings to add, by table and key; the values are TOML.
Lines = Mapping[str, Mapping[str, str]]

_SOMEBODY: Final = {"US": "+12125550142"}
#: Hosts of links that lead no client elsewhere to us.
_HERE: Final = frozenset({"127.0.0.1", "::1", "localhost", "0.0.0.0", "::"})  # noqa: S104


@dataclass(frozen=True)
class Stock:
    """What clients of a service send and expect, as its documents have it."""

    languages: tuple[str, ...]
    voice: str
    """The form in which they name a voice."""
    providers: tuple[str, ...] = ()
    """Whose voices they name, where they say so."""
    llms: tuple[str, ...] = ()
    transcribers: tuple[str, ...] = ()
    country: str | None = None
    """ISO 3166 code of the one that the service calls."""
    longest_s: int = 0
    """The longest conversation that its examples ask for."""
    recording_links: bool = False
    outcomes: bool = False
    inbound: bool = False
    texts: bool = False
    mails: bool = False
    calendars: bool = False


STOCK: Final[Mapping[Dialect, Stock]] = {
    "callingbox": Stock(("en", "es"), voice="VOICE", country="US", inbound=True),
    "oneinbox": Stock(
        ("en",),
        voice="VOICE-ID",
        llms=("gpt-4.1-mini",),
        transcribers=("nova-3",),
        longest_s=600,
        recording_links=True,
        outcomes=True,
    ),
    "revox": Stock(
        ("en",),
        voice="cartesia/VOICE-ID",
        providers=("cartesia", "elevenlabs"),
        llms=("gpt-4.1", "ministral-3-8b-instruct", "openai/gpt-4.1"),
        recording_links=True,
        outcomes=True,
        texts=True,
        mails=True,
        calendars=True,
    ),
}


@dataclass(frozen=True)
class Installation:
    """What there is here."""

    settings: Settings
    engines: EngineRegistry
    numbers: tuple[str, ...] = ()
    """Active caller numbers."""
    keys: frozenset[Dialect | None] = frozenset()
    """The dialects that keys bear; None where one bears none."""
    calendars: int = 0
    """How many calendars agents may book in."""
    receivers: Mapping[str, str | None] = field(default_factory=dict)
    """Webhook URL of a stored agent or endpoint to why it cannot be reached, if so."""
    unasked: tuple[str, ...] = ()
    """Those of which that is not known."""


@dataclass(frozen=True)
class Need:
    """Something that a stock client needs."""

    check: str
    ok: bool
    message: str
    lines: str = ""
    """To add to `offhook.toml`, where that is what is missing."""
    command: str = ""
    """To run, where that is."""


def examine(dialect: Dialect, here: Installation) -> list[Need]:
    """Everything that a stock client of a service needs, in the order in which it meets it."""
    stock = STOCK[dialect]
    return [
        _base_url(dialect, here),
        _keys(dialect, here),
        *_numbers(stock, here),
        *(_language(code, here) for code in stock.languages),
        *_names("llm", stock.llms, here),
        *_names("transcriber", stock.transcribers, here),
        _voices(stock, here),
        *_duration(stock, here),
        _limits(here),
        *_webhooks(here),
        *_links(stock, here),
        *_parts(stock, here),
    ]


@dataclass(frozen=True)
class Additions:
    """What to add to a settings file."""

    tables: Mapping[str, str]
    """Lines to go into tables that the file has, by the table's name."""
    new: str
    """Tables that it has not, for its end."""


def additions(needs: Iterable[Need], file: str) -> Additions:
    """The lines of all needs, each table once.

    Args:
        needs: as of `examine`.
        file: the TOML that the settings are from.
    """
    wanted: dict[str, list[str]] = {}
    table = ""
    for need in needs:
        for line in need.lines.splitlines():
            if line.startswith("["):
                table = line[1:-1]
            elif line not in wanted.setdefault(table, []):
                wanted[table].append(line)
    there, new = {}, ""
    for table, lines in wanted.items():
        more = "\n".join((f"{new}\n\n[{table}]", *lines)).lstrip()
        try:
            tomllib.loads(f"{file}\n{more}")
        except tomllib.TOMLDecodeError:  # no table may be declared twice
            there[table] = "\n".join(_in_place(lines, _table(file, table)))
        else:
            new = more
    return Additions(there, new)


def _table(file: str, name: str) -> Mapping[str, Any]:
    table: Any = tomllib.loads(file)
    for part in name.split("."):
        table = table[part]
    found: Mapping[str, Any] = table
    return found


def _in_place(lines: Iterable[str], table: Mapping[str, Any]) -> Iterator[str]:
    """The lines, with a note where the table has the key already."""
    for line in lines:
        there = not table.keys().isdisjoint(tomllib.loads(line))
        yield f"{line}  # in place of the line there" if there else line


def _missing(check: str, message: str, lines: Lines) -> Need:
    told = [
        "\n".join((f"[{table}]", *(f"{key} = {value}" for key, value in pairs.items())))
        for table, pairs in lines.items()
    ]
    return Need(check, ok=False, message=message, lines="\n".join(told))


def _base_url(dialect: Dialect, here: Installation) -> Need:
    server, style = here.settings.server, DIALECTS[dialect]
    root = server.public_url or f"http://{server.host}:{server.port}"
    return Need("base URL", ok=True, message=f"{root.rstrip('/')}{style.prefix}")


def _keys(dialect: Dialect, here: Installation) -> Need:
    command = f"offhook keys create crm --dialect {dialect}"
    if dialect in here.keys:
        message = "there is one for this service, good without its path too"
        return Need("keys", ok=True, message=message)
    if here.keys:
        message = "good at the base URL; a client whose URL has no path to set needs one of its own"
        return Need("keys", ok=True, message=message, command=command)
    return Need("keys", ok=False, message="there is none", command=command)


def _numbers(stock: Stock, here: Installation) -> Iterator[Need]:
    if not here.numbers:
        lines = {"calls": {"numbers": '["+15551234567"]'}}
        yield _missing("numbers", "no caller number: name those of your trunk", lines)
        return
    yield Need("numbers", ok=True, message=f"calls show {here.numbers[0]} unless told otherwise")
    if stock.country is None:
        return
    destinations = here.settings.calls.destinations
    refused = destinations.refusal(_SOMEBODY[stock.country], here.numbers[0])
    if refused is None:
        yield Need("countries", ok=True, message=f"numbers of {stock.country} may be called")
        return
    allowed = dict.fromkeys((*here.settings.calls.allowed_countries, stock.country))
    lines = {"calls": {"allowed_countries": json.dumps([*allowed])}}
    yield _missing("countries", f"numbers of {stock.country} may not be called", lines)


def _language(code: str, here: Installation) -> Need:
    check = f"language {code}"
    if code in here.engines.languages:
        return Need(check, ok=True, message="heard and spoken")
    known = ", ".join(sorted(here.engines.languages)) or "none"
    message = f"the loaded models speak {known}; after the lines, `offhook models pull small`"
    return _missing(check, message, {"models": {"set": '"small"'}})


def _names(kind: Kind, names: Iterable[str], here: Installation) -> Iterator[Need]:
    own = {"llm": here.engines.llms, "transcriber": here.engines.transcribers}[kind][0].name
    for name in names:
        check = f"{_SHOWN[kind]} {name}"
        if here.engines.problem(kind, name) is None:
            message = f"is {here.engines.own_name(kind, name)!r}"
            yield Need(check, ok=True, message=message)
            continue
        message = "is no engine here: calls that name it are refused"
        lines = {"models.aliases": {json.dumps(name): json.dumps(own)}}
        yield _missing(check, message, lines)


_SHOWN: Final[Mapping[str, str]] = {"llm": "model", "transcriber": "transcriber"}


def _voices(stock: Stock, here: Installation) -> Need:
    voices = here.engines.voices
    known = ", ".join(one.name for one in voices)
    aliases = [alias for one in voices for alias in here.engines.aliases_of(one.name)]
    # One without a provider is found by any provider's clients.
    if aliased := [one for one in aliases if one.rpartition("/")[0] in ("", *stock.providers)]:
        return Need("voices", ok=True, message=f"{known}; also {', '.join(sorted(aliased))}")
    message = f"{known}, and no other name for one: put in what your client calls its voice"
    lines = {"models.aliases": {json.dumps(stock.voice): json.dumps(voices[0].name)}}
    return _missing("voices", message, lines)


def _duration(stock: Stock, here: Installation) -> Iterator[Need]:
    most = here.settings.calls.max_duration_s
    if most >= stock.longest_s:
        yield Need("duration", ok=True, message=f"a call may ask for up to {most} s")
        return
    message = f"a call may ask for up to {most} s, and examples ask for {stock.longest_s}"
    yield _missing("duration", message, {"calls": {"max_duration_s": str(stock.longest_s)}})


def _limits(here: Installation) -> Need:
    calls, server = here.settings.calls, here.settings.server
    limits = {
        "calls at one time": calls.max_concurrent,
        "a day to one number": calls.max_calls_per_number_per_day,
        "a day of one key": calls.max_calls_per_day,
        "requests a minute of one key": server.rate_limit_per_minute,
    }
    told = ", ".join(f"{most} {what}" for what, most in limits.items() if most)
    return Need("limits", ok=True, message=told)


def _webhooks(here: Installation) -> Iterator[Need]:
    hosts = here.settings.webhooks.allowed_hosts
    goes = f"only to {', '.join(hosts)} (webhooks.allowed_hosts)" if hosts else "to any host"
    http = "" if here.settings.webhooks.allow_http else ", by https://"
    yield Need("webhooks", ok=True, message=f"are sent {goes}{http}")
    policy = EgressPolicy(here.settings.webhooks)
    for url in (*here.receivers, *here.unasked):
        try:
            policy.check_url(url)
        except EgressError as error:
            yield _refused_receiver(url, str(error))
            continue
        if url in here.receivers:
            fault = here.receivers[url]
            told = "can be reached" if fault is None else fault
            yield Need(f"webhook {url}", ok=fault is None, message=told)
    if here.unasked:
        message = f"{len(here.unasked)} more were not asked whether they can be reached"
        yield Need("webhooks", ok=True, message=message)


def _refused_receiver(url: str, fault: str) -> Need:
    check = f"webhook {url}"
    if url.startswith("http://") and "allow_http" in fault:
        return _missing(check, fault, {"webhooks": {"allow_http": "true"}})
    return Need(check, ok=False, message=fault)


def _links(stock: Stock, here: Installation) -> Iterator[Need]:
    if not stock.recording_links:
        return
    settings = here.settings
    if not settings.recordings.enabled:
        lines = {"recordings": {"enabled": "true"}}
        yield _missing("recordings", "`recording_url` is always null", lines)
    elif settings.server.public_url is None and settings.server.host in _HERE:
        message = (
            f"`recording_url` begins with http://{settings.server.host}, which only this machine "
            "can follow: put in where clients reach the server"
        )
        lines = {"server": {"public_url": '"https://calls.example.org"'}}
        yield _missing("recordings", message, lines)
    else:
        yield Need("recordings", ok=True, message="each attempt's has a link that needs no key")


def _parts(stock: Stock, here: Installation) -> Iterator[Need]:
    """What the service has and an installation may lack."""
    settings = here.settings
    if stock.outcomes:
        yield _part(
            "outcomes",
            settings.calls.analysis,
            "outcome and summary are looked for",
            {"calls": {"analysis": "true"}},
        )
    if stock.inbound:
        yield _part(
            "inbound",
            settings.pbx.inbound,
            "inbound agents answer their numbers",
            {"pbx": {"inbound": "true"}},
        )
    if stock.texts:
        gateway = {"sms": {"kind": '"http"'}, "sms.http": {"url": '"https://sms.example.org/send"'}}
        by_pbx = {"sms": {"kind": '"sip"'}}
        lines = gateway if settings.pbx.kind == "freeswitch" else by_pbx
        yield _part("texts", settings.sms.configured, "text messages can be sent", lines)
    if stock.mails:
        server = {"host": '"mail.example.org"', "from_address": '"calls@example.org"'}
        yield _part("mails", settings.smtp.configured, "mails can be sent", {"smtp": server})
    if stock.calendars:
        none = "none to book in, so `calendly` is refused: POST /v1/calendar_connections adds one"
        message = "agents can book" if here.calendars else none
        yield Need("calendars", ok=bool(here.calendars), message=message)


def _part(check: str, there: bool, what: str, lines: Lines) -> Need:
    if there:
        return Need(check, ok=True, message=what)
    return _missing(check, f"not so: {what}", lines)
