"""What recognisers write that nobody said: annotations of sounds, and sentences of subtitles.

Whisper was taught by subtitles. Where nobody speaks it writes what stands in them there: `[Music]`,
`*coughs*`, notes, thanks to an audience, the credits of whoever wrote them.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from voice_loop.phrases import consists_of, plain_words

_NOTES: Final = "♩♪♫♬🎵🎶"
_ANNOTATION: Final = re.compile(
    "|".join(
        (
            # The last words may have been cut off, and the closing sign with them. Marks of
            # quotation are left alone: people are quoted.
            *(rf"\{opener}[^\{closer}]*(?:\{closer}|$)" for opener, closer in ("[]", "{}")),
            *(
                f"{opener}[^{closer}]*(?:{closer}|$)"
                for opener, closer in ("［］", "（）", "【】", "〔〕")
            ),
            # Telephone numbers have brackets, too: `(415) 555-0132`.
            r"\((?!\d[\d\s-]*\))[^)]*(?:\)|$)",
            # In `x<y and y>z`, signs are signs.
            r"(?:(?<!\w)<|<(?=[|/]))[|/]?[^\W\d][\w\s/.:-]*(?<!\s)\|?>|<\|[\d.]+\|>",
            # The star of a keypad stands beside digits.
            r"[*＊](?=\s*[^\W\d])[^*＊\d]*[*＊]|^\s*[*＊](?=[^\W\d])[^*＊\d]*$",
            rf"[{_NOTES}][^{_NOTES}]*(?:[{_NOTES}]|$)",
        )
    )
)
_SPACES: Final = re.compile(" {2,}")
#: A sentence with the space behind it. A dot in a name or an address ends none.
_SENTENCE: Final = re.compile(r".+?(?:[.!?…।؟]+(?=\s|$)|[。！？]+|\n|$)\s*", re.DOTALL)
#: Longer sentences, and longer texts, are looked at no further, characters.
_LONGEST: Final = 200
_LONGEST_TEXT: Final = 4000


class _Subtitles:
    """The sentences of `subtitles.json`, compared as plain words; `*` there is any words.

    Args:
        alone: by language, what nobody says on a telephone.
        after: what counts as such after one of them: an audience is taken leave of, too.
    """

    def __init__(self, alone: Mapping[str, Iterable[str]], after: Iterable[str]) -> None:
        lines = {line for of_language in alone.values() for line in of_language}
        patterns = {line for line in lines if "*" in line}
        self._lines = frozenset(map(plain_words, lines - patterns))
        self._patterns = re.compile("|".join(map(_regex, sorted(patterns))))
        self._after = frozenset(map(plain_words, after))

    def without(self, text: str) -> str:
        """The text's other sentences."""
        kept = []
        after = False
        for sentence in _SENTENCE.findall(text):
            words = plain_words(sentence)
            if self._has(words):
                after = True
            elif words and not (after and consists_of(words, self._after)):
                kept.append(sentence)
                after = False
        return "".join(kept).strip()

    def _has(self, words: str) -> bool:
        return consists_of(words, self._lines) or (
            len(words) <= _LONGEST and self._patterns.fullmatch(words) is not None
        )


def _regex(pattern: str) -> str:
    return ".*".join(re.escape(plain_words(part)) for part in pattern.split("*"))


_SUBTITLES: Final = _Subtitles(
    **json.loads(Path(__file__).with_name("subtitles.json").read_text(encoding="utf-8"))
)


def spoken(text: str) -> str:
    """What of a recogniser's text somebody said; empty where that is nothing."""
    text = _SPACES.sub(" ", _ANNOTATION.sub(" ", text)).strip()
    return _SUBTITLES.without(text) if len(text) <= _LONGEST_TEXT else text
