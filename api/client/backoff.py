"""When a failed request is made again: where it can do no harm, a few times, ever later."""

import random
from dataclasses import dataclass
from typing import Final

from api.client.errors import ApiError, OffhookError, UnreachableError

#: Twice is as good as once: a POST because it has an `Idempotency-Key`.
_REPEATABLE: Final = frozenset({"GET", "POST", "PUT", "DELETE"})
_PASSING: Final = frozenset({502, 503, 504})


@dataclass(frozen=True)
class Backoff:
    """How often and how late. Seconds."""

    retries: int = 4
    first_s: float = 0.25
    """Before the first retry; doubles, each time shortened by up to a half at random."""
    longest_s: float = 8.0
    patience_s: float = 60.0
    """A longer `Retry-After` is not waited for: the error is raised at once."""

    def delay_s(self, failures: int, chance: float, wanted_s: float = 0.0) -> float | None:
        """Seconds to wait after the `failures`-th failure in a row; None to give up.

        Args:
            failures: at least 1.
            chance: uniform in 0 to 1.
            wanted_s: what the server asked for.
        """
        if failures > self.retries or wanted_s > self.patience_s:
            return None
        delay = min(self.first_s * 2.0 ** min(failures - 1, 30), self.longest_s)
        return max(delay * (1 - chance / 2), wanted_s)


def may_repeat(method: str, problem: OffhookError) -> bool:
    """Whether the same request may be made again after `problem`."""
    if isinstance(problem, ApiError):
        if problem.status == 429 or problem.code == "idempotency_in_flight":
            return True  # nothing was done, or what was done is what we are told next time
        return problem.status in _PASSING and method in _REPEATABLE
    if isinstance(problem, UnreachableError):
        return problem.passing and (not problem.sent or method in _REPEATABLE)
    return False


class Attempts:
    """The attempts at one request."""

    def __init__(self, backoff: Backoff, method: str) -> None:
        self._backoff = backoff
        self._method = method
        self._failures = 0
        self.perhaps_done = False
        """Whether the server may have done what an earlier attempt asked."""

    def succeeded(self) -> None:
        """Count failures from 0 again."""
        self._failures = 0

    def failed(self, problem: OffhookError) -> float:
        """Seconds to wait before the next attempt; raises `problem` where there is none."""
        self._failures += 1
        delay_s = None
        if may_repeat(self._method, problem):
            wanted_s = problem.retry_after_s if isinstance(problem, ApiError) else None
            delay_s = self._backoff.delay_s(self._failures, random.random(), wanted_s or 0.0)
        if delay_s is None:
            raise problem
        if isinstance(problem, ApiError):
            self.perhaps_done |= problem.status in _PASSING
        elif isinstance(problem, UnreachableError):
            self.perhaps_done |= problem.sent
        return delay_s
