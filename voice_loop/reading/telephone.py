"""Telephone, card and account numbers: digit by digit, with a pause after each group."""

import re
from collections.abc import Iterator
from typing import Final

import phonenumbers

from voice_loop.reading.language import Language
from voice_loop.reading.numbers import TOLD_CODE, chunks, code_pattern, one_by_one
from voice_loop.reading.rule import Context, Rule

_GAP: Final = r"(?:\) ?|\)-| ?\(|[ \u00a0.\u2010\u2011-])"
_NUMBER: Final = re.compile(
    rf"(?<![\w,$€£@/.-])(?P<main>(?:tel:)?(?P<plus>\+ ?)?\(?\d+(?:{_GAP}\(?\d+)*"
    r"(?P<vanity>-[A-Z]{4,7})?)(?![\w%]|[.,:/]\d| ?[€$£%])"
    r"(?:,?\s*(?:ext\.?|x|extension|extensión|anexo)\s?(?P<ext>\d{1,6})(?!\w))?",
    re.IGNORECASE,
)
#: Of places and many codes there are ranges: `rooms 101-104`.
_RANGED: Final = re.compile(
    r"(?:rooms?|suite|ste|apartment|apt|unit|gate|floor|level|bay|locker|box|press|dial|sala|aula|piso"
    r"|puerta|habitación|zimmer|raum|chambre|salle|porte|camera|stanza|quarto|kamer|\w{2,}s)(?!\w)",
    re.IGNORECASE,
)
_COUNTED: Final = re.compile(r"\s+[^\W\d_]{3,}")
_BEFORE_PAGES: Final = re.compile(
    r"(?<!\w)(?:\w+s|pp?\.?|between|from|about|and|or|to|de|von|und|y|et|e)\s+\Z", re.IGNORECASE
)
#: Where a telephone number of nine digits has three groups of three.
_THREES: Final = frozenset({"es", "pt", "pl", "it", "cs", "sk", "ca"})


def rules(language: Language) -> Iterator[Rule]:
    """How telephone numbers are read, and codes in groups."""
    code = code_pattern(language)

    def say(match: re.Match[str], context: Context) -> str | None:
        # What is dialled at home only.
        written = match["main"].replace("(0)", "") if match["plus"] else match["main"]
        groups = re.findall(r"\d+", written)
        vanity = match["vanity"]
        told = code.search(context.head) or TOLD_CODE.search(context.head)
        if not (
            _is_dialled(written, groups, match["plus"], context, language)
            or (vanity and len(groups) > 1)
            or _is_code(written, groups, told, context)
        ):
            return None
        if match["plus"] and len(groups) == 1:
            groups = _grouped(groups[0])
        said = ", ".join(one_by_one(part, language) for group in groups for part in chunks(group))
        if vanity:
            said += f", {' '.join(vanity[1:].upper()) if len(vanity) < 5 else vanity[1:].lower()}"
        if match["plus"]:
            said = f"{language.signs.get('+', '+')} {said}"
        if match["ext"]:
            extension = language.signs.get("extension", "")
            said += f", {extension} {one_by_one(match['ext'], language)}"
        return said

    yield Rule(_NUMBER, say)


def _is_dialled(
    written: str, groups: list[str], plus: str | None, context: Context, language: Language
) -> bool:
    total = sum(map(len, groups))
    sizes = list(map(len, groups))
    if plus:
        return 7 <= total <= 15
    gaps = set(re.findall(r"[^\d()]", written))
    if len(groups) > 2 and gaps == {"-"}:
        return True
    if len(groups) < 2 or total < 7:
        return False
    if groups[0][0] == "0" and gaps <= {" ", "-"}:
        return True
    if "(" in written or sizes in ([3, 3, 4], [1, 3, 3, 4]):
        return True
    if gaps == {"-"}:
        return sizes == [5, 4] or (sizes == [3, 4] and not _is_range(groups, context))
    if gaps == {"."}:
        return len(groups) > 2 and total >= 9 and groups[0][0] == "0"
    if groups[0][0] == "0" or (sizes == [3, 4] and not _is_range(groups, context)):
        return True
    if sizes[0] <= 3 and all(size == 3 for size in sizes[1:]):
        return total == 9 and sizes[0] == 3 and language.code in _THREES and groups[-1] != "000"
    return len(groups) > 2 and total >= 8


def _is_code(written: str, groups: list[str], told: re.Match[str] | None, context: Context) -> bool:
    """Whether `123-456`, `123 456` is a code; `told` is what tells of one before it."""
    gaps = set(re.findall(r"\D", written))
    if len(groups) < 2 or len(gaps) != 1 or not gaps <= {" ", "-"}:
        return False
    if gaps == {" "}:
        return told is not None and len(written) > 4 and not _COUNTED.match(context.tail)
    first, second = groups[0], groups[-1]
    if second[0] == "0" and len(second) > 2:
        return True
    if told is None:
        pages = _BEFORE_PAGES.search(context.head) or _COUNTED.match(context.tail)
        rounded = first[-1] in "05" or second[-1] in "05"
        return len(first) == len(second) == 3 and not pages and not rounded
    ranged = told.groupdict().get("word") and _RANGED.fullmatch(told["word"])
    return len(written) > 5 and not ranged


def _is_range(groups: list[str], context: Context) -> bool:
    """Whether `500-1000` is meant."""
    first, second = groups
    rounded = second.endswith("00") and first.endswith(("0", "5"))
    return second[0] != "0" and rounded and re.match(r"\s+[^\W\d_]", context.tail) is not None


def _grouped(number: str) -> list[str]:
    """The groups of an E.164 number, as its country writes them."""
    try:
        parsed = phonenumbers.parse(f"+{number}")
    except phonenumbers.NumberParseException:
        return [number]
    style = phonenumbers.PhoneNumberFormat.INTERNATIONAL
    return re.findall(r"\d+", phonenumbers.format_number(parsed, style))
