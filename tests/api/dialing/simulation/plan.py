"""What is ordered in the fortnight, and what its operator does beside it; all drawn from a seed."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from api.base.money import Rate
from api.policy.retry import WEEKDAYS, CallingWindow, RetryPolicy
from api.resources.call import Concurrency, NewCall
from api.resources.trunk import NewTrunk
from tests.api.policy.oracle import unix

#: Clocks go back in Paris on 25 October, in New York on 1 November, of 2026.
START: Final = unix("2026-10-19T00:00+00:00")
DAY: Final = 86400.0
ZONES: Final = (
    "America/New_York",
    "Europe/Paris",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Asia/Tokyo",
    "Pacific/Apia",
)
OURS: Final = ("+15559876543", "+15550100099")
TRUNKS: Final = (
    NewTrunk("alpha", max_channels=4, calls_per_second=2),
    NewTrunk("beta", max_channels=3),
    NewTrunk("gamma", calls_per_second=1),
)
#: Nothing is dialled over it meanwhile.
CLOSED_TRUNK: Final = ("beta", START + 3.5 * DAY, START + 4.2 * DAY)
#: The budget is gone meanwhile: nothing that costs is ordered or dialled.
NO_MONEY: Final = (START + 8.1 * DAY, START + 8.6 * DAY)
_KEYS: Final = {f"tenant-{number}": 1 + number % 3 for number in range(15)}
_RATES: Final = (None, Rate("+", 1250), Rate("+", 900, 60, 30))
_MORNING, _NOON, _EVENING, _NIGHT = 9 * 60, 12 * 60, 17 * 60, 22 * 60
_WINDOWS: Final = (
    (CallingWindow(_MORNING, _EVENING, 7200),),
    (CallingWindow(_MORNING, _NOON, 1800), CallingWindow(14 * 60, 20 * 60, 5400)),
    (CallingWindow(_NIGHT, 3 * 60, 1200),),  # over the hour that comes twice
    (CallingWindow(0, 24 * 60, 600),),
    (CallingWindow(60, 150, 900), CallingWindow(10 * 60, 10 * 60 + 30, 60)),
)


@dataclass(frozen=True)
class Order:
    """A call that a client will ask for."""

    at: float
    new: NewCall
    cancel_at: float | None


@dataclass(frozen=True)
class Plan:
    orders: tuple[Order, ...]
    listed: Mapping[str, float]
    """Numbers that come on the do-not-call list, and when."""


@dataclass
class Doings:
    """What clients and the operator did beside ordering, and when that took effect."""

    ordered: dict[str, Order] = field(default_factory=dict)
    """By call id."""
    canceled: dict[str, float] = field(default_factory=dict)
    """Call ids."""
    listed: dict[str, float] = field(default_factory=dict)
    """Numbers that came on the do-not-call list."""
    trunk_switched: list[float] = field(default_factory=list)
    """When `CLOSED_TRUNK` was made inactive and active."""
    budget_changed: list[float] = field(default_factory=list)
    """When there was no money, and money again."""


def draw(seed: int, count: int) -> Plan:
    """`count` orders of the fortnight."""
    rng = random.Random(seed)
    orders = tuple(_orders(rng, count))
    listed = {
        order.new.to_number: START if rng.random() < 0.2 else order.at + rng.uniform(0, DAY)
        for order in rng.sample(orders, count // 10)
    }
    return Plan(orders, listed)


def _orders(rng: random.Random, count: int) -> Iterator[Order]:
    for number in range(count):
        # A fifth comes as one list, the rest over ten days.
        at = START + (DAY + number / 100 if rng.random() < 0.2 else rng.uniform(0, 10 * DAY))
        cancel_at = at + rng.uniform(0, DAY) if rng.random() < 0.06 else None
        yield Order(at, _new_call(rng, number, at), cancel_at)


def _new_call(rng: random.Random, number: int, at: float) -> NewCall:
    retry = None
    if rng.random() < 0.9:
        retry = RetryPolicy(
            frozenset(rng.sample(WEEKDAYS, rng.choice((4, 5, 7)))),
            rng.choice(_WINDOWS),
            rng.random() < 0.3,
            rng.randint(1, 5),
            rng.choice(ZONES) if rng.random() < 0.1 else None,
        )
    key = rng.choice(list(_KEYS)) if rng.random() < 0.3 else None
    scheduled_at = at + rng.uniform(-DAY, 2 * DAY) if rng.random() < 0.15 else None
    shared = rng.random() < 0.1
    return NewCall(
        f"+1555{rng.randrange(50) if shared else 1000 + number:07}",
        rng.choice(OURS),
        "hi",
        returns={"ok": "boolean"} if rng.random() < 0.1 else {},
        max_duration_s=120,
        trunk=rng.choice((None, "alpha", "beta", "gamma")),
        scheduled_at=scheduled_at,
        retry=retry,
        zones=() if retry is None else tuple(rng.sample(ZONES, rng.choice((1, 1, 1, 2)))),
        force_now=rng.random() < 0.05,
        concurrency=None if key is None else Concurrency(key, _KEYS[key]),
        rate=rng.choice(_RATES),
    )
