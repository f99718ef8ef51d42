"""What is heard beside the agent's voice in one call, as its agent has it."""

from typing import Any, Final

from api.resources.call import Call
from models.sounds import load_sound
from voice_loop.ambience import AmbienceConfig, Loop

#: Of a sound that is named without a volume: some 16 dB below speech.
DEFAULT_VOLUME: Final = 0.5


def ambience_of(call: Call) -> AmbienceConfig:
    """The sounds of this call; none where its agent names none."""
    agent = call.agent
    probability = agent.get("thinking_sound_probability")
    return AmbienceConfig(
        background=_loop(agent.get("background_sound")),
        background_volume=_or(agent.get("background_sound_volume"), DEFAULT_VOLUME),
        thinking=_loop(agent.get("thinking_sound")),
        thinking_volume=_or(agent.get("thinking_sound_volume"), DEFAULT_VOLUME),
        thinking_probability=_or(probability, 1.0),
        voice_volume=_voice_volume(call),
    )


def _voice_volume(call: Call) -> float:
    voice = call.agent.get("voice") or {}
    if call.dialect == "revox" and voice.get("provider") == "elevenlabs":
        # That service's clients are told that it has no effect there.
        return 1.0
    return _or(voice.get("volume"), 1.0)


def _loop(sound: str | None) -> Loop | None:
    return None if sound is None else load_sound(sound)


def _or(value: Any, default: float) -> float:
    return default if value is None else float(value)
