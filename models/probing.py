"""Trying an engine out: each is asked for a little."""

from contextlib import aclosing
from typing import Protocol, runtime_checkable

from voice_loop.audio import silence
from voice_loop.ports import EngineError, LanguageModel, SpeechToText, TextToSpeech
from voice_loop.prompts import Message

_RATE = 8000


@runtime_checkable
class Reachable(Protocol):
    """An engine on another machine."""

    async def reach(self) -> None:
        """Ask whether it is there, at no cost. Raises EngineError."""


async def reach(engine: object) -> None:
    """Ask whether an engine is there; one of our own is. Raises EngineError."""
    if isinstance(engine, Reachable):
        await engine.reach()


async def think(llm: LanguageModel) -> None:
    """Have a language model say something. Raises EngineError."""
    messages: list[Message] = [{"role": "user", "content": "Say hello."}]
    async with aclosing(llm.stream(messages, max_tokens=8)) as pieces:
        async for _ in pieces:
            pass


async def speak(voice: TextToSpeech) -> None:
    """Have a voice say something. Raises EngineError."""
    async with aclosing(voice.stream("hello")) as chunks:
        if not sum([chunk.size async for chunk in chunks]):
            raise EngineError("it answers, but nothing is heard")


async def hear(stt: SpeechToText, language: str) -> None:
    """Have a recogniser listen. Raises EngineError."""
    await stt.transcribe(silence(_RATE, 500), _RATE, language)
