"""One answer in the making: what was said → transcript → language model → voice.

A reply is often speculative: work starts at a short pause and is thrown away when the person
goes on. Nothing here touches the line; the conversation decides whether and when it is spoken.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import Enum, auto
from time import monotonic
from typing import TypeVar

from voice_loop.audio import Samples
from voice_loop.clauses import Clause, ClauseSplitter, ToolCall
from voice_loop.events import Timings
from voice_loop.playout import Speech
from voice_loop.ports import EngineError, Engines, Transcript
from voice_loop.prompts import Message

_T = TypeVar("_T")

END_CALL_TOOL = "end_call"


class Verdict(Enum):
    """What the person's words ask of us."""

    NOTHING = auto()
    """No speech in it: noise, a cough."""
    BACKCHANNEL = auto()
    """They listen and say so; the agent may go on."""
    REPEAT = auto()
    """Speech recognition is not sure enough to act on it."""
    OPENING = auto()
    """They said hello; the opening is the answer."""
    ANSWER = auto()


@dataclass
class Reply:
    """The state of one answer. Marks are `time.monotonic()` seconds."""

    speech: Speech
    last_voiced_at: float
    """Arrival of the person's last voiced packet."""
    started_ms: int
    ended_ms: int
    transcript: Transcript | None = None
    verdict: Verdict | None = None
    turn_over: bool = False
    keys: bool = False
    task: asyncio.Task[None] | None = None
    marks: dict[str, float] = field(default_factory=dict)

    def mark(self, name: str) -> None:
        """Note the first time that something happened."""
        self.marks.setdefault(name, monotonic())

    def timings(self) -> Timings:
        """The marks so far, as ms after the person's last voiced packet."""
        elapsed = {
            f"{name}_ms": round((at - self.last_voiced_at) * 1000, 1)
            for name, at in self.marks.items()
        }
        return Timings(**elapsed)

    def cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()


async def transcribe(
    engines: Engines, samples: Samples, rate: int, language: str, *, timeout_s: float
) -> Transcript:
    """Transcribe one utterance within `timeout_s`. Raises EngineError."""
    try:
        async with asyncio.timeout(timeout_s):
            return await engines.stt.transcribe(samples, rate, language)
    except TimeoutError:
        raise EngineError(f"speech recognition took more than {timeout_s:g} s") from None


async def say(
    engines: Engines, text: str, speech: Speech, *, timeout_s: float, reply: Reply | None = None
) -> None:
    """Voice one clause into `speech`; `timeout_s` bounds each wait. Raises EngineError."""
    speech.begin_clause(text)
    stream = _in_time(engines.tts.stream(text), timeout_s, "the voice")
    async with aclosing(stream) as chunks:
        async for chunk in chunks:
            if reply is not None:
                reply.mark("first_audio")
            speech.add(chunk)
    speech.end_clause()


async def answer(
    engines: Engines,
    messages: Sequence[Message],
    speech: Speech,
    *,
    max_tokens: int,
    cache_key: str,
    timeout_s: float,
    reply: Reply | None = None,
) -> None:
    """Let the model answer and voice it clause by clause into `speech`.

    `timeout_s` bounds each wait for an engine. Raises EngineError.
    """

    async def perform(part: Clause | ToolCall) -> None:
        match part:
            case Clause(text):
                await say(engines, text, speech, timeout_s=timeout_s, reply=reply)
            case ToolCall(name) if name == END_CALL_TOOL:
                speech.hang_up_after = True

    splitter = ClauseSplitter()
    stream = engines.llm.stream(messages, max_tokens=max_tokens, cache_key=cache_key)
    async with aclosing(_in_time(stream, timeout_s, "the language model")) as pieces:
        async for piece in pieces:
            if reply is not None:
                reply.mark("first_token")
            for part in splitter.push(piece):
                await perform(part)
    for part in splitter.close():
        await perform(part)
    speech.finished = True


async def _in_time(
    stream: AsyncGenerator[_T, None], timeout_s: float, engine: str
) -> AsyncGenerator[_T, None]:
    """The same items, with a bound on each wait; closes the stream with itself."""
    async with aclosing(stream):
        while True:
            try:
                async with asyncio.timeout(timeout_s):
                    item = await anext(stream, None)
            except TimeoutError:
                raise EngineError(f"{engine} gave nothing for {timeout_s:g} s") from None
            if item is None:
                return
            yield item
