"""An inbound call, the same whatever the PBX."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from pbx.switch import Attempt

_NOT_TEXT: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
NAME_LENGTH: Final = 80
NUMBER_LENGTH: Final = 40
_HEADER: Final = re.compile(r"[Xx]-[0-9A-Za-z.!%*_+`'~-]{1,60}")
_HEADERS: Final = 16
_ARGUMENTS: Final = 8
_VALUE_LENGTH: Final = 200


@dataclass(frozen=True)
class Brought:
    """What a call brought along: lines of text from the outside, for which nothing vouches."""

    diversion: str | None = None
    """Who the call was meant for before it was forwarded: the SIP header of RFC 5806."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """The SIP headers `X-…`, names in lower case: at most 16, of 200 characters each."""
    arguments: Sequence[str] = ()
    """What the dialplan told beside: at most 8, of 200 characters each."""


@dataclass(frozen=True)
class IncomingCall:
    """A call that the trunk brought, and that nobody has answered yet."""

    attempt: Attempt
    number: str
    """What was dialled, as the trunk tells it."""
    caller_number: str | None
    """As the trunk tells it; nothing vouches for it."""
    caller_name: str | None
    """One line of text from the outside."""
    trunk: str | None = None
    """Name of the trunk that brought it, where the PBX tells."""
    dialled: str | None = None
    """What was dialled at first, where the dialplan went on to another extension."""
    brought: Brought = field(default_factory=Brought)


class Refusal(IntEnum):
    """Why a call is not answered: names and numbers of Q.850, of which SIP makes its codes."""

    UNALLOCATED_NUMBER = 1
    """SIP 404."""
    USER_BUSY = 17
    """SIP 486."""
    SUBSCRIBER_ABSENT = 20
    """SIP 480."""
    NORMAL_CIRCUIT_CONGESTION = 34
    """SIP 503: a carrier may try another way."""


OnIncoming = Callable[[IncomingCall], Awaitable[Refusal | None]]
"""Given a call before it is answered; None has it answered. A refused one's attempt is void: what
it goes on to tell is not to be waited for."""


def is_custom_header(name: str) -> bool:
    """Whether that is the name of a SIP header `X-…`, and nothing else."""
    return _HEADER.fullmatch(name) is not None


def brought(
    diversion: str | None, headers: Iterable[tuple[str, str]], arguments: Iterable[str] = ()
) -> Brought:
    """What came from the outside, as bounded lines; what is no `X-` header is left out."""
    named = [(name.lower(), value) for name, value in headers if is_custom_header(name)]
    return Brought(
        one_line(diversion, _VALUE_LENGTH),
        {name: one_line(value, _VALUE_LENGTH) or "" for name, value in named[:_HEADERS]},
        tuple(one_line(one, _VALUE_LENGTH) or "" for one in [*arguments][:_ARGUMENTS]),
    )


def one_line(value: str | None, length: int) -> str | None:
    """What the outside told, as one line of at most `length` characters; None for nothing."""
    if value is None:
        return None
    return _NOT_TEXT.sub(" ", value).strip()[:length] or None
