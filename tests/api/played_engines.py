"""A registry of engines that need no weights."""

from collections.abc import Mapping

from models.registry import LOCAL, EngineRegistry, Named
from tests.voice_loop.scripted import Detector, Ears, Mind, Mouth

#: Characters of a prompt that the language model has room for.
ROOM = 30_000


def played_engines(*languages: str, aliases: Mapping[str, str] | None = None) -> EngineRegistry:
    """The registry over scripted engines: one of each kind, and a voice for each language."""
    return EngineRegistry(
        [Named(LOCAL, Mind({}), too_long=_too_long)],
        [Named(code, Mouth(), languages=(code,)) for code in languages],
        [Named(LOCAL, Ears(), languages=languages)],
        new_detector=lambda _rate: Detector(),
        custom=lambda _wanted: Mind({}),
        aliases=aliases,
    )


def _too_long(prompt: str) -> str | None:
    return f"at most {ROOM} characters" if len(prompt) > ROOM else None
