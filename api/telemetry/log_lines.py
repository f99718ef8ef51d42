"""Lines of the log as JSON, one object each, for collectors that index their fields."""

import json
import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final

from api.telemetry.spans import trace_id

#: The call that a task works for; empty outside of one. Tasks and threads that it starts inherit
#: it.
CALL_ID: Final[ContextVar[str]] = ContextVar("call_id", default="")

_NAMED: Final = re.compile(r"call ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")


class JsonLines(logging.Formatter):
    """RFC 8259, in ASCII: whatever a far end sends, a record is one line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record with its time (RFC 3339, UTC), and the call and the request that it is of."""
        message = record.getMessage()
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message,
        }
        named = _NAMED.match(message)
        call_id = named[1] if named is not None else CALL_ID.get()
        line |= _known("call_id", call_id) | _known("trace_id", trace_id(call_id))
        line |= _known("request_id", getattr(record, "request", "").strip("[] "))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def _known(name: str, value: str) -> dict[str, str]:
    return {name: value} if value else {}
