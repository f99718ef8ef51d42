"""One attempt from the dialling to the result, and every way in which it may go wrong.

The store, the conversation and the recorder are the real ones; PBX and engines are played.
"""

import asyncio
import json
import time
import wave
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from api.calls.conversing import is_recorded
from api.calls.runner import CallRunner
from api.policy.retry import RetryPolicy
from api.resources.call import Call
from api.resources.claim import Claim
from api.settings import load_settings
from api.store import Store
from pbx.switch import (
    LIMIT_MARGIN_S,
    Cause,
    EarlyMedia,
    SwitchNotReachedError,
    SwitchRefused,
    SwitchUnavailable,
)
from tests.api.story import BUSY, NODE, claimed, new_call
from tests.api.switchboard import (
    CANCELED,
    RING_TIMEOUT_S,
    Fault,
    Office,
    PlayedAttempt,
    over,
    story,
    until,
)
from tests.voice_loop.scripted import Buggy, frame, settle
from tests.voice_loop.scripted import Fault as EngineFault
from voice_loop.ports import EngineError
from voice_loop.prompts import END_CALL

pytestmark = pytest.mark.usefixtures("nothing_is_left")

PERSON = frame(1000)
TALK = ["queued", "initiated", "ringing", "answered", "turn", "turn", "turn"]
CLOSING = ["recording.available", "quality", "ended", "transcript.final", "analyzed", "completed"]


class Running:
    """A call under way."""

    def __init__(self, office: Office, claim: Claim) -> None:
        self.office = office
        self.id = claim.call.id
        self.runner: CallRunner = office.runner(claim)
        self.task = asyncio.create_task(self.runner.run())

    @property
    def attempt(self) -> PlayedAttempt:
        (attempt,) = self.office.switch.attempts
        return attempt

    async def dialed(self) -> PlayedAttempt:
        return await self.office.switch.dialed()

    async def answered(self) -> PlayedAttempt:
        """Ring and pick up; returns once the conversation is on."""
        attempt = await self.dialed()
        attempt.ring()
        attempt.answer()
        await until(self.office.store, self.id, "answered")
        return attempt

    async def over(self) -> Call:
        """The call after its end, which must be near."""
        await asyncio.wait_for(self.task, 10)
        return await over(self.office.store, self.id)


async def running(office: Office, **order: object) -> Running:
    return Running(office, await claimed(office.store, **order))


async def conversed(office: Office, **order: object) -> Call:
    """A whole call: the agent opens, the person says something, is answered and hangs up."""
    call = await running(office, **order)
    attempt = await call.dialed()
    attempt.ring()
    attempt.answer()
    await settle()
    await attempt.until_spoken()
    await office.hears(attempt, "tomorrow please.")
    attempt.end()
    return await call.over()


@pytest.mark.rows("CB-59", "RV-491")
async def test_somebody_who_listens_and_answers_is_a_human(office: Office) -> None:
    call = await running(office)
    attempt = await call.dialed()
    attempt.ring()
    attempt.answer()
    await settle()
    await attempt.until_spoken()
    await office.hears(attempt, "tomorrow please.")
    attempt.end()
    assert (await call.over()).answered_by == "human"


@pytest.mark.rows("RV-492")
async def test_who_does_not_answer_is_not_known(office: Office) -> None:
    call = await running(office)
    attempt = await call.dialed()
    attempt.ring()
    attempt.answer()
    await settle()
    await office.hears(attempt, "hello?")
    attempt.end()
    assert (await call.over()).answered_by == "unknown"


# -- the way of a call -----------------------------------------------------------------------------


async def test_who_reads_a_call_is_told_when_it_was_where_the_person_is(office: Office) -> None:
    returns = {"day": "date", "at": "datetime"}
    office.mind.result = '{"at": "2026-03-04T10:00", "day": "20260304"}'
    policy = RetryPolicy(timezone="Asia/Tokyo", max_attempts=1)
    call = await conversed(office, returns=returns, retry=policy, force_now=True)
    assert call.answered_at is not None
    began = datetime.fromtimestamp(call.answered_at, ZoneInfo("Asia/Tokyo"))
    told = f"The call began on {began:%A %Y-%m-%d %H:%M} +09:00 (Asia/Tokyo)."
    for asked in (office.mind.asked_for_result, office.mind.asked_for_analysis):
        assert told in asked[0]["content"]
    assert call.result == {"day": "2026-03-04", "at": "2026-03-04T10:00:00+09:00"}


async def test_a_call_from_the_dialling_to_its_result(office: Office, store: Store) -> None:
    call = await conversed(office, returns={"ok": "boolean"})
    assert (call.status, call.end_reason, call.answered_by) == (
        "completed",
        "person_hangup",
        "human",
    )
    assert (call.result_status, call.result) == ("completed", {"ok": True})
    assert (call.sip_code, call.media is not None and call.media["received"]) == (200, 7)
    assert await story(store, call.id) == [*TALK, *CLOSING]
    turns = await store.calls.turns(call.id)
    assert [(turn.speaker, turn.text) for turn in turns] == [
        ("agent", "hello, this is the clinic."),
        ("person", "tomorrow please."),
        ("agent", "i see."),
    ]
    assert call.answered_at is not None
    assert all(turn.started_at >= call.answered_at for turn in turns)
    assert call.latency["wire_ms"]["max"] >= 0
    assert call.recording_path is not None
    assert office.recordings is not None
    with wave.open(str(office.recordings / call.recording_path)) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, 8000)
        assert file.getnframes() > 8000
    (attempt,) = office.switch.attempts
    assert attempt.peer is None
    assert attempt.dial.number == call.to_number
    assert attempt.dial.limit_s == call.max_duration_s + LIMIT_MARGIN_S
    assert attempt.dial.id.startswith("offhook-")


async def test_the_agent_says_goodbye_and_hangs_up(office: Office, store: Store) -> None:
    call = await running(office)
    office.mind.answers["tomorrow please."] = f"goodbye. {END_CALL}"
    attempt = await call.answered()
    await attempt.until_spoken()
    await office.hears(attempt, "tomorrow please.")
    done = await call.over()
    assert (done.status, done.end_reason) == ("completed", "agent_hangup")
    assert attempt.hang_ups >= 1


async def test_keys_are_told_and_answered(office: Office, store: Store) -> None:
    call = await running(office)
    attempt = await call.answered()
    await attempt.until_spoken()
    attempt.press("4")
    attempt.press("#")
    await until(store, call.id, "digit")
    await attempt.until_spoken()
    attempt.end()
    await call.over()
    turns = await store.calls.turns(call.id)
    assert [turn.speaker for turn in turns] == ["agent", "keypad", "agent"]
    assert (await story(store, call.id)).count("digit") == 2


async def test_a_call_without_a_result_asks_for_none(office: Office) -> None:
    call = await conversed(office)
    assert office.mind.extractions == 0
    assert (call.status, call.result) == ("completed", None)


# -- what the call came to -------------------------------------------------------------------------


async def test_an_outcome_and_a_summary(office: Office, store: Store) -> None:
    """RV-306, RV-309, RV-314: before the terminal event, also of a call without `returns`."""
    call = await conversed(office)
    assert (call.outcome, call.summary) == ("completed", "They spoke.")
    assert (call.result_status, office.mind.analyses) == ("pending", 1)
    (last,) = (await store.calls.events(call.id))[-1:]
    assert last.data["call"]["outcome"] == "completed"


async def test_who_wants_no_more_calls_is_listed(office: Office, store: Store) -> None:
    """RV-312: the number is on the list, with the person's own words."""
    office.mind.analysis = json.dumps(
        {"quote": "tomorrow please.", "summary": "No more calls.", "outcome": "do_not_contact"}
    )
    waiting = await new_call(store, scheduled_at=time.time() + 3600)
    call = await conversed(office)
    assert call.outcome == "do_not_contact"
    listed = await store.do_not_call.get(call.to_number)
    assert (listed.source, listed.reason, listed.call_id) == (
        "outcome",
        "tomorrow please.",
        call.id,
    )
    assert (await store.claims.take(1, "a-node")).claims == ()
    assert (await store.calls.get(waiting.id)).end_reason == "do_not_call"


@pytest.mark.parametrize("quote", ["9", "no. 9"])
async def test_keys_alone_put_nobody_on_the_list(office: Office, store: Store, quote: str) -> None:
    """Whatever the model makes of them: it takes words that the person has said."""
    office.mind.analysis = json.dumps(
        {"quote": quote, "summary": "No more calls.", "outcome": "do_not_contact"}
    )
    call = await running(office, returns={"ok": "boolean"})
    attempt = await call.answered()
    await attempt.until_spoken()
    attempt.press("9")
    await until(store, call.id, "digit")
    await attempt.until_spoken()
    attempt.end()
    done = await call.over()
    page = await store.do_not_call.page(limit=10)
    assert page.items == ()
    if quote == "9":  # any other is no line of theirs
        assert done.outcome == "do_not_contact"
        (told,) = [
            event.data["analysis"]["do_not_call"]
            for event in await store.calls.events(call.id)
            if event.type == "call.analyzed"
        ]
        assert told == {
            "listed": False,
            "quote": "9",
            "reason": "the person did not say so in words",
        }


async def test_an_analysis_that_fails_costs_the_outcome_only(office: Office) -> None:
    office.mind.analysis_fault = EngineError("out of memory")
    call = await conversed(office, returns={"ok": "boolean"})
    assert (call.status, call.result, call.outcome) == ("completed", {"ok": True}, None)


async def test_nobody_is_asked_about_a_call_without_words(office: Office) -> None:
    """RV-313."""
    call = await running(office)
    attempt = await call.answered()
    await attempt.until_spoken()
    attempt.end()
    done = await call.over()
    assert (done.outcome, done.summary, office.mind.analyses) == (None, None, 0)


@pytest.mark.parametrize(
    ("cause", "status"),
    [
        (BUSY, "busy"),
        (Cause("no_answer", "no_answer", "Nobody answered.", 19, 480), "no_answer"),
        (Cause("failed", "unallocated_number", "No such number.", 1, 404), "failed"),
    ],
)
@pytest.mark.rows("CB-57", "X-CB-5…7", "X-CB-9")
@pytest.mark.partial("CB-56")
async def test_nobody_answers(office: Office, store: Store, cause: Cause, status: str) -> None:
    """As the network says; a busy tone that is only heard is told as nobody answering."""
    call = await running(office, returns={"ok": "boolean"})
    attempt = await call.dialed()
    attempt.tell(EarlyMedia(time.time()))
    attempt.end(cause)
    done = await call.over()
    assert (done.status, done.end_reason, done.hangup_cause) == (status, status, cause.name)
    assert (done.answered_by, done.answered_at, done.recording_path) == (None, None, None)
    assert office.mind.extractions == 0
    assert await story(store, done.id) == [
        "queued",
        "initiated",
        "ringing",
        "early_media",
        "ended",
        status,
    ]


# -- the store fails -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "write",
    [
        "record_ringing",
        "record_early_media",
        "record_answered",
        "record_digit",
        "add_turn",
        "record_ended",
        "turns",
        "record_result",
    ],
)
async def test_one_failing_write_changes_nothing(
    office: Office, store: Store, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    call = await running(office, returns={"ok": "boolean"})
    with monkeypatch.context() as patch:
        fault = Fault(patch, store, write, 2)
        attempt = await call.dialed()
        attempt.ring()
        attempt.tell(EarlyMedia(time.time()))
        attempt.answer()
        await settle()
        await attempt.until_spoken()
        await office.hears(attempt, "tomorrow please.")
        attempt.press("1")
        attempt.end()
        await asyncio.wait_for(call.task, 10)
        assert fault.tries >= 3
    done = await call.over()
    assert (done.status, done.result) == ("completed", {"ok": True})
    assert await story(store, done.id) == [
        "queued",
        "initiated",
        "ringing",
        "early_media",
        "answered",
        *["turn"] * 3,
        "digit",
        *CLOSING,
    ]


@pytest.mark.parametrize("write", ["record_ringing", "record_digit", "add_turn"])
async def test_a_fact_that_the_store_never_takes_is_all_that_is_lost(
    office: Office, store: Store, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    Fault(monkeypatch, store, write, None)
    call = await running(office, returns={"ok": "boolean"})
    attempt = await call.answered()
    await attempt.until_spoken()
    await office.hears(attempt, "tomorrow please.")
    attempt.press("1")
    attempt.end()
    done = await call.over()
    assert (done.status, done.end_reason, done.result_status) == (
        "completed",
        "person_hangup",
        "completed",
    )
    lost = {"record_ringing": "ringing", "record_digit": "digit", "add_turn": "turn"}[write]
    left_out = {lost, "transcript.final"} if lost == "turn" else {lost}
    whole = [*TALK, "digit", *CLOSING]
    assert await story(store, done.id) == [kind for kind in whole if kind not in left_out]


async def test_the_answer_is_insisted_on_as_long_as_the_end(
    office: Office, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it the store would not take the end as that of an answered call."""
    Fault(monkeypatch, store, "record_answered", 4)
    call = await conversed(office, returns={"ok": "boolean"})
    assert (call.status, call.end_reason, call.result) == (
        "completed",
        "person_hangup",
        {"ok": True},
    )
    assert await story(store, call.id) == [*TALK, *CLOSING]


# -- canceling and hanging up ----------------------------------------------------------------------


async def test_canceled_before_the_originate(office: Office) -> None:
    call = await running(office)
    await call.runner.end("canceled")
    done = await call.over()
    assert (done.status, done.end_reason) == ("canceled", "canceled")
    assert office.switch.attempts == []


async def test_canceled_during_the_originate(office: Office) -> None:
    office.switch.gate = asyncio.Event()
    call = await running(office)
    await asyncio.wait_for(office.switch.originating.wait(), 5)
    await call.runner.end("canceled")
    office.switch.gate.set()
    done = await call.over()
    assert (done.status, done.end_reason, done.sip_code) == ("canceled", "canceled", 487)
    assert call.attempt.hang_ups >= 1


@pytest.mark.parametrize("rings", [False, True])
async def test_canceled_while_dialling_and_ringing(office: Office, *, rings: bool) -> None:
    call = await running(office)
    attempt = await call.dialed()
    if rings:
        attempt.ring()
        await until(office.store, call.id, "ringing")
    await call.runner.end("canceled")
    assert attempt.hang_ups == 1
    done = await call.over()
    assert (done.status, done.end_reason, done.sip_code) == ("canceled", "canceled", 487)
    assert ("ringing" in await story(office.store, call.id)) == rings


async def test_canceled_while_the_answer_is_on_its_way(office: Office) -> None:
    """The hang-up goes out although the answer came first; somebody did pick up."""
    call = await running(office)
    attempt = await call.dialed()
    attempt.ring()
    attempt.answer()
    await call.runner.end("canceled")
    assert attempt.hang_ups == 1
    done = await call.over()
    assert (done.status, done.end_reason) == ("completed", "canceled")
    assert done.answered_at is not None


async def test_canceled_once_the_conversation_is_on(office: Office) -> None:
    call = await running(office)
    attempt = await call.answered()
    await call.runner.end("canceled")
    done = await call.over()
    assert (done.status, done.end_reason) == ("completed", "canceled")
    assert attempt.hang_ups >= 1


@pytest.mark.parametrize("cause", [CANCELED, BUSY])
async def test_an_answered_call_is_completed_whatever_the_pbx_calls_it(
    office: Office, cause: Cause
) -> None:
    call = await running(office)
    attempt = await call.answered()
    attempt.end(cause)
    done = await call.over()
    assert (done.status, done.end_reason) == ("completed", "person_hangup")
    assert (done.hangup_cause, done.sip_code) == (cause.name, cause.sip_code)


async def test_canceled_and_then_refused_ends_once(office: Office) -> None:
    office.switch.gate = asyncio.Event()
    office.switch.fault = SwitchRefused("no such trunk", "trunk")
    call = await running(office)
    await asyncio.wait_for(office.switch.originating.wait(), 5)
    await call.runner.end("canceled")
    office.switch.gate.set()
    assert (await call.over()).status == "failed"


async def test_the_operator_hangs_up(office: Office) -> None:
    call = await running(office, returns={"ok": "boolean"})
    attempt = await call.answered()
    await attempt.until_spoken()
    await call.runner.end("operator_hangup")
    await call.runner.end("operator_hangup")
    done = await call.over()
    assert (done.status, done.end_reason) == ("completed", "operator_hangup")
    assert done.result == {"ok": True}
    assert attempt.hang_ups >= 1


async def test_hanging_up_an_ended_conversation_does_not_change_why_it_ended(
    office: Office,
) -> None:
    office.switch.obeys = False
    office.mind.answers["tomorrow please."] = f"goodbye. {END_CALL}"
    call = await running(office)
    attempt = await call.answered()
    await attempt.until_spoken()
    await office.hears(attempt, "tomorrow please.")
    async with asyncio.timeout(5):
        while not attempt.hang_ups:
            await attempt.tick()
    await settle()
    await call.runner.end("server_shutdown")
    attempt.end()
    assert (await call.over()).end_reason == "agent_hangup"


# -- PBX and engines fail --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "name", "reason"),
    [
        (SwitchRefused("no such trunk", "trunk"), "request_refused", "trunk_unreachable"),
        (SwitchRefused("no free port", "rtp"), "request_refused", "pbx_refused"),
        (SwitchUnavailable("the link is down"), "pbx_unavailable", "pbx_unavailable"),
    ],
)
async def test_the_pbx_does_not_dial(
    office: Office, store: Store, fault: Exception, name: str, reason: str
) -> None:
    office.switch.fault = fault
    done = await (await running(office, returns={"ok": "boolean"})).over()
    assert (done.status, done.hangup_cause, done.end_reason) == ("failed", name, reason)
    assert done.error_message == str(fault)
    assert await story(store, done.id) == ["queued", "initiated", "ended", "failed"]


async def test_a_pbx_that_heard_of_nothing_is_asked_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.calls.runner._REACH_AGAIN_S", 0.01)
    office.switch.fault = SwitchNotReachedError("there is no AMI connection")
    call = await running(office)
    await office.switch.originating.wait()
    office.switch.originating.clear()
    await office.switch.originating.wait()
    office.switch.fault = None
    attempt = await office.switch.dialed()
    attempt.end(BUSY)
    assert (await call.over()).status == "busy"
    assert len(office.switch.attempts) == 1


async def test_an_order_whose_pbx_is_not_reached_goes_back_to_the_queue(
    office: Office, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.calls.runner._REACH_S", 0.0)
    monkeypatch.setattr("api.calls.runner._REACH_AGAIN_S", 0.01)
    office.switch.fault = SwitchNotReachedError("there is no AMI connection")
    call = await running(office)
    await call.task
    waiting = await store.calls.get(call.id)
    assert (waiting.status, waiting.next_attempt_at is None) == ("queued", False)
    (attempt,) = await store.calls.attempts(call.id)
    assert (attempt.end_reason, attempt.unknown) == ("pbx_unavailable", False)

    office.switch.fault = None
    (claim,) = (await store.claims.take(1, NODE)).claims
    again = Running(office, claim)
    (await again.dialed()).end(BUSY)
    assert (await again.over()).status == "busy"


async def test_a_cancel_ends_the_waiting_for_the_pbx(office: Office) -> None:
    office.switch.fault = SwitchNotReachedError("there is no AMI connection")
    call = await running(office)
    await office.switch.originating.wait()
    await call.runner.end("canceled")
    assert (await call.over()).status == "canceled"
    assert office.switch.attempts == []


async def test_there_are_no_engines_for_the_language(office: Office) -> None:
    office.engines_fault = EngineError("no voice speaks it; pull one")
    done = await (await running(office)).over()
    assert (done.status, done.hangup_cause, done.end_reason) == (
        "failed",
        "engine_unavailable",
        "engine_error",
    )
    assert done.error_message == "no voice speaks it; pull one"
    assert office.switch.attempts == []


async def test_a_fault_after_the_originate_hangs_up(office: Office) -> None:
    def broken(rate: int) -> None:
        raise KeyError("a bug")

    office.new_detector = broken  # type: ignore[assignment]
    call = await running(office)
    with pytest.raises(KeyError, match="a bug"):
        await asyncio.wait_for(call.task, 5)
    assert call.attempt.hang_ups >= 1


@pytest.mark.parametrize("fault", [EngineFault(error="out of memory"), Buggy()])
async def test_an_engine_fails_in_the_conversation(office: Office, fault: EngineFault) -> None:
    call = await running(office, returns={"ok": "boolean"})
    attempt = await call.answered()
    await attempt.until_spoken()
    office.mind.fault = fault
    await office.hears(attempt, "tomorrow please.")
    done = await call.over()
    assert (done.status, done.end_reason) == ("failed", "engine_error")
    assert attempt.hang_ups >= 1


async def test_the_conversation_itself_fails(office: Office, store: Store) -> None:
    class Deaf:
        def is_speech(self, frame: object) -> bool:
            raise KeyError("a bug")

    office.new_detector = lambda rate: Deaf()
    call = await running(office, returns={"ok": "boolean"})
    attempt = await call.answered()
    with pytest.raises(KeyError):
        await attempt.tick()
    done = await call.over()
    assert (done.status, done.end_reason) == ("failed", "engine_error")
    assert office.mind.extractions == 0
    assert attempt.hang_ups >= 1


async def test_the_progress_breaks(office: Office, store: Store) -> None:
    """What the PBX told before is written down nevertheless, and all is given back."""
    call = await running(office)
    attempt = await call.answered()
    await attempt.until_spoken()
    attempt.tell(KeyError("a bug"))
    with pytest.raises(KeyError, match="a bug"):
        await asyncio.wait_for(call.task, 5)
    assert attempt.hang_ups >= 1
    assert attempt.peer is None
    assert (await story(store, call.id))[-1] == "turn"


async def test_the_pbx_never_tells_of_the_end(
    office: Office, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = await claimed(store, max_duration_s=60)
    monkeypatch.setattr("api.calls.runner._WATCHDOG_SLACK_S", 0.2 - RING_TIMEOUT_S - 60)
    office.switch.obeys = False
    call = Running(office, claim)
    attempt = await call.answered()
    done = await call.over()
    assert attempt.hang_ups >= 1
    assert (done.status, done.hangup_cause) == ("failed", "unknown")
    # Nobody knows that the person hung up.
    assert done.end_reason == "failed"


async def test_an_end_that_the_pbx_cannot_explain_is_nobodys_hanging_up(office: Office) -> None:
    call = await running(office)
    attempt = await call.answered()
    attempt.end(Cause("failed", "unknown", "The call ended while the manager link was down."))
    done = await call.over()
    assert (done.status, done.end_reason) == ("failed", "failed")


# -- the disk --------------------------------------------------------------------------------------


@pytest.mark.parametrize("obstacle", ["folder", "file"])
async def test_a_recording_that_cannot_be_written_costs_nothing_else(
    office: Office, tmp_path: Path, caplog: pytest.LogCaptureFixture, obstacle: str
) -> None:
    claim = await claimed(office.store)
    assert office.recordings is not None
    if obstacle == "folder":
        office.recordings.write_text("in the way")
    else:
        (office.recordings / f"{claim.call.id}.wav").mkdir(parents=True)
    call = Running(office, claim)
    attempt = await call.answered()
    await attempt.until_spoken()
    attempt.end()
    done = await call.over()
    assert (done.status, done.recording_path) == ("completed", None)
    assert "is given up" in caplog.text


async def test_a_recorder_with_a_bug_costs_nothing_else(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr("api.calls.recording.RecordedPeer._append", broken)
    call = await running(office)
    attempt = await call.answered()
    await attempt.until_spoken()
    attempt.end()
    done = await call.over()
    assert (done.status, done.recording_path) == ("completed", None)


async def test_recordings_that_are_not_wanted_are_not_made(office: Office, tmp_path: Path) -> None:
    office = replace(office, recordings=None)
    call = await conversed(office)
    assert call.recording_path is None
    assert not (tmp_path / "recordings").exists()


async def test_a_call_that_is_not_to_be_recorded_is_not(office: Office, tmp_path: Path) -> None:
    settings = load_settings(None, {})
    office = replace(office, records=lambda call: is_recorded(settings, call))
    call = await conversed(office, agent={"recording": False})
    assert call.recording_path is None
    (attempt,) = await office.store.calls.attempts(call.id)
    assert (attempt.recording_path, attempt.recording_node) == (None, None)
    assert "recording.available" not in await story(office.store, call.id)
    assert not (tmp_path / "recordings").exists()


def test_what_an_agent_says_of_recording_goes_before_the_settings() -> None:
    call = Call(**dict.fromkeys(Call.__dataclass_fields__))  # type: ignore[arg-type]
    for enabled in ("true", "false"):
        settings = load_settings(None, {"OFFHOOK_RECORDINGS__ENABLED": enabled})
        for agent in ({}, {"recording": True}, {"recording": False}):
            told = is_recorded(settings, replace(call, agent=agent))
            assert told is agent.get("recording", enabled == "true")


# -- the result ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "fault", "message"),
    [
        ("not JSON", None, "does not match `returns`"),
        ('{"ok": "maybe"}', None, "does not match `returns`"),
        ("", EngineError("out of memory"), "out of memory"),
    ],
)
async def test_no_result(
    office: Office, answer: str, fault: Exception | None, message: str
) -> None:
    office.mind.result, office.mind.result_fault = answer, fault
    call = await conversed(office, returns={"ok": "boolean"})
    assert (call.status, call.result_status, call.result) == ("completed", "failed", None)
    assert call.result_error is not None
    assert message in call.result_error


@pytest.mark.rows("RV-222", "RV-432")
async def test_what_is_required_and_was_not_said_is_told(office: Office) -> None:
    office.mind.result = '{"email": null, "ok": true}'
    returns = {"ok": "boolean", "email": {"type": "string", "required": True}}
    call = await conversed(office, returns=returns)
    assert (call.result_status, call.result) == ("failed", {"ok": True, "email": None})
    assert call.result_error == "`email` is required and was not said"


@pytest.mark.rows("RV-232…234", "RV-437")
async def test_the_operators_own_instructions_find_the_result(office: Office) -> None:
    prompt = "{{call_direction}} {{user_phone_number}} {{agent_phone_number}}:\n{{transcript}}"
    agent = {"returns_prompt": prompt}
    call = await conversed(office, returns={"ok": "boolean"}, agent=agent)
    assert call.result_status == "completed"
    system = office.mind.asked_for_result[0]["content"]
    assert system.startswith(f"outbound {call.to_number} {call.from_number}:\nagent: ")
    assert "\n\nAnswer with one JSON object of this form" in system
    assert "person: tomorrow please." in system


async def test_the_result_takes_too_long(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.calls.results.EXTRACTION_TIMEOUT_S", 0.01)
    office.mind.result_gate = asyncio.Event()
    call = await conversed(office, returns={"ok": "boolean"})
    assert (call.status, call.result_status) == ("completed", "failed")
    assert call.result_error is not None
    assert "took more than" in call.result_error


# -- stopping --------------------------------------------------------------------------------------


async def test_a_stop_in_the_conversation_gives_everything_back(
    office: Office, store: Store
) -> None:
    call = await running(office)
    attempt = await call.answered()
    await attempt.until_spoken()
    call.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(call.task, 5)
    assert attempt.hang_ups >= 1
    assert attempt.peer is None
    (left,) = await store.calls.orphans()
    assert left.call.status == "in_progress"


async def test_a_stop_while_a_stalled_store_is_waited_for_gives_everything_back(
    office: Office, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    stalled, asked = asyncio.Event(), asyncio.Event()

    async def stall(*_: object) -> None:
        asked.set()
        await stalled.wait()

    call = await running(office)
    attempt = await call.answered()
    monkeypatch.setattr(store.calls, "add_turn", stall)
    await attempt.until_spoken()
    attempt.end()
    await asyncio.wait_for(asked.wait(), 5)
    await settle()
    call.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(call.task, 5)


async def test_a_stop_while_the_conversation_ends_gives_everything_back(office: Office) -> None:
    office.ears.fault = EngineFault(gate=asyncio.Event())
    call = await running(office)
    attempt = await call.answered()
    await attempt.until_spoken()
    for _ in range(30):
        await attempt.tick(PERSON)
    attempt.end()
    await settle()
    assert not call.task.done()
    call.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(call.task, 5)
