"""The small word lists."""

import pytest

from voice_loop.phrases import consists_of, phrases, plain_words
from voice_loop.prompts import language_name


def test_plain_words() -> None:
    assert plain_words("  Don't, Wait!  ¿Qué? ") == "don't wait qué"
    assert plain_words("...") == ""


@pytest.mark.parametrize(
    ("said", "fits"),
    [
        ("okay", True),
        ("uh huh", True),
        ("okay okay right", True),
        ("yeah i see", True),
        ("yeah i", False),
        ("uh", True),
        ("huh", False),
        ("okay stop", False),
        ("", False),
    ],
)
def test_backchannels_in_a_row_are_backchannels(said: str, fits: bool) -> None:
    assert consists_of(said, phrases("en").backchannels) is fits


def test_nothing_consists_of_no_lines() -> None:
    assert not consists_of("okay", frozenset())


def test_matching_takes_no_time_however_ambiguous_the_words() -> None:
    assert not consists_of("bye " * 3_000 + "no", frozenset({"bye", "bye bye"}))


def test_a_language_without_phrases_speaks_english() -> None:
    assert phrases("xx") is phrases("en")
    assert phrases("es") is not phrases("en")


@pytest.mark.parametrize(
    ("tag", "greeting"), [("es-MX", "hola"), ("es_ES", "hola"), ("EN-gb", "hello")]
)
def test_a_region_changes_no_language(tag: str, greeting: str) -> None:
    assert phrases(tag).greeting.startswith(greeting)
    assert language_name(tag) == {"hola": "Spanish", "hello": "English"}[greeting]
