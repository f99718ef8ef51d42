"""What a recogniser's hypotheses are worth, on what Whisper base made of people and of noise.

`looks.json` is what its decoder offered for a third of the closed part's single words and pieces
of noise (`python -m bench.recognition --looks`).
"""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.recognition import FIGURES
from models.hypotheses import Hypothesis, Look, weigh
from models.registry import MIN_CONFIDENCE
from models.whisper import RATE, vowels_s
from voice_loop.phrases import plain_words

LOOKS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("looks.json").read_text("utf-8"))


def look(recorded: dict[str, Any]) -> Look:
    ways = [Hypothesis(**one) for one in recorded["hypotheses"]]
    return Look(ways, recorded["no_speech"], recorded["vowels_s"])


def confidence(look: Look) -> float:
    return math.exp(weigh(look).log_probability)


def greedy(recorded: dict[str, Any]) -> Look:
    """The best hypothesis alone."""
    return replace(look(recorded), hypotheses=look(recorded).hypotheses[:1])


def is_right(said: str, text: str) -> bool:
    return FIGURES.get(plain_words(text), plain_words(text)) == said


def acted_on(look: Look) -> bool:
    return bool(weigh(look).text) and confidence(look) >= MIN_CONFIDENCE


WORDS = [one for one in LOOKS if one["set"] == "words"]
NOISE = [one for one in LOOKS if one["set"] == "noise"]


def test_right_words_are_believed_and_wrong_ones_less_often_than_by_one_hypothesis() -> None:
    right = [one for one in WORDS if is_right(one["said"], weigh(look(one)).text)]
    wrong = [one for one in WORDS if one not in right]
    assert len(right) >= 0.65 * len(WORDS)
    believed = sum(acted_on(look(one)) for one in right) / len(right)
    assert believed >= 0.8
    assert believed > sum(acted_on(greedy(one)) for one in right) / len(right)
    # What is doubtful gets another look first.
    final = [look(one) for one in wrong if not weigh(look(one)).doubtful]
    assert sum(acted_on(one) for one in final) <= 0.5 * len(wrong)


def test_noise_is_no_words() -> None:
    heard = [one["name"] for one in NOISE if acted_on(look(one))]
    # In the kitchen, somebody says something.
    assert len(heard) <= 1


def test_all_ways_to_write_a_word_count_for_it() -> None:
    ways = [("Go", -2.0), ("go.", -2.2), ("Go!", -2.3), ("Go, go.", -3.0)]
    together = Look([Hypothesis(text, score, 2) for text, score in ways], 0.1)
    alone = Look([Hypothesis("Go", -2.0, 2)], 0.1)
    assert weigh(together).text == "Go"
    assert confidence(alone) == pytest.approx(math.exp(-1))
    mass = sum(math.exp(score) for _, score in ways)
    assert confidence(together) == pytest.approx(mass**0.5)


@pytest.mark.parametrize("ways", [["5", "Five.", "five"], ["3", "drei"], ["7", "Sept."]])
def test_a_number_in_letters_is_the_same_number(ways: list[str]) -> None:
    unsure = Look([Hypothesis(ways[0], -1.9, 2)], 0.1)
    together = Look([Hypothesis(text, -1.9, 2) for text in ways], 0.1)
    assert confidence(together) > MIN_CONFIDENCE > confidence(unsure)


def test_another_word_as_likely_is_a_doubt() -> None:
    sure = Look([Hypothesis("Stop.", -0.9, 3), Hypothesis("stop", -1.2, 2)], 0.1)
    torn = Look([Hypothesis("Stop.", -0.9, 3), Hypothesis("So.", -1.0, 3)], 0.1)
    assert confidence(sure) > MIN_CONFIDENCE > confidence(torn)


def test_an_annotation_likelier_than_words_is_no_words() -> None:
    coughs = [Hypothesis("(coughing)", -3.0, 4), Hypothesis("*coughs*", -3.1, 5)]
    assert weigh(Look([*coughs, Hypothesis("Okay.", -2.5, 3)], 0.4)).text == ""
    assert weigh(Look([*coughs, Hypothesis("Okay.", -2.0, 3)], 0.4)).text == "Okay."


@pytest.mark.parametrize(("log_probability", "text"), [(-3.0, ""), (-0.2, "Thank you.")])
def test_nobody_spoke_when_the_model_thinks_so_and_is_unsure(
    log_probability: float, text: str
) -> None:
    assert weigh(Look([Hypothesis("Thank you.", log_probability, 4)], 0.7)).text == text


@pytest.mark.parametrize(
    ("vowels_s", "text"),
    [
        ([], "9"),
        ([(0.0, 0.35)], "9"),
        ([(0.0, 0.12), (0.16, 0.28)], "9"),
        ([(0.0, 0.65)], "9 9"),
        ([(0.0, 0.1), (0.25, 0.35), (0.5, 0.6)], "9 9 9"),
        ([(0.0, 0.15), (0.25, 0.45)], "9 9"),
        ([(0.0, 1.2)], "9 9 9"),
        ([(0.1, 0.2), (0.4, 0.5), (0.7, 0.8)], "9 9 9"),
        ([(0.0, 0.1), (0.3, 0.9)], "9 9 9"),
    ],
)
def test_a_word_comes_as_often_as_there_is_time_for_it(
    vowels_s: list[tuple[float, float]], text: str
) -> None:
    nines = Look([Hypothesis("9 9 9", -1.0, 4), Hypothesis("9", -2.0, 2)], 0.1, vowels_s)
    assert weigh(nines).text == text
    assert weigh(nines).doubtful == (" " in text)
    assert weigh(Look([Hypothesis("5 5 5 0", -1.0, 5)], 0.1, vowels_s)).text == "5 5 5 0"


@pytest.mark.parametrize(
    ("times", "vowel_s", "pause_s"), [(2, 0.16, 0.2), (3, 0.3, 0.0), (4, 0.14, 0.1)]
)
def test_a_digit_said_again_is_kept(times: int, vowel_s: float, pause_s: float) -> None:
    vowel = np.full(int(vowel_s * RATE), 0.1, np.float32)
    pause = np.full(int(pause_s * RATE), 0.001, np.float32)
    said = np.concatenate([vowel, *[pause, vowel] * (times - 1)])
    text = ", ".join(["9"] * times)
    assert weigh(Look([Hypothesis(text, -0.5, 2 * times)], 0.1, vowels_s(said))).text == text


def test_one_vowel_is_one_word() -> None:
    vowel = np.full(int(0.26 * RATE), 0.1, np.float32)
    assert weigh(Look([Hypothesis("9 9 9", -0.5, 4)], 0.1, vowels_s(vowel))).text == "9"
    assert vowels_s(np.zeros(RATE, np.float32)) == vowels_s(np.zeros(0, np.float32)) == []


def test_a_word_said_once_is_not_believed_for_its_echoes() -> None:
    """Each repetition is likely, given the one before."""
    echoes = Look([Hypothesis("Sh Sh Sh Sh", -2.4, 5)], 0.1, [(0.0, 0.3)])
    assert confidence(echoes) == pytest.approx(math.exp(-1.2))


def test_a_word_several_times_is_worth_another_look_and_noise_is_not() -> None:
    bird = [Hypothesis("Bird. Bird.", -2.0, 5), Hypothesis("Bird.", -2.5, 3)]
    assert weigh(Look(bird, 0.1)).doubtful
    assert not weigh(Look(bird[1:] * 2, 0.1)).doubtful
    assert not weigh(Look(bird, 0.8)).doubtful
    assert not weigh(Look([Hypothesis("[Music] [Music]", -20.0, 7)], 0.8)).doubtful


def test_a_loop_is_not_believed() -> None:
    loop = Look([Hypothesis("ta " * 20, -2.0, 21)], 0.1)
    assert weigh(loop).text
    assert confidence(loop) == 0.0


def test_a_sentence_too_long_for_a_probability_is_weighed() -> None:
    text = " ".join(str(number) for number in range(120))
    assert confidence(Look([Hypothesis(text, -900.0, 600)], 0.1)) == pytest.approx(math.exp(-1.5))


def test_a_dictated_number_that_seems_to_be_nobodys_speech_is_looked_at_again() -> None:
    digits = Hypothesis("4 7 5 8 3 3 1 5 4 7", log_probability=11 * -0.36, tokens=11)
    first, second = (weigh(Look([digits], no_speech)) for no_speech in (0.75, 0.45))
    assert not first.text
    assert first.doubtful
    assert second.text == digits.text
    assert not second.doubtful
    nothing = weigh(Look([replace(digits, text="")], no_speech=0.75))
    assert not nothing.doubtful
