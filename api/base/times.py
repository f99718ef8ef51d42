"""Times: Unix seconds inside, RFC 3339 outside."""

import contextlib
import math
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema


def whole_seconds(start: float, end: float) -> int:
    """Seconds between two times, rounded to the nearest whole one, halves up."""
    return math.floor(max(0.0, end - start) + 0.5)


def rfc3339(at: float) -> str:
    """Unix seconds as RFC 3339 in UTC, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def rfc3339_or_none(at: float | None) -> str | None:
    """`rfc3339`, and None of None."""
    return None if at is None else rfc3339(at)


def parse_rfc3339(text: str) -> float | None:
    """Unix seconds of a time in RFC 3339 with its offset; None if it is none."""
    with contextlib.suppress(ValueError, OverflowError):
        parsed = datetime.fromisoformat(text)
        if parsed.tzinfo is not None:
            return parsed.timestamp()
    return None


def _told(at: Any) -> Any:
    return rfc3339(at) if isinstance(at, int | float) else at


Timestamp = Annotated[
    str, BeforeValidator(_told), WithJsonSchema({"type": "string", "format": "date-time"})
]
"""RFC 3339 in UTC; made of Unix seconds, too."""
