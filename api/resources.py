"""Trunks, caller numbers, the do-not-call list, the rate card and the budget as the store takes
and gives them: frozen records. Times are Unix seconds, money is milli-cents."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from api.money import Rate

T = TypeVar("T")

Activity = Literal["active", "inactive"]
DoNotCallSource = Literal["api", "import", "outcome"]
EntryKind = Literal["reserve", "settle", "release", "limit"]


@dataclass(frozen=True)
class PageOf(Generic[T]):
    """A part of a list."""

    items: tuple[T, ...]
    next_cursor: str | None
    """Where the next page starts; None on the last page."""

    @property
    def has_more(self) -> bool:
        return self.next_cursor is not None


@dataclass(frozen=True)
class NewTrunk:
    """A trunk as it comes in, already checked."""

    name: str
    """What the PBX calls it."""
    status: Activity = "active"
    description: str = ""
    allowed_prefixes: Sequence[str] = ()
    """`+` and digits; none: every number may be dialled."""
    max_channels: int | None = None
    calls_per_second: int | None = None
    allow_refer: bool = False
    """Whether it may be sent a REFER (RFC 3515)."""


@dataclass(frozen=True, kw_only=True)
class Trunk(NewTrunk):
    """A stored trunk."""

    created_at: float
    updated_at: float
    channels_in_use: int
    """Attempts on it that are not over, and second legs of transfers."""


@dataclass(frozen=True)
class NewNumber:
    """A caller number as it comes in, already checked."""

    number: str
    trunk: str | None = None
    """The one that it may be shown on; None: all of them."""
    status: Activity = "active"
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class OwnedNumber(NewNumber):
    """A stored caller number."""

    id: str
    created_at: float
    updated_at: float


@dataclass(frozen=True)
class Route:
    """How an order goes out."""

    from_number: str
    trunk: str


@dataclass(frozen=True)
class StoredSecret:
    """A secret, without its text."""

    name: str
    created_at: float
    updated_at: float


@dataclass(frozen=True)
class ListedNumber:
    """A number that is never called."""

    number: str
    source: DoNotCallSource
    reason: str
    call_id: str | None
    """Of the call in which it was asked for."""
    created_at: float


@dataclass(frozen=True)
class NewRate(Rate):
    """A line of the rate card as it comes in, already checked."""

    description: str = ""


@dataclass(frozen=True, kw_only=True)
class StoredRate(NewRate):
    """A line of the rate card."""

    created_at: float
    updated_at: float


@dataclass(frozen=True)
class Budget:
    """What may be spent, and what is."""

    limit_milli_cents: int | None
    """Of all that was ever spent; None: no limit."""
    spent_milli_cents: int
    reserved_milli_cents: int
    """Held for calls that are not over."""
    updated_at: float | None
    """None: it was never touched."""

    @property
    def available_milli_cents(self) -> int | None:
        """What is left; None: no limit."""
        if self.limit_milli_cents is None:
            return None
        left = self.limit_milli_cents - self.spent_milli_cents - self.reserved_milli_cents
        return max(0, left)


@dataclass(frozen=True)
class BudgetEntry:
    """One change of the budget."""

    id: int
    at: float
    call_id: str | None
    kind: EntryKind
    milli_cents: int | None
    """The new limit, or what was reserved, spent or released."""


def trunks_for(number: str, trunks: Sequence[Trunk]) -> list[Trunk]:
    """Active trunks that take `number`: the longest allowed prefix first, then the oldest.

    Args:
        number: E.164.
        trunks: oldest first.
    """
    matches = [(_match(number, trunk), trunk) for trunk in trunks if trunk.status == "active"]
    fitting = [(length, trunk) for length, trunk in matches if length is not None]
    fitting.sort(key=lambda match: -match[0])
    return [trunk for _, trunk in fitting]


def _match(number: str, trunk: Trunk) -> int | None:
    """Length of the longest allowed prefix of `number`; None if there is none."""
    if not trunk.allowed_prefixes:
        return 0
    fitting = (len(prefix) for prefix in trunk.allowed_prefixes if number.startswith(prefix))
    return max(fitting, default=None)
