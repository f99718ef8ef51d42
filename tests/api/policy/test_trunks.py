"""Which trunk comes next, how long one rests, and what an order makes of trunks that fail."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from api.policy.decide import AttemptFacts, DialNow, OrderFacts, Stop, WaitUntil, decide
from api.policy.gates import Gates, TrunkState, Wish
from api.policy.retry import RetryPolicy
from api.policy.trunks import draw, next_trunk, rest_s, trunk_again
from tests.api.policy.oracle import unix

NOON = unix("2026-11-20T12:00+01:00")  # a Friday
ONCE = OrderFacts(ways=("a", "b"))
PATIENT = replace(ONCE, zones=("Europe/Berlin",), retry=RetryPolicy(max_attempts=2), patient=True)
CONTACT = replace(ONCE, patient=True)


def failed(trunk: str, at: float = NOON, reason: str = "trunk_unreachable") -> AttemptFacts:
    return AttemptFacts(at - 8, at, "failed", end_reason=reason, trunk=trunk)


@pytest.mark.parametrize(
    ("ways", "tried", "now", "again"),
    [
        ("ab", "a", "b", "b"),
        ("ab", "b", "a", "a"),
        ("ab", "ab", None, "a"),
        ("ab", "aba", "b", "b"),
        ("abc", "ab", "c", "c"),
        ("b", "a", "b", "b"),
        ("a", "a", None, "a"),
        ("", "a", None, None),
    ],
)
def test_each_trunk_has_its_turn(ways: str, tried: str, now: str | None, again: str | None) -> None:
    assert next_trunk(ways, tried) == now
    assert trunk_again(ways, tried) == again


def test_calls_are_shared_in_proportion_to_the_weights() -> None:
    weights = {"a": 3, "b": 1, "c": 0}
    won = Counter(
        min(weights, key=lambda name: draw(str(call), name, weights[name])) for call in range(4000)
    )
    assert won["a"] / 4000 == pytest.approx(0.75, abs=0.03)
    assert won["b"] / 4000 == pytest.approx(0.25, abs=0.03)
    assert not won["c"]
    # What one call draws is the same for whoever asks, and whatever other trunks there are.
    assert draw("x", "a", 3) == draw("x", "a", 3) != draw("y", "a", 3)


def test_a_trunk_rests_longer_each_time_up_to_two_minutes() -> None:
    assert [rest_s(n, "trunk_unreachable") for n in (1, 2, 3, 4, 5, 99)] == [
        10, 20, 40, 80, 120, 120,
    ]  # fmt: skip
    assert [rest_s(n, "trunk_failed") for n in (1, 2, 3, 4)] == [0, 0, 10, 20]


@pytest.mark.parametrize("reason", ["trunk_unreachable", "trunk_refused", "trunk_failed"])
def test_another_trunk_is_tried_at_once_and_no_attempt_is_counted(reason: str) -> None:
    for order in (ONCE, PATIENT, CONTACT):
        assert decide(order, [failed("a", reason=reason)], NOON) == DialNow(2)
    busy = AttemptFacts(NOON, NOON, "busy", q850_cause=17, sip_code=486, trunk="b")
    assert decide(ONCE, [failed("a"), busy], NOON) == Stop("attempts_used", "busy")
    later = NOON + 2 * 3600
    assert decide(PATIENT, [failed("a"), busy], NOON) == WaitUntil(later, "retry_delay")
    assert decide(PATIENT, [failed("a"), busy, failed("a", later)], later) == DialNow(4)
    both = [failed("a"), busy, failed("a", later), replace(busy, ended_at=later)]
    assert decide(PATIENT, both, later) == Stop("attempts_used", "busy")


def test_where_no_trunk_is_left_one_call_fails_and_others_wait() -> None:
    tried = [failed("a"), failed("b")]
    assert decide(ONCE, tried, NOON) == Stop("trunk_unreachable", "failed")
    for order in (PATIENT, CONTACT):
        assert decide(order, tried, NOON) == WaitUntil(NOON + 15, "trunk_resting")
        assert decide(order, tried, NOON + 15) == DialNow(3)
        twice = [*tried, failed("a"), failed("b")]
        assert decide(order, twice, NOON) == WaitUntil(NOON + 30, "trunk_resting")


@pytest.mark.parametrize(
    ("ways", "proven", "hours"), [(("a",), True, 1), (("a",), False, 24), ((), False, 24)]
)
def test_patience_ends_in_the_end(ways: tuple[str, ...], proven: bool, hours: int) -> None:
    """Sooner where the trunk works for others, so that it may be the number after all."""
    tried: list[AttemptFacts] = []
    now = NOON
    while True:
        tried.append(failed("a", now))
        match decide(replace(CONTACT, ways=ways, proven=proven), tried, now):
            case WaitUntil(at, "trunk_resting") if at is not None:
                now = at
            case Stop("trunk_unreachable", "failed"):
                break
    assert now - NOON == pytest.approx(hours * 3600, rel=0.1)


def test_trunks_that_fail_do_not_open_a_window() -> None:
    evening = unix("2026-11-20T18:00+01:00")
    monday = unix("2026-11-23T10:00+01:00")
    tried = [failed("a", evening)]
    assert decide(PATIENT, tried, evening) == WaitUntil(monday, "calling_window")


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (replace(CONTACT, cancel_requested=True), "canceled"),
        (replace(CONTACT, do_not_call=True), "do_not_call"),
        (replace(CONTACT, destination_refused=True), "destination_not_allowed"),
    ],
)
def test_what_was_taken_back_meanwhile_is_tried_nowhere(order: OrderFacts, why: str) -> None:
    decision = decide(order, [failed("a")], NOON)
    assert isinstance(decision, Stop)
    assert decision.why == why


def test_what_rang_and_then_broke_is_no_trunk_s_fault() -> None:
    """The number is not dialled once more by another trunk."""
    rang = AttemptFacts(NOON - 8, NOON, "failed", end_reason="failed", sip_code=503, trunk="a")
    assert decide(ONCE, [rang], NOON) == Stop("attempts_used", "failed")


def test_one_call_tries_a_trunk_that_has_rested() -> None:
    wish = Wish("+15559876543", "a", None, None, None, costs=False)
    trunk = TrunkState(resting_until=NOON + 1, live=1, newest=NOON - 60)
    holds: Sequence[str | None] = [
        Gates(NOON, {"a": trunk}).hold(wish),
        Gates(NOON + 1, {"a": trunk}).hold(wish),
    ]
    assert holds == ["trunk_resting", None]
    gates = Gates(NOON + 1, {"a": trunk})
    gates.take(wish)
    assert gates.hold(wish) == "trunk_resting"
    assert Gates(NOON, {"a": TrunkState(resting_until=NOON + 1)}).opens_at() == NOON + 1
