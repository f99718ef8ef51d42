"""Speech recognition behind `/audio/transcriptions`."""

import asyncio
import json
import math
from collections.abc import Mapping
from typing import Any, Final

import httpx

from models.annotations import spoken
from models.languages import language_of
from models.openai.endpoint import STRANGE, Endpoint
from voice_loop.audio import Samples, wav_bytes
from voice_loop.ports import Transcript
from voice_loop.untrusted import holdable

_MOST_BYTES: Final = 1 << 20


class OpenAiTranscription:
    """A recogniser on another machine (`voice_loop.ports.SpeechToText`).

    Args:
        endpoint: where it is.
        client: what its requests go through.
    """

    def __init__(self, endpoint: Endpoint, client: httpx.AsyncClient) -> None:
        self._endpoint = endpoint
        self._client = client

    async def transcribe(self, speech: Samples, rate: int, language: str) -> Transcript:
        """Transcribe one utterance; see the port.

        Its confidence is the server's `avg_logprob`; 1 where it tells none.
        """
        if speech.size == 0:
            return Transcript("", 0.0)
        form = {
            "model": self._endpoint.model,
            "language": language_of(language),
            "response_format": "verbose_json",
            "temperature": "0",
        }
        files = {"file": ("speech.wav", wav_bytes(speech, rate), "audio/wav")}
        try:
            async with (
                asyncio.timeout(self._endpoint.timeout_s),
                self._endpoint.post(
                    self._client, "audio/transcriptions", data=form, files=files
                ) as response,
            ):
                body = b""
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > _MOST_BYTES:
                        raise self._endpoint.error("the transcript does not end")
        except TimeoutError:
            raise self._endpoint.too_late() from None
        try:
            return _transcript(json.loads(body))
        except (*STRANGE, OverflowError) as error:
            raise self._endpoint.error("what came is no transcript") from error


def _transcript(told: Mapping[str, Any]) -> Transcript:
    text = spoken(holdable(str(told["text"])))
    scores = [
        (float(part["avg_logprob"]), max(1, len(part.get("tokens") or ())))
        for part in told.get("segments") or ()
        if part.get("avg_logprob") is not None
    ]
    if not text:
        return Transcript("", 0.0)
    if not scores:
        return Transcript(text, 1.0)
    mean = sum(score * weight for score, weight in scores) / sum(weight for _, weight in scores)
    return Transcript(text, math.exp(min(0.0, mean)))
