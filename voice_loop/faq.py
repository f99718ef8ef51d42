"""The questions that an agent can answer: a few stand in its instructions; of many, those that
what was said is about are looked up at each turn."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

from voice_loop.phrases import plain_words

#: Characters of questions and answers that instructions, or one turn, can take.
_ROOM: Final = 4_000
#: Looked up for one turn.
_MOST: Final = 3
#: Share of a question's words, by what they tell, that must have been said.
_ALIKE: Final = 0.3

Item = tuple[str, str]
"""A question and its answer."""


class Faq:
    """One agent's questions and answers."""

    def __init__(self, items: Sequence[Item]) -> None:
        few = sum(len(question) + len(answer) for question, answer in items) <= _ROOM
        self.standing: tuple[Item, ...] = tuple(items) if few else ()
        """Those that every turn may need."""
        self._looked_up: tuple[Item, ...] = () if few else tuple(items)
        self._words = [_words(question) for question, _ in self._looked_up]
        self._rarity = _rarity(self._words)

    def about(self, text: str) -> list[Item]:
        """The others that come closest to a text, best first, within one turn's room."""
        said = _words(text)
        shares = [self._weight(said & words) / (self._weight(words) or 1) for words in self._words]
        best = sorted(range(len(shares)), key=lambda index: -shares[index])[:_MOST]
        found, room = [], _ROOM
        for index in best:
            question, answer = self._looked_up[index]
            length = len(question) + len(answer)
            if shares[index] >= _ALIKE and length <= room:
                found.append((question, answer))
                room -= length
        return found

    def _weight(self, words: frozenset[str]) -> float:
        """How much these words tell of what is asked: rare ones most."""
        return sum(self._rarity[word] for word in words)


def _words(text: str) -> frozenset[str]:
    return frozenset(plain_words(text).split())


def _rarity(texts: Sequence[frozenset[str]]) -> dict[str, float]:
    """How much a word tells: nothing, when every text has it (inverse document frequency)."""
    counts = Counter(word for words in texts for word in words)
    return {word: math.log(len(texts) / count) for word, count in counts.items()}
