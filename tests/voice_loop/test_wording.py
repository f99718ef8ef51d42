"""What the words of a turn tell of its end."""

import pytest

from voice_loop.wording import Wording, wording

TRAILING, UNFINISHED, OPEN, PLAIN, WHOLE, QUESTION, YES_OR_NO = Wording


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I would like a visit on", UNFINISHED),
        ("I want", UNFINISHED),
        ("Could you", UNFINISHED),
        ("Um...", TRAILING),
        ("I would like a –", TRAILING),
        ("so let me see", UNFINISHED),
        ("On Tuesday,", UNFINISHED),
        ("I would like a visit on Tuesday.", WHOLE),
        ("What do you have?", QUESTION),
        ("I would like a visit", OPEN),
        ("Yes, that works for me.", YES_OR_NO),
        ("no", YES_OR_NO),
        ("No, I would rather come on another day.", WHOLE),
        ("…", None),
        ("", None),
    ],
)
def test_english(text: str, found: Wording | None) -> None:
    assert wording(text, "en-GB", punctuated=True) is found


def test_of_a_recogniser_without_punctuation_none_is_missed() -> None:
    assert wording("i want a visit on tuesday", "en", punctuated=False) is PLAIN
    assert wording("i want a visit on", "en", punctuated=False) is UNFINISHED


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Quisiera una cita para el", UNFINISHED),
        ("Necesito", UNFINISHED),
        ("Una cita para el martes.", WHOLE),
        ("Sí, claro.", YES_OR_NO),
        ("¿Qué tiene?", QUESTION),
    ],
)
def test_spanish(text: str, found: Wording) -> None:
    assert wording(text, "es", punctuated=True) is found


def test_of_other_languages_the_punctuation_counts() -> None:
    assert wording("Ich möchte einen Termin am", "de", punctuated=True) is OPEN
    assert wording("Ich möchte einen Termin am,", "de", punctuated=True) is UNFINISHED
    assert wording("Am Dienstag.", "de", punctuated=True) is WHOLE
