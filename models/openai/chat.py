"""A language model behind `/chat/completions`."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from models.openai.endpoint import STRANGE, Endpoint
from models.openai.messages import chat_messages, tool_call_text, tools_param
from models.openai.sse import events
from voice_loop.prompts import Message
from voice_loop.tools import ToolSpec
from voice_loop.untrusted import holdable

#: A reply with more characters per token than any vocabulary has is no reply.
_MOST_PER_TOKEN: Final = 64
#: Characters of all tool calls of a reply.
_MOST_CALLED: Final = 65_536


class OpenAiChat:
    """A chat model on another machine (`voice_loop.ports.LanguageModel`).

    Args:
        endpoint: where it is.
        client: what its requests go through.
        options: more keys for each request's body, such as `chat_template_kwargs`.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        client: httpx.AsyncClient,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._client = client
        self._options = options or {}

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        schema: Mapping[str, Any] | None = None,
        tools: Sequence[ToolSpec] = (),
        temperature: float = 0.0,
        cache_key: str | None = None,  # noqa: ARG002 - the server finds shared prefixes by itself
    ) -> AsyncGenerator[str, None]:
        """Stream the reply's text; see the port."""
        body: dict[str, Any] = {
            **self._options,
            "model": self._endpoint.model,
            "messages": chat_messages(messages),
            "max_tokens": max_tokens,
            "temperature": temperature,
            "stream": True,
        }
        if schema is not None:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": schema, "strict": True},
            }
        elif tools:
            body["tools"] = tools_param(tools)
        room = max_tokens * _MOST_PER_TOKEN
        async with aclosing(self._pieces(body)) as pieces:
            while True:
                try:
                    async with asyncio.timeout(self._endpoint.timeout_s):
                        piece = await anext(pieces, None)
                except TimeoutError:
                    raise self._endpoint.too_late() from None
                if piece is None:
                    return
                room -= len(piece)
                if room < 0:
                    raise self._endpoint.error("the reply does not end")
                yield piece

    def release(self, cache_key: str) -> None:
        """Nothing is kept here."""

    async def _pieces(self, body: Mapping[str, Any]) -> AsyncGenerator[str, None]:
        """The texts as they come, then the tool calls as text."""
        reading = _Reading()
        async with (
            self._endpoint.post(self._client, "chat/completions", json=body) as response,
            aclosing(events(response.aiter_bytes())) as data,
        ):
            async for event in data:
                try:
                    text = reading.push(json.loads(event))
                except STRANGE as error:
                    raise self._endpoint.error("what came is no chat completion") from error
                if reading.failure is not None:
                    raise self._endpoint.error(f"it failed: {reading.failure}")
                if text:
                    yield text
        if not reading.finished:
            raise self._endpoint.error("the reply broke off")
        for call in reading.calls.values():
            yield tool_call_text(call.name, call.arguments)


@dataclass
class _Call:
    """A tool call on its way: its arguments come in pieces."""

    name: str = ""
    arguments: str = ""


@dataclass
class _Reading:
    """What the events of one reply have told so far."""

    calls: dict[int, _Call] = field(default_factory=dict)
    """By their place in the reply."""
    called: int = 0
    """Characters of the calls."""
    finished: bool = False
    failure: str | None = None

    def push(self, event: Mapping[str, Any]) -> str:
        """Take one event; gives its text. Raises what one of another form provokes."""
        if "error" in event:
            self.failure = json.dumps(event["error"])[:200]
            return ""
        if not event["choices"]:  # a report of usage
            return ""
        choice = event["choices"][0]
        self.finished = self.finished or choice.get("finish_reason") is not None
        delta = choice.get("delta") or {}
        for part in delta.get("tool_calls") or ():
            call = self.calls.setdefault(part.get("index", len(self.calls)), _Call())
            call.name += part["function"].get("name") or ""
            call.arguments += part["function"].get("arguments") or ""
            self.called += sum(map(len, map(str, part["function"].values())))
            if self.called > _MOST_CALLED:
                raise ValueError("the tool calls do not end")
        return holdable(str(delta.get("content") or ""))
