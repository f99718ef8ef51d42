"""What machines say, by language, and which of them says it.

A language is a file of `phrases/`: kinds, each with regular expressions over plain words. In
them `*` between spaces stands for up to five words and KEY for a key of a telephone. They are read
as transcripts are: without case, accents and punctuation. All languages are listened for at once,
for a network or a menu may not speak the call's; a recogniser's usual mishearings are in the files.
"""

import re
import tomllib
import unicodedata
from functools import cache
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
_LATIN: Final = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "’": "'", "`": "'"})


def plain(text: str) -> str:
    """The words as the patterns have them: no case, no accents, single spaces."""
    return " ".join(re.findall(r"[\w']+", _folded(text)))


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_LATIN))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def kinds_of(text: str) -> frozenset[Kind]:
    """What kinds of announcement have phrases in these words."""
    words = plain(text)
    return frozenset(kind for kind in _KINDS if words and _patterns()[kind].search(words))


def count_of(kind: Kind, text: str) -> int:
    """How many phrases of a kind these words have."""
    return len(_patterns()[kind].findall(plain(text)))


def sounds_recorded(text: str) -> bool:
    """Whether these words are what machines say: to leave a message, to press a key."""
    return bool(kinds_of(text) - {"person"})


@cache
def _patterns() -> dict[Kind, re.Pattern[str]]:
    alternatives: dict[Kind, list[str]] = {kind: [] for kind in _KINDS}
    for file in sorted(files(__package__).joinpath("phrases").iterdir(), key=lambda one: one.name):
        language = tomllib.loads(file.read_text(encoding="utf-8"))
        edges = ("(?<!\\w)", "(?!\\w)") if language.get("spaced", True) else ("", "")
        keys = rf"(?:\d+|{_folded(language['keys'])})"
        for kind in _KINDS:
            for pattern in language[kind]:
                gaps = re.sub(r" \* ", r"(?: [\\w']+){0,5} ", pattern)
                whole = _folded_pattern(gaps.replace("KEY", keys))
                alternatives[kind].append(f"{edges[0]}(?:{whole}){edges[1]}")
    return {
        kind: re.compile("|".join(map(_uncaptured, found))) for kind, found in alternatives.items()
    }


def _folded_pattern(pattern: str) -> str:
    """A pattern's letters as transcripts have them; what is regular expression stays."""
    return "".join(
        char if char.isascii() else _folded(char) for char in unicodedata.normalize("NFC", pattern)
    )


def _uncaptured(pattern: str) -> str:
    return re.sub(r"\((?!\?)", "(?:", pattern)
