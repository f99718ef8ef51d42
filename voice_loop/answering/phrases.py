"""What machines say, by language, and which of them says it.

A language is a file of `phrases/`: kinds, each with regular expressions over plain words. In
them `*` between spaces stands for up to five words and KEY for a key of a telephone. They are read
as transcripts are: without case, accents and punctuation. All languages are listened for at once,
for a network or a menu may not speak the call's; a recogniser's usual mishearings are in the files.
"""

import math
import re
import tomllib
import unicodedata
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, Literal

Kind = Literal[
    "invite",  # to leave a message
    "tone",  # a tone is announced, after which one may speak
    "machine",  # nobody is there
    "full",  # nobody is there, and no message is taken
    "unavailable",  # the network's: no such number, switched off
    "menu",
    "screening",  # who calls, and why?
    "hold",  # one is to wait
    "recorded",  # some other announcement
    "person",  # a person's, who answers at length
]
_KINDS: Final[tuple[Kind, ...]] = (
    *("invite", "tone", "machine", "full", "unavailable", "menu", "screening", "hold"),
    *("recorded", "person"),
)
#: "To …", as plain words.
_AIMS: Final = frozenset({"to", "para", "pour", "per", "um", "om", "чтобы", "aby"})
_LATIN: Final = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "’": "'", "`": "'"})


def plain(text: str) -> str:
    """The words as the patterns have them: no case, no accents, single spaces."""
    return " ".join(re.findall(r"[\w']+", _folded(text)))


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_LATIN))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


@lru_cache(256)
def kinds_of(text: str) -> frozenset[Kind]:
    """What kinds of announcement have phrases in these words."""
    words = plain(text)
    return frozenset(kind for kind in _KINDS if words and _patterns()[kind].search(words))


def count_of(kind: Kind, text: str) -> int:
    """How many phrases of a kind these words have."""
    return len(_patterns()[kind].findall(plain(text)))


def place_of(kind: Kind, text: str) -> float:
    """Where the first phrase of a kind begins, in characters; infinity where there is none."""
    found = _patterns()[kind].search(plain(text))
    return math.inf if found is None else found.start()


def begins_with_aim(text: str) -> bool:
    """Whether these words begin with what one may want, as menus do: "to leave a message, …"."""
    return plain(text).partition(" ")[0] in _AIMS


def sounds_recorded(text: str) -> bool:
    """Whether these words are what machines say: to leave a message, to press a key."""
    return bool(kinds_of(text) - {"person"})


@cache
def _patterns() -> dict[Kind, re.Pattern[str]]:
    spaced: dict[Kind, list[str]] = {kind: [] for kind in _KINDS}
    unspaced: dict[Kind, list[str]] = {kind: [] for kind in _KINDS}
    for file in sorted(files(__package__).joinpath("phrases").iterdir(), key=lambda one: one.name):
        language = tomllib.loads(file.read_text(encoding="utf-8"))
        alternatives = spaced if language.get("spaced", True) else unspaced
        keys = rf"(?:\d+|{_folded(language['keys'])})"
        for kind in _KINDS:
            for pattern in language[kind]:
                gaps = re.sub(r" \* ", r"(?: [\\w']+){0,5} ", pattern)
                alternatives[kind].append(_uncaptured(_folded_pattern(gaps.replace("KEY", keys))))
    return {
        # What is no beginning of a word is passed over before anything else is tried.
        kind: re.compile(
            rf"(?<!\w)(?=\w)(?:{'|'.join(spaced[kind])})(?!\w)|{'|'.join(unspaced[kind])}"
        )
        for kind in _KINDS
    }


def _folded_pattern(pattern: str) -> str:
    """A pattern's letters as transcripts have them; what is regular expression stays."""
    return "".join(
        char if char.isascii() else _folded(char) for char in unicodedata.normalize("NFC", pattern)
    )


def _uncaptured(pattern: str) -> str:
    return re.sub(r"\((?!\?)", "(?:", pattern)
