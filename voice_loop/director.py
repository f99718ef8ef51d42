"""Whose turn it is: what the agent does about everything that happens in a conversation.

Barge-in is reversible: the agent's audio is held at once; what was said then decides whether
the agent goes on (a backchannel, a noise) or yields, keeping in the history only the words
that were heard.

Tools are used once the person has left the agent the floor and has heard the words before the
call, never ahead. One that works goes on whatever the person does; what it gives is kept in the
history, and an answer to what they said meanwhile waits for it.
"""

import logging

from voice_loop.answers import Answers
from voice_loop.audio import FRAME_MS
from voice_loop.clauses import ToolCall
from voice_loop.events import EndReason
from voice_loop.floor import NobodySpeaks, SpeechPaused, SpeechResumed, TurnEnded
from voice_loop.parts import Parts
from voice_loop.phrases import plain_words
from voice_loop.playout import Speech
from voice_loop.ports import Transcript
from voice_loop.reply import Reply, Verdict
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
from voice_loop.speech_input import Keys
from voice_loop.voicemail import VoicemailTone

log = logging.getLogger(__name__)


class Director:
    """Decides in one conversation. Nothing here waits: longer work is done beside it."""

    def __init__(self, parts: Parts) -> None:
        self._call_id = parts.call_id
        self._phrases = parts.phrases
        self._silence_prompts = parts.config.silence_prompts
        self._at_voicemail = parts.config.voicemail
        self._engines = parts.engines
        self._work = parts.work
        self._tick = parts.tick
        self._speech_input, self._playout = parts.tick.speech_input, parts.tick.playout
        self._floor = parts.tick.speech_input.floor
        self._dialogue = parts.dialogue
        self._transcript = parts.transcript
        self._tools = parts.tools
        self._prepared = parts.prepared
        self._answers = Answers(parts)
        #: The answer in the making; not spoken yet.
        self._reply: Reply | None = None
        #: The answer whose speech has the floor.
        self._speaking: Reply | None = None
        self._end_reason: EndReason = "agent_hangup"
        self.voicemail = False
        """An answering machine took the call."""
        self._silences = 0

    @property
    def understanding(self) -> bool:
        """The person has finished, and what they said is not known yet."""
        return self._reply is not None and self._reply.turn_over

    def stop(self) -> Reply | None:
        """Fall silent and give everything up; returns what the person said last, if nothing came
        of it yet."""
        cut_off = self._unsettled()
        self._drop_reply()
        self._yield()
        return cut_off

    async def note(self, cut_off: Reply) -> None:
        """Words that the end cut off count too."""
        await self._answers.understand(cut_off)
        if cut_off.transcript is not None and plain_words(cut_off.transcript.text):
            self._person_turn_over(cut_off)

    def decide(self, event: Signal) -> EndReason | None:
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
            case VoicemailTone():
                return self._leave_voicemail()
            case Told(note):
                self._answer_note(note)
            case OpeningDue():
                self._opening_due()
            case NobodySpeaks():
                self._nobody_speaks()
            case TimeUp(final):
                if final:
                    return "max_duration"
                if not self._tick.ending:
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
                    return self._end_reason
            case Over(reason):
                return reason
            case _:
                pass
        return None

    def _opening_due(self) -> None:
        engaged = self._tick.ending or self._floor.person_speaks or self._reply is not None
        if not engaged and self._answers.opening_comes:
            self._answers.opening_comes = False
            self._speak(Reply(self._prepared.opening, 0.0, self._now_ms, self._now_ms))

    def _waits_for(self, speech: Speech) -> bool:
        """Whether someone still counts on this speech."""
        if speech is self._prepared.opening and self._answers.opening_comes:
            return not self._tick.ending
        replies = [reply.speech for reply in (self._reply, self._speaking) if reply is not None]
        return speech in (self._playout.speech, *replies)

    def _start_reply(self, onset: int, last: int) -> None:
        """Begin, speculatively, to answer what was said in these frames."""
        if self._tick.ending:
            return
        reply = self._new_reply(onset, last)
        self._drop_reply()
        samples = self._speech_input.utterance(reply.started_ms, reply.ended_ms)
        reply.task = self._work.start(reply.speech, lambda: self._answers.to_words(reply, samples))
        self._reply = reply

    def _new_reply(self, onset: int, last: int) -> Reply:
        if self._reply is not None and self._reply.turn_over:
            # The turn before is not understood yet: the two are one.
            onset = min(onset, self._reply.started_ms // FRAME_MS)
        started_ms, ended_ms = onset * FRAME_MS, (last + 1) * FRAME_MS
        return Reply(self._engines.new_speech(), self._speech_input.voiced_at, started_ms, ended_ms)

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
            self._answers.opening_comes = False
            reply.speech = self._prepared.opening
        self._speak(reply)

    def _speak(self, reply: Reply) -> None:
        """Give the answer the floor, once the person leaves it."""
        self._playout.play(reply.speech)
        if self._floor.person_speaks:
            self._playout.hold()
        self._speaking = self._tick.awaited = reply
        if self._tools.at_work is not None:
            self._tick.await_tool()

    def _answer_keys(self, digits: str, frame: int, at: float) -> None:
        if self._tick.ending:
            return
        if self._reply is not None and not self._reply.turn_over:
            # Made without knowing of the keys; the end of the turn makes another.
            self._drop_reply()
        self._yield()
        self._answers.opening_comes = False
        pressed_ms = frame * FRAME_MS
        reply = Reply(self._engines.new_speech(), at, pressed_ms, pressed_ms, keys=True)
        reply.transcript = Transcript(digits, 1.0)
        self._person_turn_over(reply)
        self._dialogue.person_said(f"[pressed {' '.join(digits)}]")
        reply.task = self._work.start(reply.speech, lambda: self._answers.to_dialogue(reply))
        self._speak(reply)

    def _answer_note(self, note: str) -> None:
        if self._tick.ending:
            return
        self._drop_reply()
        self._yield()
        self._answers.opening_comes = False
        now_ms = self._now_ms
        reply = Reply(self._engines.new_speech(), self._speech_input.voiced_at, now_ms, now_ms)
        self._dialogue.person_said(f"[{note}]")
        reply.task = self._work.start(reply.speech, lambda: self._answers.to_dialogue(reply))
        self._speak(reply)

    @property
    def conversed(self) -> bool:
        """Whether somebody converses."""
        return self._transcript.conversed

    def _leave_voicemail(self) -> EndReason | None:
        """A machine waits for a message."""
        if self._at_voicemail == "ignore" or self._tick.ending or self._transcript.conversed:
            return None
        self.voicemail = True
        if self._at_voicemail == "hangup":
            return "voicemail"
        self._begin_ending("voicemail")
        self._playout.play(self._prepared.voicemail)
        return None

    def _nobody_speaks(self) -> None:
        engaged = self._tick.ending or self._reply is not None or self._playout.speech is not None
        if engaged or self._answers.opening_comes:
            return
        self._silences += 1
        if self._silences > self._silence_prompts:
            self._begin_ending("silence")
            self._play_line(self._engines.new_last_words(), self._phrases.nobody_there)
        else:
            self._play_line(self._engines.new_speech(in_history=False), self._phrases.are_you_there)

    def _play_line(self, speech: Speech, text: str, reply: Reply | None = None) -> None:
        self._playout.play(speech)
        self._work.start(speech, lambda: self._engines.read_out(text, speech, reply))

    def _apologise(self) -> bool:
        """Say that an engine failed; False when even that cannot be said."""
        if not self._prepared.apology.finished:
            return False
        self._begin_ending("engine_error")
        self._playout.play(self._prepared.apology)
        return True

    def _begin_ending(self, reason: EndReason) -> None:
        self._tick.ending = True
        self._end_reason = reason
        if (cut_off := self._unsettled()) is not None:
            self._work.start(cut_off.speech, lambda: self.note(cut_off))
        self._drop_reply()
        self._yield()

    # Turns ------------------------------------------------------------------------------

    def _yield(self) -> None:
        """The agent gives up the floor: what it was saying ends at the words that were heard."""
        if speech := self._playout.take():
            self._agent_turn_over(speech)
        if self._speaking is not None:
            self._speaking.cancel()
        self._speaking = self._tick.awaited = None

    def _speech_over(self, speech: Speech) -> bool:
        """The agent said it all; True when the call ends with it."""
        if speech is not self._playout.speech:
            return False
        reply = self._speaking
        if speech.tool_call is not None and self._floor.person_speaks:
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
        self._speaking = self._tick.awaited = None
        return speech.hang_up_after

    def _agent_turn_over(self, speech: Speech) -> None:
        self._transcript.agent(speech, self._speaking, self._tick.spoken_ms)

    def _person_turn_over(self, reply: Reply) -> None:
        self._silences = 0
        self._transcript.person(reply)

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

    # Tools ------------------------------------------------------------------------------

    @property
    def _now_ms(self) -> int:
        return self._tick.frame * FRAME_MS

    def _use_tool(self, reply: Reply, call: ToolCall) -> None:
        """The person heard the words before the call: do it, then go on."""
        reply.tools_used += 1
        reply.speech = self._engines.new_speech()
        self._playout.play(reply.speech)
        self._tools.begin(reply, call, self._now_ms)
        self._tick.await_tool()

    def _fill_silence(self) -> None:
        """The person has waited for a tool for a while: say so, unless something was said."""
        reply, call = self._speaking, self._tools.at_work
        if call is None or reply is None or reply.spoke or self._floor.person_speaks:
            return
        if self._playout.speech is reply.speech and reply.speech.wordless:
            line = self._tools.toolset.say(call)
            filler = self._engines.new_speech(in_history=False)
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
            reply.task = self._work.start(reply.speech, lambda: self._answers.to_dialogue(reply))
        return using.result.ends
