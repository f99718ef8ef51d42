"""What an inbound call brought along: lines of text that prove nothing."""

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import Field

from api.base.json_object import JsonObject
from api.resources.answer import Resource

#: The key of a call's context that holds it, and how the variables begin that do.
KEY: Final = "sip"
PREFIX: Final = "sip_"
_NOT_NAME: Final = re.compile(r"[^0-9a-z]+")


class SipObject(Resource):
    """What an inbound call brought along. Anybody may write what they like into it."""

    diversion: str | None = Field(
        description="Of a forwarded call, whom it was meant for: the header `Diversion`.",
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
    diversion: str | None, headers: Mapping[str, str], arguments: tuple[str, ...]
) -> JsonObject | None:
    """As a call keeps it; None where nothing was brought."""
    if diversion is None and not headers and not arguments:
        return None
    return {"diversion": diversion, "headers": dict(headers), "arguments": list(arguments)}


def sip_variables(sip: JsonObject | None) -> dict[str, Any]:
    """The variables: `sip_diversion`, `sip_x_customer` of `X-Customer`, `sip_argument_1`."""
    if sip is None:
        return {}
    named = {"diversion": sip["diversion"], **sip["headers"]}
    named |= {f"argument_{index}": one for index, one in enumerate(sip["arguments"], 1)}
    return {f"{PREFIX}{_NOT_NAME.sub('_', name)}": one or "" for name, one in named.items()}


def sip_of(context: JsonObject) -> JsonObject | None:
    """What the context of an inbound call has of it."""
    found = context.get(KEY)
    ours = isinstance(found, Mapping) and found.keys() == SipObject.model_fields.keys()
    return found if ours else None
