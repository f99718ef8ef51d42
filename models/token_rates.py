"""How many tokens of Whisper's multilingual tokenizer quick speech takes, by language.

Its tokens are pieces of UTF-8, learnt mostly from English: where an English word is one or two, a
Greek syllable is two, and every letter of Burmese three. Measured on sentences of each language
(`tests/models/token_rates.json`), for a speaker of eight syllables a second, half as much again.
"""

from collections.abc import Mapping
from typing import Final

#: Of a language that is not below, tokens a second: the Latin alphabet without many accents,
#: Japanese, Korean.
COMMON: Final = 12
#: More than these of one window are a loop, or longer than the model was taught to write (half of
#: its 448 positions).
MOST_TOKENS: Final = 224
#: Begin and end: a short word's spelling, its full stop.
_AT_LEAST: Final = 8

_RATES: Final[Mapping[int, str]] = {
    16: "bg be mk sr ru uk tg hu lt lv et sk hr sl bs is fo az uz tk mt cy yo haw mi lb",
    24: "cs vi zh yue kk tt ba mn el fa ur ar he yi ps sd ta",
    40: "hi mr ne sa hy th am kn si",
    64: "as bn te ml pa ka gu km",
    80: "lo my bo",
}
_BY_LANGUAGE: Final = {code: rate for rate, codes in _RATES.items() for code in codes.split()}


def most_tokens(seconds: float, language: str) -> int:
    """The bound of what somebody can have said, in tokens: what is longer is a loop.

    Args:
        seconds: how long they spoke.
        language: its ISO 639-1 code.
    """
    rate = _BY_LANGUAGE.get(language, COMMON)
    return min(MOST_TOKENS, _AT_LEAST + int(seconds * rate))
