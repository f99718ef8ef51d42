"""Two legs that hear each other; a frame is told by its value."""

import numpy as np
import pytest

from pbx.relay import Relay, RelayEnd
from voice_loop.audio import Samples


def frame(value: int) -> Samples:
    return np.full(160, value, dtype=np.int16)


def say(end: RelayEnd, value: int) -> int | None:
    """What the end's leg is to play, after it heard `value`."""
    reply = end.exchange(frame(value), 0.0, 0.0)
    return None if reply is None else int(reply[0])


def test_each_hears_the_other_and_nobody_himself() -> None:
    relay = Relay()
    ticks = [(say(relay.first, n), say(relay.second, -n)) for n in range(1, 6)]
    assert ticks == [(None, 1), (-1, 2), (-2, 3), (-3, 4), (-4, 5)]


def test_a_leg_that_ticks_late_or_in_another_order_adds_one_frame_at_most() -> None:
    """The first leg is heard for a second before the second is connected; then orders change."""
    relay = Relay()
    for n in range(50):
        assert say(relay.first, n) is None
    heard = [say(relay.second, -1)]
    for n in range(50, 60):
        say(relay.first, n)
        heard.append(say(relay.second, -1))
    for n in range(60, 70):
        heard.append(say(relay.second, -1))
        say(relay.first, n)
    assert heard[0] == 48, "all before is gone"
    assert heard[1:11] == list(range(49, 59))
    assert heard[11:] == list(range(59, 69))


@pytest.mark.parametrize("stalled", [1, 3, 500])
def test_a_leg_that_pauses_leaves_no_delay_beyond_two_frames(stalled: int) -> None:
    relay = Relay()
    for n in range(10):
        say(relay.first, n)
        say(relay.second, 0)
    for n in range(10, 10 + stalled):
        say(relay.first, n)
    last = 10 + stalled
    say(relay.first, last)
    played = say(relay.second, 0)
    assert played is not None
    assert last - played <= 1


def test_silence_is_played_while_the_other_says_nothing() -> None:
    relay = Relay()
    say(relay.first, 7)
    assert [say(relay.second, 0) for _ in range(3)] == [7, None, None]


def test_legs_of_two_rates_hear_each_other() -> None:
    relay = Relay(16000, 8000)
    wide, narrow = np.full(320, 4000, np.int16), np.full(160, -4000, np.int16)
    for _ in range(5):
        to_narrow = relay.second.exchange(narrow, 0.0, 0.0)
        to_wide = relay.first.exchange(wide, 0.0, 0.0)
    assert to_wide is not None
    assert to_narrow is not None
    assert (to_wide.size, to_narrow.size) == (320, 160)
    assert to_wide.max() < -3900
    assert to_narrow.min() > 3900
