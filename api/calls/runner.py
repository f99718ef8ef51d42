"""Runs one attempt from the dialling to the result: the way of a call, in one place."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Final, Literal

from api.agents.identity import Identity, identity_of
from api.base.json_object import JsonObject
from api.base.lifecycle import AnsweredBy, AudioEvent
from api.base.numbers import is_e164
from api.base.refusals import Conflict
from api.blackbox.engines import witnessed, witnessed_tools
from api.blackbox.recorder import BlackBox
from api.calls.boxing import Boxes
from api.calls.call_log import CallLog
from api.calls.capturing import Capturing
from api.calls.dial_plan import planned
from api.calls.objections import objection_in
from api.calls.recording import RecordedPeer
from api.calls.recording_control import RecordingControl
from api.calls.recording_folder import RecordingFolder, recording_name
from api.calls.recording_formats import FORMATS
from api.calls.results import extract_results
from api.calls.transferring import Transferring
from api.orders.freezing import AgentUnusableError
from api.policy.decide import PBX_UNAVAILABLE
from api.resources.agent_fields import AgentFields
from api.resources.attempt import Attempt as Recorded
from api.resources.attempt import Ended as Ending
from api.resources.attempt import RecordingFile
from api.resources.call import Call
from api.resources.call_facts import values_of
from api.resources.claim import Claim
from api.resources.control import Control
from api.resources.masking import masked
from api.resources.recording import Objecting, RecordingFacts, RecordingStatus, RecordingWish
from api.resources.transfer import Transfer, TransferWish
from api.resources.turn import Turn
from api.settings.calling import Calls
from api.settings.server import Recordings
from api.store import Store
from api.store.dial_facts import called_again
from api.store.ledger_writer import LedgerWriter, insist
from api.telemetry.homer import CallCapture
from api.telemetry.meter import Meter
from api.tools.recording import PauseRecording
from api.tools.transfer import HandOver
from pbx.audio_router import AudioRouter, Tap
from pbx.quality import CallQuality, assess, problem_of
from pbx.switch import (
    LIMIT_MARGIN_S,
    Answered,
    Attempt,
    AudioLost,
    AudioProblem,
    AudioRestored,
    Cause,
    Dial,
    Dialing,
    Digit,
    EarlyMedia,
    Ended,
    Held,
    MediaStats,
    Resumed,
    Ringing,
    Switch,
    SwitchError,
    SwitchNotReachedError,
    SwitchRefused,
    Transferred,
)
from pbx.webrtc.listener import Listener
from voice_loop import events
from voice_loop.answering.watch import Answerer, Who
from voice_loop.briefing import Said
from voice_loop.config import ConversationConfig
from voice_loop.conversation import Conversation
from voice_loop.ports import AudioPeer, EngineError, Engines, Line
from voice_loop.tools import Tool

log = logging.getLogger(__name__)

#: Past ring time and longest conversation by this much, the PBX has forgotten to tell the end.
_WATCHDOG_SLACK_S = 30.0
#: Seconds for which a lost link to the PBX is waited for, and between two looks at it.
_REACH_S = 30.0
_REACH_AGAIN_S = 0.5
#: An agent that handed the person over has its last turn written down within that.
_LAST_TURN_S = 5.0
_NOT_TOLD = Cause("failed", "unknown", "The PBX did not tell how the call ended.")
_TALKED_LONG = Cause("completed", "normal_clearing", "The two had talked for too long.")
#: Why nobody was reached, where something else answered.
_MACHINES: Final[Mapping[Who, str]] = {
    "voicemail": "An answering machine took the call.",
    "unavailable": "An announcement or a busy tone took the call.",
    "fax": "A fax machine took the call.",
}
_UNREACHED: Final = "Before the answer, {} told that nobody is reached."
_TOLD_BY: Final[Mapping[Who, str]] = {
    "unavailable": "an announcement or a tone",
    "fax": "a fax machine",
}
_ANSWERED_BY: Final[Mapping[Who, AnsweredBy]] = {
    **dict.fromkeys(_MACHINES, "machine"),
    "menu": "ivr",
    "hold_queue": "ivr",
    "screening": "screening",
}
#: Of a call that was answered and brought no audio within this many seconds, or longer.
_NO_MEDIA_S = 3.0
_MEDIA_LOST = "No audio came from the far end any more, so we hung up; the log tells more."
_NO_MEDIA = "It was answered, but no audio came from the far end; the log tells the likely cause."
#: Of a call whose person was joined with somebody else when the server stopped.
LEFT = Cause("completed", "normal_clearing", "The server stopped; the two were left talking.")


_CALLS = Calls()
_RECORDINGS = Recordings()


async def _as_it_is(call: Call) -> Call:
    return call


@dataclass(frozen=True)
class RunnerConfig:
    """What the runner needs of the settings."""

    ring_timeout_s: int
    conversation: Callable[[Call], ConversationConfig]
    """How one is held, but for its tools."""
    recordings: RecordingFolder | None
    """None when no call is recorded."""
    recording: Recordings = _RECORDINGS
    """How they are recorded that are."""
    boxes: Boxes | None = None
    """Makes black boxes; None for none."""
    calls: Calls = _CALLS
    """What calls may be placed, and what is made of them."""
    tools: Callable[[Call, Line, HandOver, PauseRecording], tuple[Tool, ...]] = lambda *_: ()
    """What the agent can do on an attempt."""
    records: Callable[[Call], bool] = lambda _: True
    """Whether a call is recorded, where there is a folder."""
    doubt: Callable[[Call], None] = lambda _: None
    """Told of a call that failed for want of an engine."""
    capture: Callable[[str], CallCapture] = lambda call_id: CallCapture(None, call_id)
    """What is told, beside the log, of a call with that id as it goes."""
    freeze: Callable[[Call], Awaitable[Call]] = _as_it_is
    """Gives the call the configuration that holds from now on; raises AgentUnusableError."""
    meter: Meter = field(default_factory=Meter)
    """Counts attempts, and interruptions that were none."""


def _counted(media: MediaStats) -> JsonObject:
    """What an attempt's record keeps of it: the trunk's figures and the levels are its quality."""
    counted: JsonObject = {
        name: value for name, value in asdict(media).items() if not isinstance(value, dict)
    }
    return counted


def _told(answerer: Answerer) -> JsonObject:
    """Who answered, as the attempt's record keeps it."""
    return {
        "who": answerer.who,
        "evidence": list(answerer.evidence),
        "decided_ms": answerer.at_ms,
    }


class CallRunner:
    """One attempt under way. `run` never raises for what can happen to a call."""

    def __init__(
        self,
        claim: Claim,
        store: Store,
        switch: Switch,
        engines: Callable[[Call], Engines],
        config: RunnerConfig,
        *,
        turn: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
        analysis: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
        incoming: Attempt | None = None,
    ) -> None:
        """
        Args:
            claim: the order and the attempt that the dialer took.
            store: where everything is written down.
            switch: the PBX.
            engines: those that a call is held with; raises EngineError.
            config: what else it needs to know.
            turn: waited for before the PBX is told, left when it knows.
            analysis: waited for, with the line free, before the call's result is looked for.
            incoming: of an inbound call, what the PBX is about to answer.
        """
        self._turn = turn
        self._analysis = analysis
        self._call = claim.call
        self._claimed = claim.attempt
        self._store = store
        self._switch = switch
        self._engines = engines
        self._config = config
        self._attempt = incoming
        self._conversation: Conversation | None = None
        self._answered_at: float | None = None
        self._earlier: list[Recorded] = []
        """Its order's attempts before this one, where it is tried again."""
        self._said: list[Said] = []
        self._canceled = False
        self._pressed = False
        self._end_reason: str | None = None
        self._talk: asyncio.Task[events.EndReason] | None = None
        self._early: asyncio.Task[None] | None = None
        """Listens to early media, until the answer."""
        self._unreached: Answerer | None = None
        """For whom we hung up before the answer."""
        self._identity = Identity()
        self._scribe = LedgerWriter(claim.call.id)
        self._story = CallLog(claim, config.meter)
        self._captured = Capturing(config.capture(claim.call.id), claim)
        self._transferring: Transferring | None = None
        self._recording: RecordingControl | None = None
        """None where nothing is recorded."""
        self._box: BlackBox | None = None
        self._tap: Tap | None = None
        """Where others may listen, while there is something to hear."""
        self._listeners: dict[Listener, None] = {}
        self.controlled = 0
        """Number of the event of the latest control that was carried out."""
        self._transferred = False
        self._left = False
        self._limit: asyncio.Timeout | None = None
        """How long the call may take, while it is followed."""
        self._dead = False
        """Whether the far end sends neither audio nor anything else."""
        self._audio_limit: asyncio.TimerHandle | None = None
        """While no audio comes from the far end: when we hang up."""

    async def end(self, reason: Literal["canceled", "operator_hangup", "server_shutdown"]) -> None:
        """End the call wherever it is: before the answer it is canceled, then hung up."""
        self._canceled = True
        if reason == "server_shutdown" and self._transferred:
            self._leave()
            return
        if self._talk is None or not self._talk.done():
            # A conversation that is over has a reason of its own.
            self._end_reason = self._end_reason or reason
        if self._talk is not None and self._conversation is not None and not self._talk.done():
            self._conversation.stop()
        elif self._attempt is not None:
            await self._attempt.hang_up()

    def take_up_transfer(self, transfer: Transfer) -> None:
        """Begin what the store has noted, unless that is done or under way already."""
        if self._transferring is not None:
            self._transferring.take_up(transfer)

    def take_up_recording(self, wish: RecordingWish) -> None:
        """Pause the recording, or go on, as the store has noted, unless that is done already."""
        if self._recording is not None:
            self._recording.obey(wish)

    async def take_up_control(self, seq: int, control: Control) -> None:
        """Do what an operator wants, unless that is done already. Raises SwitchError."""
        talked = self._conversation
        if seq <= self.controlled or talked is None or self._attempt is None:
            return
        self.controlled = seq
        match control.action:
            case "say":
                talked.say(control.text)
            case "whisper":
                talked.whisper(control.text)
            case "press":
                await self._attempt.send_digits(control.text)

    def listen(
        self, listener: Listener, client: str | None, most: int, api_key_id: str | None
    ) -> None:
        """Let somebody listen, until they or the call end; the call's events tell of it.

        Args:
            listener: answered, and not begun.
            client: IP address that they asked from.
            most: who may listen at one time.
            api_key_id: of the key that they asked with.

        Raises Conflict.
        """
        tap, attempt = self._tap, self._attempt
        if tap is None or attempt is None or self._answered_at is None:
            raise Conflict("not_in_progress", "the call is not in progress")
        if len(self._listeners) >= most:
            raise Conflict("too_many_listeners", f"{most} listen to it, which is all that may")
        told = {"listener": {"api_key_id": api_key_id, "address": client}}

        def left() -> None:
            self._listeners.pop(listener, None)
            tap.listen(self._listeners)
            self._tell_listening("call.listening_ended", told)

        self._listeners[listener] = None
        tap.listen(self._listeners)
        self._tell_listening("call.listening_started", told)
        listener.begin(client, attempt.rate, left)

    def _tell_listening(self, kind: str, told: JsonObject) -> None:
        log.info("call %s: %s %s", self._call.id, kind, told)
        tell = self._store.controls.tell
        self._scribe.note(partial(tell, self._call.id, kind, time.time(), told))

    def _pause_recording(self, paused: bool) -> None:
        """The agent's wish (`api.tools.recording.PauseRecording`)."""
        if self._recording is not None:
            (self._recording.pause if paused else self._recording.resume)("agent")

    async def _hand_over(self, wish: TransferWish) -> str | None:
        """The agent's wish (`api.tools.transfer.HandOver`)."""
        assert self._transferring is not None
        return await self._transferring.ask(wish)

    async def run(self) -> None:
        """Dial, converse, write down, extract."""
        try:
            over = await self._run()
        finally:
            await self._hang_up()
            # The conversation knows us and holds half a minute of audio, and what transfers it
            # knows the conversation: do not wait for the garbage collector to find the circle.
            self._conversation = self._transferring = self._recording = None
        if over is not None:
            async with self._analysis():
                await extract_results(self._store, over, self._engines, self._config.calls)

    async def _run(self) -> Call | None:
        """Gives the call if it is over and a result is to be looked for."""
        self._story.placed()
        try:
            freeze = partial(self._config.freeze, self._call)
            self._call = await insist(self._call.id, freeze)
            self._identity = await self._identified()
            if self._call.retry is not None:
                tried = await insist(
                    self._call.id, partial(self._store.calls.attempts, self._call.id)
                )
                self._earlier = tried[: self._claimed.number - 1]
            engines = self._engines(self._call)
            attempt = self._attempt or await self._dial()
        except AgentUnusableError as error:
            await self._failed("agent_unusable", str(error), "agent_unusable")
        except EngineError as error:
            await self._failed("engine_unavailable", str(error), "engine_error")
        except SwitchRefused as error:
            reason = "trunk_unreachable" if error.field == "trunk" else "pbx_refused"
            await self._failed("request_refused", str(error), reason)
        except SwitchNotReachedError as error:
            await self._failed("pbx_unavailable", str(error), PBX_UNAVAILABLE)
        except SwitchError as error:
            # The PBX may have the wish and dial.
            await self._failed("pbx_unavailable", str(error), PBX_UNAVAILABLE, unknown=True)
        else:
            if attempt is None:
                canceled = Cause("canceled", "originator_cancel", "The call was canceled.")
                return await self._over(
                    Ending(time.time(), canceled, self._end_reason or "canceled")
                )
            return await self._attend(attempt, engines)
        return None

    def _leave(self) -> None:
        """Leave the two that were joined to themselves."""
        if self._limit is not None:
            self._left = True
            self._limit.reschedule(0.0)

    async def _hang_up(self) -> None:
        if self._attempt is not None and not self._left:
            await self._attempt.hang_up()

    async def _dial(self) -> Attempt | None:
        """Ask the PBX; None when the call was canceled before."""
        async with self._turn():
            if self._cancel_requested():
                return None
            identity = self._identity
            dial = Dial(
                id=self._claimed.channel_id,
                number=self._call.to_number,
                caller_number=self._call.from_number,
                caller_name=identity.name,
                hide_number=identity.hidden,
                headers=identity.headers,
                account=identity.account,
                ring_timeout_s=self._config.ring_timeout_s,
                trunk=self._call.trunk,
                limit_s=self._call.max_duration_s + LIMIT_MARGIN_S,
            )
            planned_dial = await planned(self._store, self._call.id, dial)
            self._attempt = await self._originate(planned_dial)
        if self._attempt is not None and self._cancel_requested():
            await self._attempt.hang_up()
        return self._attempt

    async def _identified(self) -> Identity:
        """How the call shows itself, its number's name where it has none of its own."""
        zone = self._config.calls.default_timezone
        config = AgentFields.model_validate(masked(self._call.agent))
        identity = identity_of(config, values_of(self._call, time.time(), zone))
        if identity.name is not None:
            return identity
        name = partial(self._store.numbers.caller_name, self._call.our_number)
        return replace(identity, name=await insist(self._call.id, name))

    async def _originate(self, dial: Dial) -> Attempt | None:
        """As of the switch, again as long as it heard of nothing; None when canceled meanwhile."""
        patience = time.monotonic() + _REACH_S
        while not self._cancel_requested():
            try:
                return await self._switch.originate(dial)
            except SwitchNotReachedError:
                if time.monotonic() > patience:
                    raise
            await asyncio.sleep(_REACH_AGAIN_S)
        return None

    def _cancel_requested(self) -> bool:
        return self._canceled

    async def _attend(self, attempt: Attempt, engines: Engines) -> Call | None:
        """Follow the attempt to its end, with the conversation beside it from the answer on."""
        tools = self._config.tools(self._call, attempt, self._hand_over, self._pause_recording)
        config = replace(
            self._config.conversation(self._call),
            tools=tools,
            called_again=called_again(self._call, self._earlier, time.time()),
        )
        box = self._box = self._black_box(attempt, config, engines)
        conversation = self._conversation = Conversation(
            self._call.id,
            config if box is None else replace(config, tools=witnessed_tools(tools, box)),
            engines if box is None else witnessed(engines, box),
            attempt.rate,
            self._on_turn,
            on_announced=self._on_announced,
            witness=box,
            on_resumed=self._config.meter.false_interruption,
        )
        desk = AudioRouter(conversation)
        recorder = self._recorder(desk, attempt.rate)
        if recorder is not None:
            note = self._note_recording
            self._recording = RecordingControl(recorder, config.announcement, note)
        self._tap = Tap(recorder or desk, attempt.rate)
        attempt.attach(self._tap)
        self._transferring = transferring = Transferring(
            self._call,
            self._claimed.channel_id,
            attempt,
            desk,
            store=self._store,
            said=self._said,
            scribe=self._scribe,
            switch=self._switch,
            engines=engines,
            ring_timeout_s=self._config.ring_timeout_s,
            calls=self._config.calls,
            conversation=config,
            identity=self._identity,
            on_failed=lambda reason: conversation.tell(f"the transfer failed: {reason}"),
        )
        prepare = asyncio.create_task(conversation.prepare())
        writing = asyncio.create_task(self._scribe.run())
        recording = None if recorder is None else asyncio.create_task(recorder.write())
        boxing = None if box is None else asyncio.create_task(box.write())
        end: Ended | None = None
        try:
            try:
                end = await self._follow(attempt, conversation, recorder)
            finally:
                await transferring.close()
                attempt.attach(None)
                self._tap = None
                await asyncio.gather(*(one.hang_up() for one in list(self._listeners)))
                conversation.hung_up()
                await self._hang_up()
                if self._talk is not None:
                    self._end_reason = await self._reason(self._talk)
                if self._recording is not None:
                    self._recording.end(time.time() if end is None else end.at)
                await self._scribe.close()
                await asyncio.wait([writing])
        finally:
            # Reached at once when the server stops in the middle of the waits above.
            tasks = (prepare, writing, self._talk, self._early)
            beside = [task for task in tasks if task is not None]
            for task in beside:
                task.cancel()
            recorded = recorder is not None and await recorder.close(time.time())
            if recording is not None:
                await recording
            if box is not None and boxing is not None:
                await asyncio.gather(*beside, return_exceptions=True)
                await box.close(reason=self._end_reason)
                await boxing
                self._box = None
            await asyncio.gather(*beside, return_exceptions=True)
        return await self._ended(attempt, end, recorder if recorded else None)

    async def _follow(
        self, attempt: Attempt, conversation: Conversation, recorder: RecordedPeer | None
    ) -> Ended | None:
        """Note what the PBX tells, until the end; None when it does not tell the end in time."""
        calls, call_id = self._store.calls, self._call.id
        limit = self._config.ring_timeout_s + self._call.max_duration_s + _WATCHDOG_SLACK_S
        try:
            async with asyncio.timeout(limit) as self._limit:
                async for event in attempt.progress():
                    if self._box is not None:
                        self._box.pbx(event)
                    self._captured.progress(event)
                    match event:
                        case Dialing():
                            pass
                        case Ringing(at, sip_call_id):
                            self._story.ringing(sip_call_id)
                            self._scribe.note(
                                partial(calls.record_ringing, call_id, at, sip_call_id)
                            )
                        case EarlyMedia(at, sip_call_id):
                            self._story.ringing(sip_call_id)
                            self._scribe.note(
                                partial(calls.record_early_media, call_id, at, sip_call_id)
                            )
                            self._early = asyncio.create_task(
                                self._give_up_unreached(attempt, conversation)
                            )
                        case Answered(at, sip_call_id):
                            self._answered_at = at
                            if self._early is not None:
                                self._early.cancel()
                            self._story.answered(sip_call_id)
                            if self._recording is not None:
                                self._recording.answered(at)
                            self._talk = asyncio.create_task(conversation.run(attempt))
                            # Without it the store would not take the end of the call.
                            self._scribe.note(
                                partial(
                                    self._record_answered,
                                    *(at, sip_call_id, self._recording_file(), recorder),
                                ),
                                vital=True,
                            )
                        case Digit(at, digit, duration_ms):
                            self._pressed = True
                            if digit == self._config.recording.objection_key:
                                self._object("key", digit)
                            else:
                                conversation.press(digit, time.monotonic())
                            self._scribe.note(
                                partial(calls.record_digit, call_id, at, digit, duration_ms)
                            )
                        case Held(at):
                            conversation.hold(True)
                            self._expect_audio()
                            self._note_audio("call.held", at)
                        case Resumed(at):
                            conversation.hold(False)
                            self._note_audio("call.resumed", at)
                        case AudioLost(at, since, dead):
                            self._dead = dead
                            self._limit_gap(at - since)
                            self._note_audio("call.audio_lost", at)
                        case AudioProblem(at):
                            problem = asdict(problem_of(event))
                            self._scribe.note(partial(calls.record_problem, call_id, at, problem))
                        case AudioRestored(at):
                            self._expect_audio()
                            self._note_audio("call.audio_restored", at)
                        case Transferred(at):
                            if self._recording is not None:
                                self._recording.end(at)
                            await self._over_to(at, conversation)
                        case Ended():
                            return event
        except TimeoutError:
            if not self._left:
                log.error("call %s: no end in time; hanging up", call_id)
        finally:
            self._limit = None
            self._clear_audio_limit()
        return None

    async def _give_up_unreached(self, attempt: Attempt, conversation: Conversation) -> None:
        """Hang up where what is heard before the answer tells that there will be none."""
        self._unreached = await conversation.unreached()
        if self._unreached is not None:
            await attempt.hang_up()

    def _recording_file(self) -> RecordingFile | None:
        folder, recording = self._config.recordings, self._recording
        if folder is None or recording is None:
            return None
        return RecordingFile(folder.node, self._file_name, recording.facts)

    def _note_audio(self, event: AudioEvent, at: float) -> None:
        self._scribe.note(partial(self._store.calls.record_audio, self._call.id, at, event))

    def _limit_gap(self, passed_s: float) -> None:
        """No audio has come for so long: hang up if that goes on."""
        left_s = max(0.0, self._config.calls.max_without_audio_s - passed_s)
        self._audio_limit = asyncio.get_running_loop().call_later(left_s, self._give_up_audio)

    def _expect_audio(self) -> None:
        """There is audio, or there need be none."""
        self._dead = False
        self._clear_audio_limit()

    def _clear_audio_limit(self) -> None:
        if self._audio_limit is not None:
            self._audio_limit.cancel()
            self._audio_limit = None

    def _give_up_audio(self) -> None:
        if self._talk is not None and self._conversation is not None and not self._talk.done():
            self._end_reason = self._end_reason or "media_lost"
            self._conversation.stop()

    async def _record_answered(
        self,
        at: float,
        sip_call_id: str | None,
        file: RecordingFile | None,
        recorder: RecordedPeer | None,
    ) -> None:
        """The ledger names the recording before it is made: no crash leaves a file of which
        nobody knows."""
        folder, box = self._config.recordings, self._box
        node = None if folder is None or box is None else folder.node
        await self._store.calls.record_answered(self._call.id, at, file, sip_call_id, node)
        if recorder is not None:
            recorder.name_kept()
        if box is not None:
            box.name_kept()

    async def _over_to(self, at: float, conversation: Conversation) -> None:
        """The person talks to somebody else from now on."""
        self._transferred = True
        self._scribe.note(partial(self._store.transfers.completed, self._call.id, at))
        transferring, talk = self._transferring, self._talk
        assert transferring is not None
        await transferring.settled()
        if transferring.asked_by_agent and talk is not None:
            # It ends by itself, with the turn of the tool.
            await asyncio.wait([talk], timeout=_LAST_TURN_S)
        conversation.transferred()
        assert self._limit is not None
        longest_s = self._config.calls.max_transferred_s
        self._limit.reschedule(asyncio.get_running_loop().time() + longest_s)

    async def _reason(self, talk: asyncio.Task[events.EndReason]) -> str:
        """Why the conversation ended; ours goes before the person's hanging up after it."""
        try:
            reason = await talk
        except Exception:
            log.exception("call %s: the conversation failed", self._call.id)
            return "engine_error"
        return self._end_reason or reason

    def _recorder(self, peer: AudioPeer, rate: int) -> RecordedPeer | None:
        folder = self._config.recordings
        if folder is None or not self._config.records(self._call):
            return None
        return RecordedPeer(
            peer, folder.path / self._file_name, rate, self._config.recording.format
        )

    def _black_box(
        self, attempt: Attempt, config: ConversationConfig, engines: Engines
    ) -> BlackBox | None:
        if self._config.boxes is None:
            return None
        return self._config.boxes.box(
            self._call,
            self._claimed.number,
            config,
            engines,
            attempt,
            status=self._recording_status,
        )

    def _recording_status(self) -> RecordingStatus | None:
        return None if self._recording is None else self._recording.facts.status

    def _on_announced(self) -> None:
        if self._recording is not None:
            self._recording.announced()

    def _object(self, by: Objecting, words: str) -> None:
        if self._recording is not None:
            self._recording.object(by, words)
        if self._box is not None:
            self._box.discard()

    def _note_recording(self, facts: RecordingFacts, at: float, event: str | None) -> None:
        note = self._store.recordings.note
        self._scribe.note(partial(note, self._call.id, facts, at, event))

    @property
    def _file_name(self) -> str:
        ending = FORMATS[self._config.recording.format].ending
        return recording_name(self._call.id, self._claimed.number, ending)

    def _at_machine(self) -> bool:
        """Whether a machine took the call that leads nowhere."""
        return self._answerer() == "machine"

    def _answerer(self) -> AnsweredBy:
        """Who took an answered call."""
        talked = self._conversation
        if talked is None:
            return "unknown"
        if talked.with_human and not talked.took_voicemail:
            return "human"
        # Where an operator ended it, a machine is no reason to call again, and not told.
        by = "machine" if talked.took_voicemail else _ANSWERED_BY.get(talked.answerer.who)
        return "unknown" if by is None or self._canceled else by

    def _mute(self, at: float, media: MediaStats) -> bool:
        """Whether a call that nobody broke off brought not one packet of audio, nor a key."""
        if self._answered_at is None or self._transferred or self._canceled:
            return False
        answerer = media.received or media.holds or media.comfort_noise or self._pressed
        return not answerer and at - self._answered_at >= _NO_MEDIA_S

    def _heard(self) -> bool:
        """Whether the person said anything."""
        return any(speaker == "person" for speaker, _ in self._said)

    def _on_turn(self, turn: events.Turn) -> None:
        assert self._answered_at is not None
        if turn.speaker == "person" and self._config.recording.objections:
            words = objection_in(turn.text, self._call.language)
            if words is not None:
                self._object("words", words)
        if turn.speaker != "tool" and not turn.keys:
            self._said.append((turn.speaker, turn.text))
        timings = {} if turn.timings is None else asdict(turn.timings)
        stored = Turn(
            speaker="keypad" if turn.keys else turn.speaker,
            text=turn.text,
            started_at=self._answered_at + turn.started_ms / 1000,
            ended_at=self._answered_at + turn.ended_ms / 1000,
            interrupted=turn.interrupted,
            confidence=turn.confidence,
            timings={name: ms for name, ms in timings.items() if ms is not None},
            tool=None if turn.tool is None else {**asdict(turn.tool), "output": turn.text},
        )
        self._captured.turn(turn, stored.ended_at)
        self._scribe.note(partial(self._store.calls.add_turn, self._call.id, stored))

    async def _ended(
        self, attempt: Attempt, end: Ended | None, recorded: RecordedPeer | None
    ) -> Call | None:
        at = time.time() if end is None else end.at
        if end is not None:
            cause = end.cause
        elif self._transferred:
            cause = LEFT if self._left else _TALKED_LONG
        else:
            cause = _NOT_TOLD
        answered = self._answered_at is not None
        if answered and cause.state in ("canceled", "busy"):
            cause = replace(cause, state="completed")
        if not is_e164(self._call.to_number):
            cause = replace(cause, trunk_fault=None)  # it is that telephone's or host's, if any's
        failed = cause.name if self._call.direction == "web" else cause.state
        reason = (
            self._end_reason
            or cause.trunk_fault
            or (failed if cause.state == "failed" else cause.state)
        )
        if cause.state == "failed" and reason == "person_hangup":
            # The line is gone, but nobody knows that they hung up.
            reason = failed
        if cause.by_pbx and reason == "person_hangup":
            reason = "pbx_hangup"
        if reason == "engine_error":
            self._config.doubt(self._call)
        if answered and reason == "engine_error":
            message = "An engine failed in the middle of the call; the log names it."
            cause = replace(cause, state="failed", message=message)
        media = attempt.media_stats()
        if self._dead and reason == "silence":
            reason = "media_lost"
        mute = self._mute(at, media) and reason != "engine_error"
        if mute:
            reason = "no_media"
            if cause.state == "completed":
                cause = replace(cause, state="failed", message=_NO_MEDIA)
        elif reason == "media_lost":
            cause = replace(cause, message=_MEDIA_LOST)
        machine = self._at_machine()
        answerer = None if self._conversation is None else self._conversation.answerer
        if machine and answerer is not None and cause.state == "completed":
            message = _MACHINES.get(answerer.who, _MACHINES["voicemail"])
            cause = replace(cause, state="no_answer", message=message)
        heard = None if self._conversation is None else self._conversation.heard_early
        if self._unreached is not None and cause.state == "canceled" and not self._canceled:
            message = _UNREACHED.format(_TOLD_BY[self._unreached.who])
            cause, reason = replace(cause, state="no_answer", message=message), "unavailable"
        return await self._over(
            Ending(
                at=at,
                cause=cause,
                end_reason=reason,
                awaits_result=answered
                and reason != "engine_error"
                and not machine
                and not mute
                and (bool(self._call.returns) or (self._config.calls.analysis and self._heard())),
                unknown=cause.name in {"pbx_lost_call", "unknown"} and not answered,
                answered_by=self._answerer() if answered else None,
                heard_early=None if heard is None or heard.who == "unknown" else _told(heard),
                answerer=None if answerer is None or not answered else _told(answerer),
                media=_counted(media),
                quality=self._quality(attempt, media),
                recording_path=None if recorded is None else self._file_name,
                recording_seconds=0.0 if recorded is None else round(recorded.seconds, 2),
                recording_bytes=0 if recorded is None else recorded.bytes,
            )
        )

    def _quality(self, attempt: Attempt, media: MediaStats) -> CallQuality | None:
        """Of an answered call's line."""
        if self._answered_at is None:
            return None
        echo = None if self._conversation is None else self._conversation.echo
        return assess(media, attempt.problems, echo)

    async def _failed(self, name: str, message: str, reason: str, *, unknown: bool = False) -> None:
        log.error("call %s: %s", self._call.id, message)
        cause = Cause("failed", name, message)
        await self._over(Ending(time.time(), cause, reason, unknown=unknown))

    async def _over(self, ending: Ending) -> Call | None:
        """Write the end down; gives the call if a result is to be looked for."""
        calls, call_id = self._store.calls, self._call.id
        number = self._claimed.number
        call = await insist(call_id, partial(calls.record_ended, call_id, ending, number))
        self._story.ended(ending, self._answered_at)
        self._captured.ended(ending)
        return call if call.over and ending.awaits_result else None
