"""Revox's voices, which are ours: `/api/voices`."""

import asyncio
import io
from fractions import Fraction
from typing import Final

import av
import numpy as np
from pydantic import BaseModel, Field
from starlette.responses import Response

from api.base.problems import FieldError, invalid, pointer
from api.compat.revox.config import ELEVENLABS_SPEED
from api.compat.revox.fields import PreviewVoice, Provider
from api.compat.voices import language_of_voice
from api.http.endpoint import Answer, EndpointTable, Exchange
from api.routes.voice_preview import spoken
from voice_loop.audio import Samples
from voice_loop.ports import EngineError

_FRAME: Final = 1152
"""Samples of an MP3 frame."""


class RevoxVoiceEntry(BaseModel):
    """A voice."""

    id: str = Field(examples=["en"])
    name: str = Field(examples=["en"])
    provider: Provider = Field(description="`cartesia`: its ranges of speed and volume hold.")
    languages: list[str] = Field(examples=[["en"]])


class RevoxVoiceList(BaseModel):
    """The voices of this deployment."""

    voices: list[RevoxVoiceEntry]


route = EndpointTable("revox")


@route("GET", "/api/voices", "List voices")
async def revox_list_voices(exchange: Exchange) -> RevoxVoiceList:
    """Lists the local voices and those of `models.voices`, without the aliases of
    `models.aliases`."""
    known = exchange.services.engines.voices
    shown = [
        RevoxVoiceEntry(
            id=one.name, name=one.name, provider="cartesia", languages=list(one.languages)
        )
        for one in known
    ]
    return RevoxVoiceList(voices=shown)


@route(
    "POST",
    "/api/voices/preview",
    "Hear a voice",
    {200: Answer("MP3.", media_type="audio/mpeg")},
    scope="call",
    keeps_answer=True,
)
async def revox_preview_voice(exchange: Exchange, asked: PreviewVoice) -> Response:
    """Speaks the text and answers with MP3."""
    low, high = ELEVENLABS_SPEED
    speed = 1.0 if asked.speed is None else asked.speed
    if asked.provider == "elevenlabs" and not low <= speed <= high:
        detail = f"with elevenlabs from {low} to {high}"
        raise invalid([FieldError(detail, pointer("speed"))])
    volume = asked.volume if asked.volume is not None and asked.provider == "cartesia" else 1.0
    services = exchange.services
    name = f"{asked.provider}/{asked.voiceId}"
    language = language_of_voice(services.engines, services.settings, name)
    language = language or services.settings.calls.default_language
    try:
        voice = services.engines.voice(name, language)
    except EngineError as error:
        wrong = FieldError(str(error), pointer("voiceId"), code="provider_not_configured")
        raise invalid([wrong]) from error
    speech = await spoken(voice, asked.text, speed, volume, language)
    body = await asyncio.to_thread(as_mp3, speech, voice.rate)
    return Response(body, 200, {"Cache-Control": "no-store"}, "audio/mpeg")


def as_mp3(speech: Samples, rate: int) -> bytes:
    """Samples at `rate` as MP3 (MPEG layer III)."""
    padded = np.pad(speech, (0, -len(speech) % _FRAME))
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=rate, layout="mono")
        for start in range(0, len(padded), _FRAME):
            frame = av.AudioFrame.from_ndarray(
                padded[None, start : start + _FRAME], format="s16", layout="mono"
            )
            frame.sample_rate = rate
            frame.pts = start
            frame.time_base = Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


ENDPOINTS = route.endpoints
