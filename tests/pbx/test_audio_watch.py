"""When audio from a far end is lost, and when what comes is only not handed on."""

from pbx.asterisk.attempt import trunk_audio
from pbx.audio_watch import LOST_S, UNHEARD_S, AudioWatch, TrunkAudio


def watched(
    watch: AudioWatch,
    seconds: range,
    packets: float,
    trunk: float | None = None,
    report_s: int | None = None,
) -> list[tuple[float, str]]:
    """What is told in those seconds, of so many packets a second since the first.

    Args:
        watch: is looked at each second.
        seconds: from the answer.
        packets: that came to us, a second.
        trunk: that the PBX had of the trunk, a second; None where it does not tell.
        report_s: how often the far end reports; None for never.
    """
    told: list[tuple[float, str]] = []
    for second in seconds:
        said: str | None = watch.look(round(packets * second), float(second))
        if said == "ask":
            reports = "none" if report_s is None else str(second // report_s)
            had = None if trunk is None else TrunkAudio(round(trunk * second), reports)
            said = watch.trunk_received(had, float(second))
        if said is not None:
            told.append((second, said))
    return told


MINUTE = range(1, 61)


def test_while_audio_comes_nothing_is_said() -> None:
    assert watched(AudioWatch(0.0), MINUTE, 50, 50) == []


def test_audio_that_never_comes_is_lost_once() -> None:
    watch = AudioWatch(0.0)
    assert watched(watch, MINUTE, 0, 0) == [(UNHEARD_S, "unheard"), (LOST_S, "lost")]
    assert watch.since == 0.0
    assert watch.lost


def test_where_the_pbx_cannot_tell_it_is_lost_as_well() -> None:
    assert watched(AudioWatch(0.0), MINUTE, 0) == [(UNHEARD_S, "unheard"), (LOST_S, "lost")]


def test_audio_that_stops_is_lost_and_restored_when_it_comes_again() -> None:
    watch = AudioWatch(0.0)
    assert watched(watch, range(1, 11), 50, 50) == []
    for second in range(11, 20):
        watch.look(500, float(second))
        told = watch.trunk_received(TrunkAudio(500), float(second))
        assert told == ("stopped" if second == 10 + UNHEARD_S else None)
    assert watch.trunk_received(TrunkAudio(500), 20.0) == "lost"
    assert watch.since == 10.0
    assert watch.look(501, 21.0) == "restored"
    assert not watch.lost


def test_comfort_noise_is_a_sign_of_the_far_end() -> None:
    """Which Asterisk does not hand on."""
    watch = AudioWatch(0.0)
    assert watched(watch, MINUTE, 0, 2.5) == []
    assert watch.comfort_noise


def test_comfort_noise_that_begins_late_restores() -> None:
    watch = AudioWatch(0.0)
    assert watched(watch, range(1, 12), 0, 0)[-1] == (LOST_S, "lost")
    assert [what for _, what in watched(watch, range(12, 16), 0, 2.5)] == ["restored"]


def test_who_reports_is_there_though_nothing_is_heard() -> None:
    """A far end that sends nothing while it is silent."""
    watch = AudioWatch(0.0)
    assert watched(watch, MINUTE, 0, 0, report_s=7) == [(UNHEARD_S, "unheard")]
    assert not watch.comfort_noise


def test_audio_that_the_pbx_has_and_we_have_not_is_lost() -> None:
    watch = AudioWatch(0.0)
    assert watched(watch, MINUTE, 0, 50) == [(UNHEARD_S, "unheard"), (LOST_S, "lost")]
    assert not watch.comfort_noise


def test_what_may_be_stuck_in_the_pbx_is_freed_once() -> None:
    """However often comfort noise comes, it is such where audio was heard before."""
    watch = AudioWatch(0.0)
    watched(watch, range(1, 4), 50, 50)
    told = [
        watch.trunk_received(TrunkAudio(50 * second), float(second))
        for second in range(5, 20)
        if watch.look(150, float(second)) == "ask"
    ]
    assert told[:2] == [None, "renew"]
    assert set(told[2:]) == {None}
    assert watch.comfort_noise


def test_audio_that_begins_between_two_looks_is_no_comfort_noise() -> None:
    watch = AudioWatch(0.0)
    watched(watch, range(1, 12), 0, 0)
    assert watch.look(0, 12.0) == "ask"
    assert watch.trunk_received(TrunkAudio(3, "none"), 12.01) is None
    assert watch.look(50, 13.0) == "restored"
    assert not watch.comfort_noise


def test_a_hold_is_no_loss() -> None:
    watch = AudioWatch(0.0)
    for second in range(1, 30):
        watch.pause(float(second))
    assert watch.look(0, 29.5) is None
    assert watch.look(0, 31.5) == "ask"
    assert watch.trunk_received(TrunkAudio(0), 31.5) is None


def test_what_asterisk_has_had_is_read() -> None:
    told = "ssrc=1;themssrc=2;lp=0;rxjitter=0.5;rxcount=210;txjitter=0.1;txcount=200;rlp=3;rtt=0.2"
    assert trunk_audio(told) == TrunkAudio(210, "0.5;3;0.2")
    assert trunk_audio("") is None
