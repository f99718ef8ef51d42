"""What the director decides, event by event: no audio, no engines, no waiting."""

import numpy as np
import pytest

from voice_loop.answering.watch import AnswerConfig, AnswerWatch
from voice_loop.audio import FRAME_MS
from voice_loop.clauses import ToolCall
from voice_loop.commands import (
    Answer,
    Command,
    End,
    FallSilent,
    GiveUp,
    Hold,
    Play,
    ReadOut,
    Report,
    Resume,
    TellTurnDetector,
    Transcribe,
    UseTool,
)
from voice_loop.config import ConversationConfig
from voice_loop.dialogue import Dialogue
from voice_loop.director import Director
from voice_loop.events import Turn
from voice_loop.faq import Faq
from voice_loop.floor import SpeechPaused, SpeechResumed, TurnEnded
from voice_loop.phrases import phrases
from voice_loop.playout import Speech, SpeechFactory
from voice_loop.ports import EngineError, Transcript
from voice_loop.prepared import prepared_speeches
from voice_loop.prompts import CALL_ANSWERED, READ_BACK
from voice_loop.signals import (
    DeadlineReached,
    Failed,
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
)
from voice_loop.speech_input import Keys
from voice_loop.tools import ToolResult

RATE = 8000
PHRASES = phrases("en")
BOOK = ToolCall("book", {"day": "tuesday"})


class Table:
    """A director, and what it is told."""

    def __init__(self, **config: object) -> None:
        speeches = SpeechFactory(RATE, RATE)
        self.prepared = prepared_speeches(speeches)
        for speech in (self.prepared.opening, self.prepared.apology, self.prepared.time_up):
            voice(speech, "hello, this is the clinic.")
        self.director = Director(
            "call-1",
            ConversationConfig("book a visit", **config),  # type: ignore[arg-type]
            speeches=speeches,
            prepared=self.prepared,
            dialogue=Dialogue("system"),
            faq=Faq(()),
            answering=AnswerWatch(RATE, AnswerConfig()),
            say=lambda call: None,
            min_confidence=0.4,
        )

    def tell(self, event: Signal, frame: int = 0, **now: object) -> list[Command]:
        return self.director.decide(event, Moment(frame=frame, **now))  # type: ignore[arg-type]

    def opened(self) -> "Table":
        """After the opening was heard to its end."""
        self.tell(DeadlineReached(), frame=30)
        play(self.prepared.opening)
        self.tell(SpeechOver(self.prepared.opening), frame=80)
        return self

    def asked(self, words: str) -> Answer:
        """The person has paused after these words; what is to be made of them."""
        (transcribe,) = self.tell(SpeechPaused(100, 130), frame=140, talking=False)
        assert isinstance(transcribe, Transcribe)
        told = self.tell(Transcribed(transcribe.speech, Transcript(words, 0.9)), frame=141)
        (answer,) = [command for command in told if isinstance(command, Answer)]
        return answer

    def answering(self, words: str, answer: str, call: ToolCall | None = None) -> Speech:
        """The speech with the floor that answers these words, made but not heard yet."""
        speech = self.asked(words).speech
        voice(speech, answer)
        speech.tool_call = call
        self.tell(TurnEnded(100, 130), frame=151)
        return speech

    def using(self, before: str = "let me see.") -> Speech:
        """The speech that waits for the tool at work, which these words came before."""
        speech = self.answering("tuesday", before, BOOK)
        play(speech)
        (use,) = [
            command
            for command in self.tell(SpeechOver(speech), frame=200)
            if isinstance(command, UseTool)
        ]
        assert use.call == BOOK
        return use.speech


def test_words_that_were_heard_are_not_lost_where_all_of_the_turn_is_not_understood() -> None:
    table = Table().opened()
    table.asked("four one five")
    table.tell(SpeechResumed(), frame=150)
    (again,) = table.tell(SpeechPaused(100, 180), frame=190, talking=False)
    assert isinstance(again, Transcribe)
    told = table.tell(Transcribed(again.speech, Transcript("", 0.0)), frame=191)
    assert TellTurnDetector(Transcript("four one five", 0.9)) in told
    assert any(isinstance(command, Answer) for command in told)


def test_what_is_no_speech_is_not_taken_for_the_turn_before() -> None:
    table = Table().opened()
    play(table.answering("four one five", "and then?"))
    (again,) = table.tell(SpeechPaused(500, 530), frame=540, talking=False)
    assert isinstance(again, Transcribe)
    told = table.tell(Transcribed(again.speech, Transcript("", 0.0)), frame=541)
    assert not any(isinstance(command, Answer) for command in told)


def cut_off_by_time_up(table: Table) -> tuple[Transcribe, Transcribe]:
    """Ask for what the person said in a pause, and again as time is up and the last words end."""
    (asked,) = table.tell(SpeechPaused(100, 130), frame=140)
    table.tell(TimeUpRendered(1_000))
    assert table.director.deadline is not None
    given_up, again, said = table.tell(DeadlineReached(), frame=table.director.deadline)
    assert isinstance(asked, Transcribe)
    assert isinstance(again, Transcribe)
    assert given_up == GiveUp(asked.speech)
    assert said == Play(table.prepared.time_up)
    ended = table.tell(SpeechOver(table.prepared.time_up), frame=1000)
    assert ended[-1] == End("max_duration", after_words=True)
    return asked, again


def voice(speech: Speech, text: str) -> None:
    if text:
        speech.begin_clause(text)
        speech.add(np.full(RATE, 5000, dtype=np.int16))
        speech.end_clause()
    speech.finished = True


def play(speech: Speech, frames: int = 1000) -> None:
    for _ in range(frames):
        speech.next_frame()


def reported(commands: list[Command]) -> list[tuple[str, str, bool]]:
    turns = [command.turn for command in commands if isinstance(command, Report)]
    return [(turn.speaker, turn.text, turn.interrupted) for turn in turns]


# The clock ------------------------------------------------------------------------------


def test_the_opening_is_said_when_it_is_due() -> None:
    table = Table(opening_delay_ms=600)
    assert table.director.deadline == 600 // FRAME_MS
    (play,) = table.tell(DeadlineReached(), frame=30)
    assert isinstance(play, Play)
    assert play.speech is table.prepared.opening
    assert table.tell(DeadlineReached(), frame=31) == []


def test_the_call_ends_at_its_longest_after_words_that_fit_in_before() -> None:
    table = Table(opening_delay_ms=0, max_duration_ms=20_000).opened()
    assert table.director.deadline == 20_000 // FRAME_MS
    assert table.tell(TimeUpRendered(3_000)) == []
    assert table.director.deadline == (20_000 - 3_600) // FRAME_MS
    assert table.tell(DeadlineReached(), frame=820) == [Play(table.prepared.time_up)]
    assert table.tell(Keys("1", 830, 0.0), frame=830) == [], "last words are not interrupted"
    assert table.tell(DeadlineReached(), frame=1000) == [End("max_duration", after_words=False)]


# Turns ----------------------------------------------------------------------------------


def test_a_pause_is_answered_ahead_and_the_end_of_the_turn_speaks_the_answer() -> None:
    table = Table().opened()
    (transcribe,) = table.tell(SpeechPaused(100, 130), frame=140)
    assert isinstance(transcribe, Transcribe)
    assert (transcribe.started_ms, transcribe.ended_ms) == (2_000, 2_620)
    transcript = Transcript("i want a visit", 0.9)
    told, answer = table.tell(Transcribed(transcribe.speech, transcript), frame=145)
    assert told == TellTurnDetector(transcript)
    assert isinstance(answer, Answer)
    assert answer.speech is transcribe.speech
    assert [message["content"] for message in answer.messages[1:]] == [
        CALL_ANSWERED,
        "hello, this is the clinic.",
        "i want a visit",
    ]
    commands = table.tell(TurnEnded(100, 130), frame=151)
    turn = Turn("person", "i want a visit", 2_000, 2_620, confidence=0.9)
    assert commands == [Play(answer.speech, answer.stopwatch)]
    assert not table.director.understanding
    assert table.tell(SpeechHeard(answer.speech), frame=180) == [Report(turn)]
    assert table.tell(SpeechHeard(answer.speech), frame=181) == []


def test_a_turn_that_ends_before_it_is_understood_is_spoken_to_when_it_is() -> None:
    table = Table().opened()
    (transcribe,) = table.tell(TurnEnded(100, 130), frame=151)
    assert isinstance(transcribe, Transcribe)
    assert table.director.understanding
    commands = table.tell(Transcribed(transcribe.speech, Transcript("hm well", 0.9)), frame=160)
    assert [type(command) for command in commands] == [TellTurnDetector, Answer, Play]


def test_a_turn_that_is_not_understood_yet_stays_one_with_the_next_whatever_its_pauses() -> None:
    table = Table().opened()
    asked = table.tell(TurnEnded(80, 90), frame=111)
    asked += table.tell(SpeechPaused(115, 125), frame=135)
    asked += table.tell(SpeechResumed(), frame=137)
    asked += table.tell(SpeechPaused(115, 150), frame=160)
    asked += table.tell(TurnEnded(115, 150), frame=172)
    asked += table.tell(SpeechPaused(180, 190), frame=200)
    spans = [(one.started_ms, one.ended_ms) for one in asked if isinstance(one, Transcribe)]
    assert spans == [(1_600, 1_820), (1_600, 2_520), (1_600, 3_020), (1_600, 3_820)]
    (*_, last) = (one for one in asked if isinstance(one, Transcribe))
    table.tell(Transcribed(last.speech, Transcript("a visit on tuesday", 0.9)), frame=201)
    assert reported(table.tell(TurnEnded(180, 190), frame=212)) == []
    commands = table.tell(SpeechHeard(last.speech), frame=240)
    assert reported(commands) == [("person", "a visit on tuesday", False)]
    (transcribe,) = table.tell(SpeechPaused(300, 310), frame=320)
    assert isinstance(transcribe, Transcribe)
    assert transcribe.started_ms == 6_000, "all before is understood"


def test_who_goes_on_after_a_pause_makes_the_answer_void() -> None:
    table = Table().opened()
    answer = table.asked("i want")
    assert table.tell(SpeechResumed(), frame=145) == [GiveUp(answer.speech)]
    assert table.tell(Transcribed(answer.speech, Transcript("i want", 0.9)), frame=146) == []


def test_parts_that_are_not_understood_yet_do_not_repeat_what_was_noted_meanwhile() -> None:
    table = Table().opened()
    table.answering("i want a visit", "when?")
    table.tell(TurnEnded(160, 170), frame=195)
    table.tell(SpeechPaused(200, 210), frame=215)
    table.tell(SpeechResumed(), frame=217)
    commands = table.tell(Keys("5", 218, 0.0), frame=218)
    assert reported(commands) == [("person", "i want a visit", False), ("person", "5", False)]
    (transcribe,) = table.tell(SpeechPaused(200, 230), frame=240)
    assert isinstance(transcribe, Transcribe)
    assert (transcribe.started_ms, transcribe.ended_ms) == (3_200, 4_620)


def test_what_was_begun_in_vain_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    table = Table().opened()
    for frame in (100, 200, 300):
        table.tell(SpeechPaused(50, frame), frame=frame + 3)
        if frame < 300:
            table.tell(SpeechResumed(), frame=frame + 6)
    with caplog.at_level("DEBUG", logger="voice_loop.director"):
        table.director.stop(Moment(frame=310))
    assert "call call-1: 2 of 3 answers were begun in vain" in caplog.text


def test_a_backchannel_lets_the_agent_go_on_and_words_cut_it_short() -> None:
    table = Table().opened()
    speech = table.answering("i want a visit", "we have mondays, tuesdays and fridays.")
    play(speech, 20)
    assert reported(table.tell(SpeechHeard(speech), frame=170)) == [
        ("person", "i want a visit", False)
    ]
    (transcribe,) = table.tell(SpeechPaused(180, 190), frame=200)
    assert isinstance(transcribe, Transcribe)
    resumed = table.tell(Transcribed(transcribe.speech, Transcript("mm hmm", 0.9)), frame=205)
    assert resumed[1:] == [Resume()]
    _, transcribe = table.tell(SpeechPaused(180, 230), frame=240)
    assert isinstance(transcribe, Transcribe)
    table.tell(Transcribed(transcribe.speech, Transcript("mm hmm no stop", 0.9)), frame=245)
    commands = table.tell(TurnEnded(180, 230), frame=251)
    assert reported(commands) == [("agent", "we have", True)]
    assert [type(command) for command in commands] == [FallSilent, Report, GiveUp, Play]


def test_who_goes_on_before_the_answer_was_heard_withdraws_it_and_both_are_one() -> None:
    table = Table().opened()
    first = table.answering("four one five", "thank you.")
    (transcribe,) = table.tell(SpeechPaused(160, 190), frame=200)
    assert isinstance(transcribe, Transcribe)
    assert (transcribe.started_ms, transcribe.ended_ms) == (2_000, 3_820), "all of it is heard"
    whole = Transcript("four one five five five five", 0.9)
    _, answer, hold = table.tell(Transcribed(transcribe.speech, whole), frame=201)
    assert hold == Hold()
    assert isinstance(answer, Answer)
    assert [message["content"] for message in answer.messages[-1:]] == [
        f"four one five five five five {READ_BACK}"
    ]
    commands = table.tell(TurnEnded(160, 190), frame=212)
    assert commands == [FallSilent(), GiveUp(first), Play(answer.speech, answer.stopwatch)]
    (report,) = table.tell(SpeechHeard(answer.speech), frame=240)
    assert isinstance(report, Report)
    assert report.turn == Turn("person", whole.text, 2_000, 3_820, confidence=0.9)


@pytest.mark.parametrize("added", ["", "mm hmm"])
def test_what_only_lets_an_answer_go_on_is_no_part_of_what_it_answers(added: str) -> None:
    table = Table().opened()
    speech = table.answering("i want a visit", "we have mondays, tuesdays and fridays.")
    (transcribe,) = table.tell(SpeechPaused(160, 170), frame=180)
    assert isinstance(transcribe, Transcribe)
    heard = Transcript(f"i want a visit {added}", 0.9)
    told, resume = table.tell(Transcribed(transcribe.speech, heard), frame=181)
    assert (told, resume) == (TellTurnDetector(Transcript(added, 0.9)), Resume())
    said = [("person", "i want a visit", False)] + [("person", added, False)] * bool(added)
    commands = table.tell(TurnEnded(160, 170), frame=195)
    commands += table.tell(SpeechHeard(speech), frame=210)
    assert reported(commands) == said


def test_words_that_go_on_are_told_once_where_something_else_comes_between() -> None:
    table = Table().opened()
    table.answering("i want a visit", "when?")
    table.tell(SpeechPaused(160, 170), frame=180)
    table.tell(TurnEnded(160, 170), frame=195)
    commands = table.tell(Keys("5", 200, 0.0), frame=200)
    assert reported(commands) == [("person", "i want a visit", False), ("person", "5", False)]
    (again,) = [one for one in commands if isinstance(one, Transcribe)]
    assert (again.started_ms, again.ended_ms) == (3_200, 3_420)


def test_unsure_words_are_asked_for_again() -> None:
    table = Table().opened()
    (transcribe,) = table.tell(SpeechPaused(100, 130), frame=140)
    assert isinstance(transcribe, Transcribe)
    commands = table.tell(Transcribed(transcribe.speech, Transcript("mumble", 0.1)), frame=141)
    assert commands[1:] == [ReadOut(transcribe.speech, PHRASES.repeat, transcribe.stopwatch)]


# Tools ----------------------------------------------------------------------------------


def test_a_tool_is_used_after_the_words_before_it_and_its_result_is_answered() -> None:
    table = Table().opened()
    speech = table.using()
    told, answer = table.tell(ToolDone(ToolResult("booked")), frame=210)
    assert reported([told]) == [("tool", "booked", False)]
    assert isinstance(answer, Answer)
    assert answer.speech is speech


def test_no_tool_is_used_while_the_person_speaks() -> None:
    table = Table().opened()
    speech = table.answering("tuesday", "let me see.", BOOK)
    play(speech)
    assert table.tell(SpeechOver(speech), frame=200, person_speaks=True) == [Hold()]


def test_an_answer_to_what_was_said_meanwhile_waits_for_the_tool() -> None:
    table = Table().opened()
    table.using()
    commands = table.tell(Keys("5", 205, 0.0), frame=205)
    assert not [command for command in commands if isinstance(command, Answer)]
    (play,) = [command for command in commands if isinstance(command, Play)]
    _, answer = table.tell(ToolDone(ToolResult("booked")), frame=210)
    assert isinstance(answer, Answer)
    assert answer.speech is play.speech
    assert "booked" in answer.messages[-1]["content"]


@pytest.mark.parametrize("away", [False, True])
def test_a_slow_tool_is_told_of_unless_the_line_was_somebody_elses(away: bool) -> None:
    table = Table().opened()
    table.using(before="")
    assert table.director.deadline == 235
    commands = table.tell(DeadlineReached(), frame=235, away_frame=220 if away else -1)
    said = [command.text for command in commands if isinstance(command, ReadOut)]
    assert said == ([] if away else [PHRASES.one_moment])


# The end --------------------------------------------------------------------------------


@pytest.mark.parametrize("apology", [True, False])
def test_a_failure_is_told_to_the_person_if_that_can_be(apology: bool) -> None:
    table = Table().opened()
    table.prepared.apology.finished = apology
    speech = table.asked("i want a visit").speech
    commands = table.tell(Failed(EngineError("no memory"), speech), frame=142)
    if not apology:
        assert commands == [End("engine_error", after_words=False)]
        return
    given_up, told, play = commands
    assert given_up == GiveUp(speech)
    assert reported([told]) == [("person", "i want a visit", False)]
    assert play == Play(table.prepared.apology)
    ended = table.tell(SpeechOver(table.prepared.apology), frame=300)
    assert ended[-1] == End("engine_error", after_words=True)


def test_a_failure_that_nobody_waits_for_is_not_told() -> None:
    table = Table().opened()
    speech = table.asked("i want").speech
    table.tell(SpeechResumed(), frame=145)
    assert table.tell(Failed(EngineError("no memory"), speech), frame=146) == []


def test_words_that_the_end_cuts_off_are_noted() -> None:
    table = Table().opened()
    assert table.tell(Over("person_hangup"), frame=150) == [End("person_hangup", after_words=False)]
    talking = Moment(frame=150, person_speaks=True, talking=True, onset_frame=120)
    assert table.director.stop(talking) == []
    assert table.director.close(talking) == []
    (transcribe,) = table.director.note_last_words()
    assert isinstance(transcribe, Transcribe)
    assert (transcribe.started_ms, transcribe.ended_ms) == (2_400, 3_020)
    heard = table.tell(Transcribed(transcribe.speech, Transcript("good bye", 0.9)), frame=150)
    assert reported(heard) == [("person", "good bye", False)]


def test_words_that_the_last_ones_cut_off_are_noted_whenever_they_are_understood() -> None:
    table = Table().opened()
    _, transcribe = cut_off_by_time_up(table)
    assert table.director.stop(Moment(frame=1000)) == []
    heard = table.tell(Transcribed(transcribe.speech, Transcript("one more", 0.9)), frame=1000)
    assert reported(heard) == [("person", "one more", False)]
    assert table.director.note_last_words() == []


def test_words_that_the_last_ones_and_then_the_end_cut_off_are_all_noted_once() -> None:
    table = Table().opened()
    asked, _ = cut_off_by_time_up(table)
    table.director.stop(Moment(frame=1000, person_speaks=True, talking=True, onset_frame=100))
    spans = {}
    for transcribe in table.director.note_last_words():
        assert isinstance(transcribe, Transcribe)
        spans[transcribe.speech] = (transcribe.started_ms, transcribe.ended_ms)
    assert list(spans.values()) == [(2_000, 2_620), (2_620, 20_020)]
    assert asked.speech in spans
    for speech, words in zip(spans, ("one more", "question"), strict=True):
        heard = table.tell(Transcribed(speech, Transcript(words, 0.9)), frame=1000)
        assert reported(heard) == [("person", words, False)]


def test_a_failure_around_the_end_takes_no_words_that_are_known() -> None:
    table = Table().opened()
    speech = table.asked("good bye").speech
    table.director.stop(Moment(frame=150))
    commands = table.tell(Failed(EngineError("no memory"), speech), frame=150)
    assert reported(commands) == [("person", "good bye", False)]
    assert table.director.note_last_words() == []


def test_words_whose_recognition_fails_around_the_end_are_recognised_once_more() -> None:
    table = Table().opened()
    (transcribe,) = table.tell(SpeechPaused(100, 130), frame=140)
    assert isinstance(transcribe, Transcribe)
    table.director.stop(Moment(frame=150))
    failed = Failed(EngineError("given up"), transcribe.speech)
    assert table.tell(failed, frame=150) == []
    assert table.director.note_last_words() == [transcribe]
    assert table.tell(failed, frame=150) == []
    heard = table.tell(Transcribed(transcribe.speech, Transcript("bye", 0.9)), frame=150)
    assert heard == [], "that was the last attempt"


def test_the_end_notes_what_was_heard_and_the_tool_that_was_not_done() -> None:
    table = Table().opened()
    table.using()
    assert table.director.stop(Moment(frame=220))[0] == FallSilent()
    assert table.tell(Told("somebody else is on the line"), frame=221) == []
    (told,) = table.director.close(Moment(frame=222))
    assert reported([told]) == [("tool", "The call ended before this was done.", False)]
    assert table.tell(ToolDone(ToolResult("booked")), frame=223) == []


def test_what_is_whispered_is_known_in_the_next_answer_and_not_spoken() -> None:
    table = Table().opened()
    assert table.tell(Whispered("the clinic closes at five"), frame=90) == []
    answer = table.asked("until when are you open")
    (told,) = [one for one in answer.messages if "closes at five" in one["content"]]
    assert told["role"] == "user"


def test_what_an_operator_says_takes_the_floor() -> None:
    table = Table().opened()
    speech = table.answering("tuesday", "on tuesday we have ten or eleven.")
    play(speech, 20)
    commands = table.tell(SayNow("one moment please"), frame=170)
    (spoken,) = [one for one in commands if isinstance(one, ReadOut)]
    assert spoken.text == "one moment please"
    assert GiveUp(speech) in commands
    assert [one.speech for one in commands if isinstance(one, Play)] == [spoken.speech]
