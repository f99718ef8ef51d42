"""From what is written to what is said."""

import logging
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from voice_loop.reading import (
    addresses,
    calendar,
    measures,
    money,
    notations,
    plain_numbers,
    telephone,
    words,
)
from voice_loop.reading.english import english
from voice_loop.reading.language import Language
from voice_loop.reading.others import other
from voice_loop.reading.rule import Context, Rule
from voice_loop.reading.spanish import spanish

log = logging.getLogger(__name__)

#: What a text must have for any of some rules to find something.
_ADDRESS: Final = re.compile(r"@|\w\.\w|://")
_DIGIT: Final = re.compile(r"[\d½¼¾⅐-⅞]")
_SHORTENED: Final = re.compile(
    r"[./º°–-]|(?<!\w)[A-Z][a-z]{1,4}[,\s]|(?<!\w)(?:vs|w|dept|appts?)\s"
)
_CAPITALS: Final = re.compile(r"[A-Z]{2}|[A-Z]\.|[A-Z] ?&|[a-z] [IVX]{2}|[ÁÉÍÓÚÑÜ]{2}")
#: Languages that are written without spaces.
_UNSPACED: Final = frozenset(("ja", "zh", "yue", "th", "lo", "km", "my"))
_WORD: Final = re.compile(r"\S+")


@dataclass(frozen=True)
class Reading:
    """A clause as it is said."""

    spoken: str
    weights: tuple[float, ...]
    """Characters that are said for each word of the written clause."""


class Reader:
    """Reads clauses of one language aloud.

    Args:
        tag: BCP 47 tag, such as `en-GB`, `es-MX`, `de`.
    """

    def __init__(self, tag: str) -> None:
        code, _, rest = tag.replace("_", "-").lower().partition("-")
        regions = [part for part in rest.split("-") if len(part) in (2, 3)]
        self._rules = _rules(code, regions[-1] if regions else "")
        self._failed = False

    def read_or_leave(self, written: str, before: str = "") -> Reading:
        """Read as `read`; leave the text as it is where that fails: a call must not end by it."""
        try:
            return self.read(written, before)
        except Exception:
            if not self._failed:
                log.exception("a text is not read, but left to the voice as it is written")
            self._failed = True
            return Reading(written, _weights(written, []))

    def read(self, written: str, before: str = "") -> Reading:
        """Read one clause; `before` is the one before it, which may tell what a number is."""
        said = self._said(written, before)
        return Reading(_joined(written, said), _weights(written, said))

    def _said(self, written: str, before: str) -> list[tuple[int, int, str]]:
        """What is not said as it is written: from where to where, and how."""
        taken = bytearray(len(written))
        said: list[tuple[int, int, str]] = []
        lead = f"{before} " if before else ""
        for needed, rules in self._rules:
            if needed.search(written) is None:
                continue
            for rule in rules:
                for found in rule.pattern.finditer(written):
                    begin, end = found.span()
                    if begin == end or any(taken[begin:end]):
                        continue
                    context = Context(lead + written[:begin], written[end:])
                    if (spoken := rule.say(found, context)) is not None:
                        taken[begin:end] = b"\1" * (end - begin)
                        said.append((begin, end, spoken))
        return sorted(said)


def _language(code: str, region: str) -> Language:
    """What is known of a language, by its ISO 639-1 code and region in small letters."""
    if code == "en":
        return english(region)
    return spanish(region) if code == "es" else other(code, region)


@lru_cache(maxsize=64)
def _rules(code: str, region: str) -> tuple[tuple[re.Pattern[str], tuple[Rule, ...]], ...]:
    """The rules in order, with what a text must have for them."""
    language = _language(code, region)
    groups = (
        (_ADDRESS, tuple(addresses.rules(language))),
        (
            _DIGIT,
            (
                *words.identifiers(language),
                *measures.durations(language),
                *calendar.rules(language),
                *words.hyphened(language),
                *telephone.rules(language),
                *notations.decades(language),
                *money.rules(language),
                *measures.rules(language),
                *notations.rules(language),
            ),
        ),
        (_CAPITALS, tuple(words.zones(language))),
        (_SHORTENED, (*calendar.weekdays(language), *words.abbreviations(language))),
        (_DIGIT, tuple(words.codes(language))),
        (_CAPITALS, tuple(words.acronyms(language))),
        (_DIGIT, tuple(plain_numbers.rules(language))),
        (words.SIGN, tuple(words.signs(language))),
    )
    if code not in _UNSPACED:
        return groups
    # There, letters beside a number are another word.
    return tuple(
        (needed, tuple(Rule(_ascii(rule.pattern), rule.say) for rule in rules))
        for needed, rules in groups
    )


def _ascii(pattern: re.Pattern[str]) -> re.Pattern[str]:
    return re.compile(pattern.pattern, pattern.flags & ~re.UNICODE | re.ASCII)


def _joined(written: str, said: list[tuple[int, int, str]]) -> str:
    pieces: list[str] = []
    at = 0
    for begin, end, spoken in said:
        pieces += (written[at:begin], spoken)
        at = end
    pieces.append(written[at:])
    text = ""
    for piece in pieces:
        # Scripts without spaces stay so.
        if text and piece and _abuts(text[-1]) and _abuts(piece[0]):
            text += " "
        text += piece
    return " ".join(text.split())


def _abuts(char: str) -> bool:
    return char.isalnum() and char < "\u2e80"


def _weights(written: str, said: list[tuple[int, int, str]]) -> tuple[float, ...]:
    each = [1.0] * len(written)
    for begin, end, spoken in said:
        each[begin:end] = [len(spoken) / (end - begin)] * (end - begin)
    return tuple(sum(each[slice(*word.span())]) for word in _WORD.finditer(written))
