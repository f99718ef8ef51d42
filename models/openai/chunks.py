"""What the chunks of a chat completion tell, in the dialects of the servers that send them.

Sans-IO: parsed chunks in, text and whole tool calls out. What identifies a call (`index`, `id`,
`name`) is left out, repeated or the same for all of them by one server or another.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from models.openai.messages import tool_call_text
from voice_loop.lenient_json import read

#: Characters of all tool calls of a reply.
_MOST_CALLED: Final = 65_536
_MOST_TOLD: Final = 200
#: Where servers put what a model thinks.
_THOUGHTS: Final = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
#: Parts of a content that are thoughts or no words.
_TEXTS: Final = frozenset({"text", "output_text", "refusal", ""})
#: What servers leave of a model's own format.
_AROUND_NAME: Final = re.compile(r"^functions\.|<\|.*$|:\d+$", re.DOTALL)
#: Kimi's ids name the function.
_NAMED_ID: Final = re.compile(r"(?:functions\.)?([A-Za-z_][\w.-]*):\d+")


@dataclass
class _Call:
    """A tool call on its way: its arguments come in pieces."""

    index: Any = None
    id: str = ""
    name: str = ""
    arguments: str = ""

    @property
    def complete(self) -> bool:
        """Whether its arguments are a whole object; an empty one may stand for what comes."""
        try:
            told = json.loads(self.arguments)
        except ValueError:
            return False
        return isinstance(told, dict) and bool(told)

    def text(self) -> str:
        """The call as our text."""
        named = _NAMED_ID.fullmatch(self.id)
        name = _AROUND_NAME.sub("", self.name.strip()) or (named[1] if named else "")
        return tool_call_text(name, self.arguments)


class ChunkReader:
    """What the chunks of one reply have told so far."""

    def __init__(self) -> None:
        self.finished = False
        self.cut = False
        """It ended because it became too long."""
        self.thought = False
        """The server tells thoughts apart from words."""
        self.failure: str | None = None
        self._calls: list[_Call] = []
        self._called = 0

    def push(self, chunk: Any) -> str | None:
        """Take one chunk; gives its text, empty for a sign of life, None for nothing.

        Raises what one of another form provokes.
        """
        if not isinstance(chunk, Mapping):
            raise TypeError("a chunk is no object")
        if (error := _error(chunk)) is not None:
            self.failure = error
            return None
        choices = chunk.get("choices")
        if not choices:  # a report of usage, or of progress
            return None
        choice = next((one for one in choices if one.get("index") in (0, None)), choices[0])
        reason = choice.get("finish_reason")
        if reason:
            self.finished = True
            self.cut = reason in ("length", "max_tokens")
        # A server that does not stream sends a message; some send both.
        delta = choice.get("delta") or choice.get("message") or {}
        if any(delta.get(key) for key in _THOUGHTS):
            self.thought = True
        text = self._text(delta.get("content"))
        if not text:
            text = self._text(delta.get("refusal")) or self._text(choice.get("text"))
        calls = list(_parts(delta))
        for part in calls:
            self._take(part)
        return text if text or calls or reason or self.thought else None

    def calls(self) -> Iterator[str]:
        """The reply's tool calls as text, once it is over."""
        return (call.text() for call in self._calls)

    def _text(self, content: Any) -> str:
        """The words of a content: a text, or a list of parts."""
        if content is None:
            return ""
        if isinstance(content, str):
            return content
        if isinstance(content, Mapping):
            if content.get("type", "") not in _TEXTS:
                self.thought = self.thought or "thinking" in content or "reasoning" in content
                return ""
            told = next((content[key] for key in ("text", "refusal") if key in content), None)
            # The assistants' interface has `{"text": {"value": …}}`.
            return self._text(told.get("value") if isinstance(told, Mapping) else told)
        if isinstance(content, Iterable):
            return "".join(map(self._text, content))
        raise TypeError("the content is no text")

    def _take(self, part: Mapping[str, Any]) -> None:
        """Add a piece of a call to the call that it belongs to."""
        function = part.get("function")
        told = function if isinstance(function, Mapping) else part
        given = told.get("arguments")
        if given is None:
            given = told.get("parameters")
        arguments = given if isinstance(given, str) else "" if given is None else json.dumps(given)
        name, identity = str(told.get("name") or ""), str(part.get("id") or "")
        self._called += len(name) + len(arguments)
        if self._called > _MOST_CALLED:
            raise ValueError("the tool calls do not end")
        call = self._call_of(part.get("index"), identity, name, arguments)
        call.id = call.id or identity
        # Some servers send the name with every piece, or what of it there is so far.
        if name.startswith(call.name):
            call.name = name
        elif name:
            call.name += name
        if call.arguments.strip() == "{}" or (
            # All of them once more.
            call.complete and arguments.startswith(call.arguments)
        ):
            call.arguments = arguments if arguments.strip() else call.arguments
        elif not call.complete:
            call.arguments += arguments

    def _call_of(self, index: Any, identity: str, name: str, arguments: str) -> _Call:
        known = [call for call in self._calls if _is_it(call, index, identity)]
        if known and name and _begins_another(known[-1], name, arguments):
            known = []
        elif not known and not name and not identity:
            known = self._calls[-1:]
        if not known:
            known = [_Call(index)]
            self._calls += known
        return known[-1]


def _is_it(call: _Call, index: Any, identity: str) -> bool:
    """Whether a piece with these is of this call, as far as they tell."""
    if identity and call.id:
        return identity == call.id and (index is None or call.index in (None, index))
    return bool(call.index == index)


def _begins_another(call: _Call, name: str, arguments: str) -> bool:
    """Whether a piece with a name is another call's, by what it says."""
    if call.complete:
        return bool(arguments.strip()) and arguments.strip() != call.arguments.strip()
    same = name == call.name or name.startswith(call.name)
    return not same and bool(call.arguments)


def _parts(delta: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    calls = delta.get("tool_calls") or ()
    for part in [calls] if isinstance(calls, Mapping) else calls:
        if part is not None:
            yield part
    if isinstance(old := delta.get("function_call"), Mapping):
        yield old


def _error(chunk: Mapping[str, Any]) -> str | None:
    """What an error's chunk tells."""
    told = chunk.get("error")
    if not told and "choices" not in chunk:
        if "error" in (chunk.get("object"), chunk.get("type")):
            told = chunk.get("message") or chunk
        else:
            told = chunk.get("detail")
    return json.dumps(told)[:_MOST_TOLD] if told else None


def read_chunk(data: str) -> Any:
    """A chunk from its text. Raises ValueError."""
    try:
        return json.loads(data)
    except ValueError:
        return read(data)
