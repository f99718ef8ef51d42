"""An HTTP tool's request: its template with every value in its place, and nowhere else.

Values come from the person on the line, by way of the language model. None of them can choose a
host, leave its path segment, add a parameter or a header, or break out of a JSON string.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from api.base.text import PLACEHOLDER, UnknownVariableError, render
from api.resources.tool_fields import HttpTool, Pair

#: Methods whose requests have no body.
BODILESS: Final = frozenset({"GET", "DELETE"})

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class RequestError(ValueError):
    """The request cannot be made of these values; the message is for the language model."""


@dataclass(frozen=True)
class Request:
    """What is sent."""

    method: str
    url: str
    headers: list[tuple[bytes, bytes]]
    body: bytes | None


def request_of(tool: HttpTool, values: Mapping[str, Any]) -> Request:
    """The request of a tool.

    Args:
        tool: its template.
        values: variable name to value; `secret.…` among them.

    Raises RequestError, also for a variable without a value.
    """
    try:
        headers = [
            (pair.key.encode(), _header(pair, text)) for pair, text in _given(tool.headers, values)
        ]
        body = body_of(tool)
        content = None if body is None else _json(_filled(body, values))
        return Request(tool.method, _url(tool, values), headers, content)
    except UnknownVariableError as error:
        raise RequestError(str(error)) from error


def body_of(tool: HttpTool) -> Any:
    """The body's template as JSON; None when there is no body. Raises ValueError for no JSON."""
    if not tool.body_template.strip():
        return None
    body = json.loads(tool.body_template, parse_constant=_no_constant)
    return None if body == {} and tool.method in BODILESS else body


def leads_astray(url: str) -> bool:
    """Whether a part of the path is `.` or `..`, for whoever decodes it."""
    parts = re.split(r"[/\\]", unquote(urlsplit(url).path))
    return not {".", ".."}.isdisjoint(parts)


def _url(tool: HttpTool, values: Mapping[str, Any]) -> str:
    url = render(tool.url, values, lambda value: quote(value, safe=""))
    query = "&".join(
        f"{quote(pair.key, safe='')}={quote(text, safe='')}"
        for pair, text in _given(tool.query_params, values)
    )
    if query:
        url += ("&" if "?" in url else "?") + query
    if leads_astray(url):
        raise RequestError("a value in the URL leads to another path")
    return url


def _given(pairs: Iterable[Pair], values: Mapping[str, Any]) -> Iterable[tuple[Pair, str]]:
    """Pairs with their values; one that is a placeholder alone, without a value, is left out."""
    for pair in pairs:
        alone = PLACEHOLDER.fullmatch(pair.value)
        if alone is None or values.get(alone.group(1), "") is not None:
            yield pair, render(pair.value, values)


def _header(pair: Pair, text: str) -> bytes:
    if _CONTROL.search(text) is not None:
        raise RequestError(f"the value of header {pair.key} may hold no line break")
    return text.strip().encode()


def _filled(template: Any, values: Mapping[str, Any]) -> Any:
    """The same JSON with the placeholders in its texts replaced."""
    match template:
        case dict():
            return {key: _filled(item, values) for key, item in template.items()}
        case list():
            return [_filled(item, values) for item in template]
        case str():
            alone = PLACEHOLDER.fullmatch(template)
            if alone is None:
                return render(template, values)
            if alone.group(1) not in values:
                raise UnknownVariableError(alone.group(1))
            return values[alone.group(1)]
    return template


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
