"""`pause_recording`, `resume_recording`: the agent keeps what is secret out of the recording."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from voice_loop.tools import ToolResult, ToolSpec

PauseRecording = Callable[[bool], None]
"""Pauses the recording of a call, or has it go on; where there is none, nothing happens."""

_PAUSE: Final = ToolSpec(
    "pause_recording",
    "Pause the recording of the call. Use it before you ask for a card number, a password or "
    "another secret.",
    {"type": "object", "properties": {}, "additionalProperties": False},
)
_RESUME: Final = ToolSpec(
    "resume_recording",
    "Let the recording of the call go on, once the secret was said.",
    {"type": "object", "properties": {}, "additionalProperties": False},
)


class SwitchRecording:
    """One of the two tools."""

    say = ""

    def __init__(self, paused: bool, pause: PauseRecording) -> None:
        """
        Args:
            paused: what it makes of the recording.
            pause: of the attempt.
        """
        self.spec = _PAUSE if paused else _RESUME
        self._paused = paused
        self._pause = pause

    async def __call__(self, arguments: Mapping[str, Any], /) -> ToolResult:  # noqa: ARG002
        self._pause(self._paused)
        return ToolResult(
            "Nothing is recorded now." if self._paused else "The pause of the recording is over."
        )
