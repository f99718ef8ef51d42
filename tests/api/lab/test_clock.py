"""Turns whose audio fell behind the wall clock."""

import pytest

from api.lab.clock import AudioClock, Decided
from api.resources.turn import Turn

ANSWERED = 1_700_000_000.0


def test_ticks_that_were_left_out_are_made_up_for() -> None:
    """After 10 s, half a second of ticks is missing."""
    decided = [
        Decided(ANSWERED + 1.0, 50, "Play"),
        Decided(ANSWERED + 10.0, 500, "SpeechStarted"),
        Decided(ANSWERED + 12.5, 600, "TurnEnded"),
        Decided(ANSWERED + 20.5, 1000, "Over"),
    ]
    clock = AudioClock(decided, ANSWERED, ANSWERED + 0.5)
    before, after = (
        clock.turn(Turn("person", "yes", ANSWERED + start, ANSWERED + start + 2.0)).span
        for start in (4.0, 14.0)
    )
    assert before == pytest.approx((3.5, 5.5), abs=0.01)
    assert after == pytest.approx((14.0, 16.0), abs=0.01)


def test_without_decisions_turns_stay_as_they_are_told() -> None:
    turn = AudioClock([], ANSWERED, ANSWERED).turn(
        Turn("agent", "yes", ANSWERED + 1, ANSWERED + 2, timings={"wire_ms": 400.0})
    )
    assert turn.span == pytest.approx((1.0, 2.0))
    assert turn.wire_ms == 400.0
