"""What the language model is told of an HTTP answer: short, printable, and without secrets."""

import contextlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from api.egress.redaction import told
from voice_loop.tools import ToolResult

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
