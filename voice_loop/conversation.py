"""One call's conversation: the thin shell that joins the floor, the engines and the line.

`exchange` runs in the media tick (`wire`), which stops the agent's audio the moment the person
interrupts. Everything slower happens in `run`, which reads what the tick and the work beside it
posted and decides whose turn it is.

Barge-in is reversible: the agent's audio is held at once; what was said then decides whether
the agent goes on (a backchannel, a noise) or yields, keeping in the history only the words
that were heard.
"""

import asyncio
import logging
import random
from collections.abc import Callable

from voice_loop.ambience import Ambience
from voice_loop.audio import FRAME_MS, Samples
from voice_loop.config import ConversationConfig
from voice_loop.dialogue import Dialogue
from voice_loop.ear import Keys
from voice_loop.events import EndReason, Turn
from voice_loop.floor import NobodySpeaks, SpeechPaused, SpeechResumed, TurnEnded
from voice_loop.phrases import consists_of, phrases, plain_words
from voice_loop.playout import Speech
from voice_loop.ports import EngineError, Engines, Line, Transcript
from voice_loop.prompts import system_prompt
from voice_loop.reply import Reply, Studio, Verdict
from voice_loop.signals import Failed, OpeningDue, Over, Signal, SpeechOver, TimeUp, Transcribed
from voice_loop.wire import Wire
from voice_loop.work import Work

log = logging.getLogger(__name__)

#: The last frame needs to reach the far end before the line is cut.
_HANG_UP_GRACE_S = 0.3
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
        self._studio = Studio(engines, line_rate, config.language, call_id, config.engine_timeout_s)
        self._inbox: asyncio.Queue[Signal] = asyncio.Queue(_INBOX_LIMIT)
        self._work = Work(call_id, self._post)
        ambience = Ambience(config.ambience, line_rate, random.Random(call_id))
        self._wire = Wire(engines.new_detector(line_rate), ambience, config, self._post)
        self._ear, self._playout = self._wire.ear, self._wire.playout
        self._floor = self._ear.floor
        self._dialogue = Dialogue(system_prompt(config.task, config.context, config.language))
        self._opening = self._new_speech()
        self._opening_played = False
        self._apology: Speech | None = None
        #: The answer in the making; not spoken yet.
        self._reply: Reply | None = None
        #: The answer whose speech has the floor.
        self._speaking: Reply | None = None
        self._end_reason: EndReason = "agent_hangup"
        self._silences = 0
        self._answered = False

    # What the outside calls -------------------------------------------------------------

    async def prepare(self) -> None:
        """Render the opening and the apology; best run while it rings.

        An engine's failure is kept and told to the person by `run`; the end of `run` ends this.
        """
        await self._work.see_through(self._opening, self._render_opening)

    async def _render_opening(self) -> None:
        apology = self._new_speech(in_history=False, interruptible=False)
        apology.hang_up_after = True
        await self._studio.read_out(self._phrases.apology, apology)
        self._apology = apology
        await self._answer(self._opening, self._dialogue)

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

    def press(self, digit: str, at: float) -> None:
        """The person pressed a key; `at` is `time.monotonic()` seconds."""
        self._ear.press(digit, at)

    def hung_up(self) -> None:
        """The line is gone."""
        self._post(Over("person_hangup"))

    def stop(self) -> None:
        """The operator wants the call to end now."""
        self._post(Over("operator_hangup"))

    async def run(self, line: Line) -> EndReason:
        """Converse on the answered line until the end; returns why it ended.

        The line is hung up when this returns, whatever happened.
        """
        self._answered = True
        try:
            reason = await self._converse()
        finally:
            self._answered = False
            cut_off = self._unsettled()
            self._drop_reply()
            self._yield()
            await self._give_back(line)
        if cut_off is not None:
            await self._work.see_through(cut_off.speech, lambda: self._note(cut_off))
        return reason

    async def _give_back(self, line: Line) -> None:
        """Hang up and end all work."""
        self._work.cancel()
        try:
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
            case OpeningDue():
                self._opening_due()
            case NobodySpeaks():
                self._nobody_speaks()
            case TimeUp(final):
                if final:
                    return "max_duration"
                self._last_words(self._phrases.time_up, "max_duration")
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
        in_the_making = self._reply.speech if self._reply is not None else None
        return speech in (self._playout.speech, in_the_making)

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
        return Reply(self._new_speech(), self._ear.voiced_at, started_ms, ended_ms)

    async def _make_reply(self, reply: Reply, samples: Samples) -> None:
        transcript = reply.transcript = await self._studio.transcribe(samples)
        reply.mark("transcript")
        reply.verdict = self._judge(transcript)
        self._post(Transcribed(reply))
        if reply.verdict is Verdict.REPEAT:
            reply.speech.in_history = False
            await self._studio.read_out(self._phrases.repeat, reply.speech, reply)
        elif reply.verdict is Verdict.ANSWER:
            dialogue = self._dialogue.copy()
            if (held := self._playout.speech) is not None and held.in_history:
                dialogue.agent_said(held.heard_text, interrupted=held.cut_short)
            dialogue.person_said(transcript.text)
            await self._answer(reply.speech, dialogue, reply)

    def _judge(self, transcript: Transcript) -> Verdict:
        words = plain_words(transcript.text)
        speech = self._playout.speech
        if not self._opening_played or (speech is self._opening and not speech.played):
            return Verdict.OPENING
        if not words:
            return Verdict.NOTHING
        lists = self._phrases
        if speech is not None and consists_of(words, self._no_answers_to(speech)):
            return Verdict.BACKCHANNEL
        if transcript.confidence < self._min_confidence:
            return Verdict.REPEAT
        if words.rsplit(" ", 1)[-1] in lists.unfinished:
            self._floor.sounds_unfinished()
        return Verdict.ANSWER

    def _no_answers_to(self, speech: Speech) -> frozenset[str]:
        """Lines that, said into this speech, let it go on."""
        lists = self._phrases
        if speech.hang_up_after:
            return lists.backchannels | lists.farewells
        if speech.nearly_over or not speech.in_history:
            # What is said into the end of a question answers it.
            return frozenset()
        return (
            lists.backchannels | lists.greetings if speech is self._opening else lists.backchannels
        )

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

    def _answer_keys(self, digits: str, frame: int, at: float) -> None:
        if self._wire.ending:
            return
        if self._reply is not None and not self._reply.turn_over:
            # Made without knowing of the keys; the end of the turn makes another.
            self._drop_reply()
        self._yield()
        self._opening_played = True
        pressed_ms = frame * FRAME_MS
        reply = Reply(self._new_speech(), at, pressed_ms, pressed_ms, keys=True)
        reply.transcript = Transcript(digits, 1.0)
        self._person_turn_over(reply)
        self._dialogue.person_said(f"[pressed {' '.join(digits)}]")
        dialogue = self._dialogue.copy()
        reply.task = self._work.start(
            reply.speech, lambda: self._answer(reply.speech, dialogue, reply)
        )
        self._speak(reply)

    def _nobody_speaks(self) -> None:
        if self._wire.ending or self._reply is not None or self._playout.speech is not None:
            return
        self._silences += 1
        if self._silences > self._config.silence_prompts:
            self._last_words(self._phrases.nobody_there, "silence")
        else:
            self._play_line(self._new_speech(in_history=False), self._phrases.are_you_there)

    def _last_words(self, text: str, reason: EndReason) -> None:
        """Say a fixed goodbye that cannot be interrupted; the call ends after it."""
        if self._wire.ending:
            return
        self._begin_ending(reason)
        speech = self._new_speech(in_history=False, interruptible=False)
        speech.hang_up_after = True
        self._play_line(speech, text)

    def _play_line(self, speech: Speech, text: str) -> None:
        self._playout.play(speech)
        self._work.start(speech, lambda: self._studio.read_out(text, speech))

    def _apologise(self) -> bool:
        """Say that an engine failed; False when even that cannot be said."""
        if self._apology is None:
            return False
        self._begin_ending("engine_error")
        self._playout.play(self._apology)
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
        self._playout.take()
        self._agent_turn_over(speech)
        self._speaking = self._wire.awaited = None
        return speech.hang_up_after

    def _agent_turn_over(self, speech: Speech) -> None:
        heard = speech.heard_text
        if not heard:
            return
        if speech.in_history:
            self._dialogue.agent_said(heard, interrupted=speech.cut_short)
        timings = self._speaking.timings() if self._speaking is not None else None
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

    # Speech in the making ---------------------------------------------------------------

    def _new_speech(self, *, in_history: bool = True, interruptible: bool = True) -> Speech:
        may_interrupt = interruptible and self._config.interruptible
        return self._studio.new_speech(in_history=in_history, interruptible=may_interrupt)

    async def _answer(self, speech: Speech, dialogue: Dialogue, reply: Reply | None = None) -> None:
        await self._studio.answer(
            dialogue.messages(), speech, max_tokens=self._config.reply_max_tokens, reply=reply
        )
