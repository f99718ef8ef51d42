"""What the language model is told of an HTTP answer: short, printable, and without secrets."""

import contextlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, quote_plus

from api.agents.masking import MASK
from voice_loop.tools import MAX_OUTPUT, ToolResult

_CUT: Final = "… (cut)"
#: What a database, a terminal or a prompt should not get.
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_TEXTUAL: Final = re.compile(r"text/.*|application/(.*\+)?(json|xml|x-www-form-urlencoded)")


@dataclass(frozen=True)
class Answer:
    """An answer as it came."""

    status: int
    content_type: str
    """The header; empty without one."""
    body: bytes
    cut: bool = False
    """Whether there was more than was read."""


def result_of(answer: Answer, secrets: Iterable[str]) -> ToolResult:
    """What is told of it; anything but a 2xx is an error.

    Args:
        answer: as it came.
        secrets: texts that the server was sent and may have sent back.
    """
    line = f"HTTP {answer.status}"
    if 200 <= answer.status < 300:
        text = f"{line}\n{_content(answer)}"
        return ToolResult(told(text, secrets))
    if 300 <= answer.status < 400:
        return ToolResult(f"{line}: redirects are not followed", is_error=True)
    with contextlib.suppress(ValueError):
        line += f" {HTTPStatus(answer.status).phrase}"
    return ToolResult(told(f"{line}\n{_content(answer)}", secrets), is_error=True)


def told(text: str, secrets: Iterable[str]) -> str:
    """`text` without secrets and unprintable characters, cut to what a model is told."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        for form in _forms(secret):
            text = text.replace(form, MASK)
    text = _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n")).strip()
    return text if len(text) <= MAX_OUTPUT else text[: MAX_OUTPUT - len(_CUT)] + _CUT


def _forms(secret: str) -> set[str]:
    """How a text may look when it is sent back: as it is, in a URL, in JSON, in JSON in JSON."""
    once = {json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    twice = {json.dumps(text)[1:-1] for text in once}
    return {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), *once, *twice} - {""}


def _content(answer: Answer) -> str:
    kind = answer.content_type.partition(";")[0].strip().lower()
    if kind and _TEXTUAL.fullmatch(kind) is None:
        more = "more than " if answer.cut else ""
        return f"({more}{len(answer.body)} bytes of {kind})"
    text = answer.body.decode("utf-8", "replace")
    if answer.cut:
        return text
    try:
        value = json.loads(text)
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return text
