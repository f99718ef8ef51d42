"""How much may be placed in any 24 hours: by one key, and to one number."""

from dataclasses import dataclass
from typing import Final, Literal

from api.base.refusals import Capped
from api.base.times import rfc3339
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


class CapReached(Capped):
    """The order would go over a cap of orders."""

    def __init__(self, cap: Cap, most: int, free_at: float | None) -> None:
        """
        Args:
            cap: that is reached.
            most: what it allows.
            free_at: when there is room again, Unix seconds; None: never, for such an order.
        """
        told = f"{_SENTENCES[cap].format(most=most)} (the key's {cap}, else calls.{cap})"
        more = "one call may last longer than that"
        if free_at is not None:
            more = f"there is room again at {rfc3339(free_at)}"
        super().__init__("cap_reached", f"{told}; {more}", free_at)
        self.cap = cap

    @property
    def again_at(self) -> float | None:
        """When its key may place another order, Unix seconds; None: that is not what is capped."""
        return None if self.cap == "max_calls_per_number_per_day" else self.free_at


def _first(own: int | None, common: int) -> int:
    return common if own is None else own
