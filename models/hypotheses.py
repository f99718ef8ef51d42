"""What one look at an utterance offers, weighed: which words, and how surely.

Whisper writes a short word in many ways: `go`, ` Go`, `Go.`, `Go!`. Each takes a share of the
probability, so that none of them looks sure. They are one word, and their shares are added up;
other words that are nearly as likely are what makes it unsure.
"""

import math
import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final

from models.annotations import spoken
from voice_loop.phrases import plain_words
from voice_loop.ports import Transcript

#: Below this average log-probability, or above this packing ratio (repetition), a look has failed
#: (the thresholds of OpenAI's own fallback).
WORST_LOG_PROBABILITY: Final = -1.0
WORST_COMPRESSION: Final = 2.4
#: No speech, when the model itself says so with this probability and is not sure of its words.
NO_SPEECH: Final = 0.6
SURE_LOG_PROBABILITY: Final = -0.3
#: Without context, Whisper writes a single word several times. Each takes a vowel of its own, or
#: this much of one that goes on, seconds; "seven" has two vowels, but no time for two words.
SHORTEST_WORD_S: Final = 0.3
QUICKEST_WORD_S: Final = 0.2
#: Whisper writes a number in letters or in figures, as likely the one as the other.
_FIGURES: Final = {
    word: figure
    for words in (
        "zero one two three four five six seven eight nine ten",
        "cero uno dos tres cuatro cinco seis siete ocho nueve diez",
        "null eins zwei drei vier fünf sechs sieben acht neun zehn",
        "zéro un deux trois quatre cinq six sept huit neuf dix",
        "zero uno due tre quattro cinque sei sette otto nove dieci",
        "zero um dois três quatro cinco seis sete oito nove dez",
        "nul een twee drie vier vijf zes zeven acht negen tien",
    )
    for figure, word in enumerate(words.split())
}


@dataclass(frozen=True)
class Hypothesis:
    """One way to write what was said."""

    text: str
    """As the model wrote it, annotations included."""
    log_probability: float
    """Of all its tokens, the end token among them."""
    tokens: int
    """The end token included."""


@dataclass(frozen=True)
class Look:
    """What the model makes of an utterance in one window."""

    hypotheses: Sequence[Hypothesis]
    """The best first, as the model ranks them."""
    no_speech: float
    """Probability of the model's own token for that."""
    vowels_s: Sequence[tuple[float, float]] | None = None
    """When it begins and ends to be about as loud as at its loudest, seconds; None: not known."""


@dataclass(frozen=True)
class Heard:
    """The likeliest words of a look."""

    text: str
    """Empty where nobody spoke."""
    log_probability: float
    """Of a token, averaged, and of these words among the others that were weighed."""
    tokens: int
    """Those of the text, the end token included."""
    doubtful: bool
    """A look at a longer window may show more."""


def weigh(look: Look) -> Heard:
    """The likeliest words of a look; none where nobody spoke, no trust where they are a loop."""
    best = max(one.log_probability for one in look.hypotheses)
    shares: dict[str, float] = defaultdict(float)
    first: dict[str, Hypothesis] = {}
    for one in look.hypotheses:
        words = _words(spoken(one.text))
        shares[words] += math.exp(one.log_probability - best)
        first.setdefault(words, one)
    words = max(shares, key=lambda words: shares[words])
    text = spoken(first[words].text)
    tokens = first[words].tokens
    several = len(text.split()) if " " not in words else 1
    if look.vowels_s is not None and several > (most := most_words(look.vowels_s)):
        text = " ".join(text.split()[:most])
        tokens = 1 + math.ceil((tokens - 1) * most / several)
    likely = min(0.0, best + math.log(shares[words])) / tokens
    sure = likely + math.log(shares[words] / sum(shares.values()))
    loops = compression(text) > WORST_COMPRESSION
    nobody = look.no_speech > NO_SPEECH and sure < SURE_LOG_PROBABILITY
    if len(look.hypotheses) == 1:
        # Of seven numbers that people dictated, one is nobody's speech until the window is whole.
        doubtful = bool(text) and (likely < WORST_LOG_PROBABILITY or loops or nobody)
    else:
        # Its other mistakes with short utterances are the same in a longer window.
        doubtful = not nobody and any(
            one == other for one, other in pairwise(plain_words(text).split())
        )
    if nobody:
        return Heard("", sure, tokens, doubtful)
    return Heard(text, -math.inf if loops else sure, tokens, doubtful)


def together(parts: Sequence[Heard]) -> Transcript:
    """One transcript of what was heard part by part."""
    parts = [part for part in parts if part.text]
    text = spoken(" ".join(part.text for part in parts))
    if not text:
        return Transcript("", 0.0)
    tokens = sum(part.tokens for part in parts)
    log_probability = sum(part.log_probability * part.tokens for part in parts) / tokens
    return Transcript(text, math.exp(log_probability))


def most_words(vowels_s: Sequence[tuple[float, float]]) -> int:
    """How many words there was time for, at least one. Pauses alone are time for none."""
    if not vowels_s:
        return 1
    vowels = sum(max(1, _times(end - begin, SHORTEST_WORD_S)) for begin, end in vowels_s)
    whole = _times(vowels_s[-1][1] - vowels_s[0][0], QUICKEST_WORD_S)
    return max(1, min(vowels, whole))


def _times(whole_s: float, part_s: float) -> int:
    """How often a part fits; 0.2 fits into 0.6 three times."""
    return int(whole_s / part_s + 1e-6)


def _words(text: str) -> str:
    """What two ways to write the same words have in common: how often a word came is unsure."""
    words = (str(_FIGURES.get(word, word)) for word in plain_words(text).split())
    return " ".join(word for word, _ in groupby(words))


def compression(text: str) -> float:
    """How many times smaller a text gets by packing, as OpenAI's fallback measures repetition.

    Each letter counts as one byte, of whatever script: three bytes that begin alike, as of Tamil,
    are no repetition.
    """
    codes = {letter: code for code, letter in enumerate(dict.fromkeys(text))}
    plain = bytes(codes[letter] % 256 for letter in text)
    return len(plain) / len(zlib.compress(plain))
