from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.policy.gates import NO_ROOM, CampaignState, Gates, Hold, TrunkState, Wish

NOW = 1_800_000_000.0
FREE = Wish("+15550100099", "t", None, None, None, costs=False)
KEYED = replace(FREE, concurrency_key="k", concurrency_max=2)
CAMPAIGN = replace(FREE, campaign_id="c")


@pytest.mark.parametrize(
    ("gates", "wish", "held"),
    [
        pytest.param(Gates(NOW), FREE, None, id="a trunk that nobody limited"),
        pytest.param(
            Gates(NOW, {"t": TrunkState(active=False)}), FREE, "trunk_inactive", id="inactive"
        ),
        pytest.param(
            Gates(NOW, {"t": TrunkState(max_channels=2, live=2)}), FREE, "trunk_channels", id="full"
        ),
        pytest.param(Gates(NOW, {"t": TrunkState(max_channels=2, live=1)}), FREE, None, id="room"),
        pytest.param(
            Gates(NOW, {"t": TrunkState(max_channels=0)}), FREE, "trunk_channels", id="no channels"
        ),
        pytest.param(
            Gates(NOW, {"t": TrunkState(calls_per_second=1, started=(NOW - 0.99,))}),
            FREE,
            "calls_per_second",
            id="at its rate",
        ),
        pytest.param(
            Gates(NOW, {"t": TrunkState(calls_per_second=1, started=(NOW - 1.02,))}),
            FREE,
            None,
            id="a second later",
        ),
        pytest.param(
            Gates(NOW, {"t": TrunkState(calls_per_second=1, started=(NOW + 5,))}),
            FREE,
            "calls_per_second",
            id="the clock was set back: closed",
        ),
        pytest.param(
            Gates(NOW, live_keys=Counter(k=2)), KEYED, "concurrency_key", id="RV-255: key full"
        ),
        pytest.param(
            Gates(NOW, live_keys=Counter(k=9)),
            KEYED,
            "concurrency_key",
            id="RV-257: another order allowed more",
        ),
        pytest.param(Gates(NOW, live_keys=Counter(k=1)), KEYED, None, id="RV-255: key has room"),
        pytest.param(Gates(NOW), CAMPAIGN, "campaign_paused", id="a campaign that does not run"),
        pytest.param(
            Gates(NOW, campaigns={"c": CampaignState(1, 1)}),
            CAMPAIGN,
            "campaign_concurrency",
            id="a campaign with enough",
        ),
        pytest.param(
            Gates(NOW, campaigns={"c": CampaignState(2, 1)}), CAMPAIGN, None, id="a campaign"
        ),
        pytest.param(
            Gates(NOW, inactive_numbers=frozenset({FREE.from_number})),
            FREE,
            "number_inactive",
            id="the caller number",
        ),
        pytest.param(
            Gates(NOW, overdrawn=True), replace(FREE, costs=True), "budget", id="no money"
        ),
        pytest.param(Gates(NOW, overdrawn=True), FREE, None, id="no money, free call"),
    ],
)
def test_what_holds_an_order(gates: Gates, wish: Wish, held: Hold | None) -> None:
    assert gates.hold(wish) == held


# -- whatever the order of takes -------------------------------------------------------------------

TRUNKS = {
    "t": TrunkState(max_channels=3),
    "rate": TrunkState(calls_per_second=2),
    "both": TrunkState(max_channels=4, calls_per_second=3),
}
MAX = {"k": 2, "m": 1}
CAMPAIGN_MAX = 3

wishes = st.builds(
    lambda trunk, key, campaign: Wish(
        "+15550100099", trunk, key, None if key is None else MAX[key], campaign, costs=False
    ),
    st.sampled_from(["t", "rate", "both", "unlimited"]),
    st.sampled_from([None, *MAX]),
    st.sampled_from([None, "c"]),
)
#: Seconds since the last round, what is wanted in it, and which live calls end before it.
rounds = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.001, 0.3, 0.5, 0.99, 1.0, 1.01, 2.0]),
        st.lists(wishes, max_size=8),
        st.lists(st.integers(0, 20), max_size=4),
    ),
    max_size=12,
)


@dataclass
class Ledger:
    """What is counted, as the store counts it."""

    live: list[Wish] = field(default_factory=list)
    starts: dict[str, list[float]] = field(default_factory=dict)

    def gates(self, now: float) -> Gates:
        trunks = {}
        for name, trunk in TRUNKS.items():
            rate = trunk.calls_per_second
            started = self.starts.get(name, [])[-rate:] if rate else []
            live = sum(wish.trunk == name for wish in self.live)
            trunks[name] = replace(trunk, live=live, started=started)
        keys = Counter(wish.concurrency_key for wish in self.live if wish.concurrency_key)
        in_campaign = sum(wish.campaign_id == "c" for wish in self.live)
        return Gates(now, trunks, keys, campaigns={"c": CampaignState(CAMPAIGN_MAX, in_campaign)})

    def dial(self, gates: Gates, wanted: Sequence[Wish]) -> None:
        for wish in wanted:
            if gates.hold(wish) is None:
                gates.take(wish)
                self.live.append(wish)
                self.starts.setdefault(wish.trunk, []).append(gates.now)


@given(rounds)
def test_no_limit_is_ever_passed(
    happened: Sequence[tuple[float, Sequence[Wish], Sequence[int]]],
) -> None:
    ledger, now = Ledger(), NOW
    for waited, wanted, ended in happened:
        now += waited
        for index in ended:
            if index < len(ledger.live):
                del ledger.live[index]
        ledger.dial(ledger.gates(now), wanted)
        for name, trunk in TRUNKS.items():
            live = sum(wish.trunk == name for wish in ledger.live)
            assert trunk.max_channels is None or live <= trunk.max_channels
        for key, most in MAX.items():
            assert sum(wish.concurrency_key == key for wish in ledger.live) <= most
        assert sum(wish.campaign_id == "c" for wish in ledger.live) <= CAMPAIGN_MAX
    for name, trunk in TRUNKS.items():
        if (rate := trunk.calls_per_second) is not None:
            starts = ledger.starts.get(name, [])
            for at in starts:
                assert sum(at <= start <= at + 1 for start in starts) <= rate


@given(rounds, wishes)
def test_nobody_is_held_for_ever(
    happened: Sequence[tuple[float, Sequence[Wish], Sequence[int]]], wish: Wish
) -> None:
    """With nothing live, whoever asks at the time that the gates name is let through."""
    ledger, now = Ledger(), NOW
    for waited, wanted, _ in happened:
        now += waited
        ledger.dial(ledger.gates(now), wanted)
    ledger.live.clear()
    gates = ledger.gates(now)
    tries = 0
    while gates.hold(wish) is not None:
        assert gates.hold(wish) == "calls_per_second"
        opens_at = gates.opens_at()
        assert opens_at is not None
        assert gates.now < opens_at <= now + 1.1
        gates = ledger.gates(opens_at)
        tries += 1
        assert tries <= len(TRUNKS)


SHARING = "the ones"


@pytest.mark.parametrize(
    ("other", "may"),
    [
        (TrunkState(group=SHARING, weight=1), True),
        (TrunkState(group=SHARING, weight=1, max_channels=2, live=1), True),
        (TrunkState(group=SHARING, weight=1, max_channels=2, live=2), False),
        (TrunkState(group=SHARING, weight=1, calls_per_second=1, started=(NOW,)), False),
        (TrunkState(group=SHARING, weight=1, active=False), False),
        (TrunkState(group=SHARING, weight=1, resting_until=NOW + 5), False),
        (TrunkState(group=SHARING, weight=1, resting_until=NOW - 5, newest=NOW - 1), False),
        (TrunkState(group="others", weight=1), False),
        (TrunkState(), False),
    ],
)
def test_who_may_have_the_call_of_a_trunk_without_room(other: TrunkState, *, may: bool) -> None:
    full = TrunkState(group=SHARING, weight=3, max_channels=1, live=1)
    gates = Gates(NOW, {"t": full, "u": other})
    assert gates.hold(FREE) in NO_ROOM
    assert gates.peer("t", "call") == ("u" if may else None)


def test_a_trunk_that_shares_with_nobody_has_no_peer() -> None:
    gates = Gates(NOW, {"t": TrunkState(max_channels=0), "u": TrunkState()})
    assert gates.peer("t", "call") is None
    assert gates.peer("gone", "call") is None
