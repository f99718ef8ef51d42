"""Token buckets, and how an answer tells of them.

Headers: draft-ietf-httpapi-ratelimit-headers (since -08), structured fields `RateLimit-Policy`
and `RateLimit`. The buckets are those of one process.
"""

import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_WINDOW_S: Final = 60
#: Refilling in parts may miss a whole token by a rounding.
_WHOLE: Final = 1 - 1e-9


@dataclass(frozen=True)
class Standing:
    """Where somebody stands after a request."""

    limit: int
    """Requests per minute, and how many may come at once after a pause."""
    remaining: int
    reset_s: int
    """Seconds until `limit` remain again."""
    retry_after_s: int | None
    """None: the request may go on. Else seconds until one may."""

    def headers(self, policy: str) -> Mapping[str, str]:
        """`RateLimit-Policy` and `RateLimit`."""
        return {
            "RateLimit-Policy": f'"{policy}";q={self.limit};w={_WINDOW_S}',
            "RateLimit": f'"{policy}";r={self.remaining};t={self.reset_s}',
        }


class TokenBuckets:
    """One bucket for each name: `limit` tokens, refilled evenly over a minute.

    A forgotten bucket is a full one, so the table is bounded by forgetting who has not asked for
    longest.
    """

    def __init__(self, max_names: int) -> None:
        self._max_names = max_names
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Name to tokens and the time they were counted."""

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, name: str, limit: int, now: float) -> Standing:
        """Take a token of `name` if there is one.

        Args:
            name: whose bucket.
            limit: tokens per minute, at least 1; may change from one call to the next.
            now: seconds of a clock that never goes back.
        """
        per_second = limit / _WINDOW_S
        tokens, since = self._buckets.pop(name, (float(limit), now))
        tokens = min(float(limit), tokens + max(0.0, now - since) * per_second)
        taken = tokens >= _WHOLE
        if taken:
            tokens = max(0.0, tokens - 1.0)
        self._buckets[name] = (tokens, now)
        if len(self._buckets) > self._max_names:
            self._buckets.popitem(last=False)
        return Standing(
            limit,
            remaining=math.floor(tokens),
            reset_s=math.ceil((limit - tokens) / per_second),
            retry_after_s=None if taken else max(1, math.ceil((1.0 - tokens) / per_second)),
        )

    def give_back(self, name: str) -> None:
        """Undo a `take`: it was not what is to be limited."""
        if (bucket := self._buckets.get(name)) is not None:
            tokens, since = bucket
            self._buckets[name] = (tokens + 1.0, since)  # no more than the limit at the next one
