"""What the dialplan's AGI request tells of an inbound call."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pbx.incoming import NAME_LENGTH, NUMBER_LENGTH, one_line

_UNIQUE_ID: Final = re.compile(r"[0-9A-Za-z._-]{1,150}")
_CHANNEL: Final = re.compile(r"[\x21-\x7e]{1,150}")
_PJSIP: Final = re.compile(r"PJSIP/([0-9A-Za-z_.-]{1,64})-[0-9a-f]{8}")


@dataclass(frozen=True)
class Presented:
    """The request's headers, checked."""

    unique_id: str
    channel: str
    number: str
    caller_number: str | None
    caller_name: str | None

    @property
    def trunk(self) -> str | None:
        """The PJSIP endpoint whose channel it is."""
        found = _PJSIP.fullmatch(self.channel)
        return None if found is None else found[1]


def read_request(headers: Mapping[str, str]) -> Presented | None:
    """What the AGI headers say; None when they are not those of a channel."""
    unique_id, channel = headers.get("agi_uniqueid", ""), headers.get("agi_channel", "")
    if not _UNIQUE_ID.fullmatch(unique_id) or not _CHANNEL.fullmatch(channel):
        return None
    return Presented(
        unique_id,
        channel,
        _text(headers.get("agi_extension"), NUMBER_LENGTH) or "",
        _text(headers.get("agi_callerid"), NUMBER_LENGTH),
        _text(headers.get("agi_calleridname"), NAME_LENGTH),
    )


def _text(value: str | None, length: int) -> str | None:
    """As `one_line`; Asterisk writes `unknown` for none."""
    return None if value == "unknown" else one_line(value, length)
