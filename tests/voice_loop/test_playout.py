"""Speech on its way out: exact frames, and which words have left."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_loop.audio import Samples, frame_samples
from voice_loop.playout import (
    MAX_SPEECH_SECONDS,
    Playout,
    Speech,
    SpeechFactory,
    is_voiced,
)

RATE = 8000
SIZE = frame_samples(RATE)


def tone(frames: float, level: int = 5000) -> Samples:
    return np.full(int(frames * SIZE), level, dtype=np.int16)


def speech_of(*clauses: tuple[str, Samples], rate: int = RATE) -> Speech:
    speech = Speech(rate, RATE)
    for text, audio in clauses:
        speech.begin_clause(text)
        speech.add(audio)
        speech.end_clause()
    speech.finished = True
    return speech


def play(speech: Speech, frames: int | None = None) -> list[Samples]:
    out: list[Samples] = []
    while (frames is None or len(out) < frames) and (frame := speech.next_frame()) is not None:
        out.append(frame)
    return out


@given(st.lists(st.integers(0, 500), max_size=30))
def test_every_sample_leaves_once_and_in_order(sizes: list[int]) -> None:
    audio = np.arange(1000, 1000 + sum(sizes), dtype=np.int16)
    speech = Speech(RATE, RATE)
    speech.begin_clause("counting")
    for chunk in np.split(audio, np.cumsum(sizes)[:-1].astype(int)) if sizes else []:
        speech.add(chunk)
    speech.end_clause()
    speech.finished = True
    frames = play(speech)
    assert all(frame.size == SIZE and frame.dtype == np.int16 for frame in frames)
    sent = np.concatenate([*frames, tone(0)])
    np.testing.assert_array_equal(sent[: audio.size], audio)
    assert sent.size - audio.size < SIZE
    assert not sent[audio.size :].any()
    assert speech.over


@pytest.mark.parametrize("source_rate", [16000, 22050])
def test_audio_is_resampled_to_the_line(source_rate: int) -> None:
    seconds = np.arange(source_rate) / source_rate
    audio = (8000 * np.sin(2 * np.pi * 440 * seconds)).astype(np.int16)
    frames = play(speech_of(("a tone", audio), rate=source_rate))
    assert len(frames) == pytest.approx(50, abs=1)
    spectrum = np.abs(np.fft.rfft(np.concatenate(frames)[:RATE].astype(float), RATE))
    assert int(spectrum.argmax()) == pytest.approx(440, abs=1)


def test_leading_silence_is_cut_and_other_silence_kept() -> None:
    audio = np.concatenate([tone(5.5, 0), tone(4), tone(3, 0), tone(2), tone(6, 0)])
    frames = play(speech_of(("hello", audio)))
    assert is_voiced(frames[0])
    assert len(frames) == 16  # the frame that is half silent begins it
    assert [is_voiced(frame) for frame in frames[-6:]] == [False] * 6


def test_a_runaway_voice_is_cut() -> None:
    speech = speech_of(("aaaa", tone(50 * MAX_SPEECH_SECONDS + 100)))
    assert len(play(speech)) == 50 * MAX_SPEECH_SECONDS


def test_silence_is_not_voiced() -> None:
    assert not is_voiced(tone(1, 0))
    assert not is_voiced(tone(1, 159))
    assert is_voiced(tone(1, -160))
    assert is_voiced(tone(1, -32768))
    assert not is_voiced(tone(0))


# Which words were heard -----------------------------------------------------------------


def test_words_are_heard_as_their_audio_leaves() -> None:
    speech = speech_of(("one two three.", tone(14)), ("four five", tone(9)))
    heard = [speech.heard_text]
    while speech.next_frame() is not None:
        heard.append(speech.heard_text)
    assert list(dict.fromkeys(heard)) == [
        "",
        "one",
        "one two",
        "one two three.",
        "one two three. four",
        "one two three. four five",
    ]
    assert heard.index("one") == 3
    assert heard.index("one two") == 7
    assert heard.index("one two three.") == 14


@given(st.lists(st.tuples(st.text("ab ", min_size=1, max_size=30), st.integers(1, 60)), max_size=5))
def test_heard_words_only_grow_and_end_as_what_was_said(clauses: list[tuple[str, int]]) -> None:
    speech = speech_of(*((text, tone(frames)) for text, frames in clauses))
    said = " ".join(" ".join(text for text, _ in clauses).split())
    before: list[str] = []
    while True:
        words = speech.heard_text.split()
        assert words[: len(before)] == before
        before = words
        if speech.next_frame() is None:
            break
    assert " ".join(before) == said


def test_the_words_are_over_when_only_silence_is_left() -> None:
    speech = speech_of(("one two", np.concatenate([tone(7), tone(10, 0)])))
    play(speech, 6)
    assert (speech.heard_text, speech.cut_short) == ("one", True)
    play(speech, 1)
    assert (speech.heard_text, speech.cut_short, speech.over) == ("one two", False, False)


def test_of_a_clause_in_the_making_the_words_are_estimated() -> None:
    speech = Speech(RATE, RATE)
    speech.begin_clause("a clause of thirty characters.")  # two seconds, as far as one can tell
    speech.add(tone(60))
    play(speech, 50)
    assert speech.heard_text == "a clause of"
    speech.add(tone(440))
    assert speech.heard_text == "a", "it is much slower than thought"


@pytest.mark.parametrize("frames_per_word", [5, 40])
def test_of_a_clause_in_the_making_the_words_go_as_fast_as_those_before(
    frames_per_word: int,
) -> None:
    """At 1.5 times the speed Piper says 30 characters a second, at half of it 9."""
    speeches = SpeechFactory(RATE, RATE)
    before = speeches.new()
    before.begin_clause("abcd abcd")
    before.add(tone(2 * frames_per_word))
    before.end_clause()
    speech = speeches.new()
    speech.begin_clause("abcd " * 10)
    speech.add(tone(4.5 * frames_per_word))
    play(speech)
    assert speech.heard_text.split() == ["abcd"] * 4


def test_nothing_is_heard_before_the_first_frame_nor_of_a_voice_without_sound() -> None:
    speech = speech_of(("silent", tone(0)), ("mute", tone(5, 0)), ("audible", tone(5)))
    assert speech.heard_text == ""
    play(speech)
    assert speech.heard_text == "audible"


def test_a_speech_is_cut_short_until_it_is_known_to_be_whole() -> None:
    speech = Speech(RATE, RATE)
    states = [(speech.begun, speech.cut_short)]
    speech.begin_clause("hello")
    speech.add(tone(5))
    speech.end_clause()
    play(speech)
    states.append((speech.begun, speech.cut_short))  # more may come
    speech.finished = True
    states.append((speech.begun, speech.cut_short))
    assert states == [(False, True), (True, True), (True, False)]


@pytest.mark.parametrize(("left", "nearly"), [(40, False), (25, False), (24, True), (0, True)])
def test_who_speaks_when_little_is_left_answers(left: int, nearly: bool) -> None:
    speech = speech_of(("one two three four", tone(60)))
    assert speech.is_answered_at(60 - left) is nearly
    speech.finished = False
    assert not speech.is_answered_at(60 - left)


@pytest.mark.parametrize(
    ("at", "answers"), [(0, False), (49, False), (50, True), (100, True), (160, True), (161, False)]
)
def test_who_speaks_around_the_end_of_a_question_answers(at: int, answers: bool) -> None:
    speech = speech_of(("is that so?", tone(100)), ("we are at main street.", tone(200)))
    assert speech.is_answered_at(at) is answers


# Playout --------------------------------------------------------------------------------


def numbered(count: int, gap: int) -> Speech:
    """Frames of their own numbers as amplitudes, from 1001 on; the one at `gap` is quiet."""
    amplitudes = [10 if index == gap else 1001 + index for index in range(count)]
    return speech_of(("one two", np.repeat(amplitudes, SIZE).astype(np.int16)))


def peaks(playout: Playout, count: int) -> list[int]:
    frames = [playout.next_frame() for _ in range(count)]
    return [0 if frame is None else int(frame[-1]) for frame in frames]


@pytest.mark.parametrize(
    ("stopped", "gap", "goes_on"),
    [(60, 40, 40), (60, 21, 21), (60, 52, 20), (60, 5, 20), (30, 10, 10), (8, 3, 0)],
)
def test_a_held_speech_goes_on_after_the_word_that_ended_before(
    stopped: int, gap: int, goes_on: int
) -> None:
    """Not the last 240 ms, not more than 800 ms, and where it is quietest between."""
    playout = Playout()
    assert playout.next_frame() is None
    playout.play(numbered(100, gap))
    peaks(playout, stopped)
    playout.hold()
    assert (playout.held, playout.audible, playout.next_frame()) == (True, False, None)
    playout.resume()
    assert (playout.held, playout.audible) == (False, True)
    expected = [10 if index == gap else 1001 + index for index in range(goes_on, 100)]
    assert peaks(playout, 101 - goes_on) == [*expected, 0]
    assert not playout.audible


def test_a_speech_that_was_stopped_at_its_end_says_nothing_again() -> None:
    playout = Playout()
    playout.play(numbered(20, 3))
    peaks(playout, 20)
    playout.hold()
    playout.resume()
    assert playout.next_frame() is None


def test_a_lowered_speech_goes_on_and_comes_back_without_a_step() -> None:
    playout = Playout()
    playout.play(speech_of(("one two", tone(10, 10_000))))
    sent = [playout.next_frame()]
    playout.lower()
    assert (playout.lowered, playout.audible) == (True, True)
    sent += [playout.next_frame() for _ in range(3)]
    playout.resume()
    assert not playout.lowered
    sent += [playout.next_frame() for _ in range(3)]
    whole = np.concatenate([frame for frame in sent if frame is not None]).astype(np.int32)
    assert whole.size == 7 * SIZE
    assert [int(whole[index * SIZE - 1]) for index in (1, 3, 4, 6, 7)] == pytest.approx(
        [10_000, 3_160, 3_160, 10_000, 10_000], abs=1
    )
    assert np.abs(np.diff(whole)).max() < 50


def test_a_taken_speech_is_silent_and_keeps_what_was_heard() -> None:
    playout = Playout()
    speech = speech_of(("one two", tone(7)))
    playout.play(speech)
    for _ in range(4):
        playout.next_frame()
    assert playout.take() is speech
    assert playout.next_frame() is None
    assert playout.take() is None
    assert speech.heard_text == "one"


def test_there_is_nothing_to_hold_in_silence() -> None:
    playout = Playout()
    playout.hold()
    assert not playout.held
    playout.play(speech_of(("one", tone(3))))
    assert playout.next_frame() is not None


def test_a_new_speech_is_not_held() -> None:
    playout = Playout()
    playout.play(speech_of(("one", tone(3))))
    playout.hold()
    playout.play(speech_of(("two", tone(3))))
    assert playout.next_frame() is not None


def test_the_agent_is_audible_between_clauses_but_not_before_the_first() -> None:
    playout = Playout()
    speech = Speech(RATE, RATE)
    playout.play(speech)
    audible = [playout.audible]
    speech.begin_clause("one")
    speech.add(tone(2))
    audible.append(playout.audible)
    while playout.next_frame() is not None:
        pass
    audible.append(playout.audible)
    speech.finished = True
    audible.append(playout.audible)
    assert audible == [False, True, True, False]


@pytest.mark.parametrize(("played", "kept"), [(0, ""), (7, "one two"), (14, "one two three.")])
def test_what_has_not_left_can_be_taken_back(played: int, kept: str) -> None:
    speech = speech_of(("one two three.", tone(14)), ("four five", tone(9)))
    speech.finished = False
    play(speech, played)
    speech.retract()
    assert speech.text == speech.heard_text == kept
    assert speech.next_frame() is None
    assert speech.wordless is not bool(kept)
    speech.begin_clause("six")
    speech.add(tone(5))
    speech.end_clause()
    speech.finished = True
    assert len(play(speech)) == 5
    assert speech.heard_text == f"{kept} six".strip()
    assert speech.over
    assert not speech.cut_short
