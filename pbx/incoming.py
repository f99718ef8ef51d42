"""An inbound call, the same whatever the PBX."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from fnmatch import fnmatchcase
from typing import Final

from pbx.switch import Attempt

#: Headers of an INVITE that tell of the call, beside those of one's own.
TOLD: Final = ("Diversion", "P-Asserted-Identity", "Remote-Party-ID", "Privacy")
ALL_HEADERS: Final = ("X-*",)
_NOT_TEXT: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
NAME_LENGTH: Final = 80
NUMBER_LENGTH: Final = 40
_HEADER: Final = re.compile(r"[Xx]-[0-9A-Za-z.!%*_+`'~-]{1,60}")
_HEADERS: Final = 16
_ARGUMENTS: Final = 8
_VALUE_LENGTH: Final = 200
#: The user of a SIP URI, the number of a tel URI, or one without either (as FreeSWITCH tells it);
#: what stands in quotes is a name.
_USER: Final = re.compile(r"(?:(?:sips?|tel):|^)(\+?[0-9]{1,40})(?=[@;>,]|$)", re.IGNORECASE)
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"?')
#: Values of Privacy (`id`, `user`, `header`: RFC 3323 section 4.2, RFC 3325 section 9.3) and of
#: Remote-Party-ID's parameter by which a caller is not to be shown.
_PRIVATE: Final = frozenset({"id", "user", "header", "full", "uri", "yes"})
_RPID_PRIVACY: Final = re.compile(r";\s*privacy\s*=\s*\"?([a-z-]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Brought:
    """What a call brought along: lines of text from the outside, for which nothing vouches."""

    diversion: str | None = None
    """Who was called first, before the call was forwarded: the last SIP header of RFC 5806."""
    asserted: str | None = None
    """Who calls as the network says: the SIP header P-Asserted-Identity (RFC 3325), or what there
    was before, Remote-Party-ID. It is worth what the trunk is worth."""
    privacy: str | None = None
    """Whether they want that to be kept from who is called: the SIP header of RFC 3323, or what
    Remote-Party-ID says of it."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """The SIP headers `X-…`, names in lower case: at most 16, of 200 characters each."""
    arguments: Sequence[str] = ()
    """What the dialplan told beside: at most 8, of 200 characters each."""

    @property
    def private(self) -> bool:
        """Whether who calls is not to be shown."""
        return not _PRIVATE.isdisjoint(re.findall(r"[a-z]+", (self.privacy or "").lower()))

    @property
    def asserted_number(self) -> str | None:
        """What is dialled to reach who calls, as the network says."""
        found = _USER.search(_QUOTED.sub("", self.asserted or ""))
        return None if found is None else found[1]


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
    sip_call_id: str | None = None
    """Of the trunk's leg."""
    pbx: str | None = None
    """Name of the PBX that brought it; None is the only or the first one."""

    @property
    def channel_id(self) -> str:
        """The id of its channel, by which no other PBX has one: what they number by themselves
        may be the same."""
        return self.attempt.id if self.pbx is None else f"{self.pbx}:{self.attempt.id}"


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


def is_allowed(name: str, patterns: Sequence[str]) -> bool:
    """Whether one of the patterns, in which `*` is any characters, is of that header."""
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)


def brought(
    headers: Mapping[str, str],
    own: Iterable[tuple[str, str]] = (),
    arguments: Iterable[str] = (),
    allowed: Sequence[str] = ALL_HEADERS,
) -> Brought:
    """What came from the outside, as bounded lines.

    Args:
        headers: those of `TOLD` that the INVITE has.
        own: its `X-` headers; what is none is left out.
        arguments: of the dialplan.
        allowed: patterns of the `X-` headers that are wanted.
    """

    def line(name: str) -> str | None:
        return one_line(headers.get(name), _VALUE_LENGTH)

    remote = line("Remote-Party-ID")
    hidden = None if remote is None else _RPID_PRIVACY.search(remote)
    named = [
        (name.lower(), value)
        for name, value in own
        if is_custom_header(name) and is_allowed(name, allowed)
    ]
    return Brought(
        line("Diversion"),
        line("P-Asserted-Identity") or remote,
        line("Privacy") or (None if hidden is None else hidden[1].lower()),
        {name: one_line(value, _VALUE_LENGTH) or "" for name, value in named[:_HEADERS]},
        tuple(one_line(one, _VALUE_LENGTH) or "" for one in [*arguments][:_ARGUMENTS]),
    )


def one_line(value: str | None, length: int) -> str | None:
    """What the outside told, as one line of at most `length` characters; None for nothing."""
    if value is None:
        return None
    return _NOT_TEXT.sub(" ", value).strip()[:length] or None
