"""Links to recordings that need no key, signed and good for a time."""

import hmac
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from api.egress.sealing import Seal

#: Seconds that a link is good for unless told otherwise: four hours.
LIFETIME_S: Final = 4 * 3600
MAX_LIFETIME_S: Final = 7 * 24 * 3600


@dataclass(frozen=True)
class RecordingLinks:
    """Makes links, and knows its own again."""

    seal: Seal
    base_url: str
    """Where clients reach the server: scheme, host, port."""

    def url(self, call_id: str, attempt: int, expires_at: int) -> str:
        """The link to the recording of one attempt.

        Args:
            call_id: the call.
            attempt: its attempt's number.
            expires_at: until when it is good, Unix seconds.
        """
        signature = self._signature(call_id, attempt, expires_at)
        query = urlencode({"expires": expires_at, "signature": signature})
        return f"{self.base_url}/recordings/{call_id}/{attempt}?{query}"

    def holds(
        self, call_id: str, attempt: int, expires_at: int, signature: str, now: float
    ) -> bool:
        """Whether a link is ours and still good at `now`."""
        expected = self._signature(call_id, attempt, expires_at)
        return hmac.compare_digest(expected.encode(), signature.encode()) and now < expires_at

    def _signature(self, call_id: str, attempt: int, expires_at: int) -> str:
        return self.seal.signature(f"recording:{call_id}:{attempt}:{expires_at}")
