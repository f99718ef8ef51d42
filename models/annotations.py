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
#: A sentence with the space behind it. A dot in a name or an address, or of an initial, ends none.
_SENTENCE: Final = re.compile(
    r".+?(?:(?<![\W_][^\W\d_])\.+(?=\s|$)|[!?…।؟][.!?…।؟]*(?=\s|$)|[。！？]+|\n|$)\s*", re.DOTALL
)
#: `DimaTorzok`; an initial.
_INNER_CAPITAL: Final = re.compile(r"(?<=[a-zа-яё])[A-ZА-ЯЁ]")
_INITIAL: Final = re.compile(r"\b[^\W\d_]\.")
#: A sentence that is not over.
_WORD_AT_THE_END: Final = re.compile(r"[\w,;:'’-]$")
#: Where it is looked for, characters.
_AROUND: Final = 8
#: Longer sentences, and longer texts, are looked at no further, characters.
_LONGEST: Final = 200
_LONGEST_TEXT: Final = 4000


class _Subtitles:
    """The sentences of `subtitles.json`, compared as plain words.

    Args:
        alone: by language, what nobody says on a telephone.
        after: what counts as such after one of them: an audience is taken leave of, too.
        unsure: what people say, too; it counts as such beside one of them or an annotation.
        credit: the words that say who made the subtitles.
    """

    def __init__(
        self,
        alone: Mapping[str, Iterable[str]],
        after: Iterable[str],
        unsure: Iterable[str],
        credit: Mapping[str, Iterable[str]],
    ) -> None:
        lines = frozenset(plain_words(line) for found in alone.values() for line in found)
        self._after = frozenset(map(plain_words, after))
        self._either = lines | self._after
        self._unsure = frozenset(map(plain_words, unsure))
        self._credits = _Credits(**credit)

    def without(self, text: str, annotated: bool) -> str:
        """The text's other sentences.

        Args:
            text: what a recogniser wrote, without its annotations.
            annotated: whether it had some.
        """
        sentences = [(one, plain_words(one)) for one in _SENTENCE.findall(text)]
        has = [self._has(sentence, words) for sentence, words in sentences]
        unsure = self._unsure if annotated or any(has) else frozenset()
        kept = []
        after = False
        for (sentence, words), subtitle in zip(sentences, has, strict=True):
            if subtitle or words in unsure:
                after = True
            elif words and not (after and consists_of(words, self._after)):
                kept.append(sentence)
                after = False
        return "".join(kept).strip()

    def _has(self, sentence: str, words: str) -> bool:
        if consists_of(words, self._either):
            return not consists_of(words, self._after)
        return len(words) <= _LONGEST and self._credits.has(sentence)


class _Credits:
    """Sentences that say who made the subtitles, and nothing else.

    A name that is not known is one by its form: capitals inside, an initial, or two words with
    capitals after "by" or a colon. "Captions by Friday" are asked for.

    Args:
        what: was made, in any language; a credit begins with it.
        links: words between that and the names.
        whose: the names that are known.
        no_names: words with capitals that are no names.
    """

    def __init__(
        self,
        what: Iterable[str],
        links: Iterable[str],
        whose: Iterable[str],
        no_names: Iterable[str],
    ) -> None:
        self._what, self._links, self._whose = (
            {tuple(plain_words(one).split()) for one in phrases} for phrases in (what, links, whose)
        )
        self._no_names = frozenset(no_names)
        self._longest = max(map(len, self._what | self._links | self._whose))

    def has(self, sentence: str) -> bool:
        """Whether a sentence is one, and names somebody."""
        raw = re.findall(r"[\w']+", sentence)
        words = [word.lower() for word in raw]
        at = self._phrase(words, 0, self._what)
        linked, names, known = ":" in sentence, 0, False
        while 0 < at < len(words):
            if length := self._phrase(words, at, self._whose):
                known = True
            elif length := self._phrase(words, at, self._links):
                linked = True
            elif words[at].isdecimal():
                length = 1
            elif raw[at][0].isupper() and words[at] not in self._no_names:
                length = 1
                names += 1
                known |= _INNER_CAPITAL.search(raw[at]) is not None
            else:
                return False
            at += length
        spelt = not sentence.isupper() and (linked or _INITIAL.search(sentence) is not None)
        return known or (names >= 2 and spelt)

    def _phrase(self, words: list[str], at: int, phrases: set[tuple[str, ...]]) -> int:
        """How many words the longest of these phrases has there; 0: none is there."""
        lengths = range(self._longest, 0, -1)
        return next((one for one in lengths if tuple(words[at : at + one]) in phrases), 0)


_SUBTITLES: Final = _Subtitles(
    **json.loads(Path(__file__).with_name("subtitles.json").read_text(encoding="utf-8"))
)


def spoken(text: str) -> str:
    """What of a recogniser's text somebody said; empty where that is nothing."""
    bare = _SPACES.sub(" ", _ANNOTATION.sub(_kept, text)).strip()
    annotated = len(plain_words(bare)) < len(plain_words(text))
    return _SUBTITLES.without(bare, annotated) if len(bare) <= _LONGEST_TEXT else bare


def _kept(annotation: re.Match[str]) -> str:
    """What stays of an annotation: all of it in the middle of a sentence, where it is none.

    "the blue (not green) one", "at (ext. 5)"; recognisers shout there, too: `[BLANK_AUDIO]`.
    """
    written = annotation[0]
    if written[0] not in "([<（" or written.isupper() or (written[0] == "<" and " " not in written):
        return " "
    text = annotation.string
    before = text[max(0, annotation.start() - _AROUND) : annotation.start()].rstrip()
    after = text[annotation.end() : annotation.end() + _AROUND].lstrip()
    goes_on = after[:1].isalnum() or (written[0] == "(" and any(map(str.isdigit, written)))
    return written if _WORD_AT_THE_END.search(before) and goes_on else " "
