"""E-mail and web addresses: `a@b.example` is "a at b dot example"."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from voice_loop.reading.language import Language
from voice_loop.reading.numbers import letters, one_by_one
from voice_loop.reading.rule import Context, Rule

_EMAIL: Final = re.compile(
    r"(?:mailto:|sips?:|xmpp:)?[\w.+%'-]*[\w+%-]@(?:[\w-]+\.)+[^\W\d_][\w-]*\w", re.I
)
_WEB: Final = re.compile(
    r"(?<![\w@])(?:(?:https?|ftp|wss?)://(?:[\w.~%-]+(?::[\w.~%-]*)?@)?|www\.)[^\s<>\"“”「」]*[^\s<>\"“”「」.,;:!?)\]}'’*_]/?",
    re.IGNORECASE,
)
#: Of a name without a scheme: what is never the beginning of a sentence that lacks its space.
_DOMAINS: Final = (
    "com|org|net|edu|gov|info|biz|io|ai|app|dev|co|tv|uk|ca|de|es|fr|nl|eu|mx|ar|br|pt|ch|se|dk|pl|cz"
    "|ru|jp|cn|nz|za|ie|online|shop|store|site|health|care|dental|clinic|example|test|local|internal|cloud"
    "|tech|page|link|blog|news|support|travel|bank|law|law|pro|xyz|cat|gal|eus"
)
_BARE: Final = re.compile(
    rf"(?<![\w@.-])(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:{_DOMAINS})(?![\w-]|\.\w)"
    r"(?::\d{2,5})?(?:[/?#][^\s<>\"“”]*[^\s<>\"“”.,;:!?)\]}'’*])?/?",
    re.IGNORECASE,
)
_FILE: Final = re.compile(
    r"(?<![\w@.])[\w-]+\.(?:pdf|docx?|xlsx?|pptx?|csv|txt|jpe?g|png|gif|zip|html?|js|py|json|xml|mp3|mp4|ics)(?!\w)",
    re.IGNORECASE,
)
_SCHEME: Final = re.compile(r"(?:[a-z]+://|mailto:|sips?:|xmpp:)", re.IGNORECASE)
_PIECE: Final = re.compile(r"%[0-9a-f]{2}|[^\W\d_]+|\d|.", re.IGNORECASE)
#: The end of a host's name that is a country's code, or says as little.
_COUNTRY: Final = re.compile(r"(?<=\.)[a-z]{2}(?=[/:?#]|\Z)", re.IGNORECASE)
_VOWEL: Final = re.compile("[aeiouyáéíóúàèìòùäöüâêîôû]|[^\x00-\x7f]", re.IGNORECASE)


def rules(language: Language) -> Iterator[Rule]:
    """How addresses are read."""
    if "." not in language.signs:
        return

    def say(match: re.Match[str], _: Context) -> str:
        return spelt(match[0], language)

    for pattern in (_EMAIL, _WEB, _BARE, _FILE):
        yield Rule(pattern, say)


def spelt(address: str, language: Language) -> str:
    """An address in words: its names as they are, its signs by their names."""
    bare = _SCHEME.sub("", unicodedata.normalize("NFKC", address), count=1).rstrip("/")
    if bare.isupper():
        bare = bare.lower()
    country = _COUNTRY.search(bare)
    said: list[str] = []
    for piece in _PIECE.finditer(bare):
        text = piece[0]
        if text.isdecimal():
            said.append(one_by_one(text, language))
        elif country is not None and piece.start() == country.start():
            said.append(letters(text, language))
        elif text.isalpha():
            said.append(_name(text, language))
        elif text in language.signs:
            said.append(language.signs[text])
    return " ".join(said)


def _name(piece: str, language: Language) -> str:
    if len(piece) == 1:
        return language.letters.get(piece.upper(), piece.upper())
    is_word = _VOWEL.search(piece) is not None and not piece.isupper()
    return piece if is_word else letters(piece, language)
