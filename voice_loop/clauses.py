"""From a stream of tokens to clauses that can be spoken, and the tool calls among them.

A clause is as short as it may be without sounding chopped: the first sound comes sooner when
the voice need not wait for a whole sentence.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from voice_loop.prompts import TOOL_CALL_CLOSE, TOOL_CALL_OPEN
from voice_loop.untrusted import read_json

_SENTENCE_END = re.compile(r"[.!?…]+[\"')\]]*(?=\s)|\n+")
_CLAUSE_END = re.compile(r"[,;:](?=\s)|\s[–—](?=\s)")
_ABBREVIATION = re.compile(
    r"\b(?:dr|mr|mrs|ms|st|no|sr|sra|srta|prof|a\.m|p\.m|e\.g|i\.e)\.$", re.I
)
_MIN_CLAUSE_CHARS = 24
_MAX_CLAUSE_CHARS = 220
#: What a voice must not read out: markup that language models are fond of.
_UNSPEAKABLE = re.compile(r"</?\w[^<>]*>|[*_#`~|<>{}\[\]\\]+")


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
        spoken = spoken[: len(spoken) - _begun_marker(spoken)]
        self._buffer = ""
        yield from _speakable(spoken)
        if opened:
            yield ToolCall("")

    def _drain(self) -> Iterator[Clause | ToolCall]:
        # What comes out must not depend on how the text was cut into pieces, so nothing here
        # looks further than the first boundary.
        while True:
            text, opened, rest = self._buffer.partition(TOOL_CALL_OPEN)
            if not opened:
                text = text[: len(text) - _begun_marker(text)]
            cut = _clause_end(text)
            if cut is not None:
                self._buffer = self._buffer[cut:]
                yield from _speakable(text[:cut])
            elif opened:
                yield from _speakable(text)
                body, closed, after = rest.partition(TOOL_CALL_CLOSE)
                self._buffer = after if closed else opened + rest
                if not closed:
                    return
                yield _parse_tool_call(body)
            else:
                return


def clauses(text: str) -> list[Clause]:
    """A fixed text as clauses."""
    splitter = ClauseSplitter()
    parts = [*splitter.push(text), *splitter.close()]
    return [part for part in parts if isinstance(part, Clause)]


def _begun_marker(text: str) -> int:
    """How many characters at the end may be the beginning of a tool call."""
    return next(
        (n for n in range(len(TOOL_CALL_OPEN) - 1, 0, -1) if text.endswith(TOOL_CALL_OPEN[:n])), 0
    )


def _clause_end(text: str) -> int | None:
    """Index just after the first clause, or None while none is whole."""
    sentences = (
        match.end()
        for match in _SENTENCE_END.finditer(text)
        if not _ABBREVIATION.search(text[: match.end()])
    )
    clauses = (
        match.end() for match in _CLAUSE_END.finditer(text) if match.end() >= _MIN_CLAUSE_CHARS
    )
    first = min(next(sentences, len(text) + 1), next(clauses, len(text) + 1))
    if first <= min(len(text), _MAX_CLAUSE_CHARS):
        return first
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
        call = read_json(body)
        name, arguments = call["name"], call.get("arguments", {})
    except (ValueError, KeyError, TypeError, AttributeError):
        return ToolCall("")
    if not isinstance(name, str) or not isinstance(arguments, dict):
        return ToolCall("")
    return ToolCall(name, arguments)
