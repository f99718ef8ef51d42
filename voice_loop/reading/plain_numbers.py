"""Numbers that stand alone: what stands around them tells how they are read."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from voice_loop.reading.language import Language
from voice_loop.reading.numbers import (
    MOST_DIGITS,
    PLURAL,
    TOLD_CODE,
    amount,
    code_pattern,
    digits,
    number_pattern,
    one_by_one,
    spoken_number,
)
from voice_loop.reading.rule import Context, Rule

_INTEGER: Final = re.compile(r"(?<![\w])(?<!\d[.,])\d+(?!\w|[.,]\d)")
_LAST_RESORT: Final = re.compile(r"\d+")
_NOUN: Final = re.compile(r"\s+([^\W\d_]{2,})")


def rules(language: Language) -> Iterator[Rule]:
    """How numbers are read that nothing more particular took."""
    below_one = re.compile(r"(?<![\w.,])[.,](\d{1,15})(?!\w|[.,]\d)")
    decimal = re.compile(rf"(?<![\w.,]){number_pattern(language)}(?!\w|[.,]\d)")
    code = code_pattern(language)
    months = "|".join(language.months)
    year = re.compile(rf"(?<!\w)(?:{language.year_words}|{months})[.,]?\s+\Z", re.I)
    quantity = re.compile(rf"(?<!\w)(?:{language.quantity_words})\s+\Z", re.I)

    def grouped(match: re.Match[str], context: Context) -> str | None:
        if match[0].isdigit():
            return None
        # Without a word for the point, each half would be a number of its own.
        return amount(match[0], language, _noun(context.tail, language)) or match[0]

    def say(match: re.Match[str], context: Context) -> str:
        text = match[0]
        size = len(text)
        if size > MOST_DIGITS:
            return digits(text, language)
        whole = str(int(text))
        noun = _noun(context.tail, language)
        if size > 1 and unicodedata.digit(text[0]) == 0:
            return digits(text, language)
        coded = code.search(context.head) or TOLD_CODE.search(context.head)
        if size >= 3 and coded and not (size == 3 and whole.endswith("00")):
            return digits(text, language)
        if size == 5 and re.search(r"(?<!\w)[A-Z]{2}[.,]?\s+\Z", context.head):
            return digits(text, language)
        number = int(whole)
        if size == 4 and noun.istitle() and language.code == "en" and number >= 1000:
            # The number of a house.
            return language.year(number)
        if size == 4 and 1000 <= number < 2100:
            counts = PLURAL.match(context.tail) is not None
            told = language.year_words and year.search(context.head)
            if told or (number >= 1900 and not counts):
                return language.year(number)
        if size == 5 and noun.istitle():
            # A postal code, before the town.
            return digits(text, language)
        if size >= 5 and not whole.endswith("000"):
            return language.counted(number, noun) if noun and size < 7 else digits(text, language)
        tells_size = noun or whole.endswith("00") or quantity.search(context.head)
        if size == 4 and language.code_words and not tells_size:
            return digits(text, language)
        return spoken_number(number, "", language, noun) or text

    def resort(match: re.Match[str], _: Context) -> str:
        text = match[0]
        return (
            digits(text, language)
            if text[0] == "0" or len(text) > 4
            else language.cardinal(int(text))
        )

    def part(match: re.Match[str], _: Context) -> str:
        point = language.signs.get("point")
        return match[0] if point is None else f"{point} {one_by_one(match[1], language)}"

    yield Rule(below_one, part)
    yield Rule(decimal, grouped)
    yield Rule(_INTEGER, say)
    yield Rule(_LAST_RESORT, resort)


def _noun(tail: str, language: Language) -> str:
    """What is counted, as far as it can be told."""
    found = _NOUN.match(tail)
    return "" if found is None or found[1].lower() in language.small_words else found[1]
