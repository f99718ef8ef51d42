"""An inbound call, as the dialplan's AGI request presents it."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pbx.switch import Attempt

_UNIQUE_ID: Final = re.compile(r"[0-9A-Za-z._-]{1,150}")
_CHANNEL: Final = re.compile(r"[\x21-\x7e]{1,150}")
_NOT_TEXT: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_NAME_LENGTH: Final = 80
_NUMBER_LENGTH: Final = 40


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


@dataclass(frozen=True)
class Presented:
    """The request's headers, checked."""

    unique_id: str
    channel: str
    number: str
    caller_number: str | None
    caller_name: str | None


def read_request(headers: Mapping[str, str]) -> Presented | None:
    """What the AGI headers say; None when they are not those of a channel."""
    unique_id, channel = headers.get("agi_uniqueid", ""), headers.get("agi_channel", "")
    if not _UNIQUE_ID.fullmatch(unique_id) or not _CHANNEL.fullmatch(channel):
        return None
    return Presented(
        unique_id,
        channel,
        _text(headers.get("agi_extension"), _NUMBER_LENGTH) or "",
        _text(headers.get("agi_callerid"), _NUMBER_LENGTH),
        _text(headers.get("agi_calleridname"), _NAME_LENGTH),
    )


def _text(value: str | None, length: int) -> str | None:
    """One line of at most `length` characters; Asterisk writes `unknown` for none."""
    if value is None or value == "unknown":
        return None
    return _NOT_TEXT.sub(" ", value).strip()[:length] or None
