"""When audio from a far end is lost, and when what comes is only not handed on."""

from pbx.audio_watch import LOST_S, AudioWatch


def watched(
    seconds: int, packets: float, trunk: float | None, watch: AudioWatch | None = None, at: int = 0
) -> tuple[AudioWatch, list[tuple[int, str]]]:
    """What is told in so many seconds of so many packets a second."""
    watch = watch or AudioWatch(float(at))
    told: list[tuple[int, str]] = []
    for second in range(at + 1, at + seconds + 1):
        said: str | None = watch.look(round(packets * second), float(second))
        if said == "ask":
            count = None if trunk is None else round(trunk * second)
            said = watch.trunk_received(count, float(second))
        if said is not None:
            told.append((second, said))
    return watch, told


def test_while_audio_comes_nothing_is_said() -> None:
    assert watched(60, 50, None)[1] == []


def test_audio_that_never_comes_is_lost_once() -> None:
    watch, told = watched(60, 0, 0)
    assert told == [(LOST_S, "lost")]
    assert watch.since == 0.0
    assert watch.lost


def test_where_the_pbx_cannot_tell_it_is_lost_as_well() -> None:
    assert watched(60, 0, None)[1] == [(LOST_S, "lost")]


def test_audio_that_stops_is_lost_and_restored_when_it_comes_again() -> None:
    watch, _ = watched(10, 50, 50)
    assert [watch.look(500, at) for at in (11.5, 12.5)] == [None, "ask"]
    assert watch.trunk_received(500, 12.5) is None
    assert watch.trunk_received(500, 15.5) == "lost"
    assert watch.since == 10.0
    assert watch.look(501, 16.0) == "restored"
    assert not watch.lost


def test_comfort_noise_is_a_sign_of_the_far_end() -> None:
    """Which Asterisk does not hand on."""
    watch, told = watched(60, 0, 2.5)
    assert told == []
    assert watch.comfort_noise


def test_comfort_noise_that_begins_late_restores() -> None:
    watch, told = watched(8, 0, 0)
    assert told == [(LOST_S, "lost")]
    watched(4, 0, 2.5, watch, 8)
    assert not watch.lost


def test_audio_that_the_pbx_has_and_we_have_not_is_lost() -> None:
    watch, told = watched(10, 0, 50)
    assert told == [(LOST_S, "lost")]
    assert not watch.comfort_noise


def test_what_may_be_stuck_in_the_pbx_is_freed_once() -> None:
    """However often comfort noise comes, it is such where audio was heard before."""
    watch, _ = watched(3, 50, 50)
    told = [
        watch.trunk_received(50 * second, float(second))
        for second in range(5, 20)
        if watch.look(150, float(second)) == "ask"
    ]
    assert told[:2] == [None, "renew"]
    assert set(told[2:]) == {None}
    assert watch.comfort_noise


def test_audio_that_begins_between_two_looks_is_no_comfort_noise() -> None:
    watch, told = watched(6, 0, 0)
    assert told == [(LOST_S, "lost")]
    assert watch.look(0, 7.0) == "ask"
    assert watch.trunk_received(3, 7.01) is None
    assert watch.look(50, 8.0) == "restored"
    assert not watch.comfort_noise


def test_a_hold_is_no_loss() -> None:
    watch = AudioWatch(0.0)
    for second in range(1, 30):
        watch.pause(float(second))
    assert watch.look(0, 29.5) is None
    assert watch.look(0, 31.5) == "ask"
    assert watch.trunk_received(0, 31.5) is None
