"""Numbers with a unit: measures, temperatures, percent, multiples."""

import re
from collections.abc import Iterator
from typing import Final

from voice_loop.reading.language import Language
from voice_loop.reading.numbers import MINUS, PLURAL, amount, number_pattern
from voice_loop.reading.rule import Context, Rule

_FEET: Final = re.compile(r"(?<![\w'’])(\d{1,2})['’′] ?(\d{1,2})(?:\"|”|″|''|(?!\w))")
_DURATION: Final = re.compile(
    r"(?<![\w.,:])(\d{1,3})\s?h(?:rs?)?\s?(\d{1,2})\s?m(?:ins?)?(?![\w²³/])"
)
#: Units of one letter or two that are no units beside a hyphen, or at once behind the number.
_NOT_HYPHENED: Final = frozenset(("m", "s", "g", "l", "L", "h", "V", "W", "ft", "min"))
_NOT_GLUED: Final = frozenset(("l", "L", "V", "W"))


def durations(language: Language) -> Iterator[Rule]:
    """How `2h 30m` is read, whose minutes look like meters."""
    hours, minutes = language.units.get("h"), language.units.get("min")
    if hours is None or minutes is None:
        return

    def say(match: re.Match[str], _: Context) -> str:
        hour, minute = int(match[1]), int(match[2])
        said = [(hour, hours[hour != 1]), (minute, minutes[minute != 1])]
        return " ".join(f"{language.counted(number, unit)} {unit}" for number, unit in said)

    yield Rule(_DURATION, say)


def rules(language: Language) -> Iterator[Rule]:
    """How numbers with a unit are read."""
    number = number_pattern(language)
    units = "|".join(map(re.escape, sorted(language.units, key=len, reverse=True))) or "(?!)"
    measured = re.compile(
        rf"(?<![\w.,]){MINUS}(?P<number>{number})(?P<gap>[ \u00a0-]?)"
        rf"(?P<unit>{units})(?![\w'’])(?!\.\w)"
    )
    warm = re.compile(
        rf"(?<![\w.,]){MINUS}(?P<number>{number})\s?"
        r"(?:°\s?(?P<scale>[CFK](?!\w))?|º\s?(?P<other>[CF])(?!\w)|(?P<one>[℃℉]))"
    )
    percent = re.compile(rf"(?<![\w.,]){MINUS}(?P<number>{number})\s?%")
    thousands = re.compile(rf"(?<![\w.,$€£])(?P<number>{number})(?P<scale>[kKMB]|bn)(?!\w)")
    times = re.compile(rf"(?<![\w.,])(?P<number>{number})x(?!\w)")
    by = re.compile(r"(?<=\d)\s?[x×]\s?(?=\d)")

    def measure(match: re.Match[str], _: Context) -> str | None:
        one, many = language.units[match["unit"]]
        unit, gap = match["unit"], match["gap"]
        if (gap == "-" and unit in _NOT_HYPHENED) or (not gap and unit in _NOT_GLUED):
            return None
        said = amount(match["number"], language, many, minus=bool(match["minus"]))
        if said is None:
            return None
        single = match["number"] == "1" or gap == "-"
        link = "-" if gap == "-" else " "
        return f"{said}{link}{one if single else many}"

    def temperature(match: re.Match[str], _: Context) -> str | None:
        if "°" not in language.signs:
            return None
        scale = match["scale"] or match["other"] or {"℃": "C", "℉": "F"}.get(match["one"] or "")
        degrees = language.signs["degree" if match["number"] == "1" else "°"]
        said = amount(match["number"], language, "grados", minus=bool(match["minus"]))
        name = {"C": "celsius", "F": "fahrenheit"}.get(scale or "")
        return f"{said} {degrees}" + (f" {language.signs[name]}" if name else "")

    def share(match: re.Match[str], _: Context) -> str | None:
        sign = language.signs.get("%")
        said = amount(match["number"], language, minus=bool(match["minus"]))
        return None if sign is None or said is None else f"{said} {sign}"

    def kilo(match: re.Match[str], context: Context) -> str | None:
        name = language.scales.get(match["scale"].lower())
        said = amount(match["number"], language, "euros")
        # `4K` and `5G` are names.
        if name is None or said is None or len(match[0]) == 2:
            return None
        # `12B` is the number of a flat.
        if match["scale"] in "MB" and match["number"].isdigit() and not PLURAL.match(context.tail):
            return None
        return f"{said} {name}"

    yield Rule(warm, temperature)
    yield Rule(percent, share)
    yield Rule(measured, measure)
    yield Rule(thousands, kilo)
    if "by" in language.signs:
        yield Rule(by, lambda _match, _: f" {language.signs['by']} ")
    if language.code == "en":
        yield Rule(times, lambda match, _: f"{amount(match['number'], language)} times")

        def height(match: re.Match[str], _: Context) -> str:
            return f"{language.cardinal(int(match[1]))} foot {language.cardinal(int(match[2]))}"

        yield Rule(_FEET, height)
