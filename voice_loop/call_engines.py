"""The engines as one call uses them: what was said → transcript; dialogue → words → voice."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from time import monotonic
from typing import Final, TypeVar

from voice_loop.answering.watch import Who
from voice_loop.audio import Samples
from voice_loop.clauses import Clause, ClauseSplitter, ToolCall, clauses
from voice_loop.config import ConversationConfig
from voice_loop.playout import Speech
from voice_loop.ports import EngineError, Engines, Transcript, TurnEndModel
from voice_loop.prompts import Message, answerer_messages
from voice_loop.reading import Reader
from voice_loop.reasoning import Retracted
from voice_loop.sentences import MIN_CLAUSE_CHARS
from voice_loop.stopwatch import Stopwatch
from voice_loop.tools import END_CALL_TOOL, ToolSpec
from voice_loop.toolset import Toolset

_T = TypeVar("_T")

#: Tokens that a tool call may take beside what is said.
_TOOL_CALL_TOKENS = 400
#: How a pause sounds is of no use any more after this.
_SOUND_TIMEOUT_S = 1.5
#: Who answered is of no use any more after this.
_WHO_TIMEOUT_S = 3.0
#: What the model may take for the answerer.
_WHOS: Final[tuple[Who, ...]] = (
    *("human", "voicemail", "menu", "screening", "hold_queue", "unavailable"),
)
_WHO_SCHEMA: Final = {
    "type": "object",
    "properties": {"who": {"enum": list(_WHOS)}},
    "required": ["who"],
    "additionalProperties": False,
}
#: With so much audio waiting, clauses need not be short to be there in time.
_ENOUGH_MS = 1500
_UNHURRIED_CHARS = 60
#: The least temperature of a second try: the likeliest reply was none.
_SECOND_TRY = 0.7


class CallEngines:
    """The engines, set up for one call: every wait for one is bounded."""

    def __init__(
        self,
        engines: Engines,
        line_rate: int,
        config: ConversationConfig,
        toolset: Toolset,
        cache_key: str,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """
        Args:
            engines: the loaded engines for the call's language.
            line_rate: of what is heard, Hz.
            config: language, bounds and manners.
            toolset: what the model may call.
            cache_key: the call, in the language model's prefix cache.
            clock: of stopwatches, seconds.
        """
        self._engines = engines
        self._line_rate = line_rate
        self._config = config
        self._timeout_s = config.engine_timeout_s
        self._reader = Reader(config.language)
        self._toolset = toolset
        self._cache_key = cache_key
        self._clock = clock

    async def transcribe(self, samples: Samples) -> Transcript:
        """Transcribe one utterance at the line's rate. Raises EngineError."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._engines.stt.transcribe(
                    samples, self._line_rate, self._config.language
                )
        except TimeoutError:
            raise EngineError(f"speech recognition took more than {self._timeout_s:g} s") from None

    async def end_probability(self, model: TurnEndModel, samples: Samples) -> float:
        """How probable it is that a turn ends after these samples. Raises EngineError."""
        try:
            async with asyncio.timeout(_SOUND_TIMEOUT_S):
                return await model.end_probability(samples, self._line_rate)
        except TimeoutError:
            raise EngineError("the model of turns' ends is too slow to be of use") from None

    async def read_out(self, text: str, speech: Speech, stopwatch: Stopwatch | None = None) -> None:
        """Voice a fixed line into `speech`, which is finished then. Raises EngineError."""
        await self._recite(text, speech, stopwatch)
        speech.finished = True

    async def answer(
        self,
        messages: Sequence[Message],
        speech: Speech,
        *,
        fallback: str,
        use_tools: bool = True,
        stopwatch: Stopwatch | None = None,
    ) -> None:
        """Let the model answer and voice it clause by clause into `speech`. Raises EngineError.

        Args:
            messages: the dialogue.
            speech: takes the words, and the tool call in which they end.
            fallback: said when the model says and does nothing, twice.
            use_tools: whether tools may be called; else only the end of the call is heeded.
            stopwatch: marks the first token and the first audio.
        """
        tools = self._toolset.specs if use_tools else ()
        for temperature in (self._config.temperature, max(self._config.temperature, _SECOND_TRY)):
            async with aclosing(
                self._parts(messages, tools, temperature, speech, stopwatch)
            ) as parts:
                await self._take(parts, speech, stopwatch, usable=bool(tools))
            if speech.tool_call is not None:
                await self._recite(self._toolset.announcement(speech.tool_call), speech, stopwatch)
            elif speech.hang_up_after:
                await self._recite(self._config.end_sentence, speech, stopwatch)
            elif speech.wordless:
                continue
            break
        else:
            await self._recite(fallback, speech, stopwatch)
        speech.finished = True

    async def write(self, messages: Sequence[Message]) -> str:
        """Give what the model says, voicing nothing of it. Raises EngineError."""
        said: list[str] = []
        parts = self._parts(messages, (), self._config.temperature)
        async with aclosing(parts):
            async for part in parts:
                if isinstance(part, Clause):
                    said.append(part.text)
                elif isinstance(part, Retracted):
                    said.clear()
        return " ".join(said)

    async def who_says(self, words: str) -> Who:
        """Let the model judge who answered with these words. Raises EngineError."""
        stream = self._engines.llm.stream(
            answerer_messages(words), max_tokens=24, schema=_WHO_SCHEMA
        )
        try:
            async with asyncio.timeout(_WHO_TIMEOUT_S), aclosing(stream):
                told = json.loads("".join([piece async for piece in stream]))
        except TimeoutError:
            raise EngineError("the language model is too slow to tell who answered") from None
        except ValueError:
            raise EngineError("the language model does not tell who answered") from None
        who = told.get("who") if isinstance(told, dict) else None
        return next((one for one in _WHOS if one == who), "unknown")

    async def _take(
        self,
        parts: AsyncGenerator[Clause | ToolCall | Retracted, None],
        speech: Speech,
        stopwatch: Stopwatch | None,
        *,
        usable: bool,
    ) -> None:
        """Voice what is said, and note what is to be done; `usable` tells if there are tools."""
        async for part in parts:
            if isinstance(part, Clause):
                await self._say(part.text, speech, stopwatch)
            elif isinstance(part, Retracted):
                speech.retract()
                speech.hang_up_after = False
            elif part.name == END_CALL_TOOL:
                speech.hang_up_after = True
            elif usable:
                speech.tool_call = part
                return

    async def warm_up(self, messages: Sequence[Message]) -> None:
        """Let the model read the beginning of the dialogue ahead. Raises EngineError."""
        stream = self._engines.llm.stream(messages, max_tokens=1, cache_key=self._cache_key)
        async with aclosing(_in_time(stream, self._timeout_s, "the language model")) as pieces:
            async for _ in pieces:
                pass

    async def _parts(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        temperature: float,
        speech: Speech | None = None,
        stopwatch: Stopwatch | None = None,
    ) -> AsyncGenerator[Clause | ToolCall | Retracted, None]:
        """Stream what the model says and does; `speech` is where that goes."""
        splitter = ClauseSplitter((tool.name for tool in tools), self._config.language)
        stream = self._engines.llm.stream(
            messages,
            max_tokens=self._config.reply_max_tokens + (_TOOL_CALL_TOKENS if tools else 0),
            tools=tools,
            temperature=temperature,
            cache_key=self._cache_key,
        )
        async with aclosing(_in_time(stream, self._timeout_s, "the language model")) as pieces:
            async for piece in pieces:
                if stopwatch is not None and piece:
                    stopwatch.mark("first_token", self._clock())
                hurried = speech is None or speech.waiting_ms < _ENOUGH_MS
                least = MIN_CLAUSE_CHARS if hurried else _UNHURRIED_CHARS
                for part in splitter.push(piece, least):
                    yield part
        for part in splitter.close():
            yield part

    def close(self) -> None:
        """Let the language model forget the call, which is over."""
        self._engines.llm.release(self._cache_key)

    async def _recite(self, text: str, speech: Speech, stopwatch: Stopwatch | None) -> None:
        for clause in clauses(text, self._config.language):
            await self._say(clause.text, speech, stopwatch)

    async def _say(self, text: str, speech: Speech, stopwatch: Stopwatch | None) -> None:
        reading = self._reader.read_or_leave(text, speech.last_clause)
        speech.begin_clause(text, reading.weights)
        stream = _in_time(
            self._engines.tts.stream(reading.spoken, self._config.speed),
            self._timeout_s,
            "the voice",
        )
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                if stopwatch is not None:
                    stopwatch.mark("first_audio", self._clock())
                speech.add(chunk)
        speech.end_clause()


async def _in_time(
    stream: AsyncGenerator[_T, None], timeout_s: float, engine: str
) -> AsyncGenerator[_T, None]:
    """Give the stream's items, with a bound on each wait; close the stream at the end."""
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
