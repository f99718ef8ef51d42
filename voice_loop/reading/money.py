"""Amounts of money, by sign or code, in front of the number or behind."""

import re
from collections.abc import Iterator
from typing import Final

from voice_loop.reading.language import Currency, Language, folded
from voice_loop.reading.numbers import MINUS, amount, number_pattern, parse, spoken_number
from voice_loop.reading.rule import Context, Rule

_SIGNS: Final = r"US\$|CA\$|C\$|AU\$|A\$|NZ\$|MX\$|R\$|S/|[$€£¥₹₽₩₺₪₴₱฿]"
_CODES: Final = (
    "USD|EUR|GBP|JPY|CAD|AUD|NZD|MXN|BRL|CHF|CNY|INR|ARS|CLP|COP|PEN|UYU|SEK|NOK|DKK|PLN|CZK|HUF"
    "|ZAR|SGD|HKD|AED|SAR|ILS|KRW|THB|PHP|RUB|UAH"
)
#: Where these are paid in, and English is spoken, decimals have a point.
_POINTED: Final = re.compile(r"[$£]|USD|GBP|CAD|AUD|NZD|SGD|HKD|MXN")
_MILLIONS: Final = re.compile("mill[ioó]|milh|bilh|mili")
#: Between millions and what there are of them.
_LINKS: Final = {"es": " de ", "pt": " de ", "fr": " de ", "it": " di "}
_PER: Final = {
    "mo": "month", "hr": "hour", "h": "hour", "yr": "year", "y": "year", "wk": "week", "d": "day",
}  # fmt: skip


def rules(language: Language) -> Iterator[Rule]:
    """How money is read."""
    number = number_pattern(language, money=True)
    scale = "|".join(sorted(language.scales, key=len, reverse=True)) or "(?!)"
    scaled = rf"(?:\s?(?P<scale>{scale})(?!\w))?"
    per = r"(?:\s?/\s?(?P<per>[^\W\d_]+))?"
    before = re.compile(
        rf"{MINUS}(?:(?P<sign>{_SIGNS})|(?<!\w)(?P<code>{_CODES}))\s?(?P<number>{number}|\.\d\d)(?:[.,][-–—](?!\d))?"
        rf"(?:\s?[–—-]\s?(?:{_SIGNS})?(?P<until>{number})(?!\w))?(?i:{scaled}){per}(?!\d)"
    )
    after = re.compile(
        rf"(?<![\w.,]){MINUS}(?P<number>{number})(?:[.,][-–—])?(?P<until>(?!))?(?i:{scaled})\.?\s?"
        rf"(?:(?P<sign>{_SIGNS})(?!\d)|(?P<code>{_CODES})(?!\w)){per}"
    )
    cents = re.compile(r"(?<![\w.,])(\d{1,4})\s?¢")

    def say(match: re.Match[str], _: Context) -> str | None:
        name = match["sign"] or match["code"]
        currency = language.currency(name)
        if currency is None:
            return None
        written = match["number"]
        # Fuel has three decimals; amounts in other currencies may be written as at home.
        foreign = language.decimal != "." or not _POINTED.search(name)
        whole, decimals = parse(
            f"0{written}" if written[0] == "." else written, language, money=foreign
        )
        if match["scale"]:
            said = _scaled(whole, decimals, folded(match["scale"]), currency, language)
        elif len(decimals) > 2:
            said = f"{amount(match['number'], language)} {currency.many}"
        else:
            said = language.money(whole, decimals.ljust(2, "0") if decimals else "", currency)
        if match["until"]:
            until, more = parse(match["until"], language, money=foreign)
            said = f"{amount(match['number'], language)} {language.signs['to']} " + (
                _scaled(until, more, folded(match["scale"]), currency, language)
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
    one = whole == 1 and not decimals
    if language.code == "de" and one and name.startswith("Mil"):
        said, name = "eine", name.removesuffix("en").removesuffix("e") + "e" * ("liard" in name)
    if language.code == "es" and one and name == "millones":
        name = "millón"
    link = _LINKS.get(language.code, " ") if _MILLIONS.match(name) else " "
    if link == " de " and language.code == "fr" and currency.many[0] in "aeiou":
        link = " d'"
    return f"{said} {name}{link}{currency.many}"
