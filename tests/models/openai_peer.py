"""A small OpenAI-compatible server over the starter engines, and all that one can do wrong.

What it does wrong is chosen by the model's name in the request.
"""

import asyncio
import gzip
import io
import json
import re
import socket
import wave
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from models.llama import LlamaCpp
from models.piper import Piper
from models.whisper import FasterWhisper
from voice_loop.audio import resample, wav_bytes
from voice_loop.prompts import (
    ENDING,
    ENDING_BY_TOOL,
    TOOL_CALL_CLOSE,
    TOOL_CALL_OPEN,
    Message,
)
from voice_loop.tools import ToolSpec

KEY = "sk-of-the-peer"
RATE = 24_000


@dataclass
class Peer:
    """A running server."""

    llm: LlamaCpp
    stt: FasterWhisper
    tts: Piper
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    """Bodies and forms, in order."""
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """A client went away in the middle of a reply."""

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self.chat, methods=["POST"]),
                Route("/v1/audio/transcriptions", self.transcriptions, methods=["POST"]),
                Route("/v1/audio/speech", self.speech, methods=["POST"]),
            ]
        )

    async def chat(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body)
        if (wrong := await self._wrong(request, body["model"])) is not None:
            return wrong
        return StreamingResponse(self._events(body), media_type="text/event-stream")

    async def transcriptions(self, request: Request) -> Response:
        told, data = read_form(request.headers["content-type"], await request.body())
        self.asked.append(told)
        if (wrong := await self._wrong(request, told["model"])) is not None:
            return wrong
        with wave.open(io.BytesIO(data)) as file:
            rate = file.getframerate()
            samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        heard = await self.stt.transcribe(samples, rate, told["language"])
        answer: dict[str, Any] = {"text": heard.text}
        if told["model"] != "plain":
            score = float(np.log(max(heard.confidence, 1e-9)))
            answer["segments"] = [{"avg_logprob": score, "tokens": [1, 2]}] if heard.text else []
        return JSONResponse(answer)

    async def speech(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body)
        if (wrong := await self._wrong(request, body["model"])) is not None:
            return wrong
        if body["response_format"] == "wav" or body["model"] == "always wav":
            spoken = await self.tts.render(body["input"], body["speed"])
            return Response(wav_bytes(spoken, self.tts.rate), media_type="audio/wav")
        return StreamingResponse(self._pcm(body), media_type="audio/pcm")

    async def _pcm(self, body: dict[str, Any]) -> AsyncGenerator[bytes, None]:
        async with aclosing(self.tts.stream(body["input"], body["speed"])) as chunks:
            async for chunk in chunks:
                data = resample(chunk, self.tts.rate, RATE).tobytes()
                # Networks cut where they like, samples or not.
                for begin in range(0, len(data), 4001):
                    yield data[begin : begin + 4001]

    async def _wrong(self, request: Request, model: str) -> Response | None:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return JSONResponse({"error": {"message": "who are you?"}}, 401)
        match model:
            case "fails":
                return Response(f"out of memory; your key was {KEY}", 500)
            case "picky":
                return JSONResponse({"detail": (await request.body()).decode("latin-1")}, 422)
            case "moved":
                return RedirectResponse(f"{self.url}/elsewhere", 307)
            case "hangs":
                await request.is_disconnected()
                await asyncio.sleep(30)
            case "garbage":
                return Response(b"data: <html>\n\n\xff\xfe", media_type="text/event-stream")
            case "nested":
                sign = b"data: " if request.url.path.endswith("completions") else b""
                return Response(sign + b"[" * 100_000 + b"\n\n", media_type="text/event-stream")
            case "strange":
                return Response(b'data: {"choices": [7]}\n\n', media_type="text/event-stream")
            case "endless":
                return StreamingResponse(_endless(), media_type="text/event-stream")
            case "endless call":
                return StreamingResponse(_endless_call(), media_type="text/event-stream")
            case "packed":
                packed = gzip.compress(bytes(1 << 20))
                return Response(packed, headers={"Content-Encoding": "gzip"})
            case "half":
                piece = _event({"choices": [{"delta": {"content": "good day"}}]})
                return Response(piece, media_type="text/event-stream")
            case "stalls":
                return StreamingResponse(self._stalling(), media_type="text/event-stream")
            case "half characters":
                said = {"delta": {"content": "good\ud83d \0day"}, "finish_reason": "stop"}
                return Response(_event({"choices": [said]}), media_type="text/event-stream")
            case "half characters heard" | "sure" | "unsure" | "senseless":
                score = {"sure": "1e308", "unsure": "-1e400", "senseless": "NaN"}.get(model, "-1")
                told = '{"text": "good\\ud83d day", "segments": [{"avg_logprob": SCORE}]}'
                return Response(told.replace("SCORE", score))
            case "too sure":
                return Response('{"text": "yes", "segments": [{"avg_logprob": ' + "9" * 400 + "}]}")
            case _ if model.startswith("hears "):
                return JSONResponse({"text": model.removeprefix("hears ")})
            case _ if model.startswith("told "):
                return Response(model.removeprefix("told "))
            case "late error":
                return Response(_event({"error": {"message": "no memory"}}))
        return None

    async def _stalling(self) -> AsyncGenerator[bytes, None]:
        yield _event({"choices": [{"delta": {"content": "good"}}]})
        try:
            while True:
                await asyncio.sleep(0.02)
                yield b": still here\n\n"
        finally:
            self.closed.set()

    async def _events(self, body: dict[str, Any]) -> AsyncGenerator[bytes, None]:
        schema = (body.get("response_format") or {}).get("json_schema", {}).get("schema")
        tools = [
            ToolSpec(tool["function"]["name"], "", tool["function"]["parameters"])
            for tool in body.get("tools", ())
        ]
        stream = self.llm.stream(
            [_plain(message) for message in body["messages"]],
            max_tokens=body["max_tokens"],
            schema=schema,
            tools=tools,
            temperature=body["temperature"],
        )
        yield _event({"choices": [{"delta": {"role": "assistant", "content": None}}]})
        call = ""
        async with aclosing(stream) as pieces:
            async for piece in pieces:
                if call:
                    call += piece
                    continue
                text, mark, rest = piece.partition(TOOL_CALL_OPEN) if tools else (piece, "", "")
                call = mark + rest
                if text:
                    yield _event({"choices": [{"delta": {"content": text}}]})
        reason = "stop"
        if call:
            reason = "tool_calls"
            asked = json.loads(call.removeprefix(TOOL_CALL_OPEN).removesuffix(TOOL_CALL_CLOSE))
            arguments = json.dumps(asked["arguments"])
            named = {"name": asked["name"], "arguments": ""}
            yield _event(_delta({"index": 0, "id": "x", "function": named}))
            for begin in range(0, len(arguments), 5):
                part = {"arguments": arguments[begin : begin + 5]}
                yield _event(_delta({"index": 0, "function": part}))
        yield _event({"choices": [{"delta": {}, "finish_reason": reason}]})
        yield _event({"choices": [], "usage": {"total_tokens": 1}})
        yield b"data: [DONE]\n\n"


def read_form(content_type: str, body: bytes) -> tuple[dict[str, str], bytes]:
    """The fields of a form (RFC 7578), and its file."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    fields, file = {}, b""
    for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        if name == "file":
            file = content
        else:
            fields[name] = content.decode()
    return fields, file


def _delta(call: dict[str, Any]) -> dict[str, Any]:
    return {"choices": [{"delta": {"tool_calls": [call]}}]}


def _event(data: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(data)}\r\n\r\n".encode()


async def _endless_call() -> AsyncGenerator[bytes, None]:
    while True:
        yield _event(_delta({"index": 0, "function": {"arguments": "x" * 4096}}))
        await asyncio.sleep(0)


async def _endless() -> AsyncIterator[bytes]:
    while True:
        yield _event({"choices": [{"delta": {"content": "and so on " * 50}}]})
        await asyncio.sleep(0)


def _plain(message: dict[str, Any]) -> Message:
    """As a server's chat template would render it."""
    content = message["content"] or ""
    if message["role"] == "system":
        # Its model was trained on this one.
        content = content.replace(ENDING_BY_TOOL, ENDING)
    if message["role"] == "tool":
        assert re.fullmatch(r"call_\d+_\d+", message["tool_call_id"])
        return {"role": "user", "content": f"<tool_response>{content}</tool_response>"}
    for call in message.get("tool_calls", ()):
        content += TOOL_CALL_OPEN + json.dumps(call["function"]) + TOOL_CALL_CLOSE
    return {"role": message["role"], "content": content}


@asynccontextmanager
async def serving(llm: LlamaCpp, stt: FasterWhisper, tts: Piper) -> AsyncIterator[Peer]:
    """Run it on a free port of loopback."""
    peer = Peer(llm, stt, tts)
    listener = socket.create_server(("127.0.0.1", 0))
    peer.url = "http://{}:{}/v1".format(*listener.getsockname())
    config = uvicorn.Config(
        peer.app, log_level="critical", timeout_graceful_shutdown=1, lifespan="off"
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield peer
    finally:
        server.should_exit = True
        await task
        listener.close()
