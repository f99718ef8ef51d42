"""The id of the request under way, for the log."""

import logging
from contextvars import ContextVar
from typing import Final

#: Empty outside of a request. Tasks and threads that a request starts inherit it.
REQUEST_ID: Final[ContextVar[str]] = ContextVar("request_id", default="")


class RequestIdFilter(logging.Filter):
    """Gives each record `request`: the id in brackets and a space, or nothing."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through."""
        request_id = REQUEST_ID.get()
        record.request = f"[{request_id}] " if request_id else ""
        return True
