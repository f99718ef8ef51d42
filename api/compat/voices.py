"""A call's language by its voice, for the services have no field for the language; and its voice by
its language, where it names none."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from api.resources.agent_fields import VoiceField
from api.settings import Settings
from models.languages import language_of
from models.registry import EngineRegistry


def language_of_voice(engines: EngineRegistry, settings: Settings, name: str) -> str | None:
    """The deployment's language if the voice speaks it, else the first language that the voice
    speaks; None if there is no such voice."""
    for language in (settings.calls.default_language, *sorted(engines.languages)):
        if engines.problem("voice", name, language) is None:
            return language
    return None


def language_for(
    engines: EngineRegistry, settings: Settings, config: Mapping[str, Any]
) -> str | None:
    """The language that a configuration's voice asks for; None for the deployment's."""
    if not config.get("voice"):
        return None
    try:
        name = VoiceField.model_validate(config["voice"]).name
    except ValidationError:  # which is told where the whole configuration is checked
        return None
    language = None if name is None else language_of_voice(engines, settings, name)
    return None if language == settings.calls.default_language else language


def default_voice(engines: EngineRegistry, language: str) -> str | None:
    """The voice that speaks a language unless another one is named; None if none does."""
    code = language_of(language)
    return next((one.name for one in engines.voices if code in one.languages), None)
