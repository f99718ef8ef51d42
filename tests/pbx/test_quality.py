"""What the counts of a call come to."""

from dataclasses import replace

import pytest

from pbx.asterisk.attempt import trunk_stats
from pbx.freeswitch.attempt import trunk_stats as freeswitch_stats
from pbx.quality import CallQuality, assess
from pbx.speech_level import Level
from pbx.switch import AudioProblem, MediaStats, TrunkStats
from voice_loop.events import Echo

LOUD = Level(-24.0, 0.4, 0)
#: 30 s of a good line, as Asterisk and we counted them.
GOOD = MediaStats(
    received=1500,
    sent=1500,
    lost=0,
    late=0,
    reordered=0,
    duplicate=0,
    concealed_frames=0,
    dropped_frames=0,
    jitter_ms=0.4,
    excess=0,
    strays=0,
    mean_jitter_ms=0.5,
    buffer_ms=40,
    frames=1500,
    heard_level=LOUD,
    sent_level=LOUD,
    trunk=TrunkStats("alaw", 1500, 0, 1500, 0.5, 0, 0.4, 20.0),
)


def problems(quality: CallQuality) -> list[tuple[str, str]]:
    return [(one.way, one.problem) for one in quality.problems]


def test_a_good_line_is_rated_near_the_best_both_ways() -> None:
    quality = assess(GOOD)
    assert quality.problems == ()
    assert (quality.codec, quality.wideband, quality.round_trip_ms) == ("alaw", False, 20)
    for way in (quality.inbound, quality.outbound):
        assert (way.packets, way.loss_percent, way.delay_ms) == (1500, 0.0, 70)
        assert way.mos is not None
        assert way.mos > 4.3


def test_a_bad_line_is_found() -> None:
    trunk = replace(GOOD.trunk, lost=79, jitter_ms=20.4)
    quality = assess(replace(GOOD, lost=79, leg_lost=79, bursts=75, trunk=trunk, late=15))
    assert quality.inbound.loss_percent == 5.0
    assert quality.inbound.late_percent == 0.95
    assert quality.inbound.mos is not None
    assert 2.5 < quality.inbound.mos < 3.9
    assert problems(quality) == [("inbound", "loss"), ("inbound", "jitter")]
    assert "5 % of the packets were lost and 0.95 % came too late" in quality.problems[0].message


def test_what_the_far_end_reports_is_the_outbound_way() -> None:
    trunk = replace(GOOD.trunk, reported_lost=150, reported_jitter_ms=30.0)
    quality = assess(replace(GOOD, trunk=trunk))
    assert quality.outbound.loss_percent == 10.0
    assert problems(quality) == [("outbound", "loss"), ("outbound", "jitter")]


def test_where_the_far_end_reports_nothing_the_outbound_way_is_not_rated() -> None:
    trunk = replace(GOOD.trunk, reported_lost=None, reported_jitter_ms=None, round_trip_ms=None)
    outbound = assess(replace(GOOD, trunk=trunk)).outbound
    assert (outbound.packets, outbound.loss_percent, outbound.mos) == (1500, None, None)


def test_bursts_of_loss_are_told_and_weigh() -> None:
    single = assess(replace(GOOD, leg_lost=60, lost=60, bursts=60)).inbound
    bursts = assess(replace(GOOD, leg_lost=60, lost=60, bursts=12)).inbound
    assert single.burst_ratio == 1.0
    assert bursts.burst_ratio == pytest.approx(4.8, abs=0.1)
    assert single.mos is not None
    assert bursts.mos is not None
    assert bursts.mos < single.mos


def test_a_new_stream_of_the_pbx_hides_nothing_of_the_trunks() -> None:
    trunk = replace(GOOD.trunk, lost=100, jitter_ms=25.0)
    quality = assess(replace(GOOD, lost=100, trunk=trunk))
    assert quality.inbound.loss_percent == 6.25
    assert quality.inbound.jitter_ms == 25.0


def test_what_was_told_meanwhile_comes_first_and_once() -> None:
    told = AudioProblem(5.0, "no_audio_out", "nat", "the far end hears nothing")
    trunk = replace(GOOD.trunk, reported_lost=1490)
    quality = assess(replace(GOOD, trunk=trunk), [told])
    assert problems(quality) == [("outbound", "no_audio_out")]
    assert quality.problems[0].cause == "nat"
    found = assess(replace(GOOD, trunk=trunk))
    assert [one.cause for one in found.problems] == ["firewall"]


def test_no_audio_has_no_rating() -> None:
    nothing = replace(GOOD, received=0, trunk=TrunkStats("alaw", 0, 0, 1500), frames=1500)
    told = AudioProblem(5.0, "no_audio_in", "firewall", "nothing comes")
    quality = assess(nothing, [told])
    assert (quality.inbound.packets, quality.inbound.mos) == (0, None)
    assert problems(quality) == [("inbound", "no_audio_in")]


@pytest.mark.parametrize(
    ("level", "problem"),
    [
        (Level(-45.0, 0.4, 0), "level"),
        (Level(-6.0, 0.4, 0), "level"),
        (Level(-15, 0.4, 900), "clipping"),
    ],
)
def test_a_level_that_is_wrong(level: Level, problem: str) -> None:
    assert problems(assess(replace(GOOD, heard_level=level))) == [("inbound", problem)]


def test_an_echo_is_told_where_it_disturbs() -> None:
    assert problems(assess(GOOD, echo=Echo(120, -18.0))) == [("inbound", "echo")]
    assert problems(assess(GOOD, echo=Echo(120, -40.0))) == []


def test_little_is_not_judged() -> None:
    assert (
        assess(replace(GOOD, received=20, leg_lost=2, trunk=TrunkStats(), sent=20)).problems == ()
    )


def test_wideband_is_rated_on_its_own_scale() -> None:
    quality = assess(replace(GOOD, trunk=replace(GOOD.trunk, codec="g722")))
    assert quality.wideband
    assert quality.inbound.r_factor is not None
    assert quality.inbound.r_factor > 110


def test_nothing_counted_at_all() -> None:
    nothing = MediaStats(0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0, 0)
    quality = assess(nothing)
    assert (quality.inbound.mos, quality.outbound.mos, quality.problems) == (None, None, ())


def test_asterisks_summary_with_reports() -> None:
    told = (
        "ssrc=1;themssrc=2;lp=26;rxjitter=0.000375;rxcount=567;txjitter=0.017875;txcount=600;"
        "rlp=3;rtt=0.000793;rxmes=88.080040;txmes=88.080040"
    )
    found = trunk_stats(told)
    assert (found.received, found.lost, found.sent, found.reported_lost) == (567, 26, 600, 3)
    assert found.jitter_ms == pytest.approx(17.875)
    assert found.reported_jitter_ms == pytest.approx(0.375)
    assert found.round_trip_ms == pytest.approx(0.793)


def test_asterisks_summary_of_a_far_end_without_reports() -> None:
    told = "lp=0;rxjitter=0.000000;rxcount=9;txjitter=0.1;txcount=8;rlp=0;rtt=0.000000"
    assert trunk_stats(told) == TrunkStats(received=9, lost=0, sent=8, jitter_ms=100.0)


@pytest.mark.parametrize("told", ["", "lp=;rxcount=x", "nonsense"])
def test_a_summary_that_is_none(told: str) -> None:
    assert trunk_stats(told) == TrunkStats()


#: What FreeSWITCH 1.11.2 told of calls with 5 % lost and up to 60 ms late, of 40 ms packets, and of
#: one that ceased.
LOSS = {
    "in_packet_count": "1052",
    "in_media_bytes": "180944",
    "out_packet_count": "1108",
    "in_jitter_loss_rate": "0.62",
    "in_mean_interval": "20.98",
    "in_jitter_max_variance": "236.36",
}
LONG = {
    "in_packet_count": "102",
    "in_media_bytes": "33532",
    "out_packet_count": "128",
    "in_jitter_loss_rate": "0.00",
    "in_mean_interval": "40.00",
    "in_jitter_max_variance": "88.53",
}
STOPPED = LOSS | {
    "in_packet_count": "105",
    "in_media_bytes": "17888",
    "in_jitter_loss_rate": "0.00",
    "in_mean_interval": "24.00",
}


def from_freeswitch(told: dict[str, str]) -> TrunkStats | None:
    event = {f"variable_rtp_audio_{name}": value for name, value in told.items()}
    return freeswitch_stats(event | {"variable_rtp_use_codec_name": "PCMA"})


@pytest.mark.parametrize(("told", "lost"), [(LOSS, 52), (LONG, 0), (STOPPED, 0)])
def test_freeswitchs_variables(told: dict[str, str], lost: int) -> None:
    found = from_freeswitch(told)
    assert found is not None
    assert (found.codec, found.received) == ("PCMA", int(told["in_packet_count"]))
    assert (found.lost, found.reported_lost, found.round_trip_ms) == (lost, None, None)


def test_freeswitchs_jitter_is_of_the_deviation() -> None:
    found = from_freeswitch(LOSS)
    assert found is not None
    assert found.jitter_ms == pytest.approx(12.3, abs=0.05)


@pytest.mark.parametrize("count", ["inf", "nan", "-3", "x", ""])
def test_what_freeswitch_cannot_have_counted(count: str) -> None:
    assert from_freeswitch(LOSS | {"in_packet_count": count}) is None
    assert from_freeswitch({}) is None
    found = from_freeswitch(LOSS | {"in_mean_interval": count})
    assert found is not None
    assert found.lost is None
