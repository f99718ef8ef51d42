"""How much may be placed in any 24 hours: by one key, and to one number."""

from dataclasses import dataclass
from typing import Final, Literal

from api.settings.calling import Calls

DAY_S: Final = 86_400.0
#: The highest cap of a key.
MAX_CAP: Final = 1_000_000

Cap = Literal["max_calls_per_day", "max_minutes_per_day", "max_calls_per_number_per_day"]

_SENTENCES: Final[dict[Cap, str]] = {
    "max_calls_per_day": "this key may place {most} calls in 24 hours",
    "max_minutes_per_day": "this key's calls may last {most} minutes in 24 hours",
    "max_calls_per_number_per_day": "{most} calls may be placed to one number in 24 hours",
}


@dataclass(frozen=True)
class Caps:
    """Of one order; 0 is no limit."""

    calls: int = 0
    """That its key places."""
    minutes: int = 0
    """That its key's calls last; those that are not over count with their longest duration."""
    calls_to_number: int = 0
    """To its number, whoever places them."""


@dataclass(frozen=True)
class KeyCaps:
    """What a key has in place of the deployment's (`calls.<name>`); None: that, 0: no limit."""

    max_calls_per_day: int | None = None
    max_minutes_per_day: int | None = None
    max_calls_per_number_per_day: int | None = None

    def caps_over(self, calls: Calls) -> Caps:
        """The caps that hold for its orders."""
        return Caps(
            _first(self.max_calls_per_day, calls.max_calls_per_day),
            _first(self.max_minutes_per_day, calls.max_minutes_per_day),
            _first(self.max_calls_per_number_per_day, calls.max_calls_per_number_per_day),
        )


class CapReachedError(Exception):
    """The order would go over a cap; the message says which."""

    def __init__(self, cap: Cap, most: int, free_at: float | None) -> None:
        """
        Args:
            cap: that is reached.
            most: what it allows.
            free_at: when there is room again, Unix seconds; None: never, for such an order.
        """
        told = _SENTENCES[cap].format(most=most)
        super().__init__(f"{told} (the key's {cap}, else calls.{cap})")
        self.cap = cap
        self.free_at = free_at


def _first(own: int | None, common: int) -> int:
    return common if own is None else own
