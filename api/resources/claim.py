"""What the dialer takes from the store."""

from dataclasses import dataclass

from api.resources.attempt import Attempt
from api.resources.call import Call


@dataclass(frozen=True)
class Claim:
    """An order that the dialer has taken, with the attempt that it must now dial."""

    call: Call
    attempt: Attempt
    calls_per_second: int | None = None
    """That its trunk takes."""


@dataclass(frozen=True)
class Claimed:
    """What the dialer got."""

    claims: tuple[Claim, ...]
    again_at: float | None
    """When a call falls due next, Unix seconds; None: only news can help."""


@dataclass(frozen=True)
class Unfinished:
    """A call without its terminal event, whose process is gone."""

    call: Call
    attempt: Attempt | None
    """The latest attempt; live if its `ended_at` is None."""
