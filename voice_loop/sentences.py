"""Where sentences and clauses end, in every script.

Sans-IO, and a function of the text alone: an end is known as soon as what follows it tells, and
stays where it is however the text goes on.
"""

import re
from dataclasses import dataclass
from typing import Final

from voice_loop.markup import LINK
from voice_loop.phrases import language_code, phrases, plain_words

#: Spaces are not needed behind these.
_FULL_STOPS: Final = "。！？｡．؟۔।॥։።፧။།៖។‼⁇⁈⁉"
_CLOSERS: Final = r"[\"'”’»›)\]」』）】》〉*_~]*"
_END: Final = re.compile(
    rf"(?P<sentence>[.!?…]+{_CLOSERS}(?=\s)|(?<=[\u0370-\u03ff]);(?=\s))"
    rf"|(?P<stop>[{_FULL_STOPS}]+…*{_CLOSERS})(?=[^{_FULL_STOPS}…\"'”’»›)\]」』）】》〉*_~])"
    r"|(?P<line>\n+)"
    r"|(?P<clause>[,;:](?=\s)|\s[–—](?=\s))"
    r"|(?P<comma>[，、；：،؛])(?=.)",
    re.DOTALL,
)
_BEGINS: Final = r"(?<![^\s(\[\"'“‘«¿¡])"
#: Never the end of a sentence.
_TITLES: Final = re.compile(
    rf"{_BEGINS}(?:dr|dra|mr|mrs|ms|mx|prof|profa|rev|hon|sr|sra|srta|sres|d|dña|fr|hr|hrn|frau|sig"
    r"|mme|mlle|dhr|mevr|st|ste|sta|sto|mt|capt|sgt|lt|col|gen|gov|sen|e\.g|i\.e|p\. ?ej|p\. ?ex"
    r"|z\. ?b|d\. ?h|bijv|cf|vs|approx|aprox|ca|bzw|u\. ?a|a\. ?k\. ?a|apt|appt|apto|ext|tel|tél"
    r"|telf|tfno|ref|dott|avv|ing|av|avda|c/|[ap]\. ?m|ee|ee\. ?uu|mio|mrd|tsd)\.$",
    re.IGNORECASE,
)
#: Not the end of a sentence before a digit.
_BEFORE_NUMBER: Final = re.compile(
    rf"{_BEGINS}(?:no|nos|nr|núm|nº|p|pp|pg|pág|págs|fig|vol|art|cap|ch|sec|kap|abs|nro|unit|rm|bldg|fl"
    r"|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec|ene|abr|ago|dic|mon|tue|tues|wed|thu|thur"
    r"|thurs|fri|sat|sun|lun|mié|jue|vie|sáb|dom|max|min|temp|kl|\w*str)\.$",
    re.IGNORECASE,
)
#: The end of a sentence before a capital letter only.
_BEFORE_CAPITAL: Final = re.compile(
    rf"{_BEGINS}(?:mo|di|mi|sa|etc|incl|excl|inkl|zzgl|evtl|ggf|inc|ltd|llc|corp|co|jr|ave|blvd|rd|ln|hwy|pkwy"
    r"|dept|dpto|est|avg|misc|min|max"
    r"|hr|hrs|mins|sec|secs|lb|lbs|oz|ft|mi|kg|km|usw|enz|ecc|str|ud|uds|vd|pta|izq|dcha"
    r"|(?:\w\.)+\w)\.$",
    re.IGNORECASE,
)
#: Characters of the longest of them, and one before it.
_MOST_ABBREVIATION: Final = 16
_INITIAL: Final = re.compile(rf"(?:{_BEGINS}|(?<=\w\.))(?![iI]\b)[^\W\d_]\.$")
_LIST_NUMBER: Final = re.compile(r"\A\s*(?:[*_#>-]+\s*)*\d{1,3}\.$")
#: In these languages a dot makes a number an ordinal.
_ORDINAL_DOT: Final = "de da no nb nn is fi et lv cs sk pl hr sr bs sl hu tr lb fo eu"
_DAY: Final = re.compile(r"(?<![\w.,])(?:\d{1,2}|[0-3]?\d\.(?:0?\d|1[0-2]))\.$")
_WIDE: Final = re.compile(
    "[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uff60]"
)
_SPOKEN_WIDE: Final = 3
"""Letters that a wide character stands for, about."""

MIN_CLAUSE_CHARS: Final = 24
MAX_CLAUSE_CHARS: Final = 220


@dataclass(frozen=True)
class Place:
    """Where in a reply a clause begins, and what that asks of it."""

    language: str
    """BCP 47 tag or code."""
    begins_line: bool = True
    opens: bool = False
    """It is the first: a short opening ("Sure,") is a clause by itself."""
    least: int = MIN_CLAUSE_CHARS
    """Characters before a comma may end it."""


def clause_end(text: str, ahead: str, place: Place) -> int | None:
    """Index just after the first clause, or None while none is known to be whole.

    Args:
        text: from the beginning of the clause; it may go on.
        ahead: what is known to follow, in which nothing ends.
        place: where it stands.
    """
    most = _most(text)
    # What a boundary is followed by may lie one behind.
    if len(text) > most:
        text, ahead = text[: most + 1], ""
    links = [link.span() for link in LINK.finditer(text)] if "[" in text else []
    for found in _END.finditer(text):
        end = found.end()
        if end > most:
            break
        if any(begin < end < after for begin, after in links):
            continue
        ends = _ends(text, ahead, found, place)
        if ends is None:
            # What follows is not there yet; if it comes too late, it does not count.
            break
        if ends:
            return end
    if len(text) <= most:
        return None
    inside = [begin for begin, after in links if begin < most < after]
    space = text.rfind(" ", 0, min(inside, default=most) or most)
    return space if space > 0 else most


def _ends(text: str, ahead: str, found: re.Match[str], place: Place) -> bool | None:
    """Whether a clause ends there; None while that cannot be told."""
    end = found.end()
    if found["line"] or found["stop"]:
        return True
    head = text[:end].rstrip("*_~")
    tail = head[-_MOST_ABBREVIATION:]
    rest = (text[end:] + ahead).lstrip()
    after = rest[:1]
    if found["sentence"]:
        if not head.endswith("."):
            return True
        if _TITLES.search(tail) or _INITIAL.search(tail):
            return False
        if place.begins_line and _LIST_NUMBER.match(head):
            return False
        if language_code(place.language) in _ORDINAL_DOT.split() and _DAY.search(tail):
            return False
        number, capital = _BEFORE_NUMBER.search(tail), _BEFORE_CAPITAL.search(tail)
        if number is None and capital is None:
            return True
        if not after:
            return None
        return not (number and (after.isdigit() or after in "#(+")) and not (
            capital and not after.isupper()
        )
    if place.opens and plain_words(head) in phrases(place.language).openers:
        return _goes_on(rest)
    if _spoken_length(head) < place.least or re.search(r"&#?\w{1,8};$", head):
        return False
    if not re.search(r"\d[,:]?(?:\s[–—])?$", head):
        return True
    return None if not after else not after.isdigit()


def _goes_on(rest: str) -> bool | None:
    """Whether a sentence goes on after its opening, and not with a name ("Sure, Maria."); None
    while that cannot be told."""
    if not rest or rest == "I":
        return None
    return (
        rest[0].islower()
        or rest[0].isdigit()
        or rest[0] in "¿¡"
        or re.match(r"I\b", rest) is not None
    )


def _spoken_length(text: str) -> int:
    return len(text) + (_SPOKEN_WIDE - 1) * len(_WIDE.findall(text))


def _most(text: str) -> int:
    """Characters that a clause of this text has at most."""
    text = text[: MAX_CLAUSE_CHARS + 1]
    if _WIDE.search(text) is None:
        return MAX_CLAUSE_CHARS
    length = 0
    for index, char in enumerate(text):
        length += _SPOKEN_WIDE if _WIDE.match(char) else 1
        if length > MAX_CLAUSE_CHARS:
            return index
    return MAX_CLAUSE_CHARS
