"""The fields of AMI's `Originate` that say who calls, and what the INVITE is to carry along.

What belongs to the call itself (name, number, presentation, who forwarded it, account) is set on
the media leg, from where Dial takes it to the far leg. A header of one's own can only be added on
the far leg, before it is dialled: the context `offhook-dial` of the shipped extensions.conf does so
with the variables `OFFHOOK_HEADER_1`, `OFFHOOK_VALUE_1`, … They are inherited, so that a dialplan
of one's own behind a Local channel finds them, too.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from pbx.switch import Dial

#: Context of the shipped extensions.conf that dials, and the extension there that gives the INVITE
#: a call's own headers.
DIAL_CONTEXT: Final = "offhook-dial"
HEADERS_EXTENSION: Final = "headers"

#: What `Variable` takes apart, or takes away.
_SPECIAL: Final = re.compile(r"([\\\"(),\[\]])")
_ESCAPED: Final = r"\\\1"


def identity_fields(dial: Dial) -> dict[str, str]:
    """Who calls, and who pays."""
    fields = {}
    if dial.caller_number is not None or dial.caller_name is not None:
        fields["CallerID"] = _caller_id(dial.caller_name, dial.caller_number)
    if dial.account is not None:
        fields["Account"] = dial.account
    return fields


def identity_variables(dial: Dial) -> Sequence[str]:
    """What `Originate` is to set beside, one `Variable` each: a line of AMI holds 1024 bytes."""
    return [f"{name}={_SPECIAL.sub(_ESCAPED, value)}" for name, value in _variables(dial)]


def _variables(dial: Dial) -> Iterator[tuple[str, str]]:
    if dial.hide_number:
        yield "CALLERID(pres)", "prohib"
    if dial.forwarded_from is not None:
        yield "REDIRECTING(from-num,i)", dial.forwarded_from
        yield "REDIRECTING(from-pres,i)", "allowed"
        yield "REDIRECTING(count,i)", "1"
        yield "REDIRECTING(reason,i)", "deflection"
    for index, (name, value) in enumerate(dial.headers.items(), 1):
        yield f"__OFFHOOK_HEADER_{index}", name
        yield f"__OFFHOOK_VALUE_{index}", value


def _caller_id(name: str | None, number: str | None) -> str:
    """`"name" <number>`, the name's quotes and backslashes escaped."""
    escaped = (name or "").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" <{number or ""}>'
