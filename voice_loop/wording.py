"""What the words of a turn tell of its end, by small rules for English and Spanish.

Of other languages the punctuation counts, which every recogniser writes that writes any.
"""

import re
from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from voice_loop.phrases import language_code, plain_words


class Wording(Enum):
    """How the words so far end."""

    TRAILING = auto()
    """In dots or a dash."""
    UNFINISHED = auto()
    """In a word that others must follow, or a hesitation."""
    OPEN = auto()
    """Without the full stop that this recogniser writes."""
    PLAIN = auto()
    """Nothing is missing, and no punctuation says so: the recogniser writes none."""
    WHOLE = auto()
    """In a full stop."""
    QUESTION = auto()
    YES_OR_NO = auto()
    """It is all but a yes or a no."""


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_UNFINISHED: Final[Mapping[str, frozenset[str]]] = {
    "en": _words(
        "and but or because if while than as the a an my your his our their every another to for "
        "with at on in of from by into until between without i i'm i'd i'll i've we we're we'd "
        "they're he's she's it's that's there's you're also um uh er erm hmm"
    ),
    "es": _words(
        "y e o u pero porque que si aunque cuando donde como pues entonces el la los las un una "
        "unos unas mi mis tu tus su sus de del a al en con para por sin "
        "sobre hasta desde entre hacia muy eh em ehm"
    ),
}
_BEGUN: Final[Mapping[str, re.Pattern[str]]] = {
    "en": re.compile(
        r"\b(?:i (?:want|need|would like|mean|think|guess|wonder)|i'd (?:like|love)|"
        r"(?:can|could) i(?: get| have)?|(?:can|could|would) you|let me(?: see)?|let's see|"
        r"going to|gonna|wanna|you know|kind of|sort of|one of)$"
    ),
    "es": re.compile(
        r"\b(?:quiero|quisiera|querría|necesito|me gustaría|quería|puede|podría|a ver|o sea|"
        r"voy a|es que|lo que)$"
    ),
}
_YES_OR_NO: Final[Mapping[str, frozenset[str]]] = {
    "en": _words("yes yeah yep yup no nope nah sure correct right okay ok absolutely"),
    "es": _words("sí si no claro vale correcto exacto bueno"),
}
#: So many words may follow a yes or no that is the whole answer: "yes, that works for me".
_AFTER_YES: Final = 4


def wording(text: str, language: str, *, punctuated: bool) -> Wording | None:
    """Tell how the words of a turn end; None where there are none.

    Args:
        text: of the turn so far.
        language: of the call, a BCP 47 tag.
        punctuated: whether the recogniser writes punctuation, as far as one knows.
    """
    words = plain_words(text.replace("’", "'"))
    if not words:
        return None
    code = language_code(language)
    first, *rest = words.split()
    last = rest[-1] if rest else first
    begun = _BEGUN.get(code)
    ending = text.rstrip("\"' ")[-1:]
    if ending in ("-", "–", "—", "…") or text.rstrip().endswith(".."):
        return Wording.TRAILING
    if (
        ending in (",", ";", ":")
        or last in _UNFINISHED.get(code, ())
        or (begun and begun.search(words))
    ):
        return Wording.UNFINISHED
    if first in _YES_OR_NO.get(code, ()) and len(rest) <= _AFTER_YES:
        return Wording.YES_OR_NO
    if ending == "?":
        return Wording.QUESTION
    if ending in (".", "!", "。", "؟", "।"):
        return Wording.WHOLE
    return Wording.OPEN if punctuated else Wording.PLAIN
