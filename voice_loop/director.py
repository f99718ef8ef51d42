"""Whose turn it is: what the agent does about everything that happens in a conversation.

Sans-IO: events go in with the moment in which they are decided on; commands and the next deadline
come out. Nothing is started here, and nothing waits.

Barge-in is reversible: the media tick lowers the agent's voice or holds it, by the sound of what
the person says; the words then decide whether the agent goes on (a backchannel, a noise) or yields,
keeping in the history only the words that were heard.

Tools are used once the person has left the agent the floor and has heard the words before the
call, never ahead. One that works goes on whatever the person does; what it gives is kept in the
history, and an answer to what they said meanwhile waits for it.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from voice_loop.agent_turns import AgentTurns
from voice_loop.answering.menus import Menus
from voice_loop.answering.watch import (
    MACHINES,
    Answerer,
    AnswerWatch,
    Beep,
    GreetingGoesOn,
    GreetingOver,
)
from voice_loop.answers import Answers
from voice_loop.audio import FRAME_MS
from voice_loop.clauses import ToolCall
from voice_loop.commands import (
    Announced,
    AskWho,
    Command,
    End,
    GiveUp,
    Hold,
    JudgeSound,
    ReadOut,
    Report,
    Resume,
    TellTurnDetector,
    Transcribe,
    UseTool,
)
from voice_loop.config import ConversationConfig
from voice_loop.deadlines import Deadlines, Due
from voice_loop.dialogue import Dialogue
from voice_loop.events import EndReason
from voice_loop.faq import Faq
from voice_loop.floor import (
    NobodySpeaks,
    PauseLasts,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    TurnEnded,
)
from voice_loop.judgement import Overlap, Verdict, judge
from voice_loop.phrases import phrases, plain_words
from voice_loop.playout import Speech, SpeechFactory
from voice_loop.ports import EngineError, Transcript
from voice_loop.prepared import Prepared
from voice_loop.reply import Reply
from voice_loop.signals import (
    DeadlineReached,
    Failed,
    HoldChanged,
    Moment,
    Over,
    SayNow,
    Signal,
    SpeechHeard,
    SpeechOver,
    TimeUpRendered,
    Told,
    ToolDone,
    Transcribed,
    Whispered,
    WhoJudged,
)
from voice_loop.speech_input import Keys
from voice_loop.stopwatch import Stopwatch
from voice_loop.tools import ToolResult
from voice_loop.transcript_log import TranscriptLog

log = logging.getLogger(__name__)

#: What lets an answer go on.
_GOES_ON: Final = (Verdict.NOTHING, Verdict.BACKCHANNEL)
#: A silence this long while a tool works is filled.
_TOOL_SLOW_MS: Final = 700
#: Between the last words of the longest conversation and its limit: they leave, and some slack.
_TIME_UP_SLACK_MS: Final = 600
#: So often it is looked whether whoever runs on is somebody to be answered, and whether whoever
#: does not listen has gone.
_LOOK_AGAIN_MS: Final = 40
_LOOK_AGAIN_AT_MACHINE_MS: Final = 500
#: So often a message to a machine that goes on talking is begun, and a screener answered, at most.
_MOST_MESSAGES: Final = 4
_MOST_INTRODUCTIONS: Final = 2


@dataclass(frozen=True)
class _ToolAtWork:
    call: ToolCall
    reply: Reply
    """Which asked for it."""
    started_ms: int


class Director:
    """Decides what the agent does in one conversation."""

    def __init__(
        self,
        call_id: str,
        config: ConversationConfig,
        *,
        speeches: SpeechFactory,
        prepared: Prepared,
        dialogue: Dialogue,
        faq: Faq,
        answering: AnswerWatch,
        say: Callable[[ToolCall], str | None],
        min_confidence: float,
    ) -> None:
        """
        Args:
            call_id: names the call in logs.
            config: what the conversation is about.
            speeches: makes what is said.
            prepared: speeches that are rendered before they are needed.
            dialogue: as the language model is told it; grows here.
            faq: answers that the agent is reminded of.
            answering: tells who answered; it hears the line, and is given the words here.
            say: tells what is said while a tool works; None for a phrase of ours.
            min_confidence: a transcript below it is asked for again.
        """
        self._call_id = call_id
        self._config = config
        self._phrases = phrases(config.language)
        self._speeches = speeches
        self._prepared = prepared
        self._dialogue = dialogue
        self._say = say
        self._min_confidence = min_confidence
        self._answering = answering
        self._menus = Menus()
        self._messages = self._introductions = 0
        """Begun so far, to a voicemail and to a screener."""
        self._machine_heard = False
        """What answered until now was no person."""
        self._noted_ms = 0
        """Up to here a machine's words are noted."""
        self._log = TranscriptLog(dialogue)
        self._now = Moment()
        self._commands: list[Command] = []
        self._agent = AgentTurns(self._log, self._commands, self._note_question)
        self._answers = Answers(dialogue, faq, self._phrases, config.language)
        self._deadlines = Deadlines()
        self._deadlines.set(Due.OPENING, config.opening_delay_ms)
        self._deadlines.set(Due.MAX_DURATION, config.max_duration_ms)
        self._opening_comes = config.first_sentence_mode != "none"
        """The agent has yet to open the call: that is the answer to whatever is said."""
        self._announcing = bool(config.announcement)
        """Until the announcement was said, nothing else is."""
        self._spoken_into: tuple[Speech, int] | None = None
        """The agent's speech into which the latest turn began, and how many frames of it had
        left."""
        self._reply: Reply | None = None
        """The answer in the making; not spoken yet."""
        self._words: tuple[int, Transcript] | None = None
        """When the turn that was transcribed last began, ms, and its latest words."""
        self._answered: Reply | None = None
        """The answer that was spoken last, as long as what it answers may yet go on."""
        self._not_understood: tuple[int, int] | None = None
        """Where the turn before the one under way began, if the two are one, with and without what
        was answered last, ms."""
        self._tool: _ToolAtWork | None = None
        self._tool_awaited_from = 0
        """Index of the frame from which on the person has waited for it."""
        self._cut_off: dict[Speech, Reply] = {}
        """What the person said when the last words and then the end came, and is yet to be noted:
        it is not answered."""
        self._cut_off_ms = 0
        """Where the latest of it ended."""
        self._begun = self._given_up = 0
        """Answers, and those of them at a pause after which the person went on."""
        self._silences = 0
        self._ending = False
        """Last words are being said."""
        self._end_reason: EndReason = "agent_hangup"
        self._over = False
        self._last_attempt = False
        """What is not transcribed now is lost."""
        self._beeped_ms: int | None = None
        """When the last tone was heard."""
        self.voicemail = False
        """An answering machine took the call."""

    @property
    def with_human(self) -> bool:
        """Whether a human converses."""
        return self._log.with_human

    @property
    def understanding(self) -> bool:
        """Whether the person has finished, and what they said is not known yet."""
        return self._reply is not None and self._reply.turn_over

    @property
    def deadline(self) -> int | None:
        """Index of the frame in which `DeadlineReached` is to be told next."""
        return self._deadlines.next_frame

    # What comes in ----------------------------------------------------------------------

    def decide(self, event: Signal, now: Moment) -> list[Command]:
        """Decide on an event; returns what is to be done, in order. `End` comes last."""
        self._now = now
        if self._over and not isinstance(event, ToolDone | Transcribed | Failed):
            return []
        if (reason := self._act_on(event)) is not None:
            self._commands.append(End(reason, after_words=isinstance(event, SpeechOver)))
        return self._take_commands()

    def stop(self, now: Moment) -> list[Command]:
        """Fall silent and give every answer up. Only results are decided on from now on."""
        self._now = now
        self._over = True
        log.debug(
            "call %s: %d of %d answers were begun in vain",
            *(self._call_id, self._given_up, self._begun),
        )
        self._cut_off_words()
        self._note_question()
        self._drop_reply()
        self._agent.give_way(self._now)
        return self._take_commands()

    def close(self, now: Moment) -> list[Command]:
        """Note that the call ended before the tool at work was done."""
        self._now = now
        if self._tool is not None:
            self._note_tool(ToolResult("The call ended before this was done.", is_error=True))
        return self._take_commands()

    def note_last_words(self) -> list[Command]:
        """Note the words that the end cut off; they may have to be transcribed first."""
        self._last_attempt = True
        for cut_off in list(self._cut_off.values()):
            self._note_cut_off(cut_off)
        return self._take_commands()

    def _take_commands(self) -> list[Command]:
        commands = self._commands.copy()
        self._commands.clear()
        return commands

    def _act_on(self, event: Signal) -> EndReason | None:
        """Act on one event; the reason when it ends the conversation."""
        if self._announcing and not self._ending and self._set_aside(event):
            return None
        match event:
            case SpeechStarted(barge_in=barge_in):
                speech = self._agent.speech
                self._spoken_into = (speech, speech.played) if barge_in and speech else None
            case SpeechPaused(onset, last):
                self._start_reply(onset, last)
            case PauseLasts(last):
                self._commands.append(JudgeSound(last))
            case SpeechResumed():
                self._given_up += self._reply is not None
                self._drop_reply()
            case TurnEnded(onset, last):
                return self._turn_ended(onset, last)
            case Transcribed(speech, transcript):
                return self._transcribed(speech, transcript)
            case Keys(digits, frame, at):
                self._answer_keys(digits, frame, at)
            case Answerer():
                return self._answered_by(event)
            case GreetingOver(beeped):
                if beeped:
                    self._beeped_ms = self._now_ms
                return self._greeting_over()
            case GreetingGoesOn():
                if self._agent.speech is self._prepared.voicemail:
                    self._agent.note(self._prepared.voicemail, self._now)
            case Beep():
                self._beeped_ms = self._now_ms
            case WhoJudged(who):
                if (answerer := self._answering.judged(who)) is not None:
                    return self._answered_by(answerer)
            case Told(note):
                self._answer_note(note)
            case Whispered(note):
                self._dialogue.person_said(f"[{note}]")
            case SayNow(text):
                self._say_now(text)
            case HoldChanged(held):
                self._hold_changed(held)
            case NobodySpeaks():
                return self._nobody_speaks()
            case TimeUpRendered(length_ms) if length_ms:
                limit_ms = self._config.max_duration_ms
                lead_ms = min(length_ms + _TIME_UP_SLACK_MS, limit_ms // 2)
                self._deadlines.set(Due.TIME_UP, limit_ms - lead_ms)
            case DeadlineReached():
                return self._deadline_reached()
            case ToolDone(result) if self._tool is not None:
                return self._tool_done(result)
            case Failed(error, speech):
                return self._failed(error, speech)
            case SpeechHeard(speech):
                if self._answered is not None and speech is self._answered.speech:
                    self._note_question()
            case SpeechOver(speech):
                return self._end_reason if self._speech_over(speech) else None
            case Over(reason):
                return reason
            case _:
                pass
        return None

    def _deadline_reached(self) -> EndReason | None:
        for due in self._deadlines.reached(self._now.frame):
            match due:
                case Due.OPENING:
                    self._open()
                case Due.ANSWERER if self._reply is not None and self._reply.turn_over:
                    if (reason := self._settle(self._reply)) is not None:
                        return reason
                case Due.NOBODY_CAME:
                    return self._nobody_came()
                case Due.TOOL_SLOW:
                    self._fill_silence()
                case Due.TIME_UP:
                    if not self._ending:
                        self._begin_ending("max_duration")
                        self._agent.play(self._prepared.time_up)
                case Due.MAX_HOLD:
                    return "silence"
                case Due.MAX_DURATION:
                    return "max_duration"
                case _:
                    pass
        return None

    # The announcement -------------------------------------------------------------------

    def _set_aside(self, event: Signal) -> bool:
        """Take what the person does before the announcement was said: it is noted, not answered.
        False where the event is of another kind."""
        match event:
            case SpeechStarted() | SpeechPaused() | PauseLasts() | SpeechResumed():
                pass
            case NobodySpeaks() | Told() | SayNow():
                pass
            case TurnEnded(onset, last):
                said = self._new_reply(onset, last)
                self._cut_off[said.speech] = said
                self._note_cut_off(said)
                self._announce()
            case Keys(digits, frame, at):
                pressed = frame * FRAME_MS
                reply = Reply(
                    self._speeches.new(), Stopwatch(at), pressed, pressed, pressed, keys=True
                )
                self._person_turn_over(reply, Transcript(digits, 1.0))
            case SpeechOver(speech) if speech is self._prepared.announcement:
                self._announcing = False
                self._agent.note(speech, self._now)
                self._commands.append(Announced())
                self._open()
            case _:
                return False
        return True

    def _announce(self) -> None:
        if self._agent.speech is None and not self._now.person_speaks:
            self._agent.play(self._prepared.announcement)

    # Answers ----------------------------------------------------------------------------

    def _open(self) -> None:
        if self._announcing:
            self._announce()
            return
        engaged = self._ending or self._now.person_speaks or self._reply is not None
        if self._opening_comes and not engaged and self._listens and self._answering.suspicious:
            self._deadlines.set(Due.OPENING, self._now_ms + _LOOK_AGAIN_AT_MACHINE_MS)
        elif not engaged and self._opening_comes:
            self._opening_comes = False
            now_ms = self._now_ms
            opening = self._prepared.opening
            self._speak(Reply(opening, Stopwatch(0.0), now_ms, now_ms, now_ms, settled=True))

    def _start_reply(self, onset: int, last: int) -> None:
        """Begin, speculatively, to answer what was said in these frames."""
        if self._ending:
            return
        self._begun += 1
        reply = self._new_reply(onset, last)
        self._drop_reply()
        self._reply = reply
        self._transcribe(reply)

    def _new_reply(self, onset: int, last: int) -> Reply:
        if self._reply is not None and self._reply.turn_over:
            # The turn before is not understood yet: the two are one, whatever pauses follow.
            self._not_understood = self._reply.started_ms, self._reply.onset_ms
        started_ms = onset_ms = onset * FRAME_MS
        if self._not_understood is not None:
            started_ms, onset_ms = self._not_understood
        elif self._answered is not None:
            started_ms = self._answered.started_ms
        return Reply(
            self._speeches.new(),
            Stopwatch(self._now.voiced_at),
            started_ms,
            onset_ms,
            (last + 1) * FRAME_MS,
            continues=self._answered,
        )

    def _transcribe(self, reply: Reply) -> None:
        self._commands.append(
            Transcribe(reply.speech, reply.started_ms, reply.ended_ms, reply.stopwatch)
        )

    def _turn_ended(self, onset: int, last: int) -> EndReason | None:
        if self._reply is None or self._reply.turn_over:
            self._start_reply(onset, last)
        self._not_understood = None
        if self._reply is not None:
            self._reply.turn_over = True
            self._reply.stopwatch.mark("endpoint", self._now.at)
            return self._settle(self._reply)
        return None

    def _transcribed(self, speech: Speech, transcript: Transcript) -> EndReason | None:
        """Judge what was said, and have it answered as that asks."""
        if (cut_off := self._cut_off.get(speech)) is not None:
            cut_off.transcript = transcript
            self._note_cut_off(cut_off)
        reply = self._reply
        if reply is None or speech is not reply.speech:
            return None
        if (reason := self._tell_words(transcript, whole=False)) is not None:
            return reason
        if self._reply is not reply:
            return None
        reply.transcript, reply.verdict = self._judge_turn(reply, self._kept(reply, transcript))
        self._commands.append(TellTurnDetector(reply.transcript))
        if reply.verdict is Verdict.REPEAT:
            speech.in_history = False
            self._commands.append(ReadOut(speech, self._phrases.repeat, reply.stopwatch))
        elif reply.verdict is Verdict.ANSWER:
            self._answer(reply)
        return self._settle(reply)

    def _kept(self, reply: Reply, transcript: Transcript) -> Transcript:
        """The words of a turn up to now; those up to a pause before, where none are heard in all of
        it: recognisers fail on what they have heard half of."""
        if plain_words(transcript.text):
            self._words = reply.started_ms, transcript
        elif self._words is not None and self._words[0] == reply.started_ms:
            return self._words[1]
        return transcript

    def _judge_turn(self, reply: Reply, transcript: Transcript) -> tuple[Transcript, Verdict]:
        """Judge what was said; of words that only let an answer go on, those before it are taken
        off."""
        answered = reply.continues
        if answered is not None and answered.transcript is not None:
            before = plain_words(answered.transcript.text).split()
            words = transcript.text.split()
            if plain_words(" ".join(words[: len(before)])).split() == before:
                rest = replace(transcript, text=" ".join(words[len(before) :]))
                verdict = self._judge(rest)
                if verdict in _GOES_ON:
                    return rest, verdict
        return transcript, self._judge(transcript)

    def _judge(self, transcript: Transcript) -> Verdict:
        speech = self._agent.speech
        if self._listens and self._answering.answerer.who == "menu":
            # What opens the call is for a person.
            return judge(transcript, None, self._phrases, self._min_confidence)
        if self._opening_comes or (speech is not None and speech.opens and not speech.played):
            return Verdict.OPENING
        return judge(transcript, self._overlap(), self._phrases, self._min_confidence)

    def _overlap(self) -> Overlap | None:
        """What the agent was saying when the person began; it may be over meanwhile."""
        speech = self._agent.speech
        if self._spoken_into is not None and speech in (self._spoken_into[0], None):
            return Overlap(*self._spoken_into, yielded=self._now.held)
        return None if speech is None else Overlap(speech, speech.played, yielded=self._now.held)

    def _answer(self, reply: Reply) -> None:
        """Have a reply answered, after the result of the tool at work."""
        reply.waits_for_tool = self._tool is not None
        if not reply.waits_for_tool:
            self._commands.append(self._answers.to(reply, self._agent.speech))

    def _settle(self, reply: Reply) -> EndReason | None:
        """Act on what was said, once it is known, and once the turn is over if that matters.

        When the person speaks again already, what they say now decides whether it is spoken.
        """
        if reply.verdict is None or reply.transcript is None:
            return None
        if reply.turn_over and self._listens:
            if self._answering.waits:
                self._deadlines.set(Due.ANSWERER, self._now_ms + _LOOK_AGAIN_MS)
                return None
            if (reason := self._tell_words(reply.transcript, whole=True)) is not None:
                return reason
            if self._reply is not reply:
                return None
            if self._answering.suspicious and not self._ending:
                return self._heard_machine(reply, reply.transcript)
            if self._opening_comes:
                reply.verdict = Verdict.OPENING
        if reply.verdict in _GOES_ON:
            if not self._now.talking:
                self._commands.append(Resume())
            if reply.turn_over:
                self._reply = None
                if reply.verdict is Verdict.BACKCHANNEL:
                    self._person_turn_over(reply, reply.transcript)
            return None
        if not reply.turn_over:
            if self._agent.speech is not None:
                self._commands.append(Hold())
            return None
        self._begin_answer(reply)
        return None

    def _begin_answer(self, reply: Reply) -> None:
        """Give the answer to a whole turn the floor."""
        self._reply = None
        if reply.continues is self._answered:
            self._answered = None
        self._agent.give_way(self._now)
        self._answered = reply
        if reply.verdict is Verdict.OPENING:
            self._note_question()
            self._opening_comes = False
            reply.speech = self._prepared.opening
        self._speak(reply)

    def _note_question(self) -> None:
        """Note what was answered last: it does not go on any more."""
        answered, self._answered = self._answered, None
        if answered is None or answered.transcript is None:
            return
        answered.settled = True
        if plain_words(answered.transcript.text):
            self._person_turn_over(answered, answered.transcript)
            if answered.verdict is not Verdict.REPEAT:
                self._dialogue.person_said(answered.transcript.text)
        if self._not_understood is not None:
            _, onset_ms = self._not_understood
            self._not_understood = onset_ms, onset_ms
        reply = self._reply
        if reply is not None and reply.continues is answered and reply.verdict not in _GOES_ON:
            self._reply = replace(
                reply,
                speech=self._speeches.new(),
                started_ms=reply.onset_ms,
                transcript=None,
                verdict=None,
                continues=None,
            )
            self._commands.append(GiveUp(reply.speech))
            self._transcribe(self._reply)

    def _speak(self, reply: Reply) -> None:
        """Give the answer the floor, once the person leaves it."""
        self._agent.speak(reply, self._now)
        if self._tool is not None:
            self._await_tool()

    def _answer_keys(self, digits: str, frame: int, at: float) -> None:
        if self._ending:
            return
        if self._reply is not None and not self._reply.turn_over:
            # Made without knowing of the keys; the end of the turn makes another.
            self._drop_reply()
        pressed_ms = frame * FRAME_MS
        reply = Reply(
            self._speeches.new(), Stopwatch(at), pressed_ms, pressed_ms, pressed_ms, keys=True
        )
        reply.transcript = Transcript(digits, 1.0)
        self._agent.give_way(self._now)
        self._person_turn_over(reply, reply.transcript)
        self._answer_at_once(reply, f"[pressed {' '.join(digits)}]")

    def _answer_note(self, note: str) -> None:
        if self._ending:
            return
        self._note_question()
        self._drop_reply()
        self._agent.give_way(self._now)
        now_ms, stopwatch = self._now_ms, Stopwatch(self._now.voiced_at)
        self._answer_at_once(
            Reply(self._speeches.new(), stopwatch, now_ms, now_ms, now_ms), f"[{note}]"
        )

    def _say_now(self, text: str) -> None:
        if self._ending:
            return
        self._note_question()
        self._drop_reply()
        self._agent.give_way(self._now)
        self._opening_comes = False
        self._agent.play_line(self._speeches.new(), text)

    def _answer_at_once(self, reply: Reply, told: str) -> None:
        self._opening_comes = False
        self._dialogue.person_said(told)
        reply.settled = True
        self._answer(reply)
        self._speak(reply)

    # Fixed lines, and the end -----------------------------------------------------------

    @property
    def _listens(self) -> bool:
        """Whether it matters who answered."""
        return self._config.voicemail != "ignore"

    def _tell_words(self, transcript: Transcript, *, whole: bool) -> EndReason | None:
        """Have words tell who says them."""
        if not self._listens:
            return None
        sure = transcript.confidence >= self._min_confidence
        found = self._answering.words(transcript.text, sure=sure, whole=whole)
        if self._config.answering.ask_model and self._answering.unsure:
            self._commands.append(AskWho(transcript.text))
        return None if found is None else self._answered_by(found)

    def _answered_by(self, answerer: Answerer) -> EndReason | None:
        """Do what the call is to do now that it is known who answered."""
        if not self._listens or self._ending or self._log.conversed:
            return None
        self.voicemail = answerer.who == "voicemail"
        evidence = ", ".join(answerer.evidence)
        log.info(
            "call %s: %s after %d ms: %s",
            *(self._call_id, answerer.who, answerer.at_ms, evidence),
        )
        if answerer.who == "human" and self._machine_heard:
            self._log.person_came()
        self._machine_heard = answerer.who in MACHINES
        if answerer.who not in MACHINES:
            self._deadlines.clear(Due.NOBODY_CAME)
            return None
        if answerer.who == "fax":
            return "unavailable"
        if answerer.who == "voicemail" and (answerer.full or self._config.voicemail == "hangup"):
            self._note_question()
            return "voicemail"
        waits_ms = {
            "screening": self._config.answering.screening_ms,
            "ringing": self._config.answering.ringing_ms,
        }.get(answerer.who, self._config.max_hold_ms)
        self._deadlines.set(Due.NOBODY_CAME, self._now_ms + waits_ms)
        if answerer.who != "menu":
            self._agent.give_way(self._now)
        return None

    def _greeting_over(self) -> EndReason | None:
        """Say what is to be said to whatever has just begun to listen."""
        if not self._listens or self._log.conversed:
            return None
        message = self._prepared.voicemail
        match self._answering.answerer.who:
            case "unavailable":
                return "unavailable"
            case "screening" if not self._ending:
                self._introduce()
            case "voicemail" if not self._ending or self._end_reason == "voicemail":
                if self._messages >= _MOST_MESSAGES:
                    return None
                if not self._ending:
                    self._begin_ending("voicemail")
                elif self._agent.speech is message:
                    self._agent.note(message, self._now)
                self._messages += 1
                message.rewind()
                self._agent.play(message)
            case _:
                pass
        return None

    def _introduce(self) -> None:
        """Tell a screener who calls and why; what opens the call is for the person."""
        if self._introductions >= _MOST_INTRODUCTIONS:
            return
        self._introductions += 1
        asked = self._reply
        if asked is not None and asked.transcript is not None:
            self._note_machine(asked, asked.transcript)
            self._noted_ms = asked.ended_ms
        self._deadlines.set(Due.NOBODY_CAME, self._now_ms + self._config.answering.screening_ms)
        if self._config.screening_message:
            self._agent.play_line(self._speeches.new(), self._config.screening_message)
            return
        self._dialogue.answer_screening()
        now_ms = self._now_ms
        introduction = Reply(
            self._speeches.new(), Stopwatch(self._now.at), now_ms, now_ms, now_ms, settled=True
        )
        self._answer(introduction)
        self._agent.reply = introduction
        self._agent.play(introduction.speech)

    def _heard_machine(self, reply: Reply, transcript: Transcript) -> EndReason | None:
        """Let what a machine said pass; a menu is answered, unless it leads nowhere."""
        if self._answering.answerer.who != "menu":
            self._note_machine(reply, transcript)
            return None
        times = self._menus.hear(transcript.text)
        if times > self._config.answering.menu_repeats:
            self._note_machine(reply, transcript)
            return "ivr_no_navigate"
        if times > 1:
            reply.menu_again = True
            self._answer(reply)
        if reply.verdict in _GOES_ON:
            self._note_machine(reply, transcript)
        else:
            self._begin_answer(reply)
        return None

    def _note_machine(self, reply: Reply, transcript: Transcript) -> None:
        """Note what a machine said, and that nobody answers it."""
        self._drop_reply()
        if plain_words(transcript.text) and reply.ended_ms > self._noted_ms:
            self._person_turn_over(reply, transcript)
            self._dialogue.person_said(transcript.text)

    def _nobody_came(self) -> EndReason:
        """The end of a call in which no person took over from a machine."""
        who = self._answering.answerer.who
        if who == "menu":
            return "ivr_no_navigate"
        return "voicemail" if who == "voicemail" else "silence"

    def _nobody_speaks(self) -> EndReason | None:
        engaged = self._ending or self._reply is not None or self._agent.speech is not None
        if engaged:
            return None
        if self._listens and self._answering.suspicious:
            if self._answering.answerer.who != "menu":
                return None
            self._silences += 1
            return "ivr_no_navigate" if self._silences > self._config.silence_prompts else None
        if self._opening_comes:
            return None
        self._silences += 1
        if self._silences > self._config.silence_prompts:
            self._begin_ending("silence")
            again = self._config.called_again and not self.with_human
            lines = self._phrases
            line = lines.nobody_there_yet if again else lines.nobody_there
            self._agent.play_line(self._speeches.last_words(), line)
        else:
            self._agent.play_line(self._speeches.new(in_history=False), self._phrases.are_you_there)
        return None

    def _hold_changed(self, held: bool) -> None:
        if held:
            self._deadlines.set(Due.MAX_HOLD, self._now_ms + self._config.max_hold_ms)
        else:
            self._deadlines.clear(Due.MAX_HOLD)
            self._silences = 0  # it is not the person's silence that has passed

    def _failed(self, error: EngineError, speech: Speech) -> EndReason | None:
        cut_off = self._cut_off.get(speech)
        if cut_off is not None and cut_off.transcript is None:
            if self._over and not self._last_attempt:
                return None  # `note_last_words` tries again
            del self._cut_off[speech]
            log.error("call %s: the last words are lost: %s", self._call_id, error)
            return None
        log.error("call %s: %s", self._call_id, error)
        if cut_off is not None:
            self._note_cut_off(cut_off)
        if not self._waits_for(speech):
            return None
        if not self._prepared.apology.finished:
            return "engine_error"
        self._begin_ending("engine_error")
        self._agent.play(self._prepared.apology)
        return None

    def _waits_for(self, speech: Speech) -> bool:
        """Whether someone still counts on this speech."""
        if self._over:
            return False
        if speech is self._prepared.announcement:
            return self._announcing and not self._ending
        if speech is self._prepared.opening and self._opening_comes:
            return not self._ending
        replies = [reply.speech for reply in (self._reply, self._agent.reply) if reply is not None]
        return speech in (self._agent.speech, *replies)

    def _begin_ending(self, reason: EndReason) -> None:
        self._ending = True
        self._end_reason = reason
        cut_off = self._cut_off_words()
        self._drop_reply()
        self._note_question()
        self._agent.give_way(self._now)
        if cut_off is not None:
            self._note_cut_off(cut_off)

    def _cut_off_words(self) -> Reply | None:
        """Keep what the person said last, and nothing came of yet, so that it is noted."""
        reply = self._reply
        if self._now.talking:
            reply = self._new_reply(self._now.onset_frame, self._now.frame)
            reply.started_ms = max(reply.started_ms, self._cut_off_ms)
        if reply is not None and reply.continues is not None and reply.continues is self._answered:
            if reply.transcript is None:
                # Its own words alone, whatever has been asked for of them by now.
                started_ms = max(reply.onset_ms, self._cut_off_ms)
                reply = replace(reply, speech=self._speeches.new(), started_ms=started_ms)
            elif reply.verdict not in _GOES_ON:
                self._answered = None
        if reply is None or reply.started_ms >= reply.ended_ms:
            return None
        self._cut_off[reply.speech] = reply
        self._cut_off_ms = reply.ended_ms
        return reply

    def _note_cut_off(self, cut_off: Reply) -> None:
        if cut_off.transcript is None:
            self._transcribe(cut_off)
            return
        del self._cut_off[cut_off.speech]
        if plain_words(cut_off.transcript.text):
            self._person_turn_over(cut_off, cut_off.transcript)

    # Turns ------------------------------------------------------------------------------

    @property
    def _now_ms(self) -> int:
        return self._now.frame * FRAME_MS

    def _speech_over(self, speech: Speech) -> bool:
        """Go on after a whole speech has left; True when the call ends with it."""
        if speech is not self._agent.speech:
            return False
        reply = self._agent.reply
        who = self._answering.answerer.who if self._listens else "unknown"
        objectionable = who != "menu" and (speech.tool_call is not None or speech.hang_up_after)
        if objectionable and not speech.last_words and self._now.person_speaks:
            # They may object.
            self._commands.append(Hold())
            return False
        self._agent.note(speech, self._now)
        if reply is not None and speech is not reply.speech:
            self._agent.play(reply.speech)
            return False
        if reply is not None and speech.tool_call is not None:
            self._use_tool(reply, speech.tool_call)
            return False
        self._agent.reply = None
        return speech.hang_up_after and (speech.last_words or who != "screening")

    def _person_turn_over(self, reply: Reply, transcript: Transcript) -> None:
        self._note_question()
        self._silences = 0
        span_ms = reply.started_ms, reply.ended_ms
        beeped = self._beeped_ms is not None and self._beeped_ms >= reply.started_ms
        machine = self._listens and self._answering.suspicious
        sure = reply.keys or (
            transcript.confidence >= self._min_confidence and not beeped and not machine
        )
        turn = self._log.person(transcript, span_ms, keys=reply.keys, sure=sure)
        if self._log.conversed:
            self._answering.conversed()
        self._commands.append(Report(turn))

    def _drop_reply(self) -> None:
        """Give up the answer in the making, if it is not spoken yet."""
        if self._reply is not None:
            self._commands.append(GiveUp(self._reply.speech))
            self._reply = None

    # Tools ------------------------------------------------------------------------------

    def _use_tool(self, reply: Reply, call: ToolCall) -> None:
        """Use a tool, now that the person has heard the words before its call."""
        reply.tools_used += 1
        reply.speech = self._speeches.new()
        self._agent.play(reply.speech)
        self._tool = _ToolAtWork(call, reply, self._now_ms)
        self._commands.append(UseTool(call, reply.speech))
        self._await_tool()

    def _await_tool(self) -> None:
        """Take the time: the person waits for the tool from now on."""
        self._tool_awaited_from = self._now.frame
        self._deadlines.set(Due.TOOL_SLOW, self._now_ms + _TOOL_SLOW_MS)

    def _fill_silence(self) -> None:
        """Tell the person that the tool takes a while, unless something was said."""
        reply, tool = self._agent.reply, self._tool
        if tool is None or reply is None or reply.spoke or self._now.person_speaks:
            return
        waited = self._now.away_frame <= self._tool_awaited_from
        if waited and self._agent.speech is reply.speech and reply.speech.wordless:
            line = self._say(tool.call)
            filler = self._speeches.new(in_history=False)
            filler.fills_silence = True
            self._agent.play_line(filler, self._phrases.one_moment if line is None else line)

    def _tool_done(self, result: ToolResult) -> EndReason | None:
        """Answer with the tool's result, unless the person said something meanwhile."""
        reply = self._note_tool(result)
        if reply is self._agent.reply and result.waits:
            reply.speech.finished = True
        elif reply is self._agent.reply:
            self._answer(reply)
        for waiting in (self._agent.reply, self._reply):
            if waiting is not None and waiting.waits_for_tool:
                self._answer(waiting)
        return result.ends

    def _note_tool(self, result: ToolResult) -> Reply:
        """Note what came of the tool at work; returns the answer that asked for it."""
        self._note_question()
        assert self._tool is not None
        tool, self._tool = self._tool, None
        span_ms = tool.started_ms, self._now_ms
        self._commands.append(Report(self._log.tool(tool.call, result, span_ms)))
        return tool.reply
