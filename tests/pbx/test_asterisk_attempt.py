"""The attempt's core, fed with event streams that real Asterisks sent (`recordings/`)."""

import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest

from pbx.asterisk.attempt import AsteriskCore
from pbx.asterisk.outputs import (
    AskBridge,
    AskCallId,
    AskMedia,
    AskResponse,
    Event,
    Follow,
    HangUpChannel,
    Output,
    Smooth,
)
from pbx.attempt_core import CloseMedia, ConnectMedia
from pbx.switch import Answered, Cause, Dialing, Digit, EarlyMedia, Ended, Held, Resumed, Ringing

RECORDINGS = Path(__file__).parent / "recordings"
EPOCH = 1_000_000.0
Stream = list[tuple[float, Event]]


def recording(name: str) -> Stream:
    events: list[tuple[float, dict[str, str]]] = json.loads(
        (RECORDINGS / f"{name}.json").read_text()
    )
    return [(at, event) for at, event in events]


def feed(core: AsteriskCore, events: Iterable[tuple[float, Event]]) -> list[Output]:
    outputs: list[Output] = []
    for at, event in events:
        core.on_event(event, at)
        outputs += core.take()
    return outputs


def run(name: str) -> list[Output]:
    return feed(AsteriskCore("offhook-1", 0.0, EPOCH, ring_timeout_s=5), recording(name))


def progress(outputs: Iterable[Output]) -> list[type[Any]]:
    commands = (AskBridge, AskCallId, CloseMedia, ConnectMedia, Follow, HangUpChannel, Smooth)
    return [type(one) for one in outputs if not isinstance(one, commands)]


def cause(outputs: list[Output]) -> Cause:
    (ended,) = [one for one in outputs if isinstance(one, Ended)]
    return ended.cause


@pytest.mark.parametrize(
    ("name", "kinds", "state", "cause_name", "sip_code"),
    [
        ("busy", [Dialing, Ringing, Ended], "busy", "user_busy", 486),
        ("congestion", [Dialing, Ended], "failed", "normal_circuit_congestion", 503),
        ("wrong_number", [Dialing, Ended], "failed", "unallocated_number", 404),
        ("announcement", [Dialing, EarlyMedia, Ended], "failed", "unallocated_number", 404),
        ("rejecter", [Dialing, Ringing, Ended], "failed", "call_rejected", 403),
        ("cause_16", [Dialing, Ended], "failed", "call_rejected", 603),
        ("cause_18", [Dialing, Ended], "no_answer", "no_user_response", 408),
        ("cause_19", [Dialing, Ended], "no_answer", "no_answer", 480),
        ("cause_22", [Dialing, Ended], "failed", "number_changed", 410),
        ("cause_27", [Dialing, Ended], "failed", "destination_out_of_order", 502),
        ("cause_28", [Dialing, Ended], "failed", "invalid_number_format", 484),
        ("cause_127", [Dialing, Ended], "failed", "network_out_of_order", 500),
        ("missing_trunk", [Ended], "failed", "no_route_destination", None),
        ("hasty", [Dialing, Ringing, Answered, Ended], "completed", "normal_clearing", 200),
        (
            "late_answerer",
            [Dialing, EarlyMedia, Answered, Ended],
            "completed",
            "normal_clearing",
            200,
        ),
    ],
)
def test_recorded_calls(
    name: str, kinds: list[type[Any]], state: str, cause_name: str, sip_code: int | None
) -> None:
    outputs = run(name)
    end = cause(outputs)
    assert progress(outputs) == kinds
    assert (end.state, end.name, end.sip_code) == (state, cause_name, sip_code)


@pytest.mark.parametrize(("told", "sip_code"), [(None, 302), ("301", 301)])
def test_a_redirection_is_no_busy_line(told: str | None, sip_code: int) -> None:
    """As Asterisk's Dial with option `i` ends it, with the far end's own code or without."""
    core = AsteriskCore("offhook-1", 0.0, EPOCH)
    far = {"DestUniqueid": "1.2", "DestChannel": "PJSIP/trunk-00000001"}
    cause_told = {"Cause": "0"} if told is None else {"Cause": "23", "TechCause": told}
    outputs = feed(
        core,
        [
            (0.1, {"Event": "DialBegin", "Uniqueid": "offhook-1", **far}),
            (0.2, {"Event": "DialEnd", "DialStatus": "CANCEL", "Forward": "+15550100", **far}),
            (0.2, {"Event": "DialEnd", "DialStatus": "BUSY", **far}),
            (
                0.3,
                {"Event": "Hangup", "Channel": far["DestChannel"], "Uniqueid": "1.2"} | cause_told,
            ),
            (0.3, {"Event": "Hangup", "Channel": "UnicastRTP/x", "Uniqueid": "offhook-1"}),
        ],
    )
    end = cause(outputs)
    assert (end.state, end.name) == ("failed", "redirection_to_new_destination")
    assert end.sip_code == sip_code


def test_a_ring_that_timed_out() -> None:
    end = cause(run("ring_timeout"))
    assert (end.state, end.name) == ("no_answer", "no_answer")


def test_times_are_those_of_the_events() -> None:
    outputs = run("hasty")
    (answered,) = [one for one in outputs if isinstance(one, Answered)]
    assert answered.at == pytest.approx(EPOCH + 0.406, abs=0.05)


def test_media_is_connected_before_anything_is_dialled() -> None:
    outputs = run("busy")
    kinds = [type(one) for one in outputs]
    assert kinds.index(ConnectMedia) < kinds.index(Dialing)
    (media,) = [one for one in outputs if isinstance(one, ConnectMedia)]
    assert (media.host, media.port % 2) == ("127.0.0.1", 0)
    assert kinds.count(CloseMedia) == 1


def test_keys_count_once_though_both_legs_tell_them() -> None:
    keys = [one for one in run("key_presser") if isinstance(one, Digit)]
    assert "".join(one.digit for one in keys) == "123#"
    assert all(one.duration_ms > 50 for one in keys)


def test_a_cancelled_call() -> None:
    core = AsteriskCore("offhook-1", 0.0, EPOCH)
    stream = recording("cancel_while_ringing")
    ringing = next(i for i, (_, e) in enumerate(stream) if e.get("DialStatus") == "RINGING") + 1
    feed(core, stream[:ringing])
    core.hang_up(1.0)
    core.hang_up(1.0)
    commands = core.take()
    assert [type(one) for one in commands] == [HangUpChannel]
    end = cause(feed(core, stream[ringing:]))
    assert (end.state, end.name, end.sip_code) == ("canceled", "originator_cancel", 487)


@pytest.mark.parametrize("name", [path.stem for path in RECORDINGS.glob("*.json")])
def test_wherever_the_events_stop_deadlines_end_the_call_once(name: str) -> None:
    stream = recording(name)
    for length in range(len(stream)):
        core = AsteriskCore("offhook-1", 0.0, EPOCH, ring_timeout_s=5)
        outputs = feed(core, stream[:length])
        now = stream[length][0]
        if not core.over and core.deadline is None:
            core.hang_up(now)  # an answered call lasts until somebody ends it
        for _ in range(10):
            if core.deadline is None:
                break
            now = core.deadline
            core.on_deadline(now)
            outputs += core.take()
        outputs += core.take()
        assert core.over
        assert [type(one) for one in outputs].count(Ended) == 1
        assert [type(one) for one in outputs].count(CloseMedia) == 1
        assert now < 60


@pytest.mark.parametrize("name", ["busy", "hasty", "announcement"])
def test_hang_ups_may_come_in_any_order(name: str) -> None:
    stream = recording(name)
    tail = [one for one in stream if one[1]["Event"] == "Hangup"]
    head = [one for one in stream if one not in tail]
    causes = set()
    for order in itertools.permutations(tail):
        core = AsteriskCore("offhook-1", 0.0, EPOCH, ring_timeout_s=5)
        end = cause(feed(core, [*head, *order]))
        causes.add((end.state, end.name, end.q850, end.sip_code))
    assert len(causes) == 1


@pytest.mark.parametrize("name", [path.stem for path in RECORDINGS.glob("*.json")])
def test_events_told_twice_change_nothing(name: str) -> None:
    stream = recording(name)
    twice = [one for one in stream for _ in range(2) if one[1]["Event"] != "DTMFEnd"]
    core = AsteriskCore("offhook-1", 0.0, EPOCH, ring_timeout_s=5)
    outputs = progress(feed(core, twice))
    assert outputs == [kind for kind in progress(run(name)) if kind is not Digit]


def answered() -> AsteriskCore:
    core = AsteriskCore("offhook-1", 0.0, EPOCH, ring_timeout_s=5)
    stream = recording("key_presser")
    up = next(i for i, (_, e) in enumerate(stream) if e["Event"] == "DTMFEnd")
    feed(core, stream[:up])
    return core


def channel(name: str, unique_id: str, state: str) -> Event:
    return {
        "Event": "CoreShowChannel",
        "Channel": name,
        "Uniqueid": unique_id,
        "Linkedid": "offhook-1",
        "ChannelStateDesc": state,
    }


def test_a_living_call_is_adopted() -> None:
    core = answered()
    assert core.far_channel is not None
    core.reconcile(
        [channel("UnicastRTP/127.0.0.1:1-0x1", "offhook-1", "Up"), channel("PJSIP/t-1", "9", "Up")],
        5.0,
    )
    assert (core.take(), core.over) == ([], False)


def test_an_answer_that_was_missed_is_told() -> None:
    core = AsteriskCore("offhook-1", 0.0, EPOCH, ring_timeout_s=5)
    stream = recording("late_answerer")
    feed(core, stream[: next(i for i, (_, e) in enumerate(stream) if e["Event"] == "DialState")])
    far = next(e for _, e in stream if e["Event"] == "DialBegin" and "Channel" in e)
    core.reconcile(
        [
            channel(far["Channel"], "offhook-1", "Up"),
            channel(far["DestChannel"], far["DestUniqueid"], "Up"),
        ],
        5.0,
    )
    assert progress(core.take()) == [Answered]


def test_a_dead_call_is_ended_and_its_orphan_hung_up() -> None:
    core = answered()
    core.reconcile([channel("PJSIP/trunk-00000001", "9.9", "Up")], 5.0)
    outputs = core.take()
    assert cause(outputs).name == "pbx_lost_call"
    assert HangUpChannel("PJSIP/trunk-00000001") in outputs


def test_a_wish_to_hang_up_survives_a_lost_link() -> None:
    core = answered()
    core.hang_up(1.0)
    core.take()
    core.reconcile([channel("UnicastRTP/127.0.0.1:1-0x1", "offhook-1", "Up")], 3.0)
    assert core.take() == [HangUpChannel("UnicastRTP/127.0.0.1:1-0x1")]


def test_an_answer_does_not_call_off_a_hang_up_for_a_reason_of_ours() -> None:
    core = AsteriskCore("offhook-1", 0.0, EPOCH, ring_timeout_s=5)
    stream = recording("late_answerer")
    ended = next(i for i, (_, e) in enumerate(stream) if "Hangup" in e["Event"])
    core.fail("There was no audio.", 0.0)
    assert [type(one) for one in core.take()] == [HangUpChannel]
    assert Answered in progress(feed(core, stream[:ended]))
    assert core.deadline == 4.0
    core.on_deadline(core.deadline)
    assert [type(one) for one in core.take()] == [HangUpChannel]
    core.reconcile([channel("UnicastRTP/127.0.0.1:1-0x1", "offhook-1", "Up")], 5.0)
    assert core.take() == [HangUpChannel("UnicastRTP/127.0.0.1:1-0x1")]


@pytest.mark.parametrize("up", [True, False])
def test_an_inbound_call_that_fails_on_our_side_was_not_canceled(up: bool) -> None:
    core = AsteriskCore("1.1", 0.0, EPOCH, far_channel="PJSIP/trunk-00000001")
    far = {"Uniqueid": "1.1", "Channel": "PJSIP/trunk-00000001"}
    if up:
        feed(core, [(0.1, {"Event": "Newstate", "ChannelStateDesc": "Up", **far})])
    core.fail("There was no audio.", 0.2)
    end = cause(feed(core, [(0.3, {"Event": "Hangup", "Cause": "16", **far})]))
    assert (end.state, end.name, end.message) == ("failed", "pbx_lost_call", "There was no audio.")


def test_nothing_follows_the_end() -> None:
    core = answered()
    core.lose("gone", 1.0)
    assert cause(core.take()).message == "gone"
    for at, event in recording("hasty"):
        core.on_event(event, at)
    core.hang_up(2.0)
    core.lose("again", 2.0)
    core.reconcile([], 2.0)
    core.on_deadline(1000.0)
    assert core.take() == []


def test_a_call_without_audio_is_hung_up_and_failed() -> None:
    core = answered()
    core.fail("There was no audio.", 1.0)
    core.fail("Twice.", 1.0)
    assert [type(one) for one in core.take()] == [HangUpChannel]
    hang_ups = [one for one in recording("key_presser") if one[1]["Event"] == "Hangup"]
    end = cause(feed(core, hang_ups))
    assert (end.state, end.message) == ("failed", "There was no audio.")


def test_a_media_leg_that_lingers_is_hung_up_and_the_call_stays_completed() -> None:
    core = answered()
    far, media = (
        next(
            one
            for one in recording("key_presser")
            if one[1]["Event"] == "Hangup" and one[1]["Channel"].startswith(kind)
        )
        for kind in ("PJSIP", "UnicastRTP")
    )
    core.on_event(far[1], 3.0)
    assert core.deadline is not None
    core.on_deadline(core.deadline)
    outputs = core.take()
    assert [type(one) for one in outputs] == [HangUpChannel]
    core.on_event(media[1], 8.0)
    assert cause(core.take()).state == "completed"


FAR = {"DestUniqueid": "1.2", "DestChannel": "PJSIP/trunk-00000001"}
BEGIN: Event = {"Event": "DialBegin", "Uniqueid": "offhook-1", **FAR}
GONE: Stream = [
    (7.0, {"Event": "DialEnd", "DialStatus": "CANCEL", **FAR}),
    (7.0, {"Event": "Hangup", "Channel": FAR["DestChannel"], "Uniqueid": "1.2", "Cause": "0"}),
    (7.0, {"Event": "Hangup", "Channel": "UnicastRTP/x", "Uniqueid": "offhook-1"}),
]


SILENT: Final = [(30, 6.0, 5.5), (4, 6.0, 3.7), (30, 32.0, 6.1)]


@pytest.mark.parametrize(("ring_timeout_s", "invite_timeout_s", "asked_at"), SILENT)
def test_a_silent_trunk_is_given_up_and_over_when_its_invite_is(
    ring_timeout_s: int, invite_timeout_s: float, asked_at: float
) -> None:
    core = AsteriskCore(
        "offhook-1", 0.0, EPOCH, ring_timeout_s=ring_timeout_s, invite_timeout_s=invite_timeout_s
    )
    feed(core, [(0.1, BEGIN)])
    assert core.deadline == pytest.approx(asked_at)
    core.on_deadline(asked_at)
    assert core.take() == [AskResponse(FAR["DestChannel"])]
    core.responded("", asked_at)
    assert core.take() == [HangUpChannel("offhook-1")]
    gone = feed(core, [(asked_at + 0.1, event) for _, event in GONE])
    assert progress(gone) == []
    assert core.deadline is not None
    assert core.deadline > 0.1 + invite_timeout_s
    core.on_deadline(core.deadline)
    end = cause(core.take())
    assert (end.state, end.trunk_fault) == ("failed", "trunk_unreachable")


def test_a_call_over_a_silent_trunk_can_be_canceled_at_any_time() -> None:
    core = AsteriskCore("offhook-1", 0.0, EPOCH)
    feed(core, [(0.1, BEGIN)])
    core.responded("", 6.0)
    feed(core, GONE)
    core.hang_up(8.0)
    assert core.deadline is not None
    core.on_deadline(core.deadline)
    assert cause(core.take()).state == "canceled"


def test_a_trunk_that_has_said_anything_is_waited_for() -> None:
    core = AsteriskCore("offhook-1", 0.0, EPOCH, ring_timeout_s=10, invite_timeout_s=6)
    feed(core, [(0.1, BEGIN)])
    core.on_deadline(6.2)
    core.take()
    core.responded("SIP 100 Trying", 6.2)
    assert core.take() == []
    assert core.deadline == pytest.approx(0.1 + 10 + 5)
    ringing: Event = {"Event": "DialState", "DialStatus": "RINGING", **FAR}
    assert progress(feed(core, [(6.3, ringing)])) == [Ringing]
    core.responded("", 6.4)
    assert core.take() == []


def test_a_call_that_is_canceled_meanwhile_is_asked_nothing() -> None:
    core = AsteriskCore("offhook-1", 0.0, EPOCH, ring_timeout_s=30)
    feed(core, [(0.1, BEGIN)])
    core.hang_up(1.0)
    core.take()
    core.on_deadline(5.0)
    assert core.take() == [HangUpChannel("offhook-1")]
    assert cause(feed(core, GONE)).state == "canceled"


def from_far(core: AsteriskCore, name: str, **fields: str) -> Event:
    """An event of the far leg."""
    assert core.far_channel is not None
    assert core.far_id is not None
    return {"Event": name, "Channel": core.far_channel, "Uniqueid": core.far_id, **fields}


def test_holds_are_told_once_each_and_counted() -> None:
    core = answered()
    hold, unhold = from_far(core, "Hold"), from_far(core, "Unhold")
    told = feed(core, [(2.0, unhold), (3.0, hold), (4.0, hold), (9.0, unhold), (9.5, unhold)])
    assert told == [Held(3.0 + EPOCH), Resumed(9.0 + EPOCH)]
    assert (core.holds, core.held_s) == (1, 6.0)


def test_a_far_end_that_answers_on_hold_is_told_before_it_answers() -> None:
    core = AsteriskCore("offhook-1", 0.0, EPOCH, ring_timeout_s=5)
    stream = recording("late_answerer")
    begun = next(i for i, (_, e) in enumerate(stream) if e["Event"] == "DialState")
    feed(core, stream[:begun])
    outputs = feed(core, [(1.0, from_far(core, "Hold")), *stream[begun:]])
    kinds = progress(outputs)
    assert kinds.index(Held) < kinds.index(Answered)
    assert core.holds == 1
    assert core.held_s > 0, "it ended on hold"


def test_the_message_of_a_call_that_ended_unheard_blames_no_link() -> None:
    core = answered()
    core.reconcile([], 5.0)
    assert cause(core.take()).message == (
        "The call ended on the PBX, and how did not come over its manager link."
    )


@pytest.mark.parametrize(("heard_at", "ended_at"), [(1.0, 5.0), (8.0, 8.0)])
@pytest.mark.parametrize("found", ["gone", "never"])
def test_a_call_that_is_lost_ends_when_it_was_last_known(
    found: str, heard_at: float, ended_at: float
) -> None:
    core = answered()
    core.unwatched(5.0)
    core.heard(heard_at)
    core.unwatched(20.0)
    if found == "gone":
        core.reconcile([], 40.0)
    else:
        core.lose("The link was down for too long.", 40.0)
    assert [one.at for one in core.take() if isinstance(one, Ended)] == [ended_at + EPOCH]


def test_a_call_that_is_lost_under_a_link_that_is_back_ends_now() -> None:
    core = answered()
    core.unwatched(5.0)
    core.watched()
    core.heard(7.0)
    core.lose("gone", 40.0)
    assert [one.at for one in core.take() if isinstance(one, Ended)] == [40.0 + EPOCH]


MEDIA = next(
    {"Uniqueid": "offhook-1", "Channel": event["Channel"]}
    for _, event in recording("key_presser")
    if event.get("Channel", "").startswith("UnicastRTP/")
)
OTHER = {"Uniqueid": "7.7", "Channel": "PJSIP/desk-00000007"}


def bridged() -> tuple[AsteriskCore, dict[str, str]]:
    """An answered attempt in a bridge, and its far leg."""
    core = answered()
    far = {"Uniqueid": core.far_id or "", "Channel": core.far_channel or ""}
    assert enter(core, far, "b1", 1) == []
    assert enter(core, MEDIA, "b1", 2) == [Follow("b1")]
    return core, far


def enter(
    core: AsteriskCore, who: dict[str, str], bridge: str, count: int, swap: str = ""
) -> list[Output]:
    return feed(
        core,
        [
            (
                4.0,
                {
                    "Event": "BridgeEnter",
                    "BridgeUniqueid": bridge,
                    "BridgeNumChannels": str(count),
                    **({"SwapUniqueid": swap} if swap else {}),
                    **who,
                },
            )
        ],
    )


def gone(who: dict[str, str]) -> tuple[float, Event]:
    return 5.0, {"Event": "Hangup", "Cause": "16", **who}


def goes_on_with(core: AsteriskCore, who: dict[str, str]) -> None:
    assert (core.far_id, core.answered, core.deadline) == (who["Uniqueid"], True, None)
    core.hang_up(6.0)
    assert core.take() == [HangUpChannel(MEDIA["Channel"])]
    assert cause(feed(core, [gone(MEDIA)])).state == "completed"


def test_who_is_swapped_for_the_far_leg_is_the_far_leg() -> None:
    core, far = bridged()
    assert enter(core, OTHER, "b1", 2, swap=far["Uniqueid"]) == [Follow("7.7")]
    assert feed(core, [gone(far)]) == []
    goes_on_with(core, OTHER)


def test_who_comes_beside_the_far_leg_follows_it() -> None:
    core, far = bridged()
    assert enter(core, OTHER, "b1", 3) == []
    assert core.far_id == far["Uniqueid"]
    assert feed(core, [gone(far)]) == [Follow("7.7")]
    goes_on_with(core, OTHER)


@pytest.mark.parametrize("late", [False, True])
def test_a_media_leg_that_is_moved_asks_to_whom(late: bool) -> None:
    core, far = bridged()
    assert enter(core, MEDIA, "b2", 2) == [Follow("b2"), AskBridge("b2")]
    if late:
        feed(core, [gone(far)])
    core.in_bridge("b1", [MEDIA, OTHER], 4.0)
    assert core.far_id == (None if late else far["Uniqueid"]), "that bridge is left"
    core.in_bridge("b2", [MEDIA, OTHER], 4.0)
    core.take()
    goes_on_with(core, OTHER)


def test_a_media_leg_in_the_dialplan_goes_on_whatever_rings_in_vain() -> None:
    core, far = bridged()
    sent = {
        "Event": "BlindTransfer",
        "Result": "Success",
        "Extension": "+15550100",
        "TransfereeUniqueid": "offhook-1",
    }
    rings = {"Event": "DialBegin", "Uniqueid": "offhook-1"}
    rings |= {f"Dest{name}": value for name, value in OTHER.items()}
    feed(core, [(4.0, sent), gone(far), (4.1, rings), gone(OTHER)])
    assert (core.answered, core.deadline, core.far_id) == (True, None, None)
    end = cause(feed(core, [gone(MEDIA)]))
    assert (end.state, "+15550100" in end.message) == ("completed", True)


def test_a_transfer_that_was_missed_is_found() -> None:
    core, far = bridged()
    moved = {**channel(MEDIA["Channel"], "offhook-1", "Up"), "BridgeId": "b2"}
    core.reconcile([moved], 5.0)
    assert core.take() == [Follow("b2"), AskBridge("b2")]
    core.in_bridge("b2", [MEDIA, OTHER], 5.0)
    core.take()
    goes_on_with(core, OTHER)
    assert far["Uniqueid"] != OTHER["Uniqueid"]


def test_what_the_trunk_lost_is_known_in_the_end() -> None:
    core = answered()
    quality = "ssrc=1;themssrc=2;lp=57;rxjitter=0.02;rxcount=1068;txjitter=0;txcount=9;rlp=3;rtt=0"
    feed(core, [(2.0, from_far(core, "VarSet", Variable="RTPAUDIOQOS", Value=quality))])
    assert core.trunk.lost == 57


def key(core: AsteriskCore, at: float, digit: str, duration_ms: int) -> tuple[float, Event]:
    told = {"Digit": digit, "DurationMs": str(duration_ms), "Direction": "Received"}
    return at, from_far(core, "DTMFEnd", **told)


@pytest.mark.parametrize(
    "told",
    [
        [(2.61, "2", 80), (2.7, "3", 80), (2.74, "3", 80)],
        [(3.08, "2", 160), (3.2, "2", 160), (5.03, "3", 160), (5.21, "3", 160), (5.24, "3", 160)],
    ],
    ids=["events overlap", "as INFO, too"],
)
def test_a_key_that_asterisk_tells_twice_is_one(told: list[tuple[float, str, int]]) -> None:
    core = answered()
    pressed = [key(core, *one) for one in told]
    assert [one.digit for one in feed(core, pressed) if isinstance(one, Digit)] == ["2", "3"]


@pytest.mark.parametrize(("pause_s", "duration_ms"), [(0.125, 80), (0.2, 100), (0.21, 400)])
def test_a_key_that_is_pressed_twice_is_two(pause_s: float, duration_ms: int) -> None:
    core = answered()
    pressed = [key(core, 2.0 + at * pause_s, "1", duration_ms) for at in range(2)]
    assert len([one for one in feed(core, pressed) if isinstance(one, Digit)]) == 2


@pytest.mark.parametrize(("code", "state"), [("406", "failed"), ("200", "completed")])
def test_an_answer_without_a_description_fails(code: str, state: str) -> None:
    core = answered()
    over = {"Cause": "16", "TechCause": code}
    told = feed(
        core,
        [
            (2.0, from_far(core, "HangupRequest", **over)),
            (2.0, from_far(core, "Hangup", **over)),
            (2.0, {"Event": "Hangup", "Cause": "16", **MEDIA}),
        ],
    )
    end = cause(told)
    assert end.state == state
    assert (end.name == "incompatible_destination") == (state == "failed")


@pytest.mark.parametrize("asked", [True, False], ids=["by a BYE", "by Asterisk itself"])
def test_who_hung_up_is_known(asked: bool) -> None:
    """`core restart now` and `channel request hangup` come with no request of the far end's."""
    core = answered()
    events = [from_far(core, "Hangup", Cause="16"), {"Event": "Hangup", "Cause": "16", **MEDIA}]
    if asked:
        events.insert(0, from_far(core, "HangupRequest", Cause="16"))
    end = cause(feed(core, [(2.0, one) for one in events]))
    assert (end.state, end.by_pbx) == ("completed", not asked)


def test_a_call_that_we_end_is_not_ended_by_asterisk() -> None:
    core = answered()
    core.hang_up(1.9)
    events = [{"Event": "Hangup", "Cause": "16", **MEDIA}, from_far(core, "Hangup", Cause="16")]
    assert not cause(feed(core, [(2.0, one) for one in events])).by_pbx


def test_numbers_that_began_anew_are_no_loss() -> None:
    """As Asterisk tells of a far end that sent 252 packets, and then from the first one again."""
    core = answered()
    quality = "ssrc=1;themssrc=2;lp=65284;rxjitter=0.02;rxcount=453"
    feed(core, [(2.0, from_far(core, "VarSet", Variable="RTPAUDIOQOS", Value=quality))])
    assert core.trunk.lost == 0


def test_what_only_the_trunks_channel_beneath_a_local_one_tells() -> None:
    beneath = {"Uniqueid": "0.9", "Channel": "PJSIP/trunk-00000009"}
    known = beneath["Uniqueid"], beneath["Channel"]
    core = AsteriskCore("1.1", 0.0, EPOCH, far_channel="Local/agent@x-1;2", beneath=known)
    far = {"Uniqueid": "1.1", "Channel": "Local/agent@x-1;2"}
    feed(core, [(0.1, {"Event": "Newstate", "ChannelStateDesc": "Up", **far})])
    assert (core.far_channel, core.sip_channel) == (far["Channel"], beneath["Channel"])
    quality = {"Event": "VarSet", "Variable": "RTPAUDIOQOS", "Value": "ssrc=1;lp=57;rxjitter=0"}
    told = feed(
        core,
        [
            (3.0, {"Event": "Hold", **beneath}),
            (4.0, {"Event": "Hold", **OTHER}),
            (9.0, {"Event": "Unhold", **beneath}),
            (9.5, {**quality, **beneath}),
            (9.5, {"Event": "Hangup", "Cause": "16", **beneath}),
        ],
    )
    assert told == [Held(3.0 + EPOCH), Resumed(9.0 + EPOCH)]
    assert (core.trunk.lost, core.over) == (57, False)


def media_leg(unique_id: str, name: str) -> Stream:
    """What Asterisk tells of a new media leg under the attempt's Linkedid."""
    who = {"Uniqueid": unique_id, "Channel": name, "Linkedid": "offhook-1"}
    place = (
        ("UNICASTRTP_LOCAL_ADDRESS", "127.0.0.1"),
        ("UNICASTRTP_LOCAL_PORT", "20002"),
    )
    told = [{"Event": "VarSet", "Variable": name, "Value": value, **who} for name, value in place]
    return [(4.0, one) for one in ({"Event": "Newchannel", **who}, *told)]


def test_another_calls_media_leg_under_the_same_linkedid_is_not_taken() -> None:
    core, far = bridged()
    second = media_leg("8.8", "UnicastRTP/127.0.0.1:2-0x2")
    assert feed(core, second) == []
    assert feed(core, [gone({"Uniqueid": "8.8", "Channel": "UnicastRTP/127.0.0.1:2-0x2"})]) == []
    living = [
        channel("UnicastRTP/127.0.0.1:2-0x2", "8.8", "Up"),
        {**channel(MEDIA["Channel"], "offhook-1", "Up"), "BridgeId": "b1"},
        channel(far["Channel"], far["Uniqueid"], "Up"),
    ]
    core.reconcile(living, 5.0)
    assert core.take() == []
    core.reconcile(living[:1], 6.0)
    assert cause(core.take()).name == "pbx_lost_call"


def test_a_media_leg_that_is_found_is_connected() -> None:
    core = AsteriskCore("1.1", 0.0, EPOCH, far_channel="PJSIP/trunk-00000001")
    found = {"Channel": "UnicastRTP/127.0.0.1:1-0x1", "Uniqueid": "2.2", "Linkedid": "1.1"}
    core.reconcile([{"Channel": "PJSIP/trunk-00000001", "Uniqueid": "1.1"}, found], 1.0)
    assert core.take() == [Follow("2.2"), AskMedia(found["Channel"])]
    core.media_at(found["Channel"], "127.0.0.1", 20002)
    core.take()
    core.reconcile([{"Channel": "PJSIP/trunk-00000001", "Uniqueid": "1.1"}, found], 2.0)
    assert core.take() == []


@pytest.mark.parametrize("late", [False, True])
def test_a_call_that_is_parked_waits_to_be_retrieved(late: bool) -> None:
    core, far = bridged()
    if late:
        feed(core, [gone(far)])
    assert enter(core, MEDIA, "park", 1)[:1] == [Follow("park")]
    if not late:
        assert feed(core, [gone(far)]) == []
    assert (core.answered, core.deadline, core.far_id) == (True, None, None)
    assert Follow("7.7") in enter(core, OTHER, "park", 2)
    goes_on_with(core, OTHER)


def test_a_parked_call_that_is_to_end_is_hung_up() -> None:
    core, far = bridged()
    enter(core, MEDIA, "park", 1)
    feed(core, [gone(far)])
    core.hang_up(6.0)
    assert core.take() == [HangUpChannel(MEDIA["Channel"])]
    assert core.deadline == 10.0
    assert cause(feed(core, [gone(MEDIA)])).state == "completed"


def test_a_patrol_leaves_a_moved_call_as_it_is() -> None:
    core, _ = bridged()
    enter(core, MEDIA, "b2", 2)
    core.in_bridge("b2", [MEDIA, OTHER], 4.0)
    core.take()
    third = {"Uniqueid": "8.8", "Channel": "PJSIP/desk-00000008"}
    assert enter(core, third, "b2", 3) == []
    inside = [channel(one["Channel"], one["Uniqueid"], "Up") for one in (MEDIA, third, OTHER)]
    living = [{**one, "BridgeId": "b2"} for one in inside]
    for _ in range(2):
        core.reconcile(living, 5.0)
        assert core.take() == []
    assert core.far_id == OTHER["Uniqueid"]
    assert feed(core, [gone(OTHER)]) == [Follow("8.8")]
    core.reconcile([living[0], channel("PJSIP/else-00000009", "9.9", "Up"), living[2]], 6.0)
    assert core.far_id == OTHER["Uniqueid"], "the one in the bridge"
    core.take()
    assert feed(core, [gone(OTHER)]) == []
    assert core.deadline == 9.0, "who was there has hung up, and nobody else came"


@pytest.mark.parametrize("found", [False, True])
def test_a_bridge_of_which_an_event_was_missed_moves_nobody(found: bool) -> None:
    core = answered()
    far = {"Uniqueid": core.far_id or "", "Channel": core.far_channel or ""}
    if found:
        media = {**channel(MEDIA["Channel"], "offhook-1", "Up"), "BridgeId": "b1"}
        core.reconcile([media, channel(far["Channel"], far["Uniqueid"], "Up")], 4.0)
        assert core.take() == [Follow("b1"), AskBridge("b1")]
    else:
        assert enter(core, MEDIA, "b1", 2) == [Follow("b1"), AskBridge("b1")]
    core.in_bridge("b1", [OTHER, far, MEDIA], 4.0)
    assert core.take() == []
    assert feed(core, [gone(far)]) == [Follow("7.7")], "beside it stood another one"
    goes_on_with(core, OTHER)

    core = answered()
    enter(core, MEDIA, "b1", 2)
    core.in_bridge("b1", [far, MEDIA], 4.0)
    core.take()
    feed(core, [gone(far)])
    assert core.deadline == 9.0, "the end of an ordinary call"
