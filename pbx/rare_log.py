"""What anybody outside can cause, and as often as they like, fills no log."""

import logging
import time
from typing import Final

_PAUSE_S: Final = 60.0


class RareLog:
    """Warns at most once a minute, and counts what it did not tell."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._next_at = 0.0
        self._untold = 0

    def warn(self, message: str, *arguments: object) -> None:
        """As `Logger.warning`."""
        now = time.monotonic()
        if now < self._next_at:
            self._untold += 1
            return
        more = f" ({self._untold} times more before)" if self._untold else ""
        self._log.warning(message + more, *arguments)
        self._next_at, self._untold = now + _PAUSE_S, 0
