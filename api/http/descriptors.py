"""How many files the process may have open, and what of that is left for HTTP connections."""

import logging
import resource
from typing import Final

from api.settings import Settings

_log = logging.getLogger(__name__)

#: More than this nobody needs, and libraries exist that close every descriptor one by one.
_MOST: Final = 65_536
#: Of the process itself: its libraries and models, the event loop, the log, the PBX link.
_BASE: Final = 128
#: Of one call: its recording, remote engines, tools, the PBX's questions about it.
_PER_CALL: Final = 8
#: SQLite: a file, its log and its index for each of a few connections.
_SQLITE: Final = 24
#: With fewer connections than that no API can be served.
_FEWEST: Final = 8


class TooFewDescriptorsError(Exception):
    """The process may not open the files that its settings need; the message says how to mend
    it."""


def raise_limit() -> int:
    """Raise the soft limit of open files (`RLIMIT_NOFILE`) as far as we may; gives it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return _MOST if soft == resource.RLIM_INFINITY else soft


def connections_within(limit: int, settings: Settings) -> int:
    """How many HTTP connections there may be: `server.max_connections`, or what is left of `limit`
    open files beside everything else. Raises TooFewDescriptorsError."""
    store = _SQLITE if settings.store.url is None else settings.store.pool_size + 2
    calls = settings.calls.max_concurrent * _PER_CALL
    files = settings.server.max_streams  # each may be a download
    reserved = _BASE + store + calls + settings.webhooks.concurrency + files
    wanted, left = settings.server.max_connections, limit - reserved
    if left >= wanted:
        return wanted
    mend = (
        f"raise the limit of open files (RLIMIT_NOFILE; LimitNOFILE= of systemd, ulimits of "
        f"Docker) from {limit} to {reserved + wanted}"
    )
    if left < _FEWEST:
        raise TooFewDescriptorsError(
            f"{limit} open files are too few for calls.max_concurrent = "
            f"{settings.calls.max_concurrent}: {mend}, or lower it"
        )
    _log.warning("at most %d HTTP connections instead of %d: %s", left, wanted, mend)
    return left
