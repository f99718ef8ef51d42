"""Ordinals, fractions, versions, decades, ranges and ratios."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Final

from voice_loop.reading.language import Language
from voice_loop.reading.numbers import one_by_one
from voice_loop.reading.rule import Context, Rule

_FRACTION: Final = re.compile(r"(?<![\w/.,])(?:(\d{1,6})[ -])?(\d{1,2})/(\d{1,3})(?![\w/]|[.,]\d)")
_RATING: Final = re.compile(r"(?<![\w/.,])(\d{1,2})\.(\d)/(5|10)(?![\w/]|[.,]\d)")
_VULGAR: Final = re.compile("(?<!\\d)(\\d{1,6}) ?([¼-¾⅐-⅞])|([¼-¾⅐-⅞])")
_ALWAYS_OPEN: Final = re.compile(r"(?<![\w/])24/7(?![\w/])")
_VERSION: Final = re.compile(r"(?<![\w.])(?P<v>[vV]\.?)?(\d{1,6}(?:\.\d{1,6})+)(?![\w]|[.,]\d)")
_WHOLE_VERSION: Final = re.compile(r"(?<![\w.])[vV](\d{1,3})(?![\w.]|,\d)")
_ENDINGS: Final[Mapping[str, str]] = {
    "en": r"(?P<ending>st|nd|rd|th)(?!\w)",
    "es": r"\.?(?P<ending>º|ª|er(?!\w)|(?<=\.)[oa](?!\w))",
    "pt": r"\.?(?P<ending>º|ª)",
    "it": r"\.?(?P<ending>º|ª|°(?!\s?C))",
    "fr": r"(?P<ending>ère|er|re|ème|nde|nd|e)(?!\w)",
    "nl": r"(?P<ending>ste|de|e)(?!\w)",
    "sv": r"(?P<ending>:[ae])(?!\w)",
}
_ARTICLE: Final = re.compile(
    r"(?<!\w)(der|die|das|den|dem|des|im|am|vom|zum|zur|beim|ins)\s+\Z", re.IGNORECASE
)
_DECADE: Final = re.compile(r"(?<!\w)(?:(?P<century>1[5-9]|20)|['’])(?P<ten>\d0)['’]?s(?!\w)")
#: `401(k)`, `403b`: in the United States, plans by their sections of the law.
_PENSION: Final = re.compile(r"(?<![\w.,$])(401|403|457)\s?(?:\(([kb])\)|([kb])(?!\w))", re.I)
_RANGE: Final = re.compile(
    r"(?<=\w)\s?–\s?(?=\d)"
    r"|(?:(?<=[\d%°º€£¢½¼¾])|(?<=[°º][CF])|(?<=\d\$)|(?<=\d[a-z])|(?<=[ap]m)|(?<=[ap]\.m\.)|(?<=\d(?:st|nd|rd|th)))"
    r"\s?[–—-]\s?(?=[$€£]?\d)",
    re.IGNORECASE,
)
_RATIO: Final = re.compile(r"(?<=\d):(?=\d)")
_NEGATIVE: Final = re.compile(r"(?<![\w)\]%°º€$£¢])(?:-|−)(?=\d|[.,]\d)")


def rules(language: Language) -> Iterator[Rule]:
    """How these are read."""
    yield from _ordinals(language)
    yield from _fractions(language)
    yield from _versions(language)
    yield from _joints(language)


def decades(language: Language) -> Iterator[Rule]:
    """How decades and pension plans are read, whose endings look like units."""
    if language.code != "en":
        return

    def say(match: re.Match[str], _: Context) -> str:
        ten = int(match["ten"])
        said = language.cardinal(ten) if ten else "hundred"
        said = said[:-1] + "ies" if said.endswith("y") else f"{said}s"
        century = match["century"]
        if century == "20" and not ten:
            return "two thousands"
        return said if century is None else f"{language.cardinal(int(century))} {said}"

    def plan(match: re.Match[str], _: Context) -> str:
        return f"{language.year(int(match[1]))} {(match[2] or match[3]).upper()}"

    yield Rule(_DECADE, say)
    yield Rule(_PENSION, plan)


def _ordinals(language: Language) -> Iterator[Rule]:
    if language.code == "de":
        yield from _german_ordinals(language)
    ending = _ENDINGS.get(language.code)
    if ending is None:
        return

    def say(match: re.Match[str], _: Context) -> str:
        return language.ordinal(int(match["number"]), match["ending"])

    yield Rule(re.compile(rf"(?<![\w.,])(?P<number>\d{{1,4}}){ending}"), say)


def _german_ordinals(language: Language) -> Iterator[Rule]:
    """`im 3. Stock`; without an article, the dot ends a sentence."""

    def say(match: re.Match[str], context: Context) -> str | None:
        article = _ARTICLE.search(context.head)
        if article is None:
            return None
        weak = article[1].lower() in {"der", "die", "das"}
        return language.ordinal(int(match[1]), "") + ("" if weak else "n")

    yield Rule(re.compile(r"(?<![\w.,])(\d{1,3})\.(?=\s+[^\W\d_])"), say)


def _fractions(language: Language) -> Iterator[Rule]:
    def mixed(whole: str | None, top: int, bottom: int) -> str | None:
        said = language.fraction(top, bottom)
        if said is None or whole is None:
            return said
        link = language.signs.get("and", "")
        one = language.signs.get("half", said) if (top, bottom) == (1, 2) else said
        if (top, bottom) == (1, 4) and language.code == "en":
            one = "a quarter"
        return f"{language.cardinal(int(whole))} {link} {one}"

    def say(match: re.Match[str], context: Context) -> str | None:
        top, bottom = int(match[2]), int(match[3])
        rated = top == bottom != 50 or re.match(r"\s+(?:stars?|points?)(?!\w)", context.tail)
        if language.code == "en" and rated:
            return f"{language.cardinal(top)} out of {language.cardinal(bottom)}"
        if top == bottom == 50 or (top, bottom) == (9, 11):
            return f"{language.cardinal(top)} {language.cardinal(bottom)}"
        if top >= bottom or bottom > 16:
            return None
        return mixed(match[1], top, bottom)

    def sign(match: re.Match[str], _: Context) -> str | None:
        top, _slash, bottom = unicodedata.normalize("NFKC", match[2] or match[3]).partition("⁄")
        said = mixed(match[1], int(top), int(bottom))
        if said is None and (slash := language.signs.get("/")):
            return f"{match[1] or ''} {top} {slash} {bottom}".strip()
        return said

    def always(_match: re.Match[str], _: Context) -> str:
        return f"{language.cardinal(24)} {language.cardinal(7)}"

    def rating(match: re.Match[str], _: Context) -> str:
        whole, tenth = language.cardinal(int(match[1])), one_by_one(match[2], language)
        return f"{whole} point {tenth} out of {language.cardinal(int(match[3]))}"

    if language.code == "en":
        yield Rule(_RATING, rating)
    yield Rule(_ALWAYS_OPEN, always)
    yield Rule(_VULGAR, sign)
    yield Rule(_FRACTION, say)


def _versions(language: Language) -> Iterator[Rule]:
    dot = "point" if language.code == "en" else language.signs.get(".")

    def say(match: re.Match[str], context: Context) -> str | None:
        parts = match[2].split(".")
        if dot is None or (len(parts) == 2 and not match["v"]):
            return None
        if len(parts) > 2 and all(len(part) == 3 for part in parts[1:]) and len(parts[0]) <= 3:
            # Thousands with dots; of addresses, few look like it.
            return None
        if len(parts) == 4:
            dotted = f" {language.signs['.']} "
            return dotted.join(one_by_one(part, language) for part in parts)
        said = f" {dot} ".join(language.cardinal(int(part)) for part in parts)
        named = re.search(r"versi[oó]n\s+\Z", context.head, re.IGNORECASE)
        return f"{language.signs['version']} {said}" if match["v"] and not named else said

    def whole(match: re.Match[str], _: Context) -> str | None:
        name = language.signs.get("version")
        return None if name is None else f"{name} {language.cardinal(int(match[1]))}"

    yield Rule(_VERSION, say)
    yield Rule(_WHOLE_VERSION, whole)


def _joints(language: Language) -> Iterator[Rule]:
    def name(word: str, pattern: re.Pattern[str]) -> Iterator[Rule]:
        said = language.signs.get(word)
        if said is not None:
            yield Rule(pattern, lambda _match, _: f" {said} ")

    yield from name("to", _RANGE)
    yield from name("to", _RATIO)
    yield from name("minus", _NEGATIVE)
