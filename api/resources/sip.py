"""What an inbound call brought along: lines of text that prove nothing."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import Field

from api.base.json_object import JsonObject
from api.resources.answer import Resource

#: The key of a call's context that holds it, and how the variables begin that do.
KEY: Final = "sip"
PREFIX: Final = "sip_"
_LISTS: Final = frozenset({"headers", "arguments"})
#: What it has had since the first release.
_OLDEST: Final = _LISTS | {"diversion"}
_NOT_NAME: Final = re.compile(r"[^0-9a-z]+")


class SipObject(Resource):
    """What an inbound call brought along. Anybody may write what they like into it."""

    caller_name: str | None = Field(
        default=None,
        description="The name that was shown beside the caller's number.",
        examples=["Maria Lopez"],
    )
    asserted_identity: str | None = Field(
        default=None,
        description="Who calls as the network says: the header `P-Asserted-Identity`, else "
        "`Remote-Party-ID`; over FreeSWITCH perhaps the number alone. Null where the caller wants "
        "to stay unknown.",
        examples=['"Maria Lopez" <sip:+15550100@192.0.2.1>'],
    )
    privacy: str | None = Field(
        default=None,
        description="Whether the caller wants to stay unknown: the header `Privacy`, else what "
        "`Remote-Party-ID` says of it.",
        examples=["id"],
    )
    dialled: str | None = Field(
        default=None,
        description="What was dialled as the trunk tells it (DNIS), where that is another number "
        "than `to_number`.",
        examples=["4711"],
    )
    diversion: str | None = Field(
        description="Of a forwarded call, who was called first: the last header `Diversion`.",
        examples=["<sip:+15550100@192.0.2.1>;reason=unconditional"],
    )
    headers: dict[str, str] = Field(
        description="Headers `X-…` of the INVITE, names in lower case: up to 16.",
        examples=[{"x-customer": "4711"}],
    )
    arguments: list[str] = Field(
        description="Arguments of the dialplan's AGI line after its URL: up to 8.",
        examples=[["sales"]],
    )


def sip_json(
    diversion: str | None,
    headers: Mapping[str, str],
    arguments: Sequence[str],
    **lines: str | None,
) -> JsonObject | None:
    """As a call keeps it, of `lines` those that there are; None where nothing was brought."""
    told = {name: line for name, line in lines.items() if line}
    if diversion is None and not told and not headers and not arguments:
        return None
    return {
        **told,
        "diversion": diversion,
        "headers": dict(headers),
        "arguments": list(arguments),
    }


def sip_variables(sip: JsonObject | None) -> dict[str, Any]:
    """The variables: `sip_diversion`, `sip_x_customer` of `X-Customer`, `sip_argument_1`."""
    if sip is None:
        return {}
    lines = {name: one for name, one in sip.items() if name not in _LISTS}
    named = {**lines, **sip["headers"]}
    named |= {f"argument_{index}": one for index, one in enumerate(sip["arguments"], 1)}
    return {f"{PREFIX}{_NOT_NAME.sub('_', name)}": one or "" for name, one in named.items()}


def sip_of(context: JsonObject) -> JsonObject | None:
    """What the context of an inbound call has of it."""
    found = context.get(KEY)
    ours = isinstance(found, Mapping) and _OLDEST <= found.keys() <= SipObject.model_fields.keys()
    return found if ours else None
