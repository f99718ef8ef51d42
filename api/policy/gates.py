"""What holds a due order back: its trunk, its number, its concurrency key, its campaign, money.

The dial policy says when an order wants to be dialled, this says whether there is room now. All
of it fails closed. Pure: whoever claims reads the state and counts what it takes.
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from api.policy.trunks import draw

Hold = Literal[
    "campaign_paused",
    "campaign_concurrency",
    "number_inactive",
    "trunk_inactive",
    "trunk_resting",
    "budget",
    "concurrency_key",
    "trunk_channels",
    "calls_per_second",
]

#: Why another trunk of the group may have the call.
NO_ROOM: Final[frozenset[Hold]] = frozenset({"trunk_channels", "calls_per_second"})

#: A trunk's calls of one second are counted over a little more, for what the way to the PBX
#: adds: two INVITEs may leave closer to one another than their claims were.
RATE_WINDOW_S: Final = 1.01


@dataclass
class TrunkState:
    """A trunk as it is now."""

    active: bool = True
    max_channels: int | None = None
    calls_per_second: int | None = None
    live: int = 0
    """Attempts on it that are not over."""
    started: Sequence[float] = ()
    """When its latest `calls_per_second` attempts started, Unix seconds, in order."""
    resting_until: float | None = None
    """Until then it rests, as it failed (`api.policy.trunks`); then one call tries it."""
    weight: int = 0
    """Its share of the calls of its group."""
    group: Hashable = None
    """What it has in common with those that may have its calls where it has no room; None: none
    may."""
    newest: float = 0.0
    """When the latest outbound one of its attempts that are not over started."""

    def rests(self, now: float) -> bool:
        """Whether nothing is dialled on it for now."""
        return self.resting_until is not None and now < self.resting_until

    @property
    def full(self) -> bool:
        """Whether there is no channel for another attempt."""
        tried = self.resting_until is not None and self.newest >= self.resting_until
        return tried or (self.max_channels is not None and self.live >= self.max_channels)

    def opens_at(self, now: float) -> float:
        """When its rate allows another attempt; `now` if at once."""
        rate = self.calls_per_second
        if rate is None or len(self.started) < rate:
            return now
        return max(now, self.started[-rate] + RATE_WINDOW_S)

    def has_room(self, now: float) -> bool:
        """Whether another attempt may start on it at once."""
        works = self.active and not self.rests(now)
        return works and not self.full and self.opens_at(now) <= now


@dataclass
class CampaignState:
    """A campaign whose orders may be dialled."""

    max_concurrent: int
    live: int = 0
    """Its calls that are being dialled or held."""

    @property
    def full(self) -> bool:
        return self.live >= self.max_concurrent


@dataclass(frozen=True)
class Wish:
    """What of an order the gates look at."""

    from_number: str
    trunk: str
    concurrency_key: str | None
    concurrency_max: int | None
    campaign_id: str | None
    costs: bool
    """Whether its rate is above nothing."""


@dataclass
class Gates:
    """The state of all that is limited, at `now`."""

    now: float
    trunks: Mapping[str, TrunkState] = field(default_factory=dict)
    """Those that are limited or not active; any other is free."""
    live_keys: Counter[str] = field(default_factory=Counter)
    """Live attempts by concurrency key."""
    inactive_numbers: frozenset[str] = frozenset()
    campaigns: Mapping[str, CampaignState] = field(default_factory=dict)
    """Those whose orders may be dialled."""
    overdrawn: bool = False
    """Whether more is spent and reserved than the budget's limit."""

    def hold(self, wish: Wish) -> Hold | None:
        """What holds the order back; None: it may be dialled now."""
        campaign = self.campaigns.get(wish.campaign_id or "")
        if wish.campaign_id is not None and campaign is None:
            return "campaign_paused"
        if wish.from_number in self.inactive_numbers:
            return "number_inactive"
        trunk = self.trunks.get(wish.trunk)
        if trunk is not None and not trunk.active:
            return "trunk_inactive"
        if trunk is not None and trunk.rests(self.now):
            return "trunk_resting"
        if self.overdrawn and wish.costs:
            return "budget"
        if self._key_is_full(wish):
            return "concurrency_key"
        if campaign is not None and campaign.full:
            return "campaign_concurrency"
        if trunk is None:
            return None
        if trunk.full:
            return "trunk_resting" if trunk.resting_until is not None else "trunk_channels"
        return "calls_per_second" if trunk.opens_at(self.now) > self.now else None

    def peer(self, name: str, key: str) -> str | None:
        """A trunk with room that may have a call in place of one that has none; None: none may.

        Args:
            name: of the one that has none.
            key: of the call, by which it is drawn.
        """
        group = None if name not in self.trunks else self.trunks[name].group
        lots = [
            (draw(key, other, one.weight), other)
            for other, one in self.trunks.items()
            if group is not None and one.group == group and one.has_room(self.now)
        ]
        return min(lots)[1] if lots else None

    def take(self, wish: Wish) -> None:
        """Count an order that is dialled now."""
        if wish.concurrency_key is not None:
            self.live_keys[wish.concurrency_key] += 1
        if (campaign := self.campaigns.get(wish.campaign_id or "")) is not None:
            campaign.live += 1
        if (trunk := self.trunks.get(wish.trunk)) is not None:
            trunk.live += 1
            trunk.newest = self.now
            trunk.started = [*trunk.started, self.now]

    def opens_at(self) -> float | None:
        """When the first trunk at its rate, or resting, opens again; None if none is."""
        active = [trunk for trunk in self.trunks.values() if trunk.active]
        openings = [max(one.opens_at(self.now), one.resting_until or 0.0) for one in active]
        return min((at for at in openings if at > self.now), default=None)

    def _key_is_full(self, wish: Wish) -> bool:
        if wish.concurrency_key is None or wish.concurrency_max is None:
            return False
        return self.live_keys[wish.concurrency_key] >= wish.concurrency_max
