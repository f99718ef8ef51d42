"""Whether something is being dictated, and whether it is all there."""

import pytest

from voice_loop.dictation import Dictation, dictation, is_read_back
from voice_loop.expectations import Expected

NONE, UNDER_WAY, COMPLETE = Dictation.NONE, Dictation.UNDER_WAY, Dictation.COMPLETE
PHONE, ANYTHING = Expected.PHONE_NUMBER, Expected.ANYTHING


@pytest.mark.parametrize(
    ("text", "expected", "country", "found"),
    [
        ("My number is 415-555", PHONE, "US", UNDER_WAY),
        ("My number is", PHONE, "US", UNDER_WAY),
        ("Hey.", PHONE, "US", UNDER_WAY),
        ("3 8 1 6 Bye.", PHONE, "US", UNDER_WAY),
        ("Hey.", ANYTHING, "US", NONE),
        ("No.", PHONE, "US", UNDER_WAY),
        ("Nope.", PHONE, "US", NONE),
        ("My number?", PHONE, "US", NONE),
        ("415 555 0132.", PHONE, "US", COMPLETE),
        ("four one five, five five five, oh one three two", PHONE, "US", COMPLETE),
        ("1 415 555 0132", PHONE, "US", COMPLETE),
        ("1 415 555 013", PHONE, "US", UNDER_WAY),
        ("07700 900", PHONE, "GB", UNDER_WAY),
        ("07700 900123", PHONE, "GB", COMPLETE),
        ("415 555 0132", PHONE, None, UNDER_WAY),
        ("I do not have one.", PHONE, "US", NONE),
        ("415", ANYTHING, "US", UNDER_WAY),
        ("five", ANYTHING, "US", UNDER_WAY),
        ("You can reach me at 415 555", ANYTHING, "US", UNDER_WAY),
        ("415 555 0132", ANYTHING, "US", COMPLETE),
        ("Tuesday at ten", ANYTHING, "US", NONE),
        ("Tuesday at 10:30.", ANYTHING, "US", NONE),
        ("I was born in 1980.", ANYTHING, "US", NONE),
        ("two tickets, please", ANYTHING, "US", NONE),
        ("five", Expected.AMOUNT, "US", NONE),
        ("", ANYTHING, "US", NONE),
        ("A 4 7", Expected.CODE, "US", UNDER_WAY),
        ("A B", Expected.CODE, "US", UNDER_WAY),
        ("941", Expected.POSTCODE, "US", UNDER_WAY),
        ("94103.", Expected.POSTCODE, "US", COMPLETE),
        ("SW1A 1", Expected.POSTCODE, "GB", UNDER_WAY),
        ("SW1A 1AA", Expected.POSTCODE, "GB", COMPLETE),
        ("john dot smith at", Expected.EMAIL, "US", UNDER_WAY),
        ("john.smith@gmail", Expected.EMAIL, "US", UNDER_WAY),
        ("john dot smith at gmail dot com", Expected.EMAIL, "US", COMPLETE),
        ("you have it on file", Expected.EMAIL, "US", NONE),
        ("S-M-I", Expected.SPELLING, "US", UNDER_WAY),
        ("Smith", Expected.SPELLING, "US", UNDER_WAY),
        ("I would rather not", Expected.SPELLING, "US", NONE),
    ],
)
def test_english(text: str, expected: Expected, country: str | None, found: Dictation) -> None:
    assert dictation(text, expected, "en", country) is found


@pytest.mark.parametrize(
    ("text", "found"),
    [("seis uno dos", UNDER_WAY), ("612 345 678", COMPLETE), ("el martes a las diez", NONE)],
)
def test_spanish(text: str, found: Dictation) -> None:
    assert dictation(text, PHONE if found is COMPLETE else ANYTHING, "es-ES", "ES") is found


def test_figures_are_heard_in_any_language() -> None:
    assert dictation("06 12 34", PHONE, "nl", "NL") is UNDER_WAY
    assert dictation("06 12 34 56 78", PHONE, "nl", "NL") is COMPLETE


def test_what_is_worth_reading_back() -> None:
    for told in ("my number is 415 555 0132", "nine four one oh three", "john@example.com"):
        assert is_read_back(told, "en")
    for other in ("on tuesday at 10 30", "four of us", "yes"):
        assert not is_read_back(other, "en")
