"""From text with marks for the eye to the text alone: Markdown, HTML, emoji.

What is left is what transcripts and histories keep. Marks that mean something by themselves (the
`#` of "press #", the `_` of an address, the `*` of `*67`) are left for the voice.
"""

import html
import re
import unicodedata
from typing import Final

#: A link that may hold what elsewhere ends a clause; at the end of a text, one that has no end yet.
LINK: Final = re.compile(
    r"!?\[[^\[\]\n]{1,200}(?:\](?:"
    r"\([^()\n]{0,500}(?:\([^()\n]{0,100}(?:\)[^()\n]{0,300})?)?(?:\)|\Z)"
    r"|\[[^\[\]\n]{0,60}(?:\]|\Z)|\Z)|\Z)"
)
_LINE_STARTS: Final = (
    re.compile(r"^\s*(?:>+\s+)+"),
    re.compile(r"^\s*#{1,6}\s+(?=\S)"),
    re.compile(r"^\s*(?:[-*+•◦▪‣·–—]\s+)+(?:\[[ xX]?\]\s+)?"),
)
_RULE: Final = re.compile(r"\s*(?:[-*_=~]\s*){3,}|\s*\|?(?:\s*:?-{2,}:?\s*\|?)+")
_ROW: Final = re.compile(r"\s*\|(.*)\|\s*")
_REFERENCE: Final = re.compile(r"^\s*\[[^\[\]]{1,60}\]:\s+\S+.*$")
_LINKED: Final = re.compile(
    r"!?\[([^\[\]\n]{0,200})\](?:\([^()\n]*(?:\([^()\n]*\)[^()\n]*)?\)|\[[^\[\]\n]{0,60}\])"
)
_CITED: Final = re.compile(
    r"(?<=\S)\[\^?\d{1,3}(?:\s*[,–-]\s*\d{1,3})*\](?!\()|\[\^\w+\]|【[^】]{0,80}】"
)
_ADDRESS: Final = re.compile(r"<((?:https?://|mailto:|tel:|sips?:)?[^\s<>]*[@.:][^\s<>]*[^\s<>/])>")
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)|<!\w[^<>]*>|<\?[^<>]*>", re.DOTALL)
_UNREAD: Final = re.compile(r"<(script|style)\b[^<>]*>.*?(?:</\1\s*>|\Z)", re.DOTALL | re.I)
_PAUSE: Final = re.compile(
    r"(?<=[^\W_])\s*<(?:br|/p|/li|/td|/th|/tr|/h\d|/div|break)\b[^<>]*>\s*(?=\w)", re.I
)
#: Words in place of a name stand for what is to be filled in; in `x<y and y>z`, signs are signs.
_TAG: Final = re.compile(
    r"<(?:/\s*[^\W\d]|[|｜])[^<>]*>|<[^\W\d][\w:.-]*(?:\s*/?|\s[^<>]*=[^<>]*)>"
    r"|(?<![\w)\]])<[^\W\d][^<>]*(?<!\s)>(?!\w)"
)
_ESCAPED: Final = re.compile(r"\\([!-/:-@\[-`{-~])")
_HIDDEN: Final = 0xE000
_SHOWN: Final = {_HIDDEN + code: chr(code) for code in range(128)}
_EMPHASIS: Final = (
    re.compile(r"(?<![\w*])(\*{1,3})(?=\S)([^*\n]+?)(?<=\S)\1(?![\w*])"),
    re.compile(r"(?<!\w)(_{1,3})(?=[^\s_])([^\n]+?)(?<=[^\s_])\1(?!\w)"),
    re.compile(r"(~~|==)(?=\S)([^\n]+?)(?<=\S)\1"),
    re.compile(r"(`+)([^`\n]+)\1"),
)
#: Marks whose other half stands in another clause.
_HALF: Final = re.compile(
    r"\*{2,}|_{2,}(?!\w)|(?<!\w)_{2,}|~~+|`+|(?<!\S)\*(?=[\"'“¿¡(]*[^\W\d_])"
    r"|(?<=[^\W_][.,!?…:;)\"'”])\*(?!\S)|(?<=[^\W\d_])\*(?=[.,!?…:;)]|\s|\Z)"
    r"|(?<![\w\s])_(?!\w)|(?<!\S)_(?=[^\W\d_]+(?:\s|[.,!?]))|(?<=[\w.,!?…])_(?=[\s.,!?…:;)]|\Z)"
)
_EMOTICON: Final = re.compile(
    r"(?<!\S)(?:[:;=][-^o']?[)(\]DPpOo/|*]+|<3+(?!\s+\w+(?:s|%)(?!\w))|\^_*\^|[xX]D+)(?=[\s.,!?]|\Z)"
)
#: With its semicolon: what URLs have between their parameters may look like one without.
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_ARROW: Final = re.compile(
    r"\s*(?:<?[-=]{1,2}>|<[-=]{1,2}|[\u2190-\u21ff\u27f0-\u27ff\u2794-\u27be])\s*"
)
_PICTURES: Final = (
    "[\u200b\u20e3\ufe0e\ufe0f\u231a-\u23ff\u25a0-\u27ef"
    "\u2900-\u2bff\u3030\u303d\u3297\u3299©®™\ue000-\uf8ff\U0001f000-\U0001faff\U000e0020-\U000e007f]+"
)
#: Joiners belong to pictures beside them only: some scripts need them inside words.
_PICTURE: Final = re.compile(f"(?:[\u200c\u200d]*{_PICTURES}[\u200c\u200d]*)+")
#: Marks of direction, and others that nobody sees.
_UNSEEN: Final = re.compile("[\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]+")
_ENCLOSED: Final = re.compile("[\u2460-\u24ff\u2776-\u2793]")
_BRACES: Final = re.compile(r"[{}\[\]\\]+|[<>|]+(?=\s*\Z)|(?<!\S)[<>|]+(?!\S)(?<!<)(?<!>)")
_CELLS: Final = re.compile(r"\s*(?:\|\s*)+")


def plain(text: str, *, begins_line: bool) -> str:
    """Take the marks out of one clause.

    Args:
        text: the clause, within one line.
        begins_line: whether a line begins with it, where headings and lists have their marks.
    """
    if begins_line:
        if _RULE.fullmatch(text) or _REFERENCE.match(text):
            return ""
        for pattern in _LINE_STARTS:
            text = pattern.sub("", text)
    if (row := _ROW.fullmatch(text)) is not None:
        text = row[1]
    text = _EMOTICON.sub(" ", text)
    if "<" in text or ">" in text:
        text = _ADDRESS.sub(r"\1", _COMMENT.sub(" ", _UNREAD.sub(" ", text)))
        text = _TAG.sub(" ", _PAUSE.sub(", ", text))
        text = _ARROW.sub(", ", text)
    text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    text = _LINKED.sub(r"\1", text)
    text = _CITED.sub("", text)
    # Until the marks are out, escaped ones hide in the private use area.
    text = _ESCAPED.sub(lambda found: chr(_HIDDEN + ord(found[1])), text)
    for pattern in _EMPHASIS:
        text = pattern.sub(r"\2", text)
    text = _HALF.sub("", text).translate(_SHOWN)
    text = _ENCLOSED.sub(_unenclosed, _UNSEEN.sub("", text))
    text = _PICTURE.sub(" ", _ARROW.sub(", ", text))
    text = _CELLS.sub(", ", text.strip().strip("|")) if "|" in text else text
    return " ".join(_BRACES.sub(" ", text).split())


def _unenclosed(found: re.Match[str]) -> str:
    """The number or letter in a circle, brackets, or with a dot."""
    number = unicodedata.numeric(found[0], None)
    return unicodedata.normalize("NFKC", found[0]) if number is None else f"{number:g}"
