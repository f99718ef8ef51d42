"""Whether something is being dictated, and whether it is all there.

Numbers, codes, addresses and spellings come in groups, with pauses between them that are as long
as those between turns: what tells the two apart is what is still missing.
"""

import re
from collections.abc import Collection, Mapping
from enum import Enum, auto
from typing import Final

from phonenumbers import (
    NumberParseException,
    PhoneNumberType,
    ValidationResult,
    country_code_for_region,
    example_number_for_type,
    is_possible_number_with_reason,
    national_significant_number,
    parse,
)

from voice_loop.expectations import Expected
from voice_loop.phrases import language_code, plain_words


class Dictation(Enum):
    """How far it is."""

    NONE = auto()
    UNDER_WAY = auto()
    """More is to come, or may be: nobody knows how long it is."""
    COMPLETE = auto()


def _counted(listed: str, first: int, step: int = 1) -> dict[str, str]:
    """The digits that words stand for, which count up; alternatives have a bar between them."""
    return {
        word: str(first + index * step)
        for index, words in enumerate(listed.split())
        for word in words.split("|")
    }


_DIGITS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": _counted("zero|oh|o|nought one two three four five six seven eight nine ten eleven", 0)
    | _counted("twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen", 12)
    | _counted("twenty thirty forty fifty sixty seventy eighty ninety", 20, 10),
    "es": _counted("cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece", 0)
    | _counted("catorce quince dieciséis diecisiete dieciocho diecinueve veinte", 14)
    | _counted("treinta cuarenta cincuenta sesenta setenta ochenta noventa", 30, 10),
}
#: Said between digits, and part of the number.
_BETWEEN: Final[Mapping[str, Collection[str]]] = {
    "en": ("double", "triple", "area", "code", "plus", "dash", "and", "extension", "um", "uh"),
    "es": ("doble", "triple", "más", "guion", "guión", "y", "extensión", "eh"),
}
_NUMBER_IS: Final = re.compile(
    r"\b(?:number|phone|code|zip|it|that|mine|número|teléfono|código|móvil)(?: is|'s| es)\b"
    r"|\b(?:number|número|code|código)\b"
)
#: Digits that are no dictation: times, prices, ordinals, years, parts of hundred.
_COUNTED: Final = re.compile(
    r"\d+:\d\d|[$€£]\s?\d|\d+(?:st|nd|rd|th|%|[ap]\.?m\b)|\b(?:19|20)\d\d\W*$"
)
_EMAIL: Final = re.compile(r"\S+(?:@| at | arroba )\S.*(?:\.| dot | punto )\s?(\w{2,})[.?!]*$")
_EMAIL_BEGUN: Final = re.compile(r"@| at | dot | arroba | punto |\.\w+$|underscore|guion bajo")
_LETTERS: Final = re.compile(r"(?:\b[a-zñ]\b[\s.,-]*){2,}$|^[a-zñ]\b[.,]?$")
_NORTH_AMERICA: Final = 1
_READ_BACK_DIGITS: Final = 5
#: How many digits a dictation has at least before it counts as one, unless there is nothing else.
_A_FEW: Final = 3
#: Asked for what is dictated, one begins with so many words at most ("yes, it's …"). Most are its
#: first digits or letters, misheard: "eight" as "Hey.", "five" as "Bye.".
_FEW_WORDS: Final = 3
#: Such an answer is no beginning; "no" may be a nine.
_REFUSALS: Final[Mapping[str, Collection[str]]] = {
    "en": ("nope", "nah", "none", "sorry", "pardon", "what", "why"),
    "es": ("ninguno", "perdón", "perdone", "qué", "cómo"),
}
#: As postcodes mostly have; others end as in Britain and the Netherlands, or in Canada.
_POSTCODE_DIGITS: Final = 5
_POSTCODE: Final = re.compile(r"\d[a-z]{2}$|[a-z]\d[a-z]\d[a-z]\d$")


def dictation(text: str, expected: Expected, language: str, country: str | None) -> Dictation:
    """Tell whether these words are dictated, and whether it is all there.

    Args:
        text: of the turn so far.
        expected: what the agent asked for.
        language: of the call, a BCP 47 tag.
        country: where the person is, ISO 3166-1 alpha-2; it tells how long telephone numbers are.
    """
    found = _dictation(text, expected, language, country)
    if found is Dictation.NONE and expected.is_dictated and _may_begin(text, language):
        return Dictation.UNDER_WAY
    return found


def _may_begin(text: str, language: str) -> bool:
    """Whether what is dictated may begin so, or is so misheard."""
    words, code = plain_words(text).split(), language_code(language)
    if not words or words[0] in _REFUSALS.get(code, ()) or text.rstrip().endswith("?"):
        return False
    names = _DIGITS.get(code, {})
    digits = sum(word in names or word.isdecimal() for word in words)
    return len(words) <= _FEW_WORDS or 2 * digits >= len(words)


def _dictation(text: str, expected: Expected, language: str, country: str | None) -> Dictation:
    lowered = text.lower().strip()
    code = language_code(language)
    if expected is Expected.EMAIL and _EMAIL_BEGUN.search(lowered):
        whole = _EMAIL.search(lowered)
        return Dictation.COMPLETE if whole and whole[1] != "co" else Dictation.UNDER_WAY
    if expected is Expected.SPELLING:
        return Dictation.UNDER_WAY if _LETTERS.search(lowered) else Dictation.NONE
    digits, others = _trailing_digits(lowered, code)
    if expected is Expected.AMOUNT and len(digits) < _POSTCODE_DIGITS:
        return Dictation.NONE
    if expected is Expected.POSTCODE:
        if not re.search(r"\d", lowered) and not digits:
            return Dictation.NONE
        written = re.sub(r"\W", "", lowered)
        whole_code = len(digits) >= _POSTCODE_DIGITS or _POSTCODE.search(written)
        return Dictation.COMPLETE if whole_code else Dictation.UNDER_WAY
    if not digits:
        spelled = expected is Expected.CODE and _LETTERS.search(lowered)
        return Dictation.UNDER_WAY if spelled else Dictation.NONE
    if expected in (Expected.PHONE_NUMBER, Expected.ANYTHING) and _is_whole(digits, country):
        return Dictation.COMPLETE
    if not others or _NUMBER_IS.search(lowered):
        return Dictation.UNDER_WAY
    # "I do not have one", "on Tuesday at ten".
    enough = len(digits) > 1 if expected.is_dictated else len(digits) >= _A_FEW
    counted = not expected.is_dictated and _COUNTED.search(lowered)
    return Dictation.UNDER_WAY if enough and not counted else Dictation.NONE


def is_read_back(text: str, language: str) -> bool:
    """Whether a turn ends in what one repeats to be sure of it: a number, an e-mail address."""
    digits, _ = _trailing_digits(text.lower(), language_code(language))
    return len(digits) >= _READ_BACK_DIGITS or _EMAIL.search(text.lower()) is not None


def _trailing_digits(text: str, language: str) -> tuple[str, bool]:
    """The digits in which a text ends, and whether there are other words before them."""
    names = _DIGITS.get(language, {})
    between = _BETWEEN.get(language, ())
    digits: list[str] = []
    words = plain_words(text).split()
    while words:
        word = words.pop()
        if (digit := names.get(word)) is not None:
            digits.append(digit)
        elif word.isdecimal():
            digits.append(word)
        elif word not in between:
            words.append(word)
            break
    return "".join(reversed(digits)), bool(words)


def _is_whole(digits: str, country: str | None) -> bool:
    """Whether so many digits make a telephone number of that country, or one from abroad."""
    if country is None:
        return False
    if country_code_for_region(country) == _NORTH_AMERICA:
        digits = digits.removeprefix("1")  # no area code begins so
    try:
        number = parse(digits, country)
    except NumberParseException:
        return False
    lengths = [
        len(national_significant_number(example))
        for kind in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE)
        if (example := example_number_for_type(country, kind)) is not None
    ]
    possible = is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
    same = number.country_code == country_code_for_region(country)
    return possible and same and len(national_significant_number(number)) >= max(lengths, default=0)
