"""Amounts: money, units, fractions, ordinals, versions, and numbers by what stands around them."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Final

from voice_loop.reading.language import Currency, Language
from voice_loop.reading.numbers import (
    MOST_DIGITS,
    digits,
    number_pattern,
    one_by_one,
    parse,
    spoken_number,
)
from voice_loop.reading.rule import Context, Rule

_SIGNS: Final = r"US\$|CA\$|C\$|AU\$|A\$|NZ\$|MX\$|R\$|S/|[$€£¥₹₽₩₺₪₴₱฿]"
_CODES: Final = (
    "USD|EUR|GBP|JPY|CAD|AUD|NZD|MXN|BRL|CHF|CNY|INR|ARS|CLP|COP|PEN|UYU|SEK|NOK|DKK|PLN|CZK|HUF"
    "|ZAR|SGD|HKD|AED|SAR|ILS|KRW|THB|PHP|RUB|UAH"
)
_MINUS: Final = r"(?P<minus>(?<![\w)\]])[-−])?"
_FRACTION: Final = re.compile(r"(?<![\w/.,])(?:(\d{1,6})[ -])?(\d{1,2})/(\d{1,3})(?![\w/]|[.,]\d)")
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
_FEET: Final = re.compile(r"(?<![\w'’])(\d{1,2})['’′] ?(\d{1,2})(?:\"|”|″|''|(?!\w))")
_DECADE: Final = re.compile(r"(?<!\w)(?:(?P<century>1[5-9]|20)|['’])(?P<ten>\d0)['’]?s(?!\w)")
_RANGE: Final = re.compile(
    r"(?i:(?<=\w)\s?–\s?(?=\d)|(?:(?<=[\d%°½¼¾])|(?<=\d[a-zA-Z])|(?<=[ap]m)|(?<=[ap]\.m\.)|(?<=\d(?:st|nd|rd|th)))\s?[–—-]\s?(?=[$€£]?\d))"
)
_RATIO: Final = re.compile(r"(?<=\d):(?=\d)")
_NEGATIVE: Final = re.compile(r"(?<![\w)\]])(?:-|−)(?=\d|[.,]\d)")
_INTEGER: Final = re.compile(r"(?<![\w])(?<!\d[.,])\d+(?!\w|[.,]\d)")
_LAST_RESORT: Final = re.compile(r"\d+")
_PLURAL: Final = re.compile(
    r"\s+(?:[^\W\d_]{3,}(?<!us|ss|is)s|people|men|women|children|percent|more|of)(?!\w)", re.I
)
_NOUN: Final = re.compile(r"\s+([^\W\d_]{2,})")
_PER: Final = {
    "mo": "month", "hr": "hour", "h": "hour", "yr": "year", "y": "year", "wk": "week", "d": "day",
}  # fmt: skip


def rules(language: Language) -> Iterator[Rule]:
    """How amounts are read, the most particular first."""
    number = number_pattern(language)
    yield from _decades(language)
    yield from _money(language, number_pattern(language, money=True))
    yield from _quantities(language, number)
    yield from _ordinals(language)
    yield from _fractions(language)
    yield from _versions(language)
    yield from _joints(language)


def _amount(text: str, language: Language, noun: str = "", *, minus: bool = False) -> str | None:
    said = spoken_number(*parse(text, language), language, noun)
    sign = language.signs.get("minus")
    return f"{sign} {said}" if minus and sign and said else said


def _money(language: Language, number: str) -> Iterator[Rule]:
    scale = "|".join(sorted(language.scales, key=len, reverse=True)) or "(?!)"
    scaled = rf"(?:\s?(?P<scale>{scale})(?!\w))?"
    per = r"(?:\s?/\s?(?P<per>[^\W\d_]+))?"
    before = re.compile(
        rf"{_MINUS}(?:(?P<sign>{_SIGNS})|(?<!\w)(?P<code>{_CODES}))\s?(?P<number>{number}|\.\d\d)"
        rf"(?:\s?[–—-]\s?(?:{_SIGNS})?(?P<until>{number})(?!\w))?(?i:{scaled}){per}(?!\d)"
    )
    after = re.compile(
        rf"(?<![\w.,])(?P<minus>[-−])?(?P<number>{number})(?P<until>(?!))?(?i:{scaled})\s?"
        rf"(?:(?P<sign>{_SIGNS})(?!\d)|(?P<code>{_CODES})(?!\w)){per}"
    )
    cents = re.compile(r"(?<![\w.,])(\d{1,4})\s?¢")

    def say(match: re.Match[str], _: Context) -> str | None:
        currency = language.currency(match["sign"] or match["code"])
        if currency is None:
            return None
        written = match["number"]
        whole, decimals = parse(
            f"0{written}" if written[0] == "." else written, language, money=True
        )
        if match["scale"]:
            said = _scaled(whole, decimals, match["scale"].lower(), currency, language)
        elif len(decimals) > 2:
            said = f"{_amount(match['number'], language)} {currency.many}"
        else:
            said = language.money(whole, decimals.ljust(2, "0") if decimals else "", currency)
        if match["until"]:
            until, more = parse(match["until"], language, money=True)
            said = f"{_amount(match['number'], language)} {language.signs['to']} " + (
                _scaled(until, more, match["scale"].lower(), currency, language)
                if match["scale"]
                else language.money(until, more, currency)
            )
        if match["per"]:
            unit = language.units.get(match["per"])
            word = _PER.get(match["per"], match["per"]) if language.code == "en" else match["per"]
            said += f" {language.signs['per']} {unit[0] if unit else word}"
        return f"{language.signs['minus']} {said}" if match["minus"] else said

    def small(match: re.Match[str], _: Context) -> str | None:
        dollar = language.currency("$")
        return None if dollar is None else language.money(0, match[1].rjust(2, "0"), dollar)

    yield Rule(before, say)
    yield Rule(after, say)
    yield Rule(cents, small)


def _scaled(whole: int, decimals: str, scale: str, currency: Currency, language: Language) -> str:
    name = language.scales[scale]
    said = spoken_number(whole, decimals, language, "euros")
    if language.code == "es":
        if name == "millones" and whole == 1 and not decimals:
            name = "millón"
        link = " de " if name.startswith("mill") else " "
        return f"{said} {name}{link}{currency.many}"
    return f"{said} {name} {currency.many}"


def _quantities(language: Language, number: str) -> Iterator[Rule]:
    units = "|".join(map(re.escape, sorted(language.units, key=len, reverse=True))) or "(?!)"
    measured = re.compile(
        rf"(?<![\w.,]){_MINUS}(?P<number>{number})(?P<gap>[ \u00a0-]?)"
        rf"(?P<unit>{units})(?![\w'’])(?!\.\w)"
    )
    warm = re.compile(
        rf"(?<![\w.,])(?P<minus>[-−])?(?P<number>{number})\s?(?:°\s?(?P<scale>[CFK](?!\w))?|º\s?(?P<other>[CF])(?!\w)|(?P<one>[℃℉]))"
    )
    percent = re.compile(rf"(?<![\w.,]){_MINUS}(?P<number>{number})\s?%")
    thousands = re.compile(rf"(?<![\w.,$€£])(?P<number>{number})(?P<scale>[kKMB]|bn)(?!\w)")
    times = re.compile(rf"(?<![\w.,])(?P<number>{number})x(?!\w)")
    by = re.compile(r"(?<=\d)\s?[x×]\s?(?=\d)")

    def measure(match: re.Match[str], _: Context) -> str | None:
        one, many = language.units[match["unit"]]
        if match["unit"] in {"m", "s", "g", "l", "L", "h", "V", "W", "ft", "min", "max"} and (
            match["gap"] == "-" or (match["unit"] in "lLVW" and not match["gap"])
        ):
            return None
        said = _amount(match["number"], language, many, minus=bool(match["minus"]))
        if said is None:
            return None
        single = match["number"] == "1" or match["gap"] == "-"
        link = "-" if match["gap"] == "-" else " "
        return f"{said}{link}{one if single else many}"

    def temperature(match: re.Match[str], _: Context) -> str | None:
        if "°" not in language.signs:
            return None
        scale = match["scale"] or match["other"] or {"℃": "C", "℉": "F"}.get(match["one"] or "")
        degrees = language.signs["degree" if match["number"] == "1" else "°"]
        said = _amount(match["number"], language, "grados", minus=bool(match["minus"]))
        name = {"C": "celsius", "F": "fahrenheit"}.get(scale or "")
        return f"{said} {degrees}" + (f" {language.signs[name]}" if name else "")

    def share(match: re.Match[str], _: Context) -> str | None:
        sign = language.signs.get("%")
        said = _amount(match["number"], language, minus=bool(match["minus"]))
        return None if sign is None or said is None else f"{said} {sign}"

    def kilo(match: re.Match[str], context: Context) -> str | None:
        name = language.scales.get(match["scale"].lower())
        said = _amount(match["number"], language, "euros")
        # `4K` and `5G` are names.
        if name is None or said is None or len(match[0]) == 2:
            return None
        # `12B` is the number of a flat.
        if match["scale"] in "MB" and match["number"].isdigit() and not _PLURAL.match(context.tail):
            return None
        return f"{said} {name}"

    yield Rule(warm, temperature)
    yield Rule(percent, share)
    yield Rule(measured, measure)
    yield Rule(thousands, kilo)
    if "by" in language.signs:
        yield Rule(by, lambda _match, _: f" {language.signs['by']} ")
    if language.code == "en":
        yield Rule(times, lambda match, _: f"{_amount(match['number'], language)} times")

        def height(match: re.Match[str], _: Context) -> str:
            return f"{language.cardinal(int(match[1]))} foot {language.cardinal(int(match[2]))}"

        yield Rule(_FEET, height)


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
        if language.code == "en" and re.match(r"\s+(?:stars?|points?)(?!\w)", context.tail):
            return f"{language.cardinal(top)} out of {language.cardinal(bottom)}"
        if top == bottom == 50:
            return f"{language.cardinal(top)} {language.cardinal(bottom)}"
        if top >= bottom or bottom > 16 or bottom == 11:
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


def _decades(language: Language) -> Iterator[Rule]:
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

    yield Rule(_DECADE, say)


def _joints(language: Language) -> Iterator[Rule]:
    def name(word: str, pattern: re.Pattern[str]) -> Iterator[Rule]:
        said = language.signs.get(word)
        if said is not None:
            yield Rule(pattern, lambda _match, _: f" {said} ")

    yield from name("to", _RANGE)
    yield from name("to", _RATIO)
    yield from name("minus", _NEGATIVE)


def plain_numbers(language: Language) -> Iterator[Rule]:
    """How numbers are read that nothing more particular took."""
    below_one = re.compile(r"(?<![\w.,])[.,](\d{1,15})(?!\w|[.,]\d)")
    decimal = re.compile(rf"(?<![\w.,]){number_pattern(language)}(?!\w)")
    code = re.compile(
        rf"(?:(?<![^\W_])(?:{language.code_words})(?:\W+(?:{language.code_links})(?!\w)){{0,4}}\W*"
        r"(?-i:[A-Z]{2,3} )?|[#№]\s?)\Z"
        if language.code_words
        else r"[#№]\s?\Z",
        re.IGNORECASE,
    )
    months = "|".join(language.months)
    year = re.compile(rf"(?<!\w)(?:{language.year_words}|{months})[.,]?\s+\Z", re.I)
    quantity = re.compile(rf"(?<!\w)(?:{language.quantity_words})\s+\Z", re.I)

    def grouped(match: re.Match[str], context: Context) -> str | None:
        if match[0].isdigit():
            return None
        return _amount(match[0], language, _noun(context.tail, language))

    def say(match: re.Match[str], context: Context) -> str:
        text = match[0]
        size = len(text)
        if size > MOST_DIGITS:
            return digits(text, language)
        whole = str(int(text))
        noun = _noun(context.tail, language)
        if size > 1 and whole != text.translate(_ASCII):
            return digits(text, language)
        if size >= 3 and code.search(context.head) and not (size == 3 and whole.endswith("00")):
            return digits(text, language)
        if size == 5 and re.search(r"(?<!\w)[A-Z]{2}[.,]?\s+\Z", context.head):
            return digits(text, language)
        number = int(whole)
        if size == 4 and noun.istitle() and language.code == "en" and number >= 1000:
            # The number of a house.
            return language.year(number)
        if size == 4 and 1000 <= number < 2100:
            counts = _PLURAL.match(context.tail) is not None
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

    def part(match: re.Match[str], _: Context) -> str | None:
        point = language.signs.get("point")
        return None if point is None else f"{point} {one_by_one(match[1], language)}"

    yield Rule(below_one, part)
    yield Rule(decimal, grouped)
    yield Rule(_INTEGER, say)
    yield Rule(_LAST_RESORT, resort)


_ASCII: Final = {
    ord(char): str(unicodedata.digit(char)) for char in map(chr, range(0x10000)) if char.isdecimal()
}


def _noun(tail: str, language: Language) -> str:
    """What is counted, as far as it can be told."""
    found = _NOUN.match(tail)
    return "" if found is None or found[1].lower() in language.small_words else found[1]
