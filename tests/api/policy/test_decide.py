from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.policy.calendar import retry_delay
from api.policy.decide import (
    AttemptFacts,
    Decision,
    DialNow,
    OrderFacts,
    Stop,
    Stopping,
    Waiting,
    WaitUntil,
    decide,
)
from api.policy.retry import CallingWindow, RetryPolicy
from tests.api.policy.oracle import instants, is_open, policies, unix, zones

BERLIN = ("Europe/Berlin",)
NOON = unix("2026-11-20T12:00+01:00")  # a Friday
EVENING = unix("2026-11-20T20:00+01:00")
MONDAY = unix("2026-11-23T10:00+01:00")

PLAIN = OrderFacts(BERLIN)
RETRIED = OrderFacts(BERLIN, RetryPolicy())
TWICE = OrderFacts(BERLIN, RetryPolicy(call_twice_in_a_row=True))
ONCE = OrderFacts(BERLIN, RetryPolicy(call_twice_in_a_row=True, max_attempts=1))

RINGING = AttemptFacts(NOON - 30)
BUSY = AttemptFacts(NOON - 100, NOON - 60, "busy", q850_cause=17, sip_code=486)
UNANSWERED = AttemptFacts(NOON - 100, NOON - 60, "no_answer")
FAILED = AttemptFacts(NOON - 100, NOON - 60, "failed", sip_code=503)
TALKED = AttemptFacts(NOON - 100, NOON - 60, "completed", True, "human")
VOICEMAIL = AttemptFacts(NOON - 100, NOON - 60, "no_answer", True, "machine")
MENU = AttemptFacts(NOON - 100, NOON - 60, "completed", True, "ivr", "agent_hangup")
UNSENT = AttemptFacts(NOON - 40, NOON, "failed", end_reason="pbx_unavailable")
LOST = AttemptFacts(NOON - 100, None, unknown=True)

LATER = WaitUntil(NOON - 60 + 7200, "retry_delay")


def ended(attempt: AttemptFacts, at: float) -> AttemptFacts:
    return replace(attempt, started_at=at - 40, ended_at=at)


@pytest.mark.parametrize(
    ("order", "attempts", "now", "expected"),
    [
        pytest.param(PLAIN, [], EVENING, DialNow(1), id="CB-6: at once, at any hour"),
        pytest.param(OrderFacts(), [], EVENING, DialNow(1), id="CB-6: wherever it is"),
        pytest.param(
            PLAIN, [UNANSWERED], NOON, Stop("attempts_used", "no_answer"), id="CB-6: one attempt"
        ),
        pytest.param(RETRIED, [], NOON, DialNow(1), id="RV-269: within a window"),
        pytest.param(
            RETRIED, [], EVENING, WaitUntil(MONDAY, "calling_window"), id="RV-101, RV-269: outside"
        ),
        # scheduled_at
        pytest.param(
            replace(PLAIN, scheduled_at=NOON + 1),
            [],
            NOON,
            WaitUntil(NOON + 1, "scheduled_at"),
            id="RV-266",
        ),
        pytest.param(
            replace(PLAIN, scheduled_at=NOON - 1), [], NOON, DialNow(1), id="RV-266: past is now"
        ),
        pytest.param(
            replace(RETRIED, scheduled_at=EVENING),
            [],
            NOON,
            WaitUntil(MONDAY, "calling_window"),
            id="RV-266: scheduled outside the windows",
        ),
        # force_now
        pytest.param(replace(RETRIED, force_now=True), [], EVENING, DialNow(1), id="RV-260"),
        pytest.param(
            replace(RETRIED, force_now=True, scheduled_at=EVENING),
            [],
            NOON,
            WaitUntil(EVENING, "scheduled_at"),
            id="RV-260: then, whatever the hour",
        ),
        pytest.param(
            replace(RETRIED, force_now=True),
            [ended(BUSY, EVENING)],
            EVENING + 7200,
            WaitUntil(MONDAY, "calling_window"),
            id="RV-260: later attempts keep to the windows",
        ),
        pytest.param(
            replace(RETRIED, force_now=True, do_not_call=True),
            [],
            EVENING,
            Stop("do_not_call", "failed"),
            id="RV-260: the do-not-call list is honoured",
        ),
        # retries
        pytest.param(RETRIED, [BUSY], NOON, LATER, id="RV-8, RV-126: busy"),
        pytest.param(RETRIED, [UNANSWERED], NOON, LATER, id="RV-8: no answer"),
        pytest.param(RETRIED, [VOICEMAIL], NOON, LATER, id="RV-8: voicemail"),
        pytest.param(RETRIED, [FAILED], NOON, LATER, id="RV-8: unavailable"),
        pytest.param(
            RETRIED,
            [replace(MENU, end_reason="ivr_no_navigate")],
            NOON,
            LATER,
            id="RV-114, RV-505: a menu that was not got through",
        ),
        pytest.param(
            RETRIED, [replace(TALKED, answered_by="screening")], NOON, LATER, id="RV-114: screened"
        ),
        pytest.param(RETRIED, [TALKED], NOON, Stop("reached", "completed"), id="RV-8: a human"),
        pytest.param(RETRIED, [MENU], NOON, Stop("reached", "completed"), id="RV-8: a menu"),
        pytest.param(
            RETRIED,
            [replace(TALKED, status="failed", answered_by=None)],
            NOON,
            Stop("reached", "failed"),
            id="somebody answered, and it broke: not rung again",
        ),
        pytest.param(
            RETRIED,
            [replace(TALKED, answered_by="unknown", end_reason="silence")],
            NOON,
            LATER,
            id="somebody answered and said nothing",
        ),
        pytest.param(
            RETRIED,
            [replace(TALKED, status="failed", answered_by="unknown", end_reason="no_media")],
            NOON,
            LATER,
            id="no audio came of who answered",
        ),
        pytest.param(
            RETRIED,
            [replace(TALKED, answered_by="unknown", end_reason="media_lost")],
            NOON,
            LATER,
            id="the line went dead before anybody was known to be there",
        ),
        pytest.param(
            RETRIED,
            [replace(TALKED, end_reason="media_lost")],
            NOON,
            Stop("reached", "completed"),
            id="the line went dead in the midst of a talk",
        ),
        pytest.param(
            RETRIED,
            [replace(TALKED, end_reason="silence")],
            NOON,
            Stop("reached", "completed"),
            id="somebody talked, and then said nothing",
        ),
        pytest.param(
            RETRIED,
            [replace(TALKED, status="failed", end_reason="engine_error")],
            NOON,
            LATER,
            id="an engine cut somebody off",
        ),
        pytest.param(
            RETRIED,
            [replace(TALKED, status="failed", end_reason="engine_error")] * 3,
            MONDAY,
            Stop("attempts_used", "failed"),
            id="an engine cut somebody off for the last time",
        ),
        pytest.param(RETRIED, [BUSY], NOON - 60 + 7200, DialNow(2), id="RV-126: rested"),
        pytest.param(
            RETRIED,
            [ended(BUSY, NOON + 5 * 3600)],
            NOON + 5 * 3600,
            WaitUntil(MONDAY, "calling_window"),
            id="RV-101: the pause ends after the window",
        ),
        pytest.param(
            RETRIED, [BUSY] * 3, MONDAY, Stop("attempts_used", "busy"), id="RV-130: three in all"
        ),
        # call_twice_in_a_row
        pytest.param(TWICE, [UNANSWERED], NOON, DialNow(2), id="RV-111, RV-114"),
        pytest.param(TWICE, [VOICEMAIL], NOON, DialNow(2), id="RV-114: voicemail"),
        pytest.param(TWICE, [UNANSWERED, UNANSWERED], NOON, LATER, id="RV-116: only 1 to 2"),
        pytest.param(
            TWICE,
            [ended(UNANSWERED, EVENING - 7200 + 5)],
            EVENING - 7200 + 5,
            WaitUntil(MONDAY, "calling_window"),
            id="RV-115: the window closed",
        ),
        pytest.param(ONCE, [BUSY], NOON, Stop("attempts_used", "busy"), id="RV-113"),
        pytest.param(TWICE, [TALKED], NOON, Stop("reached", "completed"), id="RV-114: a human"),
        # what stops
        pytest.param(
            replace(RETRIED, cancel_requested=True),
            [],
            NOON,
            Stop("canceled", "canceled"),
            id="canceled before it was dialled",
        ),
        pytest.param(
            replace(RETRIED, cancel_requested=True),
            [BUSY],
            NOON,
            Stop("canceled", "canceled"),
            id="canceled between attempts",
        ),
        pytest.param(
            replace(RETRIED, cancel_requested=True),
            [TALKED],
            NOON,
            Stop("reached", "completed"),
            id="canceled too late",
        ),
        pytest.param(
            replace(RETRIED, do_not_call=True),
            [BUSY],
            NOON,
            Stop("do_not_call", "failed"),
            id="put on the list between attempts",
        ),
        *(
            pytest.param(
                RETRIED,
                [replace(FAILED, q850_cause=cause)],
                NOON,
                Stop("number_unusable", "failed"),
                id=f"Q.850 {cause}",
            )
            for cause in (1, 22, 28)
        ),
        *(
            pytest.param(
                RETRIED,
                [replace(FAILED, sip_code=code, q850_cause=21)],
                NOON,
                Stop("unwanted", "failed"),
                id=f"SIP {code}",
            )
            for code in (607, 608)
        ),
        pytest.param(
            replace(RETRIED, zones=()), [], NOON, Stop("never_open", "failed"), id="zone unknown"
        ),
        pytest.param(
            replace(RETRIED, zones=()),
            [BUSY],
            NOON,
            Stop("never_open", "busy"),
            id="zone unknown, after a forced attempt",
        ),
        # attempts whose end is not known
        pytest.param(
            RETRIED, [RINGING], MONDAY, WaitUntil(None, "attempt_under_way"), id="under way"
        ),
        pytest.param(
            replace(RETRIED, cancel_requested=True, do_not_call=True),
            [BUSY, RINGING],
            NOON,
            WaitUntil(None, "attempt_under_way"),
            id="under way: it ends before its order does",
        ),
        pytest.param(
            RETRIED, [LOST], MONDAY, Stop("attempt_unknown", "failed"), id="promise 1: unknown fate"
        ),
        pytest.param(
            TWICE,
            [replace(LOST, ended_at=NOON), BUSY],
            MONDAY,
            Stop("attempt_unknown", "failed"),
            id="promise 1: unknown fate, closed, among others",
        ),
    ],
)
@pytest.mark.rows("RV-8", "RV-101", "RV-111", "RV-113…116", "RV-126", "RV-130", "RV-260", "RV-266")
@pytest.mark.rows("RV-269")
def test_decide(
    order: OrderFacts, attempts: list[AttemptFacts], now: float, expected: Decision
) -> None:
    assert decide(order, attempts, now) == expected


def test_the_delay_is_that_of_the_window_in_which_the_attempt_ended() -> None:
    """RV-117, RV-126."""
    policy = RetryPolicy(
        calling_windows=(CallingWindow(600, 780, 60), CallingWindow(840, 1080, 900))
    )
    order = OrderFacts(BERLIN, policy)
    assert decide(order, [BUSY], NOON) == DialNow(2)
    afternoon = NOON + 3 * 3600
    assert decide(order, [ended(BUSY, afternoon)], afternoon) == WaitUntil(
        afternoon + 900, "retry_delay"
    )
    # Begun in one window and ended in the next.
    across = replace(VOICEMAIL, started_at=NOON + 3590, ended_at=afternoon)
    assert decide(order, [across], afternoon) == WaitUntil(afternoon + 900, "retry_delay")
    # The pause runs into the lunch break, whose end it then waits for.
    assert decide(order, [ended(BUSY, NOON + 3599)], NOON + 3599) == WaitUntil(
        NOON + 2 * 3600, "calling_window"
    )


def test_every_reason_has_a_sentence() -> None:
    for waiting in get_args(Waiting):
        assert WaitUntil(None, waiting).sentence.endswith(".")
    for stopping in get_args(Stopping):
        assert Stop(stopping, "failed").sentence.endswith(".")


orders = st.builds(
    OrderFacts,
    zones=zones,
    retry=st.one_of(policies, policies, st.none()),
    scheduled_at=st.one_of(st.none(), instants),
    force_now=st.booleans(),
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[AttemptFacts, ...]:
    """Up to five attempts, one after the other, none of which reached anybody."""
    at = draw(instants)
    made: list[AttemptFacts] = []
    for ending in draw(st.lists(st.sampled_from([BUSY, UNANSWERED, VOICEMAIL, FAILED]))):
        over = at + draw(st.integers(0, 3000))
        made.append(replace(ending, started_at=at, ended_at=over))
        at = over + draw(st.integers(0, 100_000))
    return tuple(made[:5])


@settings(max_examples=300)
@given(orders, histories(), instants)
def test_at_the_time_it_named_it_dials(
    order: OrderFacts, attempts: tuple[AttemptFacts, ...], now: float
) -> None:
    decision = decide(order, attempts, now)
    match decision:
        case WaitUntil(at=at):
            assert at is not None
            assert at > now
            assert decide(order, attempts, at) == DialNow(len(attempts) + 1)
            # Asked any earlier, it names the same time.
            for share in (0.1, 0.5, 0.99):
                between = now + (at - now) * share
                if between < at:
                    again = decide(order, attempts, between)
                    assert isinstance(again, WaitUntil)
                    assert again.at == at
        case DialNow(attempt=number):
            assert number == len(attempts) + 1
            assert order.scheduled_at is None or order.scheduled_at <= now
            if order.retry is None:
                assert number == 1
            else:
                assert number <= order.retry.max_attempts
                forced = order.force_now and number == 1
                assert forced or is_open(order.retry, order.zones, now)
        case Stop(why=why):
            assert why in {"attempts_used", "never_open"}


@settings(max_examples=200)
@given(
    orders,
    instants,
    st.lists(
        st.tuples(
            st.sampled_from([BUSY, UNANSWERED, VOICEMAIL, FAILED, TALKED]), st.integers(0, 7200)
        ),
        min_size=6,
        max_size=6,
    ),
)
def test_the_life_of_an_order(
    order: OrderFacts, created_at: float, fates: Sequence[tuple[AttemptFacts, int]]
) -> None:
    """Driven as a dialer does it, an order ends, and every attempt was allowed."""
    now, attempts = created_at, list[AttemptFacts]()
    while not isinstance(decision := decide(order, attempts, now), Stop):
        if isinstance(decision, WaitUntil):
            assert decision.at is not None
            now = decision.at
            assert isinstance(decide(order, attempts, now), DialNow)
            continue
        attempts.append(AttemptFacts(now))
        assert decide(order, attempts, now + 1) == WaitUntil(None, "attempt_under_way")
        fate, seconds = fates[len(attempts) - 1]
        attempts[-1] = replace(fate, started_at=now, ended_at=now + seconds)
        now += seconds
    policy = order.retry
    assert len(attempts) <= (policy.max_attempts if policy else 1)
    assert not any(one.reached for one in attempts[:-1])
    if attempts:
        assert attempts[0].started_at >= max(created_at, order.scheduled_at or 0)
    if policy is not None:
        for number, one in enumerate(attempts, 1):
            assert (order.force_now and number == 1) or is_open(policy, order.zones, one.started_at)
        for number, (one, following) in enumerate(pairwise(attempts), 1):
            assert one.ended_at is not None
            pause = following.started_at - one.ended_at
            if not (policy.call_twice_in_a_row and number == 1):
                delay = retry_delay(policy, order.zones, (one.ended_at, one.started_at))
                assert pause >= delay - 1e-6


@pytest.mark.parametrize(
    ("order", "attempts", "now", "expected"),
    [
        (PLAIN, [UNSENT], NOON, DialNow(2)),
        (PLAIN, [UNSENT] * 9, NOON, DialNow(10)),
        (ONCE, [UNSENT] * 9, NOON, DialNow(10)),
        (RETRIED, [UNSENT], EVENING, WaitUntil(MONDAY, "calling_window")),
        (RETRIED, [BUSY, UNSENT], NOON, LATER),
        (replace(PLAIN, cancel_requested=True), [UNSENT], NOON, Stop("canceled", "canceled")),
        (PLAIN, [replace(UNSENT, unknown=True)], NOON, Stop("attempt_unknown", "failed")),
        (
            PLAIN,
            [replace(FAILED, trunk="a", end_reason="trunk_failed"), UNSENT],
            NOON,
            Stop("trunk_unreachable", "failed"),
        ),
        (
            replace(PLAIN, ways=("b",)),
            [replace(FAILED, trunk="a", end_reason="trunk_failed"), UNSENT],
            NOON,
            DialNow(3),
        ),
    ],
)
def test_an_attempt_that_the_pbx_never_heard_of_is_none(
    order: OrderFacts, attempts: Sequence[AttemptFacts], now: float, expected: Decision
) -> None:
    assert decide(order, attempts, now) == expected
