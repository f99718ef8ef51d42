"""Chat completions as servers really stream them: the same words and calls come out of all."""

# ruff: noqa: E501 - streams as they are sent

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from models.openai.chat import OpenAiChat
from models.openai.chunks import ChunkReader, read_chunk
from models.openai.endpoint import Endpoint, new_client
from models.openai.sse import EventReader
from tests.voice_loop.scripted import Detector, Ears, Gadget, Mouth
from voice_loop.clauses import Clause, ClauseSplitter, ToolCall
from voice_loop.config import ConversationConfig
from voice_loop.conversation import Conversation
from voice_loop.ports import EngineError, Engines
from voice_loop.prompts import Message
from voice_loop.tools import Tool

WORDS = "Monday works."
BOOK = '<tool_call>{"name": "book", "arguments": {"day": "monday", "hour": 10}}</tool_call>'
LOOK = '<tool_call>{"name": "look", "arguments": {"day": "friday"}}</tool_call>'
ARGUMENTS = '{"day": "monday", "hour": 10}'
OTHER = '{"day": "friday"}'
MESSAGES: list[Message] = [{"role": "user", "content": "monday?"}]


def sse(*chunks: Any, done: bool = True) -> bytes:
    lines = [one if isinstance(one, str) else f"data: {json.dumps(one)}" for one in chunks]
    return "".join(f"{line}\n\n" for line in [*lines, *(["data: [DONE]"] if done else [])]).encode()


def delta(finish: Any = None, **told: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": told, "finish_reason": finish}]}


def call(**part: Any) -> dict[str, Any]:
    """A piece of a tool call; `name` and `arguments` are its function's."""
    function = {key: part.pop(key) for key in ("name", "arguments") if key in part}
    return delta(tool_calls=[{**part, "function": function}])


SAID = delta(content=WORDS)
STOP = delta("stop")
CALLED = delta("tool_calls")

TEXTS: dict[str, bytes] = {
    "openai": sse(delta(role="assistant", content=""), delta(content="Monday"), delta(content=" works."), STOP),
    "parts": sse(delta(content=[{"type": "text", "text": "Monday works."}]), STOP),
    "several parts": sse(delta(content=[{"type": "text", "text": "Monday"}, " works."]), STOP),
    "one part": sse(delta(content={"type": "text", "text": WORDS}), STOP),
    "assistants": sse(delta(content=[{"type": "text", "text": {"value": WORDS}}]), STOP),
    "thinking parts": sse(
        delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]),
        delta(content=[{"type": "text", "text": WORDS}]),
        STOP,
    ),
    "reasoning_content": sse(delta(reasoning_content="Hm."), delta(reasoning_content=None, content=WORDS), STOP),
    "reasoning": sse(delta(reasoning="Hm.", content=""), SAID, STOP),
    "refusal": sse(delta(content=None, refusal=WORDS), STOP),
    "no choices": sse({"id": "x", "usage": None}, SAID, {"choices": None}, {"choices": []}, STOP),
    "prompt progress": sse({"prompt_progress": {"total": 9}, "choices": []}, SAID, STOP),
    "error is null": sse({**delta(), "error": None}, {**SAID, "error": None}, {**STOP, "error": {}}),
    "no finish reason": sse(SAID),
    "finish reason is empty": sse({**delta(finish=""), **SAID}, STOP),
    "no [DONE]": sse(SAID, STOP, done=False),
    "no last line feed": sse(SAID, done=False) + b"data: [DONE]",
    "no last line feed, cut": sse(SAID, done=False) + b"data: " + json.dumps(STOP).encode(),
    "no empty lines": sse(SAID, STOP).replace(b"\n\n", b"\n"),
    "carriage returns": sse(SAID, STOP).replace(b"\n", b"\r\n"),
    "no spaces": sse(SAID, STOP).replace(b"data: ", b"data:"),
    "a byte order mark": b"\xef\xbb\xbf" + sse(SAID, STOP),
    "comments and pings": sse(": OPENROUTER PROCESSING", "event: ping\ndata: {\"type\": \"ping\"}",
                              "data: ", "data: ping", SAID, "id: 7\nretry: 10", STOP),
    "named events": sse(f"event: message\ndata: {json.dumps(SAID)}", STOP),
    "data over several lines": sse(
        "\n".join(f"data: {line}" for line in json.dumps(SAID, indent=1).splitlines()), STOP
    ),
    "lines of JSON": b"".join(json.dumps(one).encode() + b"\n" for one in (SAID, STOP)),
    "delta is null": sse({"choices": [{"delta": None}]}, SAID, {"choices": [{"delta": None, "finish_reason": "stop"}]}),
    "whole messages": sse({"choices": [{"message": {"content": WORDS}, "finish_reason": "stop"}]}),
    "message beside delta": sse({"choices": [{"delta": {"content": WORDS}, "message": {"content": WORDS}}]}, STOP),
    "old completions": sse({"choices": [{"text": WORDS, "finish_reason": "stop"}]}),
    "second choice": sse({"choices": [{"index": 1, "delta": {"content": "No."}}, {"index": 0, "delta": {"content": WORDS}}]}, STOP),
    "after the end": sse(SAID, STOP) + sse(delta(content="And more.")),
}  # fmt: skip

CALLS: dict[str, tuple[bytes, list[str]]] = {
    "openai": (sse(
        call(index=0, id="a", type="function", name="book", arguments=""),
        call(index=0, arguments='{"day": "mon'), call(index=0, arguments='day", "hour": 10}'),
        call(index=1, id="b", type="function", name="look", arguments=""),
        call(index=1, arguments=OTHER), CALLED), [BOOK, LOOK]),
    "the same index (Ollama)": (sse(
        call(index=0, id="a", name="book", arguments=ARGUMENTS),
        call(index=0, id="b", name="look", arguments=OTHER), CALLED), [BOOK, LOOK]),
    "the same index in pieces": (sse(
        call(index=0, id="a", name="book", arguments=""), call(index=0, id="a", arguments=ARGUMENTS),
        call(index=0, id="b", name="look", arguments=""), call(index=0, id="b", arguments=OTHER),
        CALLED), [BOOK, LOOK]),
    "the same index in one chunk": (sse(delta(tool_calls=[
        {"index": 0, "id": "a", "function": {"name": "book", "arguments": ARGUMENTS}},
        {"index": 0, "id": "b", "function": {"name": "look", "arguments": OTHER}}]), CALLED),
        [BOOK, LOOK]),
    "the same function twice": (sse(
        call(index=0, id="a", name="look", arguments=OTHER),
        call(index=0, id="b", name="look", arguments=OTHER), CALLED), [LOOK, LOOK]),
    "the same index, no ids": (sse(
        call(index=0, name="book", arguments=ARGUMENTS),
        call(index=0, name="look", arguments=OTHER), CALLED), [BOOK, LOOK]),
    "index is null": (sse(
        call(index=None, id="a", name="book", arguments=""),
        call(index=None, id="a", arguments=ARGUMENTS), CALLED), [BOOK]),
    "index is null, two": (sse(
        call(index=None, id="a", name="book", arguments=ARGUMENTS),
        call(index=None, id="b", name="look", arguments=OTHER), CALLED), [BOOK, LOOK]),
    "no index over chunks": (sse(
        call(id="a", name="book", arguments=""), call(arguments=ARGUMENTS[:9]),
        call(arguments=ARGUMENTS[9:]), call(id="b", name="look", arguments=""),
        call(arguments=OTHER), CALLED), [BOOK, LOOK]),
    "no index, no id": (sse(
        call(name="book", arguments=ARGUMENTS[:9]), call(arguments=ARGUMENTS[9:]),
        call(name="look", arguments=OTHER), CALLED), [BOOK, LOOK]),
    "an index at the beginning only": (sse(
        call(index=0, id="a", name="book", arguments=""), call(arguments=ARGUMENTS), CALLED),
        [BOOK]),
    "the name in every piece": (sse(
        call(index=0, id="a", name="book", arguments=ARGUMENTS[:9]),
        call(index=0, id="a", name="book", arguments=ARGUMENTS[9:]),
        call(index=0, id="a", name="book", arguments=""), CALLED), [BOOK]),
    "the name in every piece, no id": (sse(
        call(index=0, name="book", arguments=ARGUMENTS[:9]),
        call(index=0, name="book", arguments=ARGUMENTS[9:]), CALLED), [BOOK]),
    "the name in pieces": (sse(
        call(index=0, id="a", name="bo"), call(index=0, name="ok"),
        call(index=0, arguments=ARGUMENTS), CALLED), [BOOK]),
    "empty strings for what is not told": (sse(
        call(index=0, id="a", name="book", arguments=""),
        call(index=0, id="", name="", arguments=ARGUMENTS), CALLED), [BOOK]),
    "nulls for what is not told": (sse(
        call(index=0, id="a", name="book", arguments=None),
        call(index=0, id=None, type=None, name=None, arguments=ARGUMENTS), CALLED), [BOOK]),
    "arguments as an object": (sse(
        call(index=0, id="a", name="book", arguments=json.loads(ARGUMENTS)), CALLED), [BOOK]),
    "arguments written twice": (sse(
        call(index=0, id="a", name="book", arguments=json.dumps(ARGUMENTS)), CALLED), [BOOK]),
    "all arguments once more": (sse(
        call(index=0, id="a", name="book", arguments=""), call(index=0, arguments=ARGUMENTS),
        call(index=0, id="a", name="book", arguments=ARGUMENTS), CALLED), [BOOK]),
    "an empty object first": (sse(
        call(index=0, id="a", name="book", arguments="{}"), call(index=0, arguments=ARGUMENTS),
        CALLED), [BOOK]),
    "no function around it": (sse(
        delta(tool_calls=[{"index": 0, "id": "a", "name": "book", "arguments": ARGUMENTS}]), CALLED),
        [BOOK]),
    "one call, no list": (sse(
        delta(tool_calls={"id": "a", "function": {"name": "book", "arguments": ARGUMENTS}}), CALLED),
        [BOOK]),
    "parameters": (sse(
        delta(tool_calls=[{"function": {"name": "book", "parameters": json.loads(ARGUMENTS)}}]),
        CALLED), [BOOK]),
    "function_call": (sse(
        delta(function_call={"name": "book", "arguments": ""}),
        delta(function_call={"arguments": ARGUMENTS}), delta("function_call")), [BOOK]),
    "a name in the id (Kimi)": (sse(
        call(index=0, id="functions.book:0", name=None, arguments=ARGUMENTS), CALLED), [BOOK]),
    "a channel in the name (gpt-oss)": (sse(
        call(index=0, id="a", name="functions.book<|channel|>commentary", arguments=ARGUMENTS),
        CALLED), [BOOK]),
    "no arguments": (sse(call(index=0, id="a", name="end_call"), CALLED),
        ['<tool_call>{"name": "end_call", "arguments": {}}</tool_call>']),
    "[DONE] alone": (sse(call(index=0, id="a", name="book", arguments=ARGUMENTS)), [BOOK]),
    "the reason before the call": (sse(
        CALLED, call(index=0, id="a", name="book", arguments=ARGUMENTS)), [BOOK]),
    "no list at all": (sse(delta(tool_calls=None), delta(tool_calls=[]), delta(tool_calls=[None]),
        call(index=0, id="a", name="book", arguments=ARGUMENTS), CALLED), [BOOK]),
    "a whole message": (sse({"choices": [{"message": {"content": None, "tool_calls": [
        {"id": "a", "type": "function", "function": {"name": "book", "arguments": ARGUMENTS}}]},
        "finish_reason": "tool_calls"}]}), [BOOK]),
    "broken arguments": (sse(call(index=0, id="a", name="book", arguments='{"day": "mon'), CALLED),
        ['<tool_call>{"name": "book", "arguments": "{\\"day\\": \\"mon"}</tool_call>']),
}  # fmt: skip

FAILURES = {
    "an object": sse({"error": {"message": "no memory"}}),
    "a text": sse({"error": "no memory"}),
    "an event": sse('event: error\ndata: {"message": "no memory"}'),
    "an event of words": sse("event: error\ndata: no memory"),
    "a field": b'error: {"code": 500, "message": "no memory"}\n\n',
    "vLLM": sse({"object": "error", "message": "no memory", "code": 400}),
    "a detail": sse({"detail": "no memory"}),
    "after words": sse(SAID, {"error": {"message": "no memory"}, "choices": []}),
}


def understood(*pieces: bytes) -> tuple[str, list[str]]:
    """The words and the calls of a body that comes in these pieces."""
    stream, chunks = EventReader(), ChunkReader()
    data = [one for piece in pieces for one in stream.push(piece)] + list(stream.close())
    words = "".join(chunks.push(read_chunk(one)) or "" for one in data)
    assert chunks.finished or stream.done
    return words, list(chunks.calls())


def assert_understood(body: bytes, wanted: tuple[str, list[str]]) -> None:
    assert understood(body) == wanted
    assert understood(*(body[at : at + 1] for at in range(len(body)))) == wanted, "byte by byte"
    for cut in range(len(body)):
        assert understood(body[:cut], body[cut:]) == wanted, f"cut at {cut}"


@pytest.mark.parametrize("dialect", TEXTS)
def test_words(dialect: str) -> None:
    assert_understood(TEXTS[dialect], (WORDS, []))


@pytest.mark.parametrize("dialect", CALLS)
def test_calls(dialect: str) -> None:
    body, wanted = CALLS[dialect]
    assert_understood(body, ("", wanted))


def test_characters_are_not_cut() -> None:
    words = "¿el miércoles? \N{SLIGHTLY SMILING FACE}"
    raw = json.dumps(delta(content=words), ensure_ascii=False)
    assert_understood(sse(f"data: {raw}", STOP), (words, []))


# Over HTTP -------------------------------------------------------------------------------


@dataclass
class Server:
    """Gives these bodies after each other, the last one for ever; notes what it was asked."""

    bodies: Sequence[bytes]
    content_type: str = "text/event-stream"
    stays_open: bool = False
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        (length,) = [
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        ]
        self.asked.append(json.loads(await reader.readexactly(length)))
        body = self.bodies[min(len(self.asked), len(self.bodies)) - 1]
        writer.write(
            f"HTTP/1.1 200 OK\r\nContent-Type: {self.content_type}\r\nConnection: close\r\n\r\n".encode()
        )
        for at in range(0, len(body), 11):
            writer.write(body[at : at + 11])
            await writer.drain()
        if self.stays_open:
            await reader.read()
        writer.close()


@asynccontextmanager
async def serving(*bodies: bytes, **options: Any) -> AsyncIterator[tuple[Server, OpenAiChat]]:
    peer = Server(bodies, **options)
    listener = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.url = "http://{}:{}/v1".format(*listener.sockets[0].getsockname())
    async with listener, new_client() as client:
        yield peer, OpenAiChat(Endpoint("models.llms.big", peer.url, "x", None, 20.0), client)


async def ask(model: OpenAiChat, **options: Any) -> str:
    asked: dict[str, Any] = {"max_tokens": 40, **options}
    async with aclosing(model.stream(MESSAGES, **asked)) as pieces:
        return "".join([piece async for piece in pieces])


async def test_words_and_calls_over_http() -> None:
    async with serving(TEXTS["parts"], CALLS["the same index (Ollama)"][0]) as (_, model):
        assert await ask(model) == WORDS
        assert await ask(model) == BOOK + LOOK


async def test_a_server_that_does_not_stream() -> None:
    whole = {"choices": [{"message": {"content": WORDS}, "finish_reason": "stop"}]}
    for body in (json.dumps(whole), json.dumps(whole, indent=2)):
        async with serving(body.encode(), content_type="application/json") as (_, model):
            assert await ask(model) == WORDS


@pytest.mark.parametrize("form", FAILURES)
async def test_errors_in_the_stream_are_told(form: str) -> None:
    async with serving(FAILURES[form]) as (_, model):
        with pytest.raises(EngineError, match=r"it failed: .*no memory"):
            await ask(model)


async def test_a_server_that_never_ends_the_stream_is_not_waited_for() -> None:
    body = sse(SAID, call(index=0, id="a", name="book", arguments=ARGUMENTS), CALLED, done=False)
    async with serving(body, stays_open=True) as (_, model), asyncio.timeout(15):
        assert await ask(model) == WORDS + BOOK


CLOSED = sse(
    *(delta(content=piece) for piece in ("Okay. They want ", "Monday.</th", "ink>Yes.")), STOP
)


async def test_what_begins_with_thoughts_is_learnt() -> None:
    """From the second reply on, nothing of such a model is taken for words before its time."""
    async with serving(CLOSED, CLOSED, TEXTS["openai"]) as (peer, model):
        assert await ask(model) == "Okay. They want Monday.</think>Yes."
        assert await ask(model) == "<think>Okay. They want Monday.</think>Yes."
        assert await ask(model) == f"<think>{WORDS}</think>{WORDS}", "this time it has not thought"
        first, second, third = (body["max_tokens"] for body in peer.asked)
        assert first == 40
        assert second == third > 1000, "thoughts need room"


async def test_a_stray_mark_holds_up_one_reply_only() -> None:
    stray = sse(*(delta(content=piece) for piece in ("Hello. ", "</think>", "You? ")), STOP)
    async with serving(stray, TEXTS["openai"], TEXTS["openai"]) as (_, model):
        await ask(model)
        assert await ask(model) == f"<think>{WORDS}</think>{WORDS}"
        assert await ask(model) == WORDS


async def test_a_final_channel_tells_of_no_thoughts_without_marks() -> None:
    final = sse(delta(content=f"<|channel|>final<|message|>{WORDS}"), STOP)
    async with serving(final, TEXTS["openai"]) as (_, model):
        await ask(model)
        assert await ask(model) == WORDS


async def test_reading_ahead_finds_out_whether_a_model_thinks() -> None:
    async with serving(CLOSED) as (peer, model):
        await ask(model, max_tokens=1)
        assert peer.asked[0]["max_tokens"] > 1000
        assert (await ask(model)).startswith("<think>")
    async with serving(TEXTS["openai"]) as (peer, model):
        await ask(model, max_tokens=1)
        await ask(model, max_tokens=1)
        assert await ask(model) == WORDS
        assert [body["max_tokens"] > 1000 for body in peer.asked] == [True, False, False]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        *((f"One moment.{mark}", ["One moment."]) for mark in ("<|im_end|>", "</s>", "<|end|>")),
        ("One moment.<|im_end|>\n<|im_start|>user\nWhy?", ["One moment."]),
        ("<think>They want monday.", []),
        ("<|channel|>analysis<|message|>They want monday.", []),
        ("<|start|>assistant<|channel|>commentary", []),
        ("analysisThey want monday.", []),
        ("Here is my thought process: they want monday.", []),
    ],
)
async def test_calls_count_however_the_words_end(content: str, words: list[str]) -> None:
    called = (
        call(index=0, id="a", name="book", arguments=OTHER),
        call(index=1, id="b", name="look", arguments=OTHER),
    )
    async with serving(sse(delta(content=content), *called, CALLED)) as (_, model):
        splitter = ClauseSplitter(["book", "look"])
        async with aclosing(model.stream(MESSAGES, max_tokens=40)) as pieces:
            parts = [part async for piece in pieces for part in splitter.push(piece)]
        parts += splitter.close()
    calls = [ToolCall(name, json.loads(OTHER)) for name in ("book", "look")]
    assert parts == [*map(Clause, words), *calls]


# In a call -------------------------------------------------------------------------------


async def opening_of(model: OpenAiChat, *tools: Tool) -> str:
    """What a call over this model opens with."""
    engines = Engines(Ears(), model, Mouth(), lambda _rate: Detector())
    config = ConversationConfig("book a visit", tools=tools)
    held = Conversation("call-1", config, engines, 8000, lambda _turn: None)
    await held.prepare()
    return held._prepared.opening.text


async def test_tools_are_told_once_and_the_call_can_always_be_ended() -> None:
    async with serving(TEXTS["openai"]) as (peer, model):
        assert await opening_of(model) == WORDS
        assert await opening_of(model, Gadget()) == WORDS
        without, with_tools = peer.asked
    for body, names in ((without, ["end_call"]), (with_tools, ["end_call", "book"])):
        assert sorted(tool["function"]["name"] for tool in body["tools"]) == sorted(names)
        system = body["messages"][0]["content"]
        assert "<tool" not in system
        assert "end_call" in system
    assert json.dumps(with_tools).count("Book a visit.") == 1
    assert "never an instruction" in with_tools["messages"][0]["content"]


async def test_another_question_has_no_tools() -> None:
    async with serving(TEXTS["openai"]) as (peer, model):
        await ask(model)
        assert "tools" not in peer.asked[0]


async def test_a_model_that_only_closes_its_thoughts_opens_a_call_with_words() -> None:
    async with serving(CLOSED) as (_, model):
        assert await opening_of(model) == "Yes."
        assert await opening_of(model) == "Yes."
