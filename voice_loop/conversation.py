"""One call's conversation: the thin shell that joins the floor, the engines and the line.

`exchange` runs in the media tick (`wire`), which stops the agent's audio the moment the person
interrupts. Everything slower happens in `run`, which reads what the tick and the work beside it
posted and decides whose turn it is.

Barge-in is reversible: the agent's audio is held at once; what was said then decides whether
the agent goes on (a backchannel, a noise) or yields, keeping in the history only the words
that were heard.

Tools are used once the person has left the agent the floor and has heard the words before the
call, never ahead. One that works goes on whatever the person does; what it gives is kept in the
history, and an answer to what they said meanwhile waits for it.
"""

import asyncio
import logging
import random
from collections.abc import Callable

from voice_loop.ambience import Ambience
from voice_loop.audio import FRAME_MS, Samples
from voice_loop.clauses import ToolCall
from voice_loop.config import ConversationConfig
from voice_loop.dialogue import Dialogue
from voice_loop.ear import Keys
from voice_loop.events import EndReason, Turn
from voice_loop.floor import NobodySpeaks, SpeechPaused, SpeechResumed, TurnEnded
from voice_loop.judgement import judge, sounds_unfinished
from voice_loop.phrases import phrases, plain_words
from voice_loop.playout import Speech
from voice_loop.ports import EngineError, Engines, Line, Transcript
from voice_loop.prepared import Prepared
from voice_loop.prompts import system_prompt
from voice_loop.reply import Reply, Studio, Verdict
from voice_loop.signals import (
    Failed,
    OpeningDue,
    Over,
    Signal,
    SpeechOver,
    TimeUp,
    Told,
    ToolDone,
    ToolSlow,
    Transcribed,
    Using,
)
from voice_loop.tool_turns import ToolTurns
from voice_loop.toolset import Toolset
from voice_loop.wire import Wire
from voice_loop.work import Work

log = logging.getLogger(__name__)

#: The last frame needs to reach the far end before the line is cut.
_HANG_UP_GRACE_S = 0.3
#: Between the last words of the longest conversation and its limit: the grace, and some slack.
_TIME_UP_SLACK_MS = 600
#: Tools that one answer may use one after the other.
_MAX_TOOLS_IN_A_ROW = 5
_INBOX_LIMIT = 1024


class Conversation:
    """Holds one conversation. Make it when dialling starts; `run` it from the answer on."""

    def __init__(
        self,
        call_id: str,
        config: ConversationConfig,
        engines: Engines,
        line_rate: int,
        on_turn: Callable[[Turn], None],
    ) -> None:
        """
        Args:
            call_id: names the call in logs and in the language model's prefix cache.
            config: what it is about.
            engines: the loaded engines for the call's language.
            line_rate: Hz of the line's frames.
            on_turn: told every finished turn, in order; must not block.
        """
        self._call_id = call_id
        self._config = config
        self._min_confidence = engines.min_confidence
        self._on_turn = on_turn
        self._phrases = phrases(config.language)
        self._studio = Studio(
            engines,
            line_rate,
            config.language,
            call_id,
            config.engine_timeout_s,
            speed=config.speed,
            temperature=config.temperature,
            max_tokens=config.reply_max_tokens,
            end_sentence=config.end_sentence,
            interruptible=config.interruptible,
        )
        self._inbox: asyncio.Queue[Signal] = asyncio.Queue(_INBOX_LIMIT)
        self._work = Work(call_id, self._post)
        ambience = Ambience(config.ambience, line_rate, random.Random(call_id))
        self._wire = Wire(engines.new_detector(line_rate), ambience, config, self._post)
        self._ear, self._playout = self._wire.ear, self._wire.playout
        self._floor = self._ear.floor
        self._dialogue = Dialogue(
            system_prompt(
                config.task,
                config.context,
                config.language,
                persona=config.persona,
                faq=config.faq,
                tools=[tool.spec for tool in config.tools],
            )
        )
        self._tools = ToolTurns(
            Toolset(call_id, config.tools), self._dialogue, self._work, self._post, on_turn
        )
        self._prepared = Prepared(config, self._studio, self._phrases)
        self._opening = self._prepared.opening
        #: Whether it has had its time, or never comes.
        self._opening_played = config.first_sentence_mode == "none"
        #: The answer in the making; not spoken yet.
        self._reply: Reply | None = None
        #: The answer whose speech has the floor.
        self._speaking: Reply | None = None
        self._end_reason: EndReason = "agent_hangup"
        self._silences = 0
        self._answered = False

    # What the outside calls -------------------------------------------------------------

    async def prepare(self) -> None:
        """Render what is said word for word, and the opening; best run while it rings.

        An engine's failure is kept and told to the person by `run`; the end of `run` ends this.
        """
        await self._work.see_through(self._prepared.time_up, self._prepare)

    async def _prepare(self) -> None:
        prepared, dialogue = self._prepared, self._dialogue
        await self._work.see_through(prepared.opening, lambda: prepared.render_opening(dialogue))
        if length_ms := await prepared.render_time_up():
            limit_ms = self._config.max_duration_ms
            lead_ms = min(length_ms + _TIME_UP_SLACK_MS, limit_ms // 2)
            self._wire.time_up_at = (limit_ms - lead_ms) // FRAME_MS
        if self._config.first_sentence_mode != "generated":
            await self._studio.warm_up(dialogue.messages())

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:
        """The media tick (`voice_loop.ports.AudioPeer`)."""
        if not self._answered:
            return None
        try:
            understanding = self._reply is not None and self._reply.turn_over
            return self._wire.exchange(heard, arrived_at, now, understanding=understanding)
        except Exception:
            # Without the tick there is no clock either: the call would never end.
            self._post(Over("engine_error"))
            raise

    def pass_time(self, heard: Samples, now: float) -> None:
        """A media tick in which somebody else has the line (`pbx.desk.Owner`)."""
        if self._answered:
            self._wire.pass_time(heard, now)

    def tell(self, note: str) -> None:
        """The agent is to know this, and to speak of it."""
        self._post(Told(note))

    def press(self, digit: str, at: float) -> None:
        """The person pressed a key; `at` is `time.monotonic()` seconds."""
        self._ear.press(digit, at)

    def hung_up(self) -> None:
        """The line is gone."""
        self._post(Over("person_hangup"))

    def stop(self) -> None:
        """The operator wants the call to end now."""
        self._post(Over("operator_hangup"))

    def transferred(self) -> None:
        """The person talks to somebody else now."""
        self._post(Over("transferred"))

    async def run(self, line: Line) -> EndReason:
        """Converse on the answered line until the end; returns why it ended.

        The line is hung up when this returns, whatever happened, unless it was transferred.
        """
        self._answered = True
        reason: EndReason | None = None
        try:
            reason = await self._converse()
        finally:
            self._answered = False
            cut_off = self._unsettled()
            self._drop_reply()
            self._yield()
            await self._give_back(None if reason == "transferred" else line)
            self._tools.note(self._now_ms)
        if cut_off is not None:
            await self._work.see_through(cut_off.speech, lambda: self._note(cut_off))
        return reason

    async def _give_back(self, line: Line | None) -> None:
        """Hang up, where there is a line to, and end all work."""
        self._work.cancel()
        try:
            if line is not None:
                await line.hang_up()
        finally:
            await self._work.ended()
            self._studio.close()

    def _post(self, event: Signal) -> None:
        try:
            self._inbox.put_nowait(event)
        except asyncio.QueueFull:
            # Cannot happen while `run` is alive: it would mean 20 s of unread events.
            log.error("call %s: conversation inbox is full, event dropped", self._call_id)

    # Decisions --------------------------------------------------------------------------

    async def _converse(self) -> EndReason:
        while True:
            reason = await self._handle(await self._inbox.get())
            if reason is not None:
                return reason

    async def _handle(self, event: Signal) -> EndReason | None:
        """Act on one event; the reason when it ends the conversation."""
        match event:
            case SpeechPaused(onset, last):
                self._start_reply(onset, last)
            case SpeechResumed():
                self._drop_reply()
            case TurnEnded(onset, last):
                if self._reply is None or self._reply.turn_over:
                    self._start_reply(onset, last)
                if self._reply is not None:
                    self._reply.turn_over = True
                    self._reply.mark("endpoint")
                    self._settle(self._reply)
            case Transcribed(reply) if reply is self._reply:
                self._settle(reply)
            case Keys(digits, frame, at):
                self._answer_keys(digits, frame, at)
            case Told(note):
                self._answer_note(note)
            case OpeningDue():
                self._opening_due()
            case NobodySpeaks():
                self._nobody_speaks()
            case TimeUp(final):
                if final:
                    return "max_duration"
                if not self._wire.ending:
                    self._begin_ending("max_duration")
                    self._playout.play(self._prepared.time_up)
            case ToolSlow():
                self._fill_silence()
            case ToolDone(using):
                return self._tool_done(using)
            case Failed(error, speech):
                log.error("call %s: %s", self._call_id, error)
                if self._waits_for(speech) and not self._apologise():
                    return "engine_error"
            case SpeechOver(speech):
                if self._speech_over(speech):
                    await asyncio.sleep(_HANG_UP_GRACE_S)
                    return self._end_reason
            case Over(reason):
                return reason
            case _:
                pass
        return None

    def _opening_due(self) -> None:
        engaged = self._wire.ending or self._floor.person_speaks or self._reply is not None
        if not engaged and not self._opening_played:
            self._play_opening()

    def _play_opening(self) -> None:
        self._opening_played = True
        self._playout.play(self._opening)

    def _waits_for(self, speech: Speech) -> bool:
        """Whether someone still counts on this speech."""
        if speech is self._opening and not self._opening_played:
            return not self._wire.ending
        replies = [reply.speech for reply in (self._reply, self._speaking) if reply is not None]
        return speech in (self._playout.speech, *replies)

    def _start_reply(self, onset: int, last: int) -> None:
        """Begin, speculatively, to answer what was said in these frames."""
        if self._wire.ending:
            return
        reply = self._new_reply(onset, last)
        self._drop_reply()
        samples = self._ear.utterance(reply.started_ms, reply.ended_ms)
        reply.task = self._work.start(reply.speech, lambda: self._make_reply(reply, samples))
        self._reply = reply

    def _new_reply(self, onset: int, last: int) -> Reply:
        if self._reply is not None and self._reply.turn_over:
            # The turn before is not understood yet: the two are one.
            onset = min(onset, self._reply.started_ms // FRAME_MS)
        started_ms, ended_ms = onset * FRAME_MS, (last + 1) * FRAME_MS
        return Reply(self._studio.new_speech(), self._ear.voiced_at, started_ms, ended_ms)

    async def _make_reply(self, reply: Reply, samples: Samples) -> None:
        transcript = reply.transcript = await self._studio.transcribe(samples)
        reply.mark("transcript")
        reply.verdict = self._judge(transcript)
        self._post(Transcribed(reply))
        if reply.verdict is Verdict.REPEAT:
            reply.speech.in_history = False
            await self._studio.read_out(self._phrases.repeat, reply.speech, reply)
        elif reply.verdict is Verdict.ANSWER:
            await self._tools.finished()
            dialogue = self._dialogue.copy()
            if not reply.settled:
                if (held := self._playout.speech) is not None and held.in_history:
                    dialogue.agent_said(held.heard_text, interrupted=held.cut_short)
                dialogue.person_said(transcript.text)
            await self._answer(reply, dialogue)

    def _judge(self, transcript: Transcript) -> Verdict:
        speech = self._playout.speech
        if not self._opening_played or (speech is self._opening and not speech.played):
            return Verdict.OPENING
        verdict = judge(transcript, speech, self._phrases, self._min_confidence)
        if verdict is Verdict.ANSWER and sounds_unfinished(transcript, self._phrases):
            self._floor.sounds_unfinished()
        return verdict

    def _settle(self, reply: Reply) -> None:
        """Act on what was said, once it is known, and once the turn is over if that matters.

        When the person speaks again already, what they say now decides whether it is spoken.
        """
        if reply.verdict is None or reply.transcript is None:
            return
        if reply.verdict in (Verdict.NOTHING, Verdict.BACKCHANNEL):
            if not self._floor.talking:
                self._playout.resume()
            if reply.turn_over:
                self._reply = None
                if reply.verdict is Verdict.BACKCHANNEL:
                    self._person_turn_over(reply)
            return
        if not reply.turn_over:
            return
        self._reply = None
        self._yield()
        reply.settled = True
        if plain_words(reply.transcript.text):
            self._person_turn_over(reply)
            if reply.verdict is not Verdict.REPEAT:
                self._dialogue.person_said(reply.transcript.text)
        if reply.verdict is Verdict.OPENING:
            self._opening_played = True
            reply.speech = self._opening
        self._speak(reply)

    def _speak(self, reply: Reply) -> None:
        """Give the answer the floor, once the person leaves it."""
        self._playout.play(reply.speech)
        if self._floor.person_speaks:
            self._playout.hold()
        self._speaking = self._wire.awaited = reply
        if self._tools.at_work is not None:
            self._wire.await_tool()

    def _answer_keys(self, digits: str, frame: int, at: float) -> None:
        if self._wire.ending:
            return
        if self._reply is not None and not self._reply.turn_over:
            # Made without knowing of the keys; the end of the turn makes another.
            self._drop_reply()
        self._yield()
        self._opening_played = True
        pressed_ms = frame * FRAME_MS
        reply = Reply(self._studio.new_speech(), at, pressed_ms, pressed_ms, keys=True)
        reply.transcript = Transcript(digits, 1.0)
        self._person_turn_over(reply)
        self._dialogue.person_said(f"[pressed {' '.join(digits)}]")
        reply.task = self._work.start(reply.speech, lambda: self._answer_latest(reply))
        self._speak(reply)

    def _answer_note(self, note: str) -> None:
        if self._wire.ending:
            return
        self._drop_reply()
        self._yield()
        self._opening_played = True
        now_ms = self._wire.frame * FRAME_MS
        reply = Reply(self._studio.new_speech(), self._ear.voiced_at, now_ms, now_ms, spoke=True)
        self._dialogue.person_said(f"[{note}]")
        reply.task = self._work.start(reply.speech, lambda: self._answer_latest(reply))
        self._speak(reply)

    async def _answer_latest(self, reply: Reply) -> None:
        await self._tools.finished()
        await self._answer(reply, self._dialogue.copy())

    def _nobody_speaks(self) -> None:
        engaged = self._wire.ending or self._reply is not None or self._playout.speech is not None
        if engaged or not self._opening_played:
            return
        self._silences += 1
        if self._silences > self._config.silence_prompts:
            self._begin_ending("silence")
            self._play_line(self._studio.new_last_words(), self._phrases.nobody_there)
        else:
            self._play_line(self._studio.new_speech(in_history=False), self._phrases.are_you_there)

    def _play_line(self, speech: Speech, text: str, reply: Reply | None = None) -> None:
        self._playout.play(speech)
        self._work.start(speech, lambda: self._studio.read_out(text, speech, reply))

    def _apologise(self) -> bool:
        """Say that an engine failed; False when even that cannot be said."""
        if not self._prepared.apology.finished:
            return False
        self._begin_ending("engine_error")
        self._playout.play(self._prepared.apology)
        return True

    def _begin_ending(self, reason: EndReason) -> None:
        self._wire.ending = True
        self._end_reason = reason
        if (cut_off := self._unsettled()) is not None:
            self._work.start(cut_off.speech, lambda: self._note(cut_off))
        self._drop_reply()
        self._yield()

    # Turns ------------------------------------------------------------------------------

    def _yield(self) -> None:
        """The agent gives up the floor: what it was saying ends at the words that were heard."""
        if speech := self._playout.take():
            self._agent_turn_over(speech)
        if self._speaking is not None:
            self._speaking.cancel()
        self._speaking = self._wire.awaited = None

    def _speech_over(self, speech: Speech) -> bool:
        """The agent said it all; True when the call ends with it."""
        if speech is not self._playout.speech:
            return False
        reply = self._speaking
        if speech.tool_call is not None and (self._floor.person_speaks or self._reply is not None):
            # They may object.
            self._playout.hold()
            return False
        self._playout.take()
        self._agent_turn_over(speech)
        if reply is not None and speech is not reply.speech:
            self._playout.play(reply.speech)
            return False
        if reply is not None and speech.tool_call is not None:
            self._use_tool(reply, speech.tool_call)
            return False
        self._speaking = self._wire.awaited = None
        return speech.hang_up_after

    def _agent_turn_over(self, speech: Speech) -> None:
        heard = speech.heard_text
        if not heard:
            return
        if speech.in_history:
            self._dialogue.agent_said(heard, interrupted=speech.cut_short)
        timings = None
        if self._speaking is not None and not self._speaking.spoke:
            timings = self._speaking.timings()
            self._speaking.spoke = True
        started_ms, ended_ms = self._wire.spoken_ms
        self._on_turn(
            Turn(
                "agent", heard, started_ms, ended_ms, interrupted=speech.cut_short, timings=timings
            )
        )

    def _person_turn_over(self, reply: Reply) -> None:
        if reply.transcript is None:
            return
        self._silences = 0
        confidence = None if reply.keys else reply.transcript.confidence
        self._on_turn(
            Turn(
                "person",
                reply.transcript.text,
                reply.started_ms,
                reply.ended_ms,
                confidence=confidence,
                keys=reply.keys,
            )
        )

    def _drop_reply(self) -> None:
        """Give up the answer in the making, if it is not spoken yet."""
        if self._reply is not None:
            self._reply.cancel()
            self._reply = None

    def _unsettled(self) -> Reply | None:
        """What the person said last, when nothing came of it yet."""
        if not self._floor.talking:
            return self._reply
        return self._new_reply(self._floor.onset_frame, self._floor.frame)

    async def _note(self, cut_off: Reply) -> None:
        """Words that the end cut off count too."""
        try:
            if cut_off.transcript is None:
                heard = self._ear.utterance(cut_off.started_ms, cut_off.ended_ms)
                cut_off.transcript = await self._studio.transcribe(heard)
        except EngineError as error:
            log.error("call %s: %s", self._call_id, error)
        if cut_off.transcript is not None and plain_words(cut_off.transcript.text):
            self._person_turn_over(cut_off)

    # Tools ------------------------------------------------------------------------------

    @property
    def _now_ms(self) -> int:
        return self._wire.frame * FRAME_MS

    def _use_tool(self, reply: Reply, call: ToolCall) -> None:
        """The person heard the words before the call: do it, then go on."""
        reply.tools_used += 1
        reply.speech = self._studio.new_speech()
        self._playout.play(reply.speech)
        self._tools.begin(reply, call, self._now_ms)
        self._wire.await_tool()

    def _fill_silence(self) -> None:
        """The person has waited for a tool for a while: say so, unless something was said."""
        reply, call = self._speaking, self._tools.at_work
        if call is None or reply is None or reply.spoke or self._floor.person_speaks:
            return
        if self._playout.speech is reply.speech and reply.speech.wordless:
            line = self._tools.toolset.say(call)
            filler = self._studio.new_speech(in_history=False)
            filler.fills_silence = True
            self._play_line(filler, self._phrases.one_moment if line is None else line, reply)

    def _tool_done(self, using: Using) -> EndReason | None:
        """Answer with what it gave, unless the person said something meanwhile."""
        assert using.result is not None
        self._tools.note(self._now_ms)
        reply = using.reply
        if reply is self._speaking and using.result.waits:
            reply.speech.finished = True
        elif reply is self._speaking:
            dialogue = self._dialogue.copy()
            reply.task = self._work.start(reply.speech, lambda: self._answer(reply, dialogue))
        return using.result.ends

    async def _answer(self, reply: Reply, dialogue: Dialogue) -> None:
        exhausted = reply.tools_used >= _MAX_TOOLS_IN_A_ROW
        await self._studio.answer(
            dialogue.messages(),
            reply.speech,
            tools=() if exhausted else self._tools.toolset.specs,
            announce=self._tools.toolset.announcement,
            fallback=self._phrases.tool_trouble if exhausted else "",
            reply=reply,
        )
