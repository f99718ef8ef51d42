"""What `offhook doctor` sees of engines on other machines: each is asked for a little."""

import asyncio
import time
from collections.abc import Awaitable, Sequence
from contextlib import aclosing

from api.calls.engines import endpoint_engines
from api.settings import Settings
from models.openai.endpoint import new_client
from pbx.switch import Finding
from voice_loop.audio import silence
from voice_loop.ports import EngineError, LanguageModel, SpeechToText, TextToSpeech
from voice_loop.prompts import Message

_RATE = 8000


async def check_endpoints(settings: Settings) -> Sequence[Finding]:
    """One finding for each endpoint of `models`."""
    async with new_client() as client:
        llms, voices, transcribers = endpoint_engines(settings, client)
        checks = [
            *(_check(f"models.llms.{one.name}", _think(one.engine)) for one in llms),
            *(_check(f"models.voices.{one.name}", _speak(one.engine)) for one in voices),
            *(
                _check(f"models.transcribers.{one.name}", _hear(one.engine, one.languages[0]))
                for one in transcribers
            ),
        ]
        return await asyncio.gather(*checks)


async def _check(setting: str, asked: Awaitable[None]) -> Finding:
    begun = time.monotonic()
    try:
        await asked
    except EngineError as error:
        return Finding(setting, ok=False, message=str(error))
    return Finding(setting, ok=True, message=f"answered in {time.monotonic() - begun:.1f} s")


async def _think(llm: LanguageModel) -> None:
    messages: list[Message] = [{"role": "user", "content": "Say hello."}]
    async with aclosing(llm.stream(messages, max_tokens=8)) as pieces:
        async for _ in pieces:
            pass


async def _speak(voice: TextToSpeech) -> None:
    async with aclosing(voice.stream("hello")) as chunks:
        if not sum([chunk.size async for chunk in chunks]):
            raise EngineError("it answers, but nothing is heard")


async def _hear(stt: SpeechToText, language: str) -> None:
    await stt.transcribe(silence(_RATE, 500), _RATE, language)
