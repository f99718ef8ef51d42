"""Engines that count what is asked of them."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from time import monotonic
from typing import Any, TypeVar

from api.telemetry.meter import Meter
from voice_loop.audio import Samples
from voice_loop.ports import (
    EngineError,
    Engines,
    LanguageModel,
    SpeechToText,
    TextToSpeech,
    Transcript,
)
from voice_loop.prompts import Message
from voice_loop.tools import ToolSpec

_T = TypeVar("_T")


def counted(engines: Engines, meter: Meter) -> Engines:
    """The same engines of a call, which tell the meter of each request."""
    return replace(
        engines,
        stt=_Ears(engines.stt, meter),
        llm=_Mind(engines.llm, meter),
        tts=_Mouth(engines.tts, meter),
    )


class _Request:
    """One request to an engine, for the time of a `with`."""

    def __init__(self, meter: Meter, engine: str) -> None:
        self._meter = meter
        self._engine = engine
        self._begun = monotonic()
        self._first = False

    def __enter__(self) -> "_Request":
        self._meter.engine_active.labels(self._engine).inc()
        return self

    def gave(self) -> None:
        """Something of the answer is there."""
        if not self._first:
            self._first = True
            self._meter.engine_first.labels(self._engine).observe(monotonic() - self._begun)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        meter = self._meter
        meter.engine_active.labels(self._engine).dec()
        outcome = "ok"
        if kind is not None:
            outcome = "error" if issubclass(kind, EngineError) else "cancelled"
        meter.engine_requests.labels(self._engine, outcome).inc()
        if outcome == "ok":
            meter.engine_seconds.labels(self._engine).observe(monotonic() - self._begun)


class _Ears:
    def __init__(self, stt: SpeechToText, meter: Meter) -> None:
        self._stt = stt
        self._meter = meter

    async def transcribe(self, speech: Samples, rate: int, language: str) -> Transcript:
        with _Request(self._meter, "stt"):
            return await self._stt.transcribe(speech, rate, language)


class _Mind:
    def __init__(self, llm: LanguageModel, meter: Meter) -> None:
        self._llm = llm
        self._meter = meter

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        schema: Mapping[str, Any] | None = None,
        tools: Sequence[ToolSpec] = (),
        temperature: float = 0.0,
        cache_key: str | None = None,
    ) -> AsyncGenerator[str, None]:
        pieces = self._llm.stream(
            messages,
            max_tokens=max_tokens,
            schema=schema,
            tools=tools,
            temperature=temperature,
            cache_key=cache_key,
        )
        return _told(pieces, self._meter, "llm")

    def release(self, cache_key: str) -> None:
        self._llm.release(cache_key)


class _Mouth:
    def __init__(self, tts: TextToSpeech, meter: Meter) -> None:
        self._tts = tts
        self._meter = meter

    @property
    def rate(self) -> int:
        return self._tts.rate

    def stream(self, text: str, speed: float = 1.0) -> AsyncGenerator[Samples, None]:
        return _told(self._tts.stream(text, speed), self._meter, "tts")


async def _told(
    stream: AsyncGenerator[_T, None], meter: Meter, engine: str
) -> AsyncGenerator[_T, None]:
    with _Request(meter, engine) as request:
        async with aclosing(stream):
            async for piece in stream:
                request.gave()
                yield piece
