"""What a call costs, in milli-cents (a thousandth of a cent), always whole ones."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

#: Milli-cents of one unit of the currency.
MILLI_CENTS: Final = 100_000


@dataclass(frozen=True)
class Rate:
    """A line of the rate card: what connected time to numbers with a prefix costs."""

    prefix: str
    """`+` and digits; `+` alone is every number."""
    milli_cents_per_minute: int
    increment_seconds: int = 1
    """Time is rounded up to whole increments: 60 for billing by the minute."""
    minimum_seconds: int = 0
    """The least that is billed once somebody has answered."""

    def amount(self, seconds: int) -> int:
        """Milli-cents for `seconds` of connected time, rounded up; 0 for none."""
        if seconds <= 0:
            return 0
        increments = -(-max(seconds, self.minimum_seconds) // self.increment_seconds)
        return -(-increments * self.increment_seconds * self.milli_cents_per_minute // 60)

    def json(self) -> dict[str, Any]:
        """As it is frozen on a call; `rate_of` gives the same rate back."""
        return asdict(self)


def rate_of(stored: Mapping[str, Any] | None) -> Rate | None:
    """The rate that `Rate.json` wrote."""
    return None if stored is None else Rate(**stored)
