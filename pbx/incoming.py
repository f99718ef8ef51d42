"""An inbound call, the same whatever the PBX."""

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from pbx.switch import Attempt

_log = logging.getLogger(__name__)

_NOT_TEXT: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
NAME_LENGTH: Final = 80
NUMBER_LENGTH: Final = 40


@dataclass(frozen=True)
class IncomingCall:
    """A call that the trunk brought; its attempt is about to be answered."""

    attempt: Attempt
    number: str
    """What was dialled, as the trunk tells it."""
    caller_number: str | None
    """As the trunk tells it; nothing vouches for it."""
    caller_name: str | None
    """One line of text from the outside."""


OnIncoming = Callable[[IncomingCall], Awaitable[None]]


async def announce(call: IncomingCall, on_incoming: OnIncoming) -> None:
    """Present a call; where that fails, it is hung up."""
    try:
        await on_incoming(call)
    except Exception:
        _log.exception("nobody could take the call %s", call.attempt.id)
        await call.attempt.hang_up()


def one_line(value: str | None, length: int) -> str | None:
    """What the outside told, as one line of at most `length` characters; None for nothing."""
    if value is None:
        return None
    return _NOT_TEXT.sub(" ", value).strip()[:length] or None
