"""Words that are not said as they are written: abbreviations, acronyms, codes, and signs."""

import re
from collections.abc import Iterator
from typing import Final

from voice_loop.reading.language import Language, folded
from voice_loop.reading.numbers import MOST_DIGITS, digits, letters
from voice_loop.reading.rule import Context, Rule

_SAINT: Final = re.compile(r"(?<![\w.])(St|st)(?:\.|(?=\s+[A-Z][a-z]))(?!\w)")
_DOCTOR: Final = re.compile(r"(?<![\w.])(Dr|dr)(?:\.|(?=\s+[A-Z]))(?!\w)")
_NUMBERED: Final = re.compile(r"(?<![\w.])(?:[Nn]os?\.\s?(?=\d)|[Nn]r\.\s?(?=\d))")
#: Before a saint, not after a street's name.
_NO_NAME: Final = re.compile(
    r"(?:\A|[,;:(]\s*|(?<!\w)(?:the|at|in|to|of|near|from|by|and|for|on|with|is|this|a|called|visit)\s+)\Z",
    re.I,
)
_CODE: Final = re.compile(
    r"(?<![\w.@/&])(?=[A-Za-z\d-]*\d)(?=[A-Za-z\d-]*[A-Za-z])[A-Za-z\d]+(?:-[A-Za-z\d]+)*(?!\w|[.,]\d)"
)
#: `2-for-1`, `10-minute`, `3-year-old`, `mid-2026`.
_COMPOUND: Final = re.compile(
    r"\d+(?:-[a-z]+)+-\d+|\d+(?:-[A-Z]?[a-z]{2,})(?:-[a-z]+)*|[A-Za-z][a-z]+-(?:19|20)\d\d"
)
#: Identifiers of programs and devices, in which nothing else is to be looked for.
_IDENTIFIER: Final = re.compile(
    r"(?<![\w-])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![\w-])"
    r"|(?<![\w:])[0-9a-f]{2}(?::[0-9a-f]{2}){5}(?![\w:])",
    re.IGNORECASE,
)
#: `INV-2026-00417`, but neither `10AM-2PM` nor `1-800-FLOWERS`.
_HYPHENED: Final = re.compile(
    r"(?<![\w.@/&-])(?!\d+[A-Z]+-\d+[A-Z]+(?!-)|1-\d{3}-|\d{3}-[A-Z]{4})"
    r"(?=[A-Z\d-]*[A-Z])(?=[A-Z\d-]*\d)[A-Z\d]+(?:-[A-Z\d]+)+(?![\w-]|[.,]\d)"
)
_ZONE: Final = re.compile(
    r"(?<![\w.])(?:[ECP][SD]T|M[SD]T|AK[SD]T|GMT|UTC|CES?T|EEST|AE[SD]T|AC[SD]T|AWST|NZ[SD]T|HST|SAST"
    r"|(?P<word>[ECMP]T|AST|ADT|EET|WES?T|BST|IST|JST|KST|SGT|HKT|PKT|MSK|BRT|ART|CLT|COT|PET|WIB))(?!\w)"
)
_TIME: Final = re.compile(r"\d\s?(?:[ap]\.?\s?m\.?|h|hrs|Uhr)?\s+\Z", re.IGNORECASE)
_PART: Final = re.compile(r"\d+|[^\W\d_]+")
_ACRONYM: Final = re.compile(r"(?<![\w&])(?P<caps>[A-ZÁÉÍÓÚÑÜ]{2,})(?P<plural>['’]?s)?(?!\w)")
_INITIALS: Final = re.compile(
    r"(?<![\w.])(?:[A-Za-z]\.){2,}(?!\w)|(?<![\w.])(?:[A-Z]\. )+(?:[A-Z]\.)(?=\s)"
)
_JOINED: Final = re.compile(r"(?<!\w)([A-Z]{1,3}) ?& ?([A-Z]{1,3})(?!\w)")
_ROMAN: Final = re.compile(r"(?<=[a-zñá-ú]\s)(?=[XVI]{2})(X{0,3})(IX|IV|V?I{0,3})(?!\w)")
_ROMAN_ONES: Final = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
_VOWEL: Final = re.compile("[AEIOUYÁÉÍÓÚ]")
#: How words of English and Spanish begin.
_ONSET: Final = re.compile(
    "(?:[BCFGP]L|[BCDFGPT]R|S[CKLMNPQTW]|[CGPSTW]H|TW|QU|WR|KN|STR|SPR|SCR|SHR|THR|SPL"
    "|[B-DF-HJ-NP-TV-Z])?[AEIOUYÁÉÍÓÚ]"
)
#: Of four letters and more that look like a word, and are spelt.
_SPELT: Final = frozenset(
    ("AARP", "ACLU", "ASAP", "IEEE", "ISBN", "NAACP", "OECD", "UCLA", "USPS", "YMCA", "YWCA")
)
#: The two words of "and/or".
_AND: Final = re.compile(r"(?<!\w)(?:and|y|und|et|e|en)\Z", re.IGNORECASE)
_OR: Final = re.compile(r"(?:or|o|oder|ou|of)(?!\w)", re.IGNORECASE)
SIGN: Final = re.compile(r"\+\+|[&@#+*/=_%°~<>×÷±≈≤≥−√§№^$€£\\]")


def abbreviations(language: Language) -> Iterator[Rule]:
    """How abbreviations are read."""
    if language.code == "en":
        yield from _english_only()
    if language.code == "de":
        yield Rule(re.compile(r"(\w+)str\.(?!\w)"), lambda match, _: f"{match[1]}straße")
    if not language.abbreviations:
        return
    undotted = {
        key
        for key in language.abbreviations
        if key in language.undotted or not _ALL_LETTERS.fullmatch(key)
    }
    every = "|".join(map(_pattern, sorted(language.abbreviations, key=len, reverse=True)))
    known = "|".join(map(_pattern, sorted(undotted, key=len, reverse=True))) or "(?!)"
    pattern = re.compile(rf"(?<![\w.@/])(?:({every})\.|({known}))(?![\w])", re.IGNORECASE)

    def say(match: re.Match[str], context: Context) -> str | None:
        written = match[1] or match[2]
        key = re.sub(r"\.\s?", ". " if ". " in written else ".", folded(written))
        said = language.abbreviations.get(key) or language.abbreviations.get(key.replace(". ", "."))
        # In small letters these are words, where no number follows.
        if said is None or (
            folded(written) in _NUMBERED_ONLY and not re.match(r"\s?[\dA-Z#]", context.tail)
        ):
            return None
        return said + _full_stop(match, context)

    yield Rule(pattern, say)


_ALL_LETTERS: Final = re.compile("[a-zß-ÿ]+(?:[. ]+[a-zß-ÿ]+)*")
_NUMBERED_ONLY: Final = frozenset(
    ("no", "n", "fig", "vol", "art", "int", "col", "m", "d", "min", "max", "ext", "p", "ch")
)


def _pattern(key: str) -> str:
    return re.escape(key).replace(r"\ ", r"\s?")


def _full_stop(match: re.Match[str], context: Context) -> str:
    """The dot, where it ends the clause as well."""
    return (
        "." if match[0].endswith(".") and not context.tail.strip(" \"')”’") and context.head else ""
    )


def _english_only() -> Iterator[Rule]:
    def saint(match: re.Match[str], context: Context) -> str:
        if _NO_NAME.search(context.head) and re.match(r"\s+[^\W\d_]", context.tail):
            return "Saint"
        return "Street" + _full_stop(match, context)

    def doctor(match: re.Match[str], context: Context) -> str:
        follows = re.match(r"\s+[A-Za-z]", context.tail)
        named = re.search(r"(?<!\w)[A-Z][a-z]+\s+\Z", context.head) or re.search(
            r"\d\s+\w+\s+\Z", context.head
        )
        if named and not follows:
            return "Drive" + _full_stop(match, context)
        return "Doctor" + _full_stop(match, context)

    def number(match: re.Match[str], _: Context) -> str:
        return "numbers " if match[0][2] == "s" else "number "

    yield Rule(_SAINT, saint)
    yield Rule(_DOCTOR, doctor)
    yield Rule(_NUMBERED, number)


def identifiers(language: Language) -> Iterator[Rule]:
    """How identifiers of programs and devices are read."""

    def say(match: re.Match[str], _: Context) -> str:
        groups = re.split("[-:]", match[0])
        return ", ".join(" ".join(_spelt(char, language) for char in group) for group in groups)

    yield Rule(_IDENTIFIER, say)


def zones(language: Language) -> Iterator[Rule]:
    """How abbreviated time zones are read: letter by letter, and some behind a time only."""

    def say(match: re.Match[str], context: Context) -> str | None:
        if match["word"] and not _TIME.search(context.head):
            return None
        return letters(match[0], language)

    yield Rule(_ZONE, say)


def hyphened(language: Language) -> Iterator[Rule]:
    """How codes are read whose hyphens look like those of ranges."""
    yield Rule(_HYPHENED, lambda match, _: _coded(match[0], language))


def codes(language: Language) -> Iterator[Rule]:
    """How codes of letters and digits are read."""
    if language.states:
        yield Rule(
            re.compile(rf"(?<=[,\w] )({'|'.join(language.states)})(?=,? \d{{5}}(?!\d))"),
            lambda match, _: language.states[match[1]],
        )

    yield Rule(_CODE, lambda match, _: _coded(match[0], language))


def _coded(code: str, language: Language) -> str | None:
    if _COMPOUND.fullmatch(code):
        return None
    said, after_word = "", False
    for group in code.split("-"):
        is_word = _is_name(group)
        if is_word:
            part = group.lower() if group.isupper() else group
        elif after_word and len(group) <= 2 and group.isdecimal():
            part = _number(group, language)
        else:
            part = _singly(group, language)
        said += f"{'' if not said else ' ' if after_word else ', '}{part}"
        after_word = is_word
    return said


def _is_name(group: str) -> bool:
    return group.isalpha() and (_is_word(group) if group.isupper() else len(group) > 1)


def _singly(group: str, language: Language) -> str:
    """Letters and digits one by one, but for what is a word with a number behind it."""
    pieces = _PART.findall(group)
    if any(len(piece) > 2 and piece.isalpha() and not piece.isupper() for piece in pieces):
        return " ".join(_number(piece, language) for piece in pieces)
    return " ".join(_spelt(piece, language) for piece in pieces)


def _number(piece: str, language: Language) -> str:
    if not piece.isdecimal() or len(piece) > MOST_DIGITS:
        return piece
    return digits(piece, language) if piece[0] == "0" else language.cardinal(int(piece))


def _spelt(piece: str, language: Language) -> str:
    return digits(piece, language) if piece.isdecimal() else letters(piece, language)


def acronyms(language: Language) -> Iterator[Rule]:
    """How initials and words in capitals are read."""

    def initials(match: re.Match[str], context: Context) -> str:
        spelt = letters(re.sub("[. ]", "", match[0]), language)
        return spelt + _full_stop(match, context)

    def joined(match: re.Match[str], _: Context) -> str:
        link = language.signs.get("&", "&")
        return f"{letters(match[1], language)} {link} {letters(match[2], language)}"

    def acronym(match: re.Match[str], context: Context) -> str | None:
        caps = match["caps"]
        if caps == "AM" and context.head.endswith("I "):
            return "am"
        plural = "'s" if match["plural"] else ""
        if caps in language.capitals or (_shouted(match.string) and _VOWEL.search(caps)):
            return caps.lower() + (match["plural"] or "")
        if caps in _SPELT or not _VOWEL.search(caps) or (language.capitals and not _is_word(caps)):
            return letters(caps, language) + plural
        return None if not language.capitals else caps.lower() + (match["plural"] or "")

    def roman(match: re.Match[str], _: Context) -> str:
        return language.cardinal(10 * len(match[1]) + _ROMAN_ONES.index(match[2]))

    yield Rule(_JOINED, joined)
    yield Rule(_INITIALS, initials)
    yield Rule(_ROMAN, roman)
    yield Rule(_ACRONYM, acronym)


def _is_word(caps: str) -> bool:
    """Whether capitals can be said as a word; of three letters, few are."""
    caps = caps.upper()
    return len(caps) > 3 and caps not in _SPELT and bool(_ONSET.match(caps))


def _shouted(text: str) -> bool:
    """Whether most words are all capitals."""
    words = re.findall(r"[^\W\d_]{2,}", text)
    capitals = sum(word.isupper() for word in words)
    return bool(capitals >= 3 and capitals > 0.7 * len(words))


def signs(language: Language) -> Iterator[Rule]:
    """How single signs are read, last of all."""

    def say(match: re.Match[str], context: Context) -> str | None:
        sign = match[0]
        before, after = context.head[-1:], context.tail[:1]
        named = language.signs
        if sign == "++":
            return f"{named['+']} {named['+']}" if "+" in named else None
        if sign == "#":
            if language.code == "en" and re.search(r"(?<!\w)[CF]\Z", context.head):
                return "sharp"
            if re.match(r"\s?\d|[A-Z]+-?\d", context.tail):
                return named.get("number")
            tagged = after.isalpha() and not before.isalnum()
            return named.get("hashtag" if tagged else sign, named.get(sign))
        if sign == "*" and before.isdecimal() and after.isdecimal():
            return named.get("×")
        if sign == "*" and re.search(r"\d \Z", context.head) and re.match(r" \d", context.tail):
            return named.get("×")
        if sign == "/" and _AND.search(context.head) and _OR.match(context.tail):
            return " "
        if sign == "~":
            return named.get("about" if re.match(r"[$€£]?\d", context.tail) else sign)
        return named.get(sign)

    yield Rule(SIGN, say)
