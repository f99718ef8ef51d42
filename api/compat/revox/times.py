"""Reads when an order is to be dialled, as Revox's clients write it."""

import contextlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from api.base.times import rfc3339
from api.policy.zones import ZONE_NAMES, zone, zone_of

#: Unix seconds of the year 5138; as milliseconds a day in 1973.
_MILLISECONDS_FROM: Final = 10**11
#: Digits of a time in seconds or milliseconds, until the year 2286; fewer may be a date (20270301).
_MIN_DIGITS: Final = 10
_MAX_DIGITS: Final = 13


def scheduled_time(asked: Any, where: ZoneInfo) -> Any:
    """A time as our own API takes it. What is none is given as it is: that API refuses it.

    Args:
        asked: ISO 8601, or Unix seconds or milliseconds, also as text.
        where: the zone of a time without an offset.
    """
    if isinstance(asked, str):
        digits = asked.isascii() and asked.isdecimal()
        if digits and _MIN_DIGITS <= len(asked) <= _MAX_DIGITS:
            asked = int(asked)
        else:
            with contextlib.suppress(ValueError, OverflowError):
                at = datetime.fromisoformat(asked.upper())
                return rfc3339((at if at.tzinfo else at.replace(tzinfo=where)).timestamp())
    milliseconds = isinstance(asked, int | float) and asked >= _MILLISECONDS_FROM
    return asked / 1000 if milliseconds else asked


def zone_for(retry: Mapping[str, Any] | None, number: str, default: str | None) -> ZoneInfo:
    """Where a callee is: as the retry policy says, else as the number does, else UTC.

    Args:
        retry: our policy as JSON.
        number: the callee's.
        default: `calls.default_timezone`.
    """
    asked = (retry or {}).get("timezone")
    return zone((asked if asked in ZONE_NAMES else zone_of(number, default)) or "UTC")
