"""A language model on the network for tests that need one that can choose tools: the starter
model, with its two million weights, was not trained to. It speaks the OpenAI-compatible protocol
as a real server does, and follows a rule book: what it answers depends on what it was told.
"""

import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.http.server import http_server, listen

#: What it says, or a tool with its arguments.
Move = str | tuple[str, dict[str, Any]]


@dataclass
class Told:
    """One request, as far as the rules look at it."""

    said: str
    """What the person said last."""
    results: Sequence[str]
    """What tools have given since, in order."""
    tools: frozenset[str]


Rules = Callable[[Told], Move]


@dataclass
class Receptionist:
    """A running server."""

    rules: Rules
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def chat(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body)
        move = self.rules(_told(body))
        if isinstance(move, str):
            delta: dict[str, Any] = {"content": move}
            reason = "stop"
        else:
            name, arguments = move
            called = {"name": name, "arguments": json.dumps(arguments)}
            delta = {"tool_calls": [{"index": 0, "id": "call", "function": called}]}
            reason = "tool_calls"
        events = [
            {"choices": [{"delta": delta}]},
            {"choices": [{"delta": {}, "finish_reason": reason}]},
        ]
        lines = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
        return Response(f"{lines}data: [DONE]\n\n", media_type="text/event-stream")


def _told(body: dict[str, Any]) -> Told:
    said = ""
    results: list[str] = []
    for message in body["messages"]:
        if message["role"] == "user":
            said, results = message["content"], []
        elif message["role"] == "tool":
            results.append(message["content"])
    tools = frozenset(tool["function"]["name"] for tool in body.get("tools", ()))
    return Told(said, results, tools)


def first_start(told: str) -> str:
    """The first time in what `find_free_slots` gave."""
    found = re.search(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", told)
    assert found is not None, told
    return found.group()


@asynccontextmanager
async def receptionist(rules: Rules) -> AsyncIterator[Receptionist]:
    """Serve one on loopback."""
    one = Receptionist(rules)
    app = Starlette(routes=[Route("/v1/chat/completions", one.chat, methods=["POST"])])
    with listen("127.0.0.1", 0) as listener:
        async with http_server(app, listener):
            one.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
            yield one
