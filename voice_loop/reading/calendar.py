"""Dates and times of day, in the forms of the language."""

import re
from collections.abc import Iterator
from typing import Final

from voice_loop.reading.language import Clock, Language, folded
from voice_loop.reading.rule import Context, Rule

_ISO: Final = re.compile(
    r"(?<![\w-])(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:(?:T| )(\d{2}):(\d{2})(?::\d{2}(?:[.,]\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?(?![\w-])"
)
_YEAR_FIRST: Final = re.compile(r"(?<![\w/])(\d{4})/(\d{1,2})/(\d{1,2})(?![\w/])")
_NUMERIC: Final = re.compile(
    r"(?<![\w/.,-])(\d{1,2})(?P<gap>[/.-])(\d{1,2})(?P=gap)(\d{4}|\d{2})(?![\w/]|[.,-]\d)"
)
_SHORT: Final = re.compile(r"(?<![\w/.,-])(\d{1,2})/(\d{1,2})(?![\w/]|[.,-]\d)")
_BETWEEN: Final = re.compile(
    r"(?<![\w/.,-])(\d{1,2})/(\d{1,2})\s?[–-]\s?(\d{1,2})/(\d{1,2})(?![\w/]|[.,-]\d)"
)
_COMMON_PARTS: Final = frozenset((2, 3, 4, 8))
#: What fractions are of, and in which parts.
_MEASURED: Final = re.compile(r"\s+(?:of|cup|hour|mile|inch|tea|table|stars?|points?|de|du(?!\w))")
_DENOMINATORS: Final = frozenset((16, 20, 24, 32))
_EXPIRY: Final = re.compile(r"(?<!\w)(?:exp\w*|valid|caduc\w*)\.?:?\s+\Z", re.IGNORECASE)
_HALF: Final = r"\s?(?P<half>[ap])(?:\. ?m\.|\.?m(?!\w)\.?)"
_AFTER: Final = r"(?:\s?(?:h|hs|hrs?|horas?|heures?|Uhr|uur|o['’]clock)(?!\w)\.?)?"
_CLOCK: Final = re.compile(
    rf"(?<![\w:.,])(?P<hour>[01]?\d|2[0-4])(?P<gap>[:hH.])(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?"
    rf"(?![\d:]|[.,]\d)(?:{_HALF}|(?P<word>{_AFTER}))(?![\w])",
    re.IGNORECASE,
)
_HOUR: Final = re.compile(rf"(?<![\w:.,$€£])(?P<hour>0?\d|1[0-2]){_HALF}", re.IGNORECASE)
_FULL_HOUR: Final = re.compile(r"(?<![\w:.,])(?P<hour>[01]?\d|2[0-4])\s?(?:h|Uhr|uur)(?!\w)")
_MILITARY: Final = re.compile(r"(?<![\w:.,])([01]\d|2[0-3])([0-5]\d)\s?(?:hrs|hours)(?!\w)")

#: What is no time of day follows.
_UNIT: Final = re.compile(
    r"(?:\s?(?:to|until|and|bis|und|a|y|à|et|tot|[–-])\s?[\d.,]+)?(?:\s?[%€$£°]|\s(?:euros?|dollars?|pounds?|pence|grad|prozent|percent|k?[mg])(?!\w))",
    re.IGNORECASE,
)
_DOTTED: Final = re.compile(r"(?<![\w.,/-])(\d{1,2})\.\s?(\d{1,2})\.(?!\d)")
_BEFORE_DAY: Final = re.compile(
    r"(?:(?<!\w)(?:am|und|bis|zum|ab|jeden|nur|(?:mo|di|mi|do|fr|sa)\.)|[,/–-])\s*\Z", re.I
)
_DOUBTFUL: Final = frozenset(
    ("mon", "wed", "sat", "sun", "dom", "mo", "di", "mi", "do", "fr", "sa", "so")
)


def rules(language: Language) -> Iterator[Rule]:
    """How dates and times are read; dates first."""
    yield from _dates(language)
    yield from _times(language)


def _dates(language: Language) -> Iterator[Rule]:
    words = language.date_words or "(?!)"
    told = re.compile(rf"(?:(?<!\w)(?:{words})(?:,|\s+the)?\s+|\d\s?[–-]\s?)\Z", re.IGNORECASE)

    def iso(match: re.Match[str], context: Context) -> str | None:
        said = _date(int(match[3]), int(match[2]), int(match[1]), context, language)
        if said is None or match[4] is None:
            return said
        return f"{said}, {language.clock(Clock(int(match[4]), int(match[5])))}"

    def year_first(match: re.Match[str], context: Context) -> str | None:
        return _date(int(match[3]), int(match[2]), int(match[1]), context, language)

    def numeric(match: re.Match[str], context: Context) -> str | None:
        first, second, year = int(match[1]), int(match[3]), int(match[4])
        if match["gap"] == "." and language.decimal == "." and len(match[4]) == 2:
            return None
        if len(match[4]) == 2:
            year += 2000 if year < 70 else 1900
        if match["gap"] == "." and (said := _date(first, second, year, context, language)):
            return said
        return _either(first, second, year, context, language)

    def short(match: re.Match[str], context: Context) -> str | None:
        first, second = int(match[1]), int(match[2])
        if match[0] == "24/7" or _EXPIRY.search(context.head) or _MEASURED.match(context.tail):
            return None
        clear = first > 12 or (second > 12 and second not in _DENOMINATORS)
        if not clear and not told.search(context.head):
            return None
        return _either(first, second, None, context, language)

    def dotted(match: re.Match[str], context: Context) -> str | None:
        if not told.search(context.head):
            return None
        said = _date(int(match[1]), int(match[2]), None, context, language)
        return said and said + ("" if context.tail.strip() else ".")

    def between(match: re.Match[str], context: Context) -> str | None:
        fractions = {int(match[2]), int(match[4])} <= _COMMON_PARTS
        if _MEASURED.match(context.tail) or (fractions and not told.search(context.head)):
            return None
        first = _either(int(match[1]), int(match[2]), None, context, language)
        last = _either(int(match[3]), int(match[4]), None, context, language)
        return f"{first} {language.signs['to']} {last}" if first and last else None

    if "to" in language.signs:
        yield Rule(_BETWEEN, between)
    yield Rule(_ISO, iso)
    yield Rule(_YEAR_FIRST, year_first)
    yield Rule(_NUMERIC, numeric)
    yield Rule(_SHORT, short)
    if language.code == "de":
        yield Rule(_DOTTED, dotted)
    if language.months:
        yield from _named_dates(language)


def weekdays(language: Language) -> Iterator[Rule]:
    """How abbreviated weekdays are read, and from which to which."""
    if not language.weekdays:
        return
    short = "|".join(sorted(language.weekdays, key=len, reverse=True))
    day = f"(?:{'|'.join({*language.weekdays.values()})}|{short})"
    # The others are words as well.
    clear = "|".join(one.capitalize() for one in language.weekdays if one not in _DOUBTFUL)
    clear = clear or "(?!)"
    ahead = rf"\.|(?=,?\s+(?:\d|(?:at|and|&)\s|(?i:{_months(language)})))"
    names = "|".join(one.capitalize() for one in sorted(language.weekdays, key=len, reverse=True))
    ahead += rf"|(?=,\s+(?:{names})(?!\w))"

    def full(written: str) -> str:
        return language.weekdays.get(folded(written.rstrip(".")), written)

    def until(match: re.Match[str], context: Context) -> str:
        ended = "." if match[0].endswith(".") and not context.tail.strip() else ""
        return f"{full(match[1])} {language.signs['to']} {full(match[2])}{ended}"

    def weekday(match: re.Match[str], context: Context) -> str | None:
        if language.code == "de":
            # A woman's title, and a word.
            named = re.match(r"\s+[A-ZÄÖÜ][a-zäöü]", context.tail)
            before = _BEFORE_DAY.search(context.head)
            if (match[0] == "Fr." and named) or (match[0].startswith("So") and not before):
                return None
        ends = match[0].endswith(".") and context.head and not context.tail.strip()
        return full(match[0]) + ("." if ends else "")

    yield Rule(
        re.compile(rf"(?<!\w)({day})\.?\s?[–-]\s?({day})(?!\w)\.?(?=\W|\Z)", re.IGNORECASE), until
    )
    yield Rule(re.compile(rf"(?<!\w)(?:(?:{names})(?!\w)(?:{ahead})|(?:{clear})(?!\w))"), weekday)


def _months(language: Language) -> str:
    return "|".join(map(re.escape, sorted(language.months, key=len, reverse=True)))


def _name(written: str, language: Language) -> str:
    return language.month_names[language.months[folded(written)] - 1]


def _named_dates(language: Language) -> Iterator[Rule]:
    month = rf"(?P<month>{_months(language)})(?!\w)\.?"
    of_year = r"(?:,?\s+(?:de\s+|del\s+|of\s+)?(?P<year>[12]\d{3})(?![\w:]|[.,]\d))?"

    def named(match: re.Match[str], context: Context) -> str | None:
        number = language.months[folded(match["month"])]
        day = int(match["day"])
        year = None if match["year"] is None else int(match["year"])
        return _date(day, number, year, context, language)

    def english(match: re.Match[str], context: Context) -> str | None:
        said = named(match, context)
        if said is None:
            return None
        name, day = _name(match["month"], language), match["day"]
        year = "" if match["year"] is None else f", {language.year(int(match['year']))}"
        if match["until"]:
            until = language.ordinal(int(match["until"]), "")
            return f"{name} {language.ordinal(int(day), '')} to {until}{year}"
        return said

    def day_first(match: re.Match[str], context: Context) -> str | None:
        if named(match, context) is None:
            return None
        name = _name(match["month"], language)
        year = "" if match["year"] is None else f", {language.year(int(match['year']))}"
        the = "" if re.search(r"\b(?:the|this|next|every)\s+\Z", context.head, re.I) else "the "
        return f"{the}{language.ordinal(int(match['day']), '')} of {name}{year}"

    if language.code == "en":
        day = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
        range_ = r"(?:\s?[–-]\s?(?P<until>\d{1,2})(?:st|nd|rd|th)?)?"
        yield Rule(
            re.compile(
                rf"(?<!\w){month}\s+(?:the\s+)?{day}{range_}(?![\w:]|[.,]\d|\s?[ap]\.?m)(?!-\d){of_year}",
                re.IGNORECASE,
            ),
            english,
        )
        yield Rule(
            re.compile(rf"(?<![\w.,:/-]){day}\s+(?:of\s+)?{month}{of_year}", re.IGNORECASE),
            day_first,
        )
    else:
        day = r"(?P<day>\d{1,2})(?:\.?º|\.?er|\.|°|e)?"
        yield Rule(
            re.compile(rf"(?<![\w.,:/]){day}\s+(?:de\s+)?{month}{of_year}", re.IGNORECASE), named
        )

    def month_of_year(match: re.Match[str], _: Context) -> str:
        name = _name(match["month"], language)
        link = " de " if match["link"] else " "
        return f"{name}{link}{language.year(int(match['of']))}"

    yield Rule(
        re.compile(
            rf"(?<!\w){month},?(?P<link>\s+del?)?\s+(?P<of>[12]\d{{3}})(?![\w:]|[.,]\d)",
            re.IGNORECASE,
        ),
        month_of_year,
    )


def _either(
    first: int, second: int, year: int | None, context: Context, language: Language
) -> str | None:
    """A date whose order its language tells, or its numbers do."""
    day, month = (second, first) if language.month_first else (first, second)
    return _date(day, month, year, context, language) or _date(month, day, year, context, language)


def _date(
    day: int, month: int, year: int | None, context: Context, language: Language
) -> str | None:
    if not (1 <= day <= 31 and 1 <= month <= 12):
        return None
    said = language.date(day, month, year)
    if said.startswith("the ") and re.search(r"\b(?:the|this|next)\s+\Z", context.head, re.I):
        return said.removeprefix("the ")
    return said


def _times(language: Language) -> Iterator[Rule]:
    told = re.compile(rf"(?<!\w)(?:{language.time_words or '(?!)'})\s+\Z", re.IGNORECASE)

    def clock(match: re.Match[str], context: Context) -> str | None:
        hour, minute, half = int(match["hour"]), int(match["minute"]), folded(match["half"] or "")
        gap = match["gap"].lower()
        marked = half or match["word"]
        if (
            gap == "."
            and not marked
            and not (told.search(context.head) and not _UNIT.match(context.tail))
        ):
            return None
        if gap == "h" and language.code not in {"fr", "es", "pt", "it"}:
            return None
        if half and hour > 12:
            hour, half = hour - 12, "p"
        said = language.clock(Clock(hour, minute, half))
        if second := int(match["second"] or 0):
            unit = language.units.get("s", ("", ""))[second != 1]
            link = language.signs.get("and", "")
            said += f" {link} {language.counted(second, unit)} {unit}"
        return _ended(said, match, context)

    def whole(match: re.Match[str], context: Context) -> str:
        half = match["half"].lower()
        return _ended(language.clock(Clock(int(match["hour"]), 0, half)), match, context)

    def full(match: re.Match[str], _: Context) -> str:
        return language.clock(Clock(int(match["hour"]), 0))

    def military(match: re.Match[str], _: Context) -> str:
        return language.clock(Clock(int(match[1]), int(match[2])))

    yield Rule(_CLOCK, clock)
    yield Rule(_HOUR, whole)
    if language.code in {"fr", "es", "pt", "it", "de", "nl"}:
        yield Rule(_FULL_HOUR, full)
    if language.code == "en":
        yield Rule(_MILITARY, military)


def _ended(said: str, match: re.Match[str], context: Context) -> str:
    """With the dot of "p.m." where that ends the sentence, too."""
    if context.tail.startswith("."):
        return said.rstrip(".")
    ends = match[0].endswith(".") and not re.match(r"\s*[a-zà-ÿ\d,;:)–-]", context.tail)
    return said.rstrip(".") + "." if ends or said.endswith(".") else said
