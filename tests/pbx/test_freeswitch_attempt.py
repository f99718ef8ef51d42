"""An attempt over FreeSWITCH: events and time in, progress and commands out, in microseconds."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pbx.attempt_core import CloseMedia, DisconnectMedia
from pbx.freeswitch.attempt import FreeSwitchCore, HangUp, OpenAudio, Output, Park
from pbx.switch import (
    Answered,
    Cause,
    Dialing,
    Digit,
    EarlyMedia,
    Ended,
    Held,
    Resumed,
    Ringing,
    Transferred,
)

UNIX = 1_700_000_000.0
CLEAR = HangUp("NORMAL_CLEARING")


class Life:
    """An attempt under a clock of its own, which starts at 100 s."""

    def __init__(self, *, inbound: bool = False, ring_timeout_s: float = 30) -> None:
        self.now = 100.0
        self.core = FreeSwitchCore(
            "offhook-1", self.now, UNIX - 100, inbound=inbound, ring_timeout_s=ring_timeout_s
        )

    @classmethod
    def answered(cls) -> "Life":
        """Dialled, answered, and heard."""
        life = cls()
        life.on("CHANNEL_CREATE")
        life.on("CHANNEL_ANSWER")
        life.park()
        life.core.audio_opened(1)
        return life

    def on(self, name: str, **headers: str) -> Sequence[Output]:
        """What comes of an event; `_` stands for `-` in a header's name, but for variables."""
        given = {
            key if key.startswith("variable_") else key.replace("_", "-"): value
            for key, value in headers.items()
        }
        self.core.on_event({"Event-Name": name, **given}, self.now)
        return self.core.take()

    def park(self, state: str = "answered", **headers: str) -> Sequence[Output]:
        return self.on("CHANNEL_PARK", Answer_State=state, **headers)

    def end(self, cause: str, q850: str = "", sip_code: str = "") -> Cause:
        """The cause of the end when FreeSWITCH says so; nothing is told after it."""
        outputs = [
            *self.on("CHANNEL_HANGUP", Hangup_Cause=cause),
            *self.on(
                "CHANNEL_HANGUP_COMPLETE",
                Hangup_Cause=cause,
                variable_hangup_cause_q850=q850,
                variable_sip_term_status=sip_code,
            ),
        ]
        assert self.core.over
        assert self.core.deadline is None
        assert self.on("CHANNEL_DESTROY", Hangup_Cause=cause) == []
        assert self.hang_up() == []
        assert self.wait(1000) == []
        return cause_of(outputs)

    def hang_up(self) -> Sequence[Output]:
        self.core.hang_up(self.now)
        return self.core.take()

    def audio_fails(self, turn: int) -> Sequence[Output]:
        self.core.audio_failed(turn, "none came", self.now)
        return self.core.take()

    def reconcile(self, channel: Mapping[str, str] | None) -> Sequence[Output]:
        self.core.reconcile(channel, self.now)
        return self.core.take()

    def job(self, failure: str | None) -> Sequence[Output]:
        self.core.on_originate(failure, self.now)
        return self.core.take()

    def wait(self, seconds: float) -> Sequence[Output]:
        """Let that time pass, deadlines included."""
        until = self.now + seconds
        outputs: list[Output] = []
        while self.core.deadline is not None and self.core.deadline <= until:
            self.now = self.core.deadline
            self.core.on_deadline(self.now)
            outputs += self.core.take()
        self.now = until
        return outputs


def cause_of(outputs: Sequence[Output]) -> Cause:
    (ended,) = [one for one in outputs if isinstance(one, Ended)]
    assert outputs[-1] is ended
    return ended.cause


def kinds(outputs: Sequence[Output]) -> list[type]:
    return [type(one) for one in outputs]


def test_a_call_from_the_dialling_to_its_end() -> None:
    life = Life()
    assert life.on("CHANNEL_CREATE") == [Dialing(UNIX)]
    life.now += 1
    assert life.on("CHANNEL_PROGRESS") == [Ringing(UNIX + 1)]
    assert life.on("CHANNEL_PROGRESS") == []
    life.now += 1
    assert life.on("CHANNEL_ANSWER") == [Answered(UNIX + 2)]
    assert life.core.answered
    assert life.core.deadline is None
    assert life.job(None) == []
    assert life.park(variable_sip_call_id="abc") == [OpenAudio(1)]
    life.core.audio_opened(1)
    digit = life.on("DTMF", DTMF_Digit="5", DTMF_Duration="1600")
    assert digit == [Digit(UNIX + 2, "5", 200)]
    cause = life.end("NORMAL_CLEARING", "16", "200")
    assert (cause.state, cause.name, cause.q850) == ("completed", "normal_clearing", 16)
    assert (cause.sip_code, cause.sip_call_id) == (200, "abc")


@pytest.mark.parametrize("event", ["CHANNEL_PROGRESS", "CHANNEL_PROGRESS_MEDIA", "CHANNEL_ANSWER"])
def test_an_event_that_comes_before_the_creation_tells_of_the_dialling_too(event: str) -> None:
    assert Dialing(UNIX) in Life().on(event)


@pytest.mark.parametrize(
    ("word", "q850", "sip_code", "state", "name"),
    [
        ("USER_BUSY", "17", "486", "busy", "user_busy"),
        ("NO_ANSWER", "19", "480", "no_answer", "no_answer"),
        ("NO_USER_RESPONSE", "18", "408", "no_answer", "no_user_response"),
        ("CALL_REJECTED", "21", "603", "failed", "call_rejected"),
        ("UNALLOCATED_NUMBER", "1", "404", "failed", "unallocated_number"),
        ("NORMAL_TEMPORARY_FAILURE", "41", "503", "failed", "normal_temporary_failure"),
        ("DESTINATION_OUT_OF_ORDER", "27", "", "failed", "destination_out_of_order"),
        ("GATEWAY_DOWN", "0", "", "failed", "recovery_on_timer_expire"),
    ],
)
def test_refusals(word: str, q850: str, sip_code: str, state: str, name: str) -> None:
    life = Life()
    life.on("CHANNEL_CREATE")
    cause = life.end(word, q850, sip_code)
    assert (cause.state, cause.name, cause.sip_code) == (state, name, int(sip_code or 0) or None)


@pytest.mark.parametrize(
    ("word", "q850", "sip_code", "fault"),
    [
        ("RECOVERY_ON_TIMER_EXPIRE", "102", "408", "trunk_unreachable"),
        ("GATEWAY_DOWN", "0", "", "trunk_unreachable"),
        ("NORMAL_TEMPORARY_FAILURE", "41", "503", "trunk_failed"),
        ("CALL_REJECTED", "21", "407", "trunk_refused"),
        ("NO_USER_RESPONSE", "18", "408", None),
        ("CALL_REJECTED", "21", "603", None),
    ],
)
def test_whose_fault_it_is(word: str, q850: str, sip_code: str, fault: str | None) -> None:
    life = Life()
    life.on("CHANNEL_CREATE")
    assert life.end(word, q850, sip_code).trunk_fault == fault
    rang = Life()
    rang.on("CHANNEL_CREATE")
    rang.on("CHANNEL_PROGRESS")
    assert rang.end(word, q850, sip_code).trunk_fault is None


def test_audio_that_fails_is_tried_thrice_and_parked_anew_each_time() -> None:
    life = Life.answered()
    life.on("CHANNEL_UNPARK", Answer_State="answered")
    for turn in (2, 3):
        assert life.park() == [OpenAudio(turn)]
        assert life.audio_fails(turn) == [DisconnectMedia(), Park(answer=False)]
        assert life.on("CHANNEL_UNPARK", Answer_State="answered") == []
    assert life.park() == [OpenAudio(4)]
    assert life.audio_fails(4) == [DisconnectMedia(), CLEAR]
    cause = life.end("NORMAL_CLEARING", "16", "200")
    assert (cause.state, cause.name) == ("failed", "pbx_lost_call")
    assert cause.message == "There was no audio: none came"


def test_audio_that_comes_at_last_makes_up_for_what_failed() -> None:
    life = Life.answered()
    for turn in range(2, 12):
        life.on("CHANNEL_UNPARK", Answer_State="answered")
        assert life.park() == [OpenAudio(turn)]
        if turn % 2:
            life.core.audio_opened(turn)
        else:
            assert life.audio_fails(turn) == [DisconnectMedia(), Park(answer=False)]


def test_a_late_word_about_an_earlier_opening_counts_for_nothing() -> None:
    life = Life.answered()
    life.on("CHANNEL_UNPARK", Answer_State="answered")
    assert life.park() == [OpenAudio(2)]
    assert life.audio_fails(1) == []
    life.core.audio_opened(1)
    life.core.audio_interrupted(1)
    assert life.core.take() == []
    assert life.audio_fails(2) == [DisconnectMedia(), Park(answer=False)]


def test_audio_fails_after_the_end() -> None:
    life = Life()
    life.on("CHANNEL_CREATE")
    life.on("CHANNEL_ANSWER")
    assert life.park() == [OpenAudio(1)]
    assert life.end("NORMAL_CLEARING").state == "completed"
    assert life.audio_fails(1) == []


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"Channel_Read_Codec_Rate": "16000"}, "at 16000 Hz"),
    ],
)
@pytest.mark.parametrize("state", ["early", "answered"])
def test_a_trunk_that_speaks_otherwise_is_told_of(
    headers: Mapping[str, str], told: str, state: str
) -> None:
    life = Life()
    life.on("CHANNEL_CREATE")
    assert life.park(state, **headers)[-1] == CLEAR
    cause = life.end("NORMAL_CLEARING")
    assert (cause.name, told in cause.message) == ("pbx_lost_call", True)


@pytest.mark.parametrize("disposition", ["recv_bye", "send_bye"])
@pytest.mark.parametrize("ours", [True, False])
def test_who_hung_up_is_known(disposition: str, ours: bool) -> None:
    life = Life.answered()
    if ours:
        life.core.hang_up(3.0)
        life.core.take()
    life.on("CHANNEL_HANGUP", variable_sip_hangup_disposition=disposition)
    end = life.end("NORMAL_CLEARING")
    assert (end.state, end.by_pbx) == ("completed", disposition == "send_bye" and not ours)


def test_holds_are_told_and_counted() -> None:
    life = Life.answered()
    assert life.on("CHANNEL_HOLD") == [Held(UNIX)]
    life.now += 4
    assert life.on("CHANNEL_HOLD") == []
    assert life.on("CHANNEL_UNHOLD") == [Resumed(UNIX + 4)]
    assert (life.core.holds, life.core.held_s) == (1, 4.0)


def test_a_hold_that_nobody_told_is_found_out() -> None:
    life = Life.answered()
    held = {"Answer-State": "answered", "Channel-Call-State": "HELD"}
    assert life.reconcile(held) == [Held(UNIX)]
    assert life.reconcile(held) == []
    assert life.reconcile(held | {"Channel-Call-State": "ACTIVE"}) == [Resumed(UNIX)]


def test_a_hang_up_before_there_is_a_channel() -> None:
    life = Life()
    assert life.hang_up() == [CLEAR]
    assert life.hang_up() == []
    assert life.on("CHANNEL_CREATE") == [Dialing(UNIX), CLEAR]
    cause = life.end("NORMAL_CLEARING")
    assert (cause.state, cause.sip_code) == ("canceled", None)


def test_a_hang_up_while_it_rings() -> None:
    life = Life()
    life.on("CHANNEL_CREATE")
    life.on("CHANNEL_PROGRESS")
    assert life.hang_up() == [CLEAR]
    assert life.park() == [Answered(UNIX)]  # it was answered at the last moment: no audio
    assert not life.core.answered
    assert life.end("NORMAL_CLEARING", "16", "200").state == "completed"


def test_a_hang_up_that_is_not_confirmed() -> None:
    life = Life.answered()
    assert life.hang_up() == [CLEAR]
    assert life.wait(3.9) == []
    assert life.wait(0.1) == [CLEAR]
    outputs = life.wait(60)
    assert kinds(outputs) == [HangUp, CloseMedia, Ended]
    cause = cause_of(outputs)
    assert (cause.name, "did not confirm" in cause.message) == ("pbx_lost_call", True)


def test_nobody_answers_in_time() -> None:
    life = Life(ring_timeout_s=20)
    life.on("CHANNEL_CREATE")
    life.on("CHANNEL_PROGRESS")
    assert life.wait(19.9) == []
    assert life.wait(0.1) == [HangUp("NO_ANSWER")]
    cause = life.end("NO_ANSWER", "19")
    assert (cause.state, cause.name, cause.sip_code) == ("no_answer", "no_answer", 487)


def test_early_media_and_then_nobody_answers() -> None:
    life = Life(ring_timeout_s=20)
    life.on("CHANNEL_CREATE")
    assert life.on("CHANNEL_PROGRESS_MEDIA") == [EarlyMedia(UNIX)]
    assert life.park("early") == [OpenAudio(1)]
    assert life.job(None) == []
    life.core.audio_opened(1)
    assert life.wait(20) == [HangUp("NO_ANSWER")]
    cause = life.end("NO_ANSWER", "19")
    assert (cause.state, cause.sip_code) == ("no_answer", 487)


def test_freeswitch_gives_up_ringing_by_itself() -> None:
    life = Life()
    life.on("CHANNEL_CREATE")
    cause = life.end("NO_ANSWER", "19")
    assert (cause.state, cause.sip_code) == ("no_answer", None)


def test_an_answer_at_the_very_moment_of_the_ring_timeout() -> None:
    life = Life(ring_timeout_s=20)
    life.on("CHANNEL_CREATE")
    assert life.wait(20) == [HangUp("NO_ANSWER")]
    assert life.on("CHANNEL_ANSWER") == [Answered(UNIX + 20)]
    assert life.end("NO_ANSWER", "19", "200").state == "completed"


def test_a_carriers_408_is_no_silence() -> None:
    """FreeSWITCH tells both in the same words, but for where the answer came from."""
    told = {
        "Hangup-Cause": "RECOVERY_ON_TIMER_EXPIRE",
        "variable_hangup_cause_q850": "102",
        "variable_sip_term_status": "408",
    }
    ends = {}
    for whose, more in (("own", {}), ("carrier", {"variable_sip_network_ip": "192.0.2.9"})):
        life = Life()
        life.on("CHANNEL_CREATE")
        ends[whose] = cause_of(life.on("CHANNEL_HANGUP_COMPLETE", **told, **more))
    own, carrier = ends["own"], ends["carrier"]
    assert (own.state, own.sip_code, own.trunk_fault) == ("failed", None, "trunk_unreachable")
    assert (carrier.state, carrier.sip_code, carrier.trunk_fault) == ("no_answer", 408, None)


def test_freeswitch_does_not_begin() -> None:
    life = Life()
    outputs = life.wait(60)
    assert outputs[:3] == [CLEAR] * 3
    assert cause_of(outputs).name == "pbx_lost_call"


def test_a_channel_that_begins_when_it_was_given_up_is_hung_up() -> None:
    life = Life()
    assert life.wait(10) == [CLEAR]
    assert life.on("CHANNEL_CREATE") == [Dialing(UNIX + 10), CLEAR]
    assert "did not begin" in life.end("NORMAL_CLEARING").message


def test_an_originate_that_fails_without_a_channel() -> None:
    life = Life()
    assert life.job("GATEWAY_DOWN") == []
    cause = cause_of(life.wait(1))
    assert (cause.state, cause.q850, cause.sip_code) == ("failed", 102, None)
    assert cause.trunk_fault == "trunk_unreachable"


def test_an_originate_that_fails_is_explained_by_the_channel_if_it_speaks_in_time() -> None:
    life = Life()
    life.on("CHANNEL_CREATE")
    life.job("USER_BUSY")
    assert life.wait(0.9) == []
    assert life.end("USER_BUSY", "17", "486").state == "busy"


def test_an_originate_that_fails_leaves_no_channel_behind() -> None:
    life = Life()
    life.on("CHANNEL_CREATE")
    life.job("NORMAL_TEMPORARY_FAILURE")
    outputs = life.wait(1)
    assert kinds(outputs) == [HangUp, CloseMedia, Ended]
    assert cause_of(outputs).state == "failed"


@pytest.mark.parametrize("ours", [True, False])
def test_an_originate_that_fails_once_the_call_is_answered(ours: bool) -> None:
    """As when an operator takes the media away in between: the channel lives on."""
    life = Life()
    life.on("CHANNEL_CREATE")
    life.on("CHANNEL_ANSWER")
    if ours:
        assert life.hang_up() == [CLEAR]
    life.job("MANDATORY_IE_MISSING")
    assert life.wait(1) == [CLEAR]
    assert life.wait(4) == [CLEAR], "until it is gone"
    cause = life.end("NORMAL_CLEARING")
    assert cause.state == ("completed" if ours else "failed")


def test_an_answer_does_not_call_off_a_hang_up_for_a_reason_of_ours() -> None:
    life = Life()
    life.on("CHANNEL_CREATE")
    life.core.fail("no audio", life.now)
    assert life.core.take() == [CLEAR]
    assert life.on("CHANNEL_ANSWER") == [Answered(UNIX)]
    assert life.wait(4) == [CLEAR]


def test_an_opening_that_events_have_overtaken_is_not_made() -> None:
    """FreeSWITCH would take two in one parking, and free the last one only."""
    life = Life()
    life.on("CHANNEL_CREATE")
    life.on("CHANNEL_ANSWER")
    assert life.park() == [OpenAudio(1)]
    assert life.core.awaits_audio(1)
    life.on("CHANNEL_UNPARK", Answer_State="answered")
    assert not life.core.awaits_audio(1)
    assert life.park() == [OpenAudio(2)]
    assert not life.core.awaits_audio(1)
    assert life.core.awaits_audio(2)
    life.end("NORMAL_CLEARING")
    assert not life.core.awaits_audio(2)


def test_audio_that_has_ceased_is_opened_anew() -> None:
    life = Life.answered()
    life.core.audio_stopped()
    assert life.core.take() == [DisconnectMedia()]
    assert life.reconcile(UP) == [Park(answer=False)]
    life.on("CHANNEL_UNPARK", Answer_State="answered")
    assert life.park() == [OpenAudio(2)]
    life.core.audio_stopped()  # it is not open yet
    assert life.core.take() == []


def test_a_channel_that_is_only_destroyed() -> None:
    life = Life()
    outputs = life.on("CHANNEL_DESTROY", Hangup_Cause="INVALID_GATEWAY")
    assert cause_of(outputs).state == "failed"
    assert life.job("INVALID_GATEWAY") == []


@pytest.mark.parametrize("answered", [True, False])
def test_freeswitch_is_shut_down(answered: bool) -> None:
    life = Life.answered() if answered else Life()
    cause = life.end("SYSTEM_SHUTDOWN", "41")
    assert (cause.name, "shut down" in cause.message) == ("pbx_lost_call", True)


def test_an_operator_takes_the_call_and_parks_it_again() -> None:
    life = Life.answered()
    assert life.on("CHANNEL_UNPARK", Answer_State="answered") == [DisconnectMedia()]
    assert life.wait(3600) == []
    assert life.park() == [OpenAudio(2)]
    assert life.core.answered


def test_an_inbound_call_is_answered_and_parked_anew() -> None:
    life = Life(inbound=True)
    assert life.park("ringing") == [Park(answer=True)]
    assert life.on("CHANNEL_UNPARK", Answer_State="ringing") == []
    assert life.on("CHANNEL_PROGRESS_MEDIA", Answer_State="early") == []
    assert life.on("CHANNEL_ANSWER") == [Answered(UNIX)]
    assert life.park() == [OpenAudio(1)]
    assert life.wait(3600) == []
    assert life.end("NORMAL_CLEARING", "16").state == "completed"


def test_a_caller_who_gives_up_before_the_answer() -> None:
    life = Life(inbound=True)
    life.park("ringing")
    assert life.end("ORIGINATOR_CANCEL", "0", "487").state == "canceled"


def test_an_inbound_call_is_not_killed_in_the_midst_of_its_answer() -> None:
    life = Life(inbound=True)
    assert life.park("ringing") == [Park(answer=True)]
    assert life.hang_up() == []
    assert life.on("CHANNEL_ANSWER") == [Answered(UNIX), CLEAR]
    assert life.park() == []
    assert life.end("NORMAL_CLEARING").state == "completed"


def test_an_answer_that_does_not_come_is_killed_after_all() -> None:
    life = Life(inbound=True)
    life.park("ringing")
    life.hang_up()
    assert life.wait(4.9) == []
    assert life.wait(0.1) == [CLEAR]
    assert life.end("NORMAL_CLEARING").state == "canceled"


def test_an_inbound_call_that_freeswitch_does_not_answer() -> None:
    life = Life(inbound=True)
    life.park("ringing")
    assert life.wait(5) == [CLEAR]
    assert "did not answer" in life.end("NORMAL_CLEARING").message


def test_a_joined_call_is_not_ours_any_more() -> None:
    life = Life.answered()
    life.on("CHANNEL_UNPARK", Answer_State="answered")
    life.core.joined(life.now)
    assert life.core.take() == [CloseMedia(), Transferred(UNIX)]
    assert life.on("CHANNEL_BRIDGE") == []
    assert life.on("DTMF", DTMF_Digit="5", DTMF_Duration="1600") == []
    assert life.park() == []
    assert not life.core.answered
    assert kinds(life.on("CHANNEL_HANGUP_COMPLETE", Hangup_Cause="NORMAL_CLEARING")) == [Ended]


def test_an_operator_bridges_the_call() -> None:
    life = Life.answered()
    outputs = life.on("CHANNEL_BRIDGE", Answer_State="answered")
    assert outputs == [DisconnectMedia(), CloseMedia(), Transferred(UNIX)]
    assert life.hang_up() == [CLEAR]
    assert life.end("NORMAL_CLEARING").state == "completed"


def test_a_joined_call_whose_end_nobody_saw_was_completed() -> None:
    life = Life.answered()
    life.core.joined(life.now)
    life.core.take()
    assert life.reconcile(None) == []
    assert cause_of(life.wait(1)).state == "completed"


def test_a_far_end_that_agrees_to_call_somebody_else_is_let_go() -> None:
    life = Life.answered()
    life.core.referring(True)
    life.core.referred(life.now)
    assert life.core.take() == [DisconnectMedia(), CloseMedia(), Transferred(UNIX), CLEAR]
    assert life.end("NORMAL_CLEARING").state == "completed"


def test_a_far_end_may_hang_up_before_it_says_that_it_has_agreed() -> None:
    life = Life.answered()
    life.core.referring(True)
    life.on("CHANNEL_HANGUP", Hangup_Cause="NORMAL_CLEARING")
    outputs = life.on("CHANNEL_HANGUP_COMPLETE", Hangup_Cause="NORMAL_CLEARING")
    assert kinds(outputs) == [CloseMedia, Transferred, Ended]
    life.core.referred(life.now)
    assert life.core.take() == []


def test_a_hang_up_of_ours_while_the_far_end_is_asked_is_no_transfer() -> None:
    life = Life.answered()
    life.core.referring(True)
    life.hang_up()
    outputs = life.on("CHANNEL_HANGUP_COMPLETE", Hangup_Cause="NORMAL_CLEARING")
    assert Transferred not in kinds(outputs)


UP = {"Answer-State": "answered", "variable_sip_call_id": "abc"}


def test_catching_up_with_a_call_that_is_gone() -> None:
    life = Life.answered()
    assert life.reconcile(None) == []
    assert life.wait(0.9) == []
    cause = cause_of(life.wait(0.1))
    assert (cause.name, "nobody heard how" in cause.message) == ("pbx_lost_call", True)


def test_a_call_that_went_with_the_link_ends_then() -> None:
    life = Life.answered()
    lost_at = life.now
    life.core.unwatched(lost_at)
    life.wait(20)
    assert life.reconcile(None) == []
    life.core.watched()
    (ended,) = [one for one in life.wait(1.0) if isinstance(one, Ended)]
    assert ended.at == pytest.approx(UNIX + lost_at - 100)


def test_a_call_that_ends_while_we_look_ends_as_its_last_events_say() -> None:
    life = Life.answered()
    life.reconcile(None)  # a channel that hangs up is not told of any more
    assert life.end("NORMAL_CLEARING", "16").state == "completed"


def test_a_call_that_hung_up_and_is_gone_is_completed_without_its_last_event() -> None:
    life = Life.answered()
    life.on("CHANNEL_HANGUP", Hangup_Cause="NORMAL_CLEARING")
    life.reconcile(None)
    assert cause_of(life.wait(1)).state == "completed"


def test_a_hang_up_of_ours_that_nobody_saw_take_effect() -> None:
    life = Life.answered()
    assert life.hang_up() == [CLEAR]
    assert life.reconcile(None) == []
    assert cause_of(life.wait(1)).state == "completed"
    ringing = Life()
    ringing.on("CHANNEL_CREATE")
    ringing.hang_up()
    ringing.reconcile(None)
    assert cause_of(ringing.wait(1)).state == "canceled"


def test_catching_up_with_a_call_that_goes_on() -> None:
    assert Life.answered().reconcile(UP) == []


def test_catching_up_with_a_call_that_was_answered_meanwhile() -> None:
    life = Life()
    life.on("CHANNEL_CREATE")
    assert life.reconcile(UP) == [Answered(UNIX, "abc"), Park(answer=False)]
    assert life.wait(3600) == []
    assert life.park() == [OpenAudio(1)]
    assert life.end("NORMAL_CLEARING").sip_call_id == "abc"


@pytest.mark.parametrize(
    ("channel", "told"),
    [
        ({"Answer-State": "ringing", "Channel-Call-State": "DOWN"}, [Dialing]),
        ({"Answer-State": "ringing", "Channel-Call-State": "RINGING"}, [Dialing, Ringing]),
        ({"Answer-State": "early"}, [Dialing, EarlyMedia, Park]),
        ({"Answer-State": "answered"}, [Dialing, Answered, Park]),
        ({"Answer-State": "hangup"}, [Dialing]),
    ],
)
def test_catching_up_with_a_call_that_had_not_begun(
    channel: Mapping[str, str], told: list[type]
) -> None:
    assert kinds(Life().reconcile(channel)) == told


def test_catching_up_with_a_call_that_was_hung_up_meanwhile() -> None:
    life = Life.answered()
    life.hang_up()
    life.wait(4)
    assert life.reconcile(UP) == [CLEAR]
    assert life.wait(11) == [CLEAR, CLEAR]  # three times anew


def test_catching_up_with_a_call_whose_audio_was_being_opened() -> None:
    life = Life()
    life.on("CHANNEL_CREATE")
    life.on("CHANNEL_ANSWER")
    life.park()
    life.core.audio_interrupted(1)
    assert life.core.take() == [DisconnectMedia()]
    assert life.reconcile(UP) == [Park(answer=False)]
    life.on("CHANNEL_UNPARK", Answer_State="answered")
    assert life.park() == [OpenAudio(2)]


def test_catching_up_with_a_call_that_an_operator_has_bridged() -> None:
    outputs = Life.answered().reconcile({**UP, "Other-Leg-Unique-ID": "somebody"})
    assert outputs == [DisconnectMedia(), CloseMedia(), Transferred(UNIX)]


def test_there_is_nothing_to_catch_up_with_after_the_end() -> None:
    life = Life.answered()
    life.end("NORMAL_CLEARING")
    assert life.reconcile(UP) == []
    life.core.lose("never", life.now)
    life.core.fail("never", life.now)
    assert life.core.take() == []


def test_a_digit_that_is_none() -> None:
    life = Life.answered()
    assert life.on("DTMF", DTMF_Digit="", DTMF_Duration="1600") == []
    assert life.on("DTMF", DTMF_Digit="55") == []
    assert life.on("DTMF", DTMF_Digit="5", DTMF_Duration="x") == [Digit(UNIX, "5", 0)]


def event(name: str, *states: str) -> st.SearchStrategy[tuple[str, Mapping[str, str]]]:
    state = st.sampled_from(states or ("ringing", "early", "answered", "hangup"))
    return st.tuples(st.just(name), state.map(lambda one: {"Answer_State": one}))


STEPS = st.one_of(
    *(event(f"CHANNEL_{name}") for name in ("CREATE", "PROGRESS", "PROGRESS_MEDIA", "ANSWER")),
    *(event(f"CHANNEL_{name}") for name in ("PARK", "UNPARK", "BRIDGE", "HANGUP", "DESTROY")),
    event("CHANNEL_HANGUP_COMPLETE", "hangup"),
    st.sampled_from(["hang up", "fail", "job fails", "opened", "failed", "gone", "there", "wait"]),
)


@example(
    steps=[
        ("CHANNEL_ANSWER", {"Answer_State": "ringing"}),
        ("CHANNEL_PARK", {"Answer_State": "ringing"}),
    ],
    inbound=True,
)
@given(st.lists(STEPS, max_size=25), st.booleans())
def test_whatever_comes_it_ends_once_and_never_crashes_freeswitch(
    steps: Sequence[str | tuple[str, Mapping[str, str]]], inbound: bool
) -> None:
    life = Life(inbound=inbound)
    told: list[Output] = []
    turn = 0
    for step in [*steps, "hang up", "wait", "wait", "wait"]:
        match step:
            case (str() as name, headers):
                outputs = life.on(name, **headers)
                if any(isinstance(one, OpenAudio) for one in outputs):
                    assert name == "CHANNEL_PARK"
                    assert headers["Answer_State"] in ("early", "answered")
            case "hang up":
                outputs = life.hang_up()
            case "fail":
                life.core.fail("ours", life.now)
                outputs = life.core.take()
            case "job fails":
                outputs = life.job("SOME_CAUSE")
            case "opened":
                life.core.audio_opened(turn)
                outputs = life.core.take()
            case "failed":
                outputs = life.audio_fails(turn)
            case "gone":
                outputs = life.reconcile(None)
            case "there":
                outputs = life.reconcile(UP)
            case _:
                outputs = life.wait(31)
        turn = max([turn, *(one.turn for one in outputs if isinstance(one, OpenAudio))])
        told += outputs
    progress = [one for one in told if isinstance(one, Dialing | Answered | Transferred | Ended)]
    assert kinds(progress) == sorted(
        set(kinds(progress)), key=[Dialing, Answered, Transferred, Ended].index
    )
    assert isinstance(told[-1], Ended)
    assert kinds(told).count(CloseMedia) == 1


@pytest.mark.parametrize(("rate", "wideband", "opens"), [
    ("8000", False, True), ("16000", False, False), ("16000", True, True), ("8000", True, True),
    ("48000", True, False),
])  # fmt: skip
def test_audio_of_the_rates_that_are_wanted(rate: str, wideband: bool, opens: bool) -> None:
    core = FreeSwitchCore("offhook-1", 0.0, UNIX, wideband=wideband)
    park = {"Answer-State": "answered", "Channel-Read-Codec-Rate": rate}
    for name in ("CHANNEL_CREATE", "CHANNEL_ANSWER", "CHANNEL_PARK"):
        core.on_event({"Event-Name": name, **park}, 1.0)
    outputs = core.take()
    assert (OpenAudio(1, int(rate)) in outputs) is opens
