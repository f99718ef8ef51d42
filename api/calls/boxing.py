"""The black box of an attempt: whether there is one, where it lies, what is in its header."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, Final

from api.blackbox.held import held_json
from api.blackbox.recorder import BlackBox
from api.calls.recording_folder import RecordingFolder, box_name
from api.resources.call import Call
from api.resources.masking import masked
from api.resources.recording import RecordingStatus
from api.settings import Settings
from pbx.switch import Attempt
from voice_loop.config import ConversationConfig
from voice_loop.ports import Engines

#: What of the settings may bear upon a call, and holds no secret that pydantic does not hide.
_SECTIONS: Final = ("voice", "calls", "recordings", "rtp", "pbx")
_OF_MODELS: Final = ("set", "device", "compute_type", "threads", "context_tokens", "timeout_s")
#: What of an order is nobody's business here, or sealed.
_LEFT_OUT: Final = ("agent_layers", "webhook_url", "webhook_error", "api_key_id", "caps", "result")


@dataclass(frozen=True)
class Boxes:
    """Makes black boxes, where the settings want them."""

    settings: Settings
    folder: RecordingFolder
    megabyte: int = 1024 * 1024

    def box(
        self,
        call: Call,
        number: int,
        config: ConversationConfig,
        engines: Engines,
        attempt: Attempt,
        *,
        status: Callable[[], RecordingStatus | None],
    ) -> BlackBox | None:
        """The box of one attempt; None where there is to be none.

        Args:
            call: whose.
            number: of the attempt.
            config: how its conversation is held.
            engines: by which.
            attempt: on which line.
            status: of the recording now; None where there is none.
        """
        wanted = self.settings.black_box
        if not wanted.enabled:
            return None
        header = {
            "call_id": call.id,
            "attempt": number,
            "build": version("offhook"),
            "began_at": time.time(),
            "rate": attempt.rate,
            "voice_rate": engines.tts.rate,
            "min_confidence": engines.min_confidence,
            "has_turn_end": engines.turn_end is not None,
            "has_onset": engines.onset is not None,
            "conversation": held_json(config),
            "call": call_json(call),
            "settings": self._settings_json(),
        }
        return BlackBox(
            self.folder.path / box_name(call.id, number),
            wanted.max_mb * self.megabyte,
            header,
            keeps_audio=lambda: status() == "recording",
            # What is made while the announcement is said is heard after it.
            keeps_voice=lambda: status() in ("announcing", "recording"),
            line=lambda: asdict(attempt.media_stats()),
        )

    def _settings_json(self) -> dict[str, Any]:
        told = {name: getattr(self.settings, name).model_dump(mode="json") for name in _SECTIONS}
        models = self.settings.models.model_dump(mode="json", include=set(_OF_MODELS))
        return {**told, "models": models}


def call_json(call: Call) -> dict[str, Any]:
    """The order with the agent's snapshot, secrets masked."""
    told = {name: value for name, value in asdict(call).items() if name not in _LEFT_OUT}
    return {**told, "agent": masked(call.agent)}
