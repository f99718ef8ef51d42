"""A language model behind `/chat/completions`."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import httpx

from models.openai.chunks import ChunkReader, read_chunk
from models.openai.endpoint import STRANGE, Endpoint
from models.openai.messages import chat_messages, tools_param
from models.openai.sse import EventReader, events
from voice_loop.ports import ReplyTooLong
from voice_loop.prompts import CALLS_FOLLOW, THOUGHTS_CLOSE, THOUGHTS_OPEN, Message, beside_tools
from voice_loop.reasoning import ReasoningFilter
from voice_loop.tools import ToolSpec
from voice_loop.untrusted import holdable

#: A reply with more characters per token than any vocabulary has is no reply.
_MOST_PER_TOKEN: Final = 64
#: Tokens that thoughts may take beside the reply.
_THOUGHT_TOKENS: Final = 1024
#: Bytes of a body that is no stream.
_MOST_BYTES: Final = 1 << 20
#: Seconds that a server may take to end a stream after the reply has ended.
_AFTER_END_S: Final = 0.5


@dataclass
class _Manner:
    """What has been learnt of a model."""

    known: bool = False
    """It has given a whole reply."""
    thinks: bool = False
    """Before it answers."""
    closes_only: bool = False
    """The server has opened its thoughts for it: a reply begins with them, and only tells where
    they end."""


@lru_cache(maxsize=256)
def _manner_of(url: str, model: str) -> _Manner:  # noqa: ARG001 - what it is kept by
    return _Manner()


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
        self._manner = _manner_of(endpoint.url, endpoint.model)

    async def reach(self) -> None:
        """Ask whether the server is there (`models.probing.Reachable`)."""
        await self._endpoint.reach(self._client)

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
        """Stream the reply's text; see the port. An empty piece is a sign of life."""
        most = max_tokens
        # Who only reads ahead has the time to find out whether this model thinks.
        if self._manner.thinks or (max_tokens == 1 and not self._manner.known):
            most += _THOUGHT_TOKENS
        reading, learning = ChunkReader(), ReasoningFilter()
        room = most * _MOST_PER_TOKEN
        opened, text = self._manner.closes_only, ""
        body = self._body(messages, most, temperature, schema, tools)
        async with aclosing(self._in_time(body, reading)) as pieces:
            async for piece in pieces:
                room -= len(piece)
                if room < 0:
                    raise self._endpoint.error("the reply does not end")
                told = THOUGHTS_OPEN + piece if opened and piece and not text else piece
                text += piece
                learning.push(told)
                self._manner.closes_only = self._manner.closes_only or learning.closed_only
                yield told
        self._manner.known = self._manner.known or not reading.cut
        self._manner.thinks = self._manner.thinks or reading.thought or learning.thought
        if reading.thought:
            self._manner.closes_only = False
        if schema is not None and reading.cut:
            raise ReplyTooLong(str(self._endpoint.error(f"the reply did not fit in {most} tokens")))
        if opened and learning.thinking and not reading.cut:
            # This time it has not thought. Whoever still does is found out again; of whoever has
            # only written a stray mark, no reply more is held to its end.
            self._manner.closes_only = False
            yield THOUGHTS_CLOSE + text
        for call in reading.calls():
            yield CALLS_FOLLOW + call if learning.deaf else call

    def release(self, cache_key: str) -> None:
        """Nothing is kept here."""

    def _body(
        self,
        messages: Sequence[Message],
        max_tokens: int,
        temperature: float,
        schema: Mapping[str, Any] | None,
        tools: Sequence[ToolSpec],
    ) -> dict[str, Any]:
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
            return body
        told = beside_tools(messages[0]["content"]) if messages else None
        if told is not None:
            body["messages"][0]["content"] = told
        if tools or told is not None:
            body["tools"] = tools_param(tools)
        return body

    async def _in_time(
        self, body: Mapping[str, Any], reading: ChunkReader
    ) -> AsyncGenerator[str, None]:
        """The texts as they come, with a bound on each wait."""
        async with aclosing(self._pieces(body, reading)) as pieces:
            while True:
                wait_s = _AFTER_END_S if reading.finished else self._endpoint.timeout_s
                try:
                    async with asyncio.timeout(wait_s):
                        piece = await anext(pieces, None)
                except TimeoutError:
                    if reading.finished:
                        return
                    raise self._endpoint.too_late() from None
                if piece is None:
                    return
                yield piece

    async def _pieces(
        self, body: Mapping[str, Any], reading: ChunkReader
    ) -> AsyncGenerator[str, None]:
        """The texts as they come."""
        stream = EventReader()
        async with (
            self._endpoint.post(self._client, "chat/completions", json=body) as response,
            aclosing(_data(response, stream)) as chunks,
        ):
            async for chunk in chunks:
                try:
                    text = reading.push(read_chunk(chunk))
                except STRANGE as error:
                    raise self._endpoint.error("what came is no chat completion") from error
                if reading.failure is not None:
                    raise self._endpoint.error(f"it failed: {reading.failure}")
                if text is not None:
                    yield holdable(text)
        if not (reading.finished or stream.done):
            raise self._endpoint.error("the reply broke off")


async def _data(response: httpx.Response, stream: EventReader) -> AsyncGenerator[str, None]:
    """The chunks of a body, also of one that is a single one."""
    if not response.headers.get("content-type", "").startswith("application/json"):
        async with aclosing(events(response.aiter_bytes(), stream)) as data:
            async for event in data:
                yield event
        return
    body = b""
    async for part in response.aiter_bytes():
        body += part
        if len(body) > _MOST_BYTES:
            raise ValueError("the body does not end")
    yield body.decode(errors="replace")
