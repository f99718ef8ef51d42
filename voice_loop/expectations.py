"""What the agent's last words make one expect of the answer: how it begins, and how long it takes.

By small rules, for English and Spanish; of other languages nothing is expected.
"""

import re
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Final

from voice_loop.phrases import language_code


class Expected(Enum):
    """The answer that a question asks for."""

    ANYTHING = auto()
    YES_OR_NO = auto()
    STORY = auto()
    """Several sentences, it may be: "how can I help you?"."""
    AMOUNT = auto()
    """How many, or when: numbers that are no dictation."""
    PHONE_NUMBER = auto()
    POSTCODE = auto()
    CODE = auto()
    """Digits and letters of a length that nobody here knows: an order's number."""
    EMAIL = auto()
    SPELLING = auto()
    ADDRESS = auto()

    @property
    def is_dictated(self) -> bool:
        """Whether it comes in groups, with pauses that end nothing."""
        return self in _DICTATED


_DICTATED: Final = frozenset(
    {Expected.PHONE_NUMBER, Expected.POSTCODE, Expected.CODE, Expected.EMAIL, Expected.SPELLING,
     Expected.ADDRESS}
)  # fmt: skip

_Rules = Sequence[tuple[Expected, re.Pattern[str]]]


def _rules(*rules: tuple[Expected, str]) -> _Rules:
    return [(expected, re.compile(pattern)) for expected, pattern in rules]


#: The first that fits counts. A question that opens with a form of "be" is one of yes or no even
#: where it names a number: "is this the best number to reach you?".
_ENGLISH: Final = _rules(
    (Expected.YES_OR_NO, r"^(?:(?:and|so|okay|great|thanks?|now)\W+)*"
     r"(?:is|are|am|was|were|does|did|has|have (?:you|we|they)|isn't|aren't|shall|should)\b"),
    (Expected.SPELLING, r"\bspell"),
    (Expected.EMAIL, r"\be-?mail\b"),
    (Expected.POSTCODE, r"\bzip\b|\bpost(?:al)? ?code\b"),
    (Expected.CODE, r"\b(?:order|account|card|booking|confirmation|reference|policy|"
     r"member(?:ship)?|customer|case|ticket|tracking|passport|licen[cs]e|registration|plate|"
     r"serial|id|security) "
     r"(?:number|code)\b|\bcode\b|\bpin\b|\bdigits\b"),
    (Expected.PHONE_NUMBER, r"\b(?:phone|telephone|mobile|cell)\b|\bnumber\b.*\b(?:call|reach)\b|"
     r"\b(?:call ?back|contact|best|your) number\b"),
    (Expected.ADDRESS, r"\baddress\b"),
    (Expected.AMOUNT, r"\bhow (?:many|much|old|long|often)\b|\bwhen\b|"
     r"\b(?:what|which) (?:time|day|date|hour|size|floor|one)\b"),
    (Expected.STORY, r"\bhow (?:can|may|could) (?:i|we) (?:help|assist)|"
     r"\bwhat (?:can|may) (?:i|we) do\b|\bwhat(?: is|'s) (?:this|it|the \w+) about\b|"
     r"\bwhat happened\b|\btell me (?:more|about|what)|\bdescribe\b|\bexplain\b|\bwhy\b"),
    (Expected.YES_OR_NO, r"^(?:\w+\W+){0,3}(?:do|can|could|will|would|may) "
     r"(?!i have|you (?:give|tell|say|repeat|share|provide))\w+ .*\?$|"
     r"\b(?:right|correct|okay|ok|yes|isn't it|doesn't it|won't you|agreed)\?$|"
     r"\bam i speaking\b"),
)  # fmt: skip

_SPANISH: Final = _rules(
    (Expected.YES_OR_NO, r"(?:^|¿)(?:es|está|están|son|fue|era)\b"),
    (Expected.SPELLING, r"\bdeletre"),
    (Expected.EMAIL, r"\bcorreo\b|\be-?mail\b"),
    (Expected.POSTCODE, r"\bcódigo postal\b"),
    (Expected.CODE, r"\bnúmero de (?:pedido|cuenta|tarjeta|reserva|referencia|póliza|socio|cliente|"
     r"pasaporte|matrícula|expediente|dni)\b|\bcódigo\b|\bdni\b|\bpin\b|\bdígitos\b"),
    (Expected.PHONE_NUMBER, r"\bteléfono\b|\bmóvil\b|\bcelular\b|\bnúmero\b.*\bllamar"),
    (Expected.ADDRESS, r"\bdirección\b"),
    (Expected.AMOUNT, r"\bcuánt|\bcuándo\b|\bqué (?:hora|día|fecha|talla|piso)\b"),
    (Expected.STORY, r"\b(?:en )?qué (?:le |te )?pued[oe]|\bayudar(?:le|te)\b|"
     r"\bqué (?:pasó|ocurrió|sucedió)\b|\bcuénteme\b|\bexpli(?:ca|que)|\bpor qué\b"),
    (Expected.YES_OR_NO, r"(?:^|¿)(?:puede|podría|quiere|querría|desea|tiene|le (?:va|viene|parece|"
     r"gustaría|importa)|hablo|sigue|necesita|ha|hay)\b(?!.*\b(?:dar(?:me)?|decir(?:me)?|"
     r"repetir)\b)|(?:verdad|correcto|no|vale|de acuerdo|sí)\?$"),
)  # fmt: skip

_BY_LANGUAGE: Final[Mapping[str, _Rules]] = {"en": _ENGLISH, "es": _SPANISH}


def expected_after(said: str, language: str) -> Expected:
    """What answer the agent's words ask for, by the last question in them.

    Args:
        said: what was heard of the agent last; where nothing is asked, anything may follow.
        language: of the call, a BCP 47 tag.
    """
    sentences = re.findall(r"[^.?!]+[.?!]*", said.lower().replace("’", "'"))
    asking = [one.strip() for one in sentences if "?" in one or _REQUEST.search(one)]
    for expected, pattern in _BY_LANGUAGE.get(language_code(language), ()):
        if asking and pattern.search(asking[-1]):
            return expected
    return Expected.ANYTHING


#: Asks without a question mark.
_REQUEST: Final = re.compile(
    r"\bplease\b|\b(?:tell|give|spell|say)\b|\bpor favor\b|\b(?:d[ií]game|deme|deletree|cuénteme)\b"
)
