"""Speech recognition behind `/audio/transcriptions`."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

import httpx

from models.annotations import spoken
from models.hypotheses import Hypothesis, Look, together, weigh
from models.languages import language_of
from models.openai.endpoint import STRANGE, Endpoint
from voice_loop.audio import Samples, wav_bytes
from voice_loop.ports import Transcript
from voice_loop.untrusted import holdable

_MOST_BYTES: Final = 1 << 20
#: No token is less likely than this, as a logarithm; servers send infinities.
_WORST: Final = -1000.0


class OpenAiTranscription:
    """A recogniser on another machine (`voice_loop.ports.SpeechToText`).

    Args:
        endpoint: where it is.
        client: what its requests go through.
    """

    def __init__(self, endpoint: Endpoint, client: httpx.AsyncClient) -> None:
        self._endpoint = endpoint
        self._client = client

    async def reach(self) -> None:
        """Ask whether the server is there (`models.probing.Reachable`)."""
        await self._endpoint.reach(self._client)

    async def transcribe(self, speech: Samples, rate: int, language: str) -> Transcript:
        """Transcribe one utterance; see the port.

        Its confidence is the server's `avg_logprob`; 1 where it tells none. Segments in which
        nobody spoke, by its `no_speech_prob`, are left out.
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
    whole = holdable(str(told["text"]))
    scored = [one for one in told.get("segments") or () if one.get("avg_logprob") is not None]
    if not scored:
        return Transcript(text := spoken(whole), 1.0 if text else 0.0)
    parts = [weigh(_look(one, whole)) for one in scored]
    transcript = together(parts)
    if all(part.text for part in parts):
        # Where nothing was left out, the server's own text: it knows where its language has spaces.
        return Transcript(spoken(whole), transcript.confidence)
    return transcript


def _look(segment: Mapping[str, Any], whole: str) -> Look:
    tokens = max(1, len(segment.get("tokens") or ()))
    mean = max(_WORST, min(0.0, float(segment["avg_logprob"])))
    text = holdable(str(segment.get("text", whole)))
    no_speech = float(segment.get("no_speech_prob") or 0.0)
    return Look([Hypothesis(text, mean * tokens, tokens)], no_speech)
