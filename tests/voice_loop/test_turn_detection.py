"""How long a silence ends a turn, by what is known of it."""

import pytest

from voice_loop.ports import Transcript
from voice_loop.turn_detection import SHORTEST_MS, TurnDetector

LONGEST_MS = 1_500
NEUTRAL_MS = 420
PHONE = "what is your phone number?"


def detector(end_of_turn_ms: int = NEUTRAL_MS, language: str = "en") -> TurnDetector:
    return TurnDetector(end_of_turn_ms, LONGEST_MS, language, "US")


def wait_ms(
    words: str | None = None,
    sound: float | None = None,
    *,
    asked: str = "",
    turns: TurnDetector | None = None,
) -> float:
    """The silence that ends a turn of which that is known."""
    turns = turns or detector()
    turns.asked(asked)
    turns.paused(2_700)
    if words is not None:
        turns.transcribed(Transcript(words, 0.9))
    if sound is not None:
        turns.heard_end(sound)
    over = next(ms for ms in range(0, 10_000, 20) if turns.turn_over(ms))
    assert turns.wait_ms <= over < turns.wait_ms + 20
    return over


def test_of_what_nothing_is_known_ends_as_it_is_set() -> None:
    assert wait_ms() == NEUTRAL_MS
    for set_ms in (100, 300, 840, 3_000):
        assert wait_ms(turns=detector(set_ms)) == set_ms


@pytest.mark.parametrize("set_ms", [NEUTRAL_MS, 2 * NEUTRAL_MS])
def test_the_sound_decides_without_words(set_ms: int) -> None:
    waits = [wait_ms(sound=sound, turns=detector(set_ms)) for sound in (0.99, 0.7, 0.5, 0.3, 0.01)]
    assert waits == sorted(waits)
    assert waits[0] < 0.6 * set_ms
    assert 0.8 * set_ms < waits[2] < 1.1 * set_ms
    assert waits[-1] > 1_300


def test_whoever_is_set_more_patient_waits_longer_whatever_is_known() -> None:
    for known in ({}, {"sound": 0.2}, {"sound": 0.8, "words": "Yes."}, {"words": "I come on"}):
        waits = [wait_ms(turns=detector(ms), **known) for ms in (150, 300, 420, 800, 1_500, 3_000)]
        assert waits == sorted(waits)
        assert waits[-1] > 1.5 * waits[0]


def test_words_that_others_must_follow_wait_longest_and_whole_ones_least() -> None:
    unfinished = wait_ms("I can come on")
    whole = wait_ms("I can come on Tuesday.")
    assert whole < NEUTRAL_MS < 1_000 < unfinished
    assert wait_ms("I can come on", 0.9) < unfinished, "the sound has its say too"
    assert wait_ms("I can come on Tuesday.", 0.05) > NEUTRAL_MS


def test_a_yes_is_the_answer_to_some_questions_only() -> None:
    asked = wait_ms("yes", asked="does tuesday suit you?")
    assert asked <= 200
    assert asked < wait_ms("yes", asked="how can i help you?")


def test_who_may_say_anything_is_given_time_until_they_have_spoken_a_while() -> None:
    waits = []
    for spoken_ms in (300, 1_000, 4_000):
        turns = detector()
        turns.asked("how can i help you?")
        turns.paused(spoken_ms)
        turns.transcribed(Transcript("I have a problem.", 0.9))
        turns.heard_end(0.6)
        waits.append(turns.wait_ms)
    assert waits == sorted(waits, reverse=True)
    assert waits[0] > 1.3 * waits[2]


@pytest.mark.parametrize("words", ["415", "my number is 415 555", "four one five five"])
@pytest.mark.parametrize("asked", [PHONE, ""])
def test_what_is_dictated_may_pause_for_almost_a_second(words: str, asked: str) -> None:
    assert wait_ms(words, 0.95, asked=asked) > 1_000
    assert wait_ms(words, asked=asked, turns=detector(200)) > 1_000


def test_what_is_not_heard_of_a_dictation_leaves_it_under_way() -> None:
    turns = detector()
    assert wait_ms("415 555", asked=PHONE, turns=turns) > 1_000
    turns.paused(3_000)
    assert not turns.turn_over(1_000), "the words are late"
    turns.transcribed(Transcript("", 0.0))
    assert not turns.turn_over(1_000)
    turns.transcribed(Transcript("no, wait, i do not know it by heart.", 0.9))
    assert turns.turn_over(1_000)
    assert wait_ms(turns=turns) == NEUTRAL_MS, "another turn"


def test_who_is_asked_for_a_number_has_time_to_begin_it() -> None:
    assert wait_ms("", 0.99, asked=PHONE) > 1_000, "the recogniser did not hear the first digit"
    assert wait_ms("I do not have one.", 0.99, asked=PHONE) < NEUTRAL_MS
    assert wait_ms("", 0.99) < NEUTRAL_MS


def test_who_is_not_understood_is_let_go_on() -> None:
    unsure = TurnDetector(NEUTRAL_MS, LONGEST_MS, "en", min_confidence=0.95)
    assert wait_ms("Bye.", 0.95, turns=unsure) > 1_000
    assert wait_ms("Bye.", 0.95) < NEUTRAL_MS


def test_a_number_that_is_complete_ends_soon() -> None:
    assert wait_ms("415 555 0132", asked=PHONE) < NEUTRAL_MS
    assert wait_ms("415 555 013", asked=PHONE) > 1_000
    assert wait_ms("415 555 0132") < 1_000, "soon, but nobody had asked"


@pytest.mark.parametrize("gap_ms", [300, 450, 900])
def test_a_number_is_not_over_sooner_than_its_next_digit_would_come(gap_ms: int) -> None:
    """Of ten digits that were heard one may be there twice."""
    turns = detector()
    turns.asked(PHONE)
    for _ in range(8):
        turns.paused(3_000)
        turns.went_on(gap_ms)
    waited = wait_ms("415 555 0132", asked=PHONE, turns=turns)
    assert gap_ms + 100 < waited < 1.5 * gap_ms + 150


def test_a_number_in_groups_ends_soon_after_its_last_one() -> None:
    turns = detector()
    for gap_ms in (220, 220, 800, 220, 220, 800, 220, 220, 220):
        turns.went_on(gap_ms)
    assert wait_ms("415 555 0132", asked=PHONE, turns=turns) < 500


def test_a_pause_starts_with_nothing_known() -> None:
    turns = detector()
    assert wait_ms("I can come on", 0.01, turns=turns) > 1_300
    assert wait_ms(turns=turns) == NEUTRAL_MS


def test_who_pauses_long_within_turns_is_given_time_and_who_does_not_is_answered_sooner() -> None:
    waits = []
    for paused_ms in (220, 350, 550):
        turns = detector()
        for _ in range(2):
            turns.went_on(paused_ms)
        assert wait_ms(turns=turns) == NEUTRAL_MS, "two pauses are no habit"
        turns.went_on(paused_ms)
        turns.went_on(40)
        waits.append(wait_ms(turns=turns))
    assert waits[0] < waits[1] == NEUTRAL_MS < waits[2]


def test_words_due_are_waited_for_unless_they_are_late() -> None:
    for sound, late_ms in ((0.99, 800), (0.01, 1_420)):
        turns = detector()
        turns.paused(2_700)
        turns.heard_end(sound)
        turns.await_words()
        assert not turns.turn_over(late_ms - 20)
        assert turns.turn_over(late_ms), "the sound alone decides"
        turns.transcribed(Transcript("yes, please.", 0.9))
        assert turns.turn_over(SHORTEST_MS + 40) is (sound > 0.5)


def test_a_machine_is_let_finish_its_greeting() -> None:
    assert wait_ms("You have reached the Smiths. Please leave a message.") > 1_000


def test_nothing_unknown_to_a_language_is_held_against_its_speakers() -> None:
    turns = detector(language="fi")
    assert wait_ms("Haluaisin ajan tiistaiksi.", turns=turns, asked="Mikä päivä?") < NEUTRAL_MS
    assert wait_ms("040 123", turns=turns) > 1_000, "figures are figures"
