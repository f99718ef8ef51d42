"""Whether an agent's tools can be carried out here."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from api.agents.context import AgentContext
from api.base.mail_addresses import is_email
from api.base.problems import FieldError, pointer
from api.base.sip_uris import URI_REFUSED, names_sip_uri
from api.base.text import PLACEHOLDER
from api.base.written_numbers import read_number_or_uri
from api.egress.policy import EgressError, EgressPolicy
from api.resources.tool_fields import (
    RESERVED,
    CalendarTool,
    EmailTool,
    HttpTool,
    Input,
    Pair,
    SmsTool,
    ToolField,
    TransferTool,
)
from api.tools.request import BODILESS, body_of, leads_astray

Place = tuple[str | int, ...]

_TRANSFER: Final = "transfer_call"
#: A field name (RFC 9110 5.1).
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Headers of the connection, and those that the request itself decides.
_OURS: Final = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"}
    | {"te", "trailer", "transfer-encoding", "upgrade"}
    | {"host", "content-length", "accept-encoding", "expect"}
)


def check_tools(tools: Sequence[ToolField], context: AgentContext) -> Iterator[FieldError]:
    """What is wrong with them; pointers count from the configuration's root."""
    yield from _names(tools)
    for index, tool in enumerate(tools):
        place = ("tools", index)
        match tool:
            case HttpTool():
                yield from _http(tool, place, context)
            case TransferTool():
                yield from _transfer(tool, place, context)
            case SmsTool() if not context.sends_sms:
                detail = "there is no way to send text messages; set `sms.kind`"
                yield FieldError(detail, pointer(*place, "type"), code="not_configured")
            case EmailTool():
                yield from _email(tool, place, context)
            case CalendarTool():
                yield from _calendar(tool, place, context)


def _transfer(tool: TransferTool, place: Place, context: AgentContext) -> Iterator[FieldError]:
    if tool.number in context.destinations:
        return
    try:
        read_number_or_uri(tool.number, context.settings.calls.default_country)
    except ValueError as error:
        yield FieldError(str(error), pointer(*place, "number"))
    else:
        if names_sip_uri(tool.number):
            yield FieldError(URI_REFUSED, pointer(*place, "number"))


def _names(tools: Sequence[ToolField]) -> Iterator[FieldError]:
    """Check that each tool has a name of its own, which is none of ours."""
    taken: set[tuple[bool, str]] = set()
    for index, tool in enumerate(tools):
        named = isinstance(tool, HttpTool | TransferTool)
        name = tool.name if isinstance(tool, HttpTool | TransferTool) else tool.type
        place = pointer("tools", index, "name" if named else "type")
        allowed = _TRANSFER if isinstance(tool, TransferTool) else None
        if (named, name) in taken:
            yield FieldError("another tool has this name", place)
        elif named and name in RESERVED and name != allowed:
            yield FieldError("is the name of a tool of ours", place)
        taken.add((named, name))


def _http(tool: HttpTool, place: Place, context: AgentContext) -> Iterator[FieldError]:
    yield from _url(tool.url, (*place, "url"), context)
    yield from _headers(tool.headers, (*place, "headers"))
    for index, pair in enumerate(tool.query_params):
        if "{{" in pair.key:
            yield FieldError(
                "a key may not hold a variable", pointer(*place, "query_params", index, "key")
            )
    yield from _body(tool, (*place, "body_template"))
    yield from _inputs(tool.input_schema, (*place, "input_schema"))


def _url(template: str, place: Place, context: AgentContext) -> Iterator[FieldError]:
    try:
        fixed = "{" not in urlsplit(template).netloc
    except ValueError:
        fixed = True  # the rules below say what is wrong
    if not fixed:
        yield FieldError("its host may not hold a variable", pointer(*place))
        return
    url = PLACEHOLDER.sub("x", template)
    try:
        EgressPolicy(context.settings.tools).check_url(url)
    except EgressError as error:
        yield FieldError(str(error), pointer(*place))
    else:
        if leads_astray(url):
            yield FieldError("its path may not hold `.` or `..`", pointer(*place))


def _headers(headers: Sequence[Pair], place: Place) -> Iterator[FieldError]:
    """Check the names of a request's headers."""
    taken: set[str] = set()
    for index, pair in enumerate(headers):
        name, here = pair.key.lower(), pointer(*place, index, "key")
        if _TOKEN.fullmatch(pair.key) is None:
            yield FieldError("is not the name of a header: letters, digits and hyphens", here)
        elif name in _OURS:
            yield FieldError("is set by the request itself", here)
        elif name in taken:
            yield FieldError("another header has this name", here)
        taken.add(name)
        if any(character in pair.value for character in "\r\n\t"):
            yield FieldError("may not hold a line break", pointer(*place, index, "value"))


def _body(tool: HttpTool, place: Place) -> Iterator[FieldError]:
    try:
        body = body_of(tool)
    except (ValueError, RecursionError) as error:
        detail = f'must be JSON with quoted placeholders, as {{"name": "{{{{name}}}}"}} ({error})'
        yield FieldError(detail, pointer(*place))
        return
    if tool.method in BODILESS and body is not None:
        yield FieldError(f"a {tool.method} request has no body", pointer(*place))
    elif any("{{" in key for key in _keys(body)):
        yield FieldError("a key may not hold a variable", pointer(*place))


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _keys(item)


def _inputs(inputs: Sequence[Input], place: Place) -> Iterator[FieldError]:
    taken: set[str] = set()
    for index, one in enumerate(inputs):
        if one.name in taken:
            yield FieldError("another input has this name", pointer(*place, index, "name"))
        taken.add(one.name)
        options, here = one.enum_options or [], pointer(*place, index, "enum_options")
        if one.type == "enum" and not options:
            yield FieldError("an enum needs options to choose from", here)
        elif one.type != "enum" and options:
            yield FieldError("is for type enum only", here)
        elif len(set(options)) < len(options):
            yield FieldError("holds an option twice", here)


def _email(tool: EmailTool, place: Place, context: AgentContext) -> Iterator[FieldError]:
    if not context.sends_email:
        detail = "there is no mail server; set `smtp.host`"
        yield FieldError(detail, pointer(*place, "type"), code="not_configured")
    for index, address in enumerate(tool.to):
        if not is_email(address):
            yield FieldError("is not a mail address", pointer(*place, "to", index))


def _calendar(tool: CalendarTool, place: Place, context: AgentContext) -> Iterator[FieldError]:
    known = context.calendars.get(tool.connection_id)
    if known is None:
        detail = "there is no such connection (/v1/calendar_connections)"
        yield FieldError(detail, pointer(*place, "connection_id"), code="not_configured")
        return
    names = sorted(str(one["id"]) for one in known.event_types)
    if tool.event_type_id not in names:
        detail = f"the connection has no such event type; it has: {', '.join(names)}"
        yield FieldError(detail, pointer(*place, "event_type_id"), code="not_configured")
    if tool.book and not known.bookable:
        detail = "the connection is a feed, which can only be read; give false"
        yield FieldError(detail, pointer(*place, "book"), code="not_configured")
