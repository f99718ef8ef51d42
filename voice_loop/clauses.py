"""From a stream of tokens to clauses that can be spoken, and the tool calls among them.

A clause is as short as it may be without sounding chopped: the first sound comes sooner when
the voice need not wait for a whole sentence.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from voice_loop.prompts import TOOL_CALL_CLOSE, TOOL_CALL_OPEN

_SENTENCE_END = re.compile(r"[.!?…]+[\"')\]]*(?=\s)|\n+")
_CLAUSE_END = re.compile(r"[,;:](?=\s)|\s[–—](?=\s)")
_ABBREVIATION = re.compile(
    r"\b(?:dr|mr|mrs|ms|st|no|sr|sra|srta|prof|a\.m|p\.m|e\.g|i\.e)\.$", re.I
)
_MIN_CLAUSE_CHARS = 24
_MAX_CLAUSE_CHARS = 220
#: What a voice must not read out: markup that language models are fond of.
_UNSPEAKABLE = re.compile(r"[*_#`~|<>{}\[\]\\]+")


@dataclass(frozen=True)
class Clause:
    """Text to be spoken in one go."""

    text: str


@dataclass(frozen=True)
class ToolCall:
    """A tool that the model asked for; a malformed one has an empty name."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


class ClauseSplitter:
    """Feed it pieces of the reply; it gives clauses and tool calls as soon as they are whole."""

    def __init__(self) -> None:
        self._buffer = ""

    def push(self, piece: str) -> Iterator[Clause | ToolCall]:
        """Take the next piece of the model's reply."""
        self._buffer += piece
        yield from self._drain()

    def close(self) -> Iterator[Clause | ToolCall]:
        """The reply is over: give what is left, an unclosed tool call as malformed."""
        yield from self._drain()
        spoken, opened, _ = self._buffer.partition(TOOL_CALL_OPEN)
        self._buffer = ""
        yield from _speakable(spoken)
        if opened:
            yield ToolCall("")

    def _drain(self) -> Iterator[Clause | ToolCall]:
        while True:
            opened = self._buffer.find(TOOL_CALL_OPEN)
            if opened >= 0:
                yield from _speakable(self._buffer[:opened])
                self._buffer = self._buffer[opened:]
                body, closed, rest = self._buffer[len(TOOL_CALL_OPEN) :].partition(TOOL_CALL_CLOSE)
                if not closed:
                    return
                self._buffer = rest
                yield _parse_tool_call(body)
                continue
            cut = _clause_end(self._buffer)
            if cut is None:
                return
            spoken, self._buffer = self._buffer[:cut], self._buffer[cut:]
            yield from _speakable(spoken)


def _clause_end(text: str) -> int | None:
    """Index just after the first clause, or None while none is whole."""
    for match in _SENTENCE_END.finditer(text):
        if not _ABBREVIATION.search(text[: match.end()]):
            return match.end()
    for match in _CLAUSE_END.finditer(text):
        if match.end() >= _MIN_CLAUSE_CHARS:
            return match.end()
    if len(text) > _MAX_CLAUSE_CHARS:
        space = text.rfind(" ", 0, _MAX_CLAUSE_CHARS)
        return space if space > 0 else _MAX_CLAUSE_CHARS
    return None


def _speakable(text: str) -> Iterator[Clause]:
    cleaned = " ".join(_UNSPEAKABLE.sub(" ", text).split())
    if any(char.isalnum() for char in cleaned):
        yield Clause(cleaned)


def _parse_tool_call(body: str) -> ToolCall:
    try:
        call = json.loads(body)
        name, arguments = call["name"], call.get("arguments", {})
    except (ValueError, KeyError, TypeError, AttributeError):
        return ToolCall("")
    if not isinstance(name, str) or not isinstance(arguments, dict):
        return ToolCall("")
    return ToolCall(name, arguments)
