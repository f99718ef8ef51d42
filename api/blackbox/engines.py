"""Engines and tools whose requests and answers a black box keeps, each at the step of the
conversation that takes it."""

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from api.blackbox.recorder import BlackBox
from voice_loop.audio import Samples
from voice_loop.ports import (
    Engines,
    LanguageModel,
    NeuralDetector,
    OnsetModel,
    SpeechDetector,
    SpeechToText,
    TextToSpeech,
    Transcript,
    TurnEndModel,
)
from voice_loop.prompts import Message
from voice_loop.tools import Tool, ToolResult, ToolSpec


def witnessed(engines: Engines, box: BlackBox) -> Engines:
    """The same, seen by the box."""
    return replace(
        engines,
        stt=_Ears(engines.stt, box),
        llm=_Mind(engines.llm, box),
        tts=_Mouth(engines.tts, box),
        new_detector=lambda rate: detector_of(engines.new_detector(rate), box),
        turn_end=None if engines.turn_end is None else _TurnEnd(engines.turn_end, box),
        onset=None if engines.onset is None else _Onset(engines.onset, box),
    )


def witnessed_tools(tools: Sequence[Tool], box: BlackBox) -> tuple[Tool, ...]:
    """The same, seen by the box."""
    return tuple(_Tool(tool, box) for tool in tools)


@contextmanager
def _asked(box: BlackBox, engine: str, **fields: Any) -> Iterator[Callable[..., None]]:
    """Notes what became of a request; gives what notes an answer."""
    number = box.request(engine, **fields)

    def answered(audio: Samples | None = None, **answer: Any) -> None:
        if audio is None:
            box.note("answer", to=number, **answer)
        else:
            box.voice(audio, to=number)

    try:
        yield answered
    except GeneratorExit:
        box.note("answer", to=number, given_up=True)
        raise
    except Exception as error:
        box.note("answer", to=number, error=type(error).__name__, message=str(error))
        raise
    except BaseException:
        box.note("answer", to=number, given_up=True)
        raise


@dataclass(frozen=True)
class _Ears:
    stt: SpeechToText
    box: BlackBox

    async def transcribe(self, speech: Samples, rate: int, language: str) -> Transcript:
        with _asked(self.box, "stt", audio=speech, rate=rate, language=language) as answered:
            transcript = await self.stt.transcribe(speech, rate, language)
            answered(text=transcript.text, confidence=transcript.confidence)
            return transcript


@dataclass(frozen=True)
class _Mind:
    llm: LanguageModel
    box: BlackBox

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        schema: Mapping[str, Any] | None = None,
        tools: Sequence[ToolSpec] = (),
        temperature: float = 0.0,
        cache_key: str | None = None,
    ) -> AsyncGenerator[str, None]:
        asked = {
            "messages": [dict(one) for one in messages],
            "max_tokens": max_tokens,
            "schema": schema,
            "tools": [tool.name for tool in tools],
            "temperature": temperature,
        }
        with _asked(self.box, "llm", **asked) as answered:
            stream = self.llm.stream(
                messages,
                max_tokens=max_tokens,
                schema=schema,
                tools=tools,
                temperature=temperature,
                cache_key=cache_key,
            )
            async with aclosing(stream):
                async for piece in stream:
                    answered(piece=piece)
                    yield piece
            answered(over=True)

    def release(self, cache_key: str) -> None:
        self.llm.release(cache_key)


@dataclass(frozen=True)
class _Mouth:
    tts: TextToSpeech
    box: BlackBox

    @property
    def rate(self) -> int:
        return self.tts.rate

    async def stream(self, text: str, speed: float = 1.0) -> AsyncGenerator[Samples, None]:
        with _asked(self.box, "tts", text=text, speed=speed) as answered:
            stream = self.tts.stream(text, speed)
            async with aclosing(stream):
                async for chunk in stream:
                    answered(chunk)
                    yield chunk
            answered(over=True)


@dataclass(frozen=True)
class _TurnEnd:
    model: TurnEndModel
    box: BlackBox

    async def end_probability(self, speech: Samples, rate: int) -> float:
        with _asked(self.box, "turn_end", audio=speech, rate=rate) as answered:
            probability = await self.model.end_probability(speech, rate)
            answered(probability=float(probability))
            return probability


@dataclass(frozen=True)
class _Onset:
    model: OnsetModel
    box: BlackBox

    def takes_floor(self, speech: Samples, rate: int) -> float:
        probability = self.model.takes_floor(speech, rate)
        self.box.note("onset", audio=speech, probability=float(probability))
        return probability


@dataclass(frozen=True)
class _Tool:
    tool: Tool
    box: BlackBox

    @property
    def spec(self) -> ToolSpec:
        return self.tool.spec

    @property
    def say(self) -> str | None:
        return self.tool.say

    async def __call__(self, arguments: Mapping[str, Any], /) -> ToolResult:
        asked = {"name": self.spec.name, "arguments": arguments}
        with _asked(self.box, "tool", **asked) as answered:
            result = await self.tool(arguments)
            answered(**asdict(result))
            return result


def detector_of(detector: SpeechDetector, box: BlackBox) -> SpeechDetector:
    """The same, its verdicts seen by the box."""
    if isinstance(detector, NeuralDetector):
        return _NeuralDetector(detector, box)
    return _Detector(detector, box)


class _Detector:
    def __init__(self, detector: SpeechDetector, box: BlackBox) -> None:
        self._detector = detector
        self._box = box

    def is_speech(self, frame: Samples) -> bool:
        self._box.speech = self._detector.is_speech(frame)
        return self._box.speech


class _NeuralDetector:
    def __init__(self, detector: NeuralDetector, box: BlackBox) -> None:
        self._detector = detector
        self._box = box

    def expect(self, frame: Samples) -> None:
        self._detector.expect(frame)

    def is_speech(self, frame: Samples) -> bool:
        box = self._box
        box.speech = bool(self._detector.is_speech(frame))
        box.convinced = bool(self._detector.convinced)
        return box.speech

    @property
    def convinced(self) -> bool:
        return bool(self._box.convinced)
