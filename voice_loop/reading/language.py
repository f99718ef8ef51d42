"""What a reader needs to know of one language: words as data, grammar as functions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


def folded(text: str) -> str:
    """A text in small letters, as patterns that ignore case take them to be the same."""
    return text.casefold().replace("i\u0307", "i").replace("ı", "i")


@dataclass(frozen=True)
class Currency:
    """One currency's names."""

    one: str
    many: str
    cent: str = ""
    cents: str = ""
    feminine: bool = False


@dataclass(frozen=True)
class Clock:
    """A time of day as it is written."""

    hour: int
    minute: int
    half: str = ""
    """`a` or `p` of twelve hours; empty for none."""


@dataclass(frozen=True)
class Language:
    """How one language is read aloud."""

    code: str
    """ISO 639-1."""
    cardinal: Callable[[int], str]
    ordinal: Callable[[int, str], str]
    """Of a number and its ending in writing."""
    year: Callable[[int], str]
    date: Callable[[int, int, int | None], str]
    """Of day, month and year."""
    clock: Callable[[Clock], str]
    counted: Callable[[int, str], str]
    """A cardinal before what is counted."""
    fraction: Callable[[int, int], str | None]
    money: Callable[[int, str, Currency], str]
    """Of whole units, the two digits of the cents and the currency."""
    currency: Callable[[str], Currency | None]
    """By sign or ISO 4217 code."""
    decimal: str = "."
    """What divides whole numbers from decimals; the other one groups thousands."""
    month_first: bool = False
    signs: Mapping[str, str] = field(default_factory=dict)
    """Signs by their names, and small words by keys of more than one character."""
    units: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    month_names: Sequence[str] = ()
    months: Mapping[str, int] = field(default_factory=dict)
    """Names and abbreviations in small letters."""
    weekdays: Mapping[str, str] = field(default_factory=dict)
    """Abbreviations in small letters, with the names."""
    abbreviations: Mapping[str, str] = field(default_factory=dict)
    """In small letters, without the last dot."""
    undotted: frozenset[str] = frozenset()
    """Those that are known without it, too."""
    code_words: str = ""
    """A pattern of what is told by digits: codes, rooms, telephone numbers."""
    code_links: str = "(?!)"
    """A pattern of the small words between those and the digits."""
    small_words: frozenset[str] = frozenset()
    """Words that are not counted, where they follow a number."""
    year_words: str = ""
    """A pattern of what stands before years."""
    quantity_words: str = ""
    """A pattern of what stands before amounts."""
    date_words: str = ""
    """A pattern of what stands before dates."""
    time_words: str = ""
    """A pattern of what stands before times of day, also where those have a dot."""
    scales: Mapping[str, str] = field(default_factory=dict)
    """`k`, `m`, `bn` and what is written out behind an amount of money."""
    capitals: frozenset[str] = frozenset()
    """Words that are read as words also where they are all capitals."""
    states: Mapping[str, str] = field(default_factory=dict)
    """Postal abbreviations before postal codes."""
    letters: Mapping[str, str] = field(default_factory=dict)
    """Names of single letters that a voice would take for words."""


def unit_names(signs: str, one: str, many: str | None = None) -> dict[str, tuple[str, str]]:
    """What a unit is called, one and many of it, by its signs; `many` is `one` with an s."""
    return dict.fromkeys(signs.split(), (one, many or f"{one}s"))
