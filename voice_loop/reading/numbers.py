"""Numbers as they are written, and their digits one by one."""

import re
from typing import Final

from voice_loop.reading.language import Language

#: With thousands set apart, also as in India: `1,00,000`.
_GROUPED: Final = (
    r"(?:\d{1,2}(?:,\d{2}){1,4},\d{3}(?![\d,])"
    r"|\d{1,3}(?:[.,'’\u00a0\u202f]\d{3}){1,4}(?:[.,]\d{1,15})?(?!\d))"
)
_PLAIN: Final = r"\d{1,15}(?:[.,]\d{1,15})?(?!\d)"
MINUS: Final = r"(?P<minus>(?<![\w)\]%°º€$£¢])[-−])?"
#: What is counted follows.
PLURAL: Final = re.compile(
    r"\s+(?:[^\W\d_]{3,}(?<!us|ss|is)s|people|men|women|children|percent|more|of)(?!\w)", re.I
)
#: A longer one is told by its digits.
MOST_DIGITS: Final = 15

#: "The code, which you need at night, is": far from the number, only this much is clear.
TOLD_CODE: Final = re.compile(
    r"(?<!\w)(?:codes?|pin|pass(?:word|code)|numbers?|código|clave|contraseña|número|nummer|numéro"
    r"|codice|numero|senha)(?!\w)[^.!?]{0,80}(?:(?<!\w)(?:is|are|es|ist|est|è|é)|:)\s+\Z",
    re.IGNORECASE,
)


def code_pattern(language: Language) -> re.Pattern[str]:
    """A pattern of what tells, at its end, that a code, a room or the like follows."""
    return re.compile(
        rf"(?:(?<![^\W_])(?P<word>{language.code_words})"
        rf"(?:\W+(?:{language.code_links})(?!\w)){{0,4}}\W*(?-i:[A-Z]{{2,3}} )?|[#№]\s?)\Z"
        if language.code_words
        else r"[#№]\s?\Z",
        re.IGNORECASE,
    )


def number_pattern(language: Language, *, money: bool = False) -> str:
    """A pattern of whole and decimal numbers; amounts of `money` are often written as abroad."""
    if language.decimal == ".":
        plain = _PLAIN if money else _PLAIN.replace("[.,]", "[.]")
        return rf"(?:\d{{1,3}}(?: \d{{3}}){{2,4}}(?!\d)|{_GROUPED}|{plain})"
    return rf"(?:\d{{1,3}}(?: \d{{3}}){{1,4}}(?:,\d{{1,15}})?(?!\d)|{_GROUPED}|{_PLAIN})"


def parse(text: str, language: Language, *, money: bool = False) -> tuple[int, str]:
    """The whole part and the decimals of what `number_pattern` finds.

    Args:
        text: the number.
        language: whose separators it has; others are understood where they cannot be meant.
        money: cents have two digits.
    """
    marks = re.findall(r"\D", text)
    divider = None
    if "." in marks and "," in marks:
        divider = marks[-1] if marks.count(marks[-1]) == 1 else None
    elif len(marks) == 1 and marks[0] in ".,":
        decimals = len(text) - text.index(marks[0]) - 1
        whole = text[: text.index(marks[0])]
        grouped = decimals == 3 and (money or marks[0] != language.decimal) and whole[0] != "0"
        divider = None if grouped else marks[0]
    elif marks and marks[-1] in ".," and marks.count(marks[-1]) == 1:
        divider = marks[-1]
    whole, decimals_ = text, ""
    if divider is not None:
        whole, _, decimals_ = text.rpartition(divider)
    return int(re.sub(r"\D", "", whole)), decimals_


def spoken_number(whole: int, decimals: str, language: Language, noun: str = "") -> str | None:
    """A number in words; None where the language has none for decimals."""
    if len(str(whole)) > MOST_DIGITS:
        return digits(str(whole), language)
    if not decimals:
        return language.counted(whole, noun)
    point = language.signs.get("point")
    if point is None:
        return None
    return f"{language.cardinal(whole)} {point} {one_by_one(decimals, language)}"


def amount(text: str, language: Language, noun: str = "", *, minus: bool = False) -> str | None:
    """A number as it is written, in words; None where the language has none for decimals."""
    said = spoken_number(*parse(text, language), language, noun)
    sign = language.signs.get("minus")
    return f"{sign} {said}" if minus and sign and said else said


def one_by_one(text: str, language: Language) -> str:
    """Each digit of a text."""
    return " ".join(language.cardinal(int(digit)) for digit in text if digit.isdecimal())


def digits(text: str, language: Language) -> str:
    """Digits one by one, in groups that people can write down."""
    return ", ".join(one_by_one(group, language) for group in chunks(text))


def chunks(text: str) -> list[str]:
    """Digits in groups of three, the last ones of four; up to five are one group."""
    if len(text) <= 5:
        return [text]
    fours = -len(text) % 3 and len(text) % 3
    sizes = [3] * ((len(text) - 4 * fours) // 3) + [4] * fours
    groups, at = [], 0
    for size in sizes:
        groups.append(text[at : at + size])
        at += size
    return groups


def letters(text: str, language: Language) -> str:
    """Each letter of a text by its name."""
    return " ".join(language.letters.get(char, char) for char in text.upper())
