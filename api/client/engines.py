"""The engines that agents can name."""

from collections.abc import AsyncGenerator
from pathlib import Path

from api.client.transport import Json, Transport, at, whole_file
from api.resources.engine import ModelObject, TranscriberObject, VoiceObject, VoicePreview


class Engines(Transport):
    """`/v1/models`, `/v1/transcribers`, `/v1/voices`."""

    def list_models(self) -> AsyncGenerator[ModelObject, None]:
        """Every language model, the default first."""
        return self._every(ModelObject, at("models"), paged=False)

    def list_transcribers(self) -> AsyncGenerator[TranscriberObject, None]:
        """Every transcriber."""
        return self._every(TranscriberObject, at("transcribers"), paged=False)

    def list_voices(self) -> AsyncGenerator[VoiceObject, None]:
        """Every voice."""
        return self._every(VoiceObject, at("voices"), paged=False)

    async def preview_voice(self, body: VoicePreview | Json, file: Path | str) -> Path:
        """Write to `file`, WAV, how a voice says something."""
        answer = await self.request("POST", at("voices", "preview"), json=body)
        target = Path(file)
        with whole_file(target) as opened:
            opened.write(answer.content)
        return target
