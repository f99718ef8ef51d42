"""The engines of a replay: they answer as they did in the recording.

A request that is in the recording, word for word, is answered with what was answered then, after as
long. As long as the replay is what the recording is, each part of an answer comes at its very place
among all that happened. One that is not in the recording is counted, and answered by the nearest in
time of those that were answered whole; a voice that is to say other words hums as long as they are.
"""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

import numpy as np

from api.blackbox.entries import Entry, of_audio
from voice_loop.audio import Samples
from voice_loop.ports import EngineError, ReplyTooLong, Transcript
from voice_loop.prompts import Message
from voice_loop.tools import ToolResult, ToolSpec

#: What a voice makes of words that it has not said: so long per character, after so long.
_CHAR_MS: Final = 60
_FIRST_AUDIO_S: Final = 0.1
_HUM_HZ: Final = 180
_HUM_PEAK: Final = 3000
_ERRORS: Final = {"ReplyTooLong": ReplyTooLong}
#: By what a request is known again.
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "stt": ("audio", "rate", "language"),
    "llm": ("messages", "max_tokens", "schema", "tools", "temperature"),
    "tts": ("text", "speed"),
    "turn_end": ("audio", "rate"),
    "tool": ("name", "arguments"),
}


@dataclass(eq=False)
class Request:
    """One of the recording's."""

    at: float
    engine: str
    key: str
    name: str
    """Of a tool."""
    answers: list[Entry] = field(default_factory=list)
    """Each with what it is, until one that ends them."""
    live: asyncio.Queue[Entry] = field(default_factory=asyncio.Queue)
    """Those whose place has come."""
    taken: bool = False

    @property
    def whole(self) -> bool:
        """Whether it was answered to its end."""
        return bool(self.answers) and not self.answers[-1].fields.get("given_up")


class Answers:
    """All requests of one recording, with what became of them."""

    def __init__(self, entries: Sequence[Entry], clock: Callable[[], float]) -> None:
        """
        Args:
            entries: of the recording.
            clock: seconds since the replay began.

        Raises KeyError, TypeError, ValueError.
        """
        self._clock = clock
        self._requests: dict[int, Request] = {}
        self._by_key: dict[tuple[str, str], list[Request]] = defaultdict(list)
        self.in_step = True
        """Whether all has happened so far as in the recording."""
        self.strange: Counter[str] = Counter()
        """Requests that are not in the recording, by engine."""
        for entry in entries:
            fields = entry.fields
            if entry.kind == "request":
                engine = str(fields["engine"])
                key = _key({name: fields[name] for name in _KEYS[engine]})
                request = Request(entry.at, engine, key, str(fields.get("name")))
                self._requests[fields["id"]] = request
                self._by_key[engine, key].append(request)
            elif entry.kind == "answer" and fields["to"] in self._requests:
                self._requests[fields["to"]].answers.append(entry)

    def reach(self, entry: Entry) -> None:
        """The place of an answer has come."""
        if (request := self._requests.get(entry.fields["to"])) is not None:
            request.live.put_nowait(entry)

    async def to(
        self, engine: str, asked: Mapping[str, Any], name: str = "None"
    ) -> AsyncGenerator[Entry, None]:
        """What was answered to this, as it comes; nothing to what nothing is known of.

        What was given up in the recording ends there.
        """
        request = self._known(engine, _key(asked))
        if request is not None and self.in_step:
            begun = False
            while True:
                entry = await request.live.get()
                if entry.fields.get("given_up"):
                    break
                begun = True
                yield entry
                if _ends(entry):
                    return
            if begun:
                self.strange[engine] += 1
                return
        if request is None or not request.whole:
            self.strange[engine] += 1
            request = None if engine == "tts" else self._nearest(engine, name)
        async for entry in _timed(request):
            yield entry

    def first_audio_s(self) -> float:
        """How long voices usually take to begin."""
        waits = [
            one.answers[0].at - one.at
            for one in self._requests.values()
            if one.engine == "tts" and one.answers
        ]
        return median(waits) if waits else _FIRST_AUDIO_S

    def _known(self, engine: str, key: str) -> Request | None:
        same = self._by_key.get((engine, key), [])
        for request in same:
            if not request.taken:
                request.taken = True
                return request
        return next((one for one in same if one.whole), None)

    def _nearest(self, engine: str, name: str) -> Request | None:
        now = self._clock()
        known = [
            one
            for one in self._requests.values()
            if one.engine == engine and one.whole and one.name == name
        ]
        return min(known, key=lambda one: abs(one.at - now), default=None)


async def _timed(request: Request | None) -> AsyncIterator[Entry]:
    if request is None:
        return
    loop = asyncio.get_running_loop()
    began = loop.time()
    for entry in request.answers:
        await asyncio.sleep(max(0.0, began + entry.at - request.at - loop.time()))
        yield entry


def _key(asked: Mapping[str, Any]) -> str:
    return json.dumps(asked, sort_keys=True, default=dict)


def _ends(entry: Entry) -> bool:
    return "piece" not in entry.fields and entry.pcm is None and "redacted" not in entry.fields


def _raise_error(entry: Entry) -> None:
    if (name := entry.fields.get("error")) is not None:
        raise _ERRORS.get(name, EngineError)(str(entry.fields.get("message")))


@dataclass(frozen=True)
class Ears:
    """`voice_loop.ports.SpeechToText`."""

    answers: Answers

    async def transcribe(self, speech: Samples, rate: int, language: str) -> Transcript:
        asked = {"audio": of_audio(speech), "rate": rate, "language": language}
        async with aclosing(self.answers.to("stt", asked)) as told:
            async for entry in told:
                _raise_error(entry)
                return Transcript(str(entry.fields["text"]), float(entry.fields["confidence"]))
        return Transcript("", 0.0)


@dataclass(frozen=True)
class Mind:
    """`voice_loop.ports.LanguageModel`."""

    answers: Answers

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        schema: Mapping[str, Any] | None = None,
        tools: Sequence[ToolSpec] = (),
        temperature: float = 0.0,
        cache_key: str | None = None,  # noqa: ARG002
    ) -> AsyncGenerator[str, None]:
        asked = {
            "messages": messages,
            "max_tokens": max_tokens,
            "schema": schema,
            "tools": [tool.name for tool in tools],
            "temperature": temperature,
        }
        async with aclosing(self.answers.to("llm", asked)) as told:
            async for entry in told:
                _raise_error(entry)
                if "piece" in entry.fields:
                    yield str(entry.fields["piece"])

    def release(self, cache_key: str) -> None:
        """Nothing is kept."""


@dataclass(frozen=True)
class Mouth:
    """`voice_loop.ports.TextToSpeech`."""

    answers: Answers
    rate: int

    async def stream(self, text: str, speed: float = 1.0) -> AsyncGenerator[Samples, None]:
        known = False
        async with aclosing(self.answers.to("tts", {"text": text, "speed": speed})) as told:
            async for entry in told:
                known = True
                _raise_error(entry)
                if entry.pcm is not None:
                    yield entry.pcm
                elif "redacted" in entry.fields:
                    yield _hum(min(int(entry.fields["redacted"]), 60 * self.rate), self.rate)
        if not known:
            await asyncio.sleep(self.answers.first_audio_s())
            yield _hum(round(len(text) * _CHAR_MS * self.rate / 1000 / speed), self.rate)


@dataclass(frozen=True)
class Ends:
    """`voice_loop.ports.TurnEndModel`."""

    answers: Answers

    async def end_probability(self, speech: Samples, rate: int) -> float:
        asked = {"audio": of_audio(speech), "rate": rate}
        async with aclosing(self.answers.to("turn_end", asked)) as told:
            async for entry in told:
                _raise_error(entry)
                return float(entry.fields["probability"])
        raise EngineError("the recording has no judgement of how a turn sounds")


@dataclass(frozen=True)
class RecordedTool:
    """`voice_loop.tools.Tool`: it does nothing but say what it said."""

    answers: Answers
    spec: ToolSpec
    say: str | None

    async def __call__(self, arguments: Mapping[str, Any], /) -> ToolResult:
        name = self.spec.name
        asked = {"name": name, "arguments": arguments}
        async with aclosing(self.answers.to("tool", asked, name)) as told:
            async for entry in told:
                _raise_error(entry)
                fields = entry.fields
                return ToolResult(
                    str(fields["output"]), fields["is_error"], fields["ends"], fields["waits"]
                )
        return ToolResult("The recording does not tell what came of this.", is_error=True)


def _hum(size: int, rate: int) -> Samples:
    wave = _HUM_PEAK * np.sin(np.arange(size) * 2 * np.pi * _HUM_HZ / rate)
    return wave.astype(np.int16)
