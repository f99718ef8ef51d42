"""An inbound call, the same whatever the PBX."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from pbx.switch import Attempt

_NOT_TEXT: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
NAME_LENGTH: Final = 80
NUMBER_LENGTH: Final = 40


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


def one_line(value: str | None, length: int) -> str | None:
    """What the outside told, as one line of at most `length` characters; None for nothing."""
    if value is None:
        return None
    return _NOT_TEXT.sub(" ", value).strip()[:length] or None
