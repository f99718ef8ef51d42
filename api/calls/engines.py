"""The deployment's engines as the settings name them, and those that a call is held with."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import httpx

from api.egress.guarded_http import guarded_client
from api.egress.policy import EgressPolicy
from api.egress.sealing import Seal, SealError
from api.resources.agent_fields import AgentFields
from api.resources.call import Call, NewCall
from api.resources.masking import masked
from api.settings import EngineEndpoint, Settings
from models.assembly import registry_of
from models.load import LoadedEngines
from models.openai.chat import OpenAiChat
from models.openai.endpoint import Endpoint, new_client
from models.openai.speech import OpenAiSpeech
from models.openai.transcription import OpenAiTranscription
from models.registry import CustomModel, EngineRegistry, Named, Part, Wanted
from voice_loop.ports import EngineError, Engines, LanguageModel, SpeechToText, TextToSpeech

#: Most host names of agents' own models that are looked up at one time.
_LOOKUPS = 8


@dataclass(frozen=True)
class Brought:
    """Engines that whoever starts the server brings along, beside those of its settings."""

    llms: Sequence[Named[LanguageModel]] = ()
    voices: Sequence[Named[TextToSpeech]] = ()
    transcribers: Sequence[Named[SpeechToText]] = ()


NOTHING_BROUGHT: Final = Brought()


@asynccontextmanager
async def engine_registry(
    settings: Settings, loaded: LoadedEngines, brought: Brought = NOTHING_BROUGHT
) -> AsyncIterator[EngineRegistry]:
    """All engines by name, with the connections to those on other machines.

    Raises EngineError for names that do not fit together.
    """
    agent = {"User-Agent": "Offhook"}
    timeout_s = settings.models.timeout_s
    async with (
        new_client() as client,
        guarded_client(
            EgressPolicy.of_models(settings), _LOOKUPS, agent, settings.tools.ca_file
        ) as guarded,
    ):
        llms, voices, transcribers = endpoint_engines(settings, client)
        yield registry_of(
            loaded,
            llms=[*llms, *brought.llms],
            voices=[*voices, *brought.voices],
            transcribers=[*transcribers, *brought.transcribers],
            custom=lambda wanted: OpenAiChat(_custom(wanted, timeout_s), guarded),
            aliases=settings.models.aliases,
        )


def endpoint_engines(
    settings: Settings, client: httpx.AsyncClient
) -> tuple[
    Sequence[Named[LanguageModel]],
    Sequence[Named[TextToSpeech]],
    Sequence[Named[SpeechToText]],
]:
    """The engines on other machines, by the names of their tables."""
    models = settings.models
    llms = [
        Named(name, OpenAiChat(_endpoint("llms", name, one), client, one.options), "endpoint")
        for name, one in models.llms.items()
    ]
    voices = [
        Named(
            name,
            OpenAiSpeech(_endpoint("voices", name, one), client, one.voice, one.rate, one.format),
            "endpoint",
            one.languages,
        )
        for name, one in models.voices.items()
    ]
    transcribers = [
        Named(
            name,
            OpenAiTranscription(_endpoint("transcribers", name, one), client),
            "endpoint",
            one.languages,
        )
        for name, one in models.transcribers.items()
    ]
    return llms, voices, transcribers


def engines_of(registry: EngineRegistry, call: Call, seal: Seal) -> Engines:
    """The engines of one call. Raises EngineError."""
    return registry.engines(wanted(call, seal))


def parts_of(registry: EngineRegistry, call: Call | NewCall, seal: Seal) -> list[Part]:
    """The same, to be tried out. Raises EngineError."""
    return registry.parts(wanted(call, seal))


def wanted(call: Call | NewCall, seal: Seal) -> Wanted:
    """What a call's configuration asks for. Raises EngineError for a key that cannot be opened."""
    # A sealed key is longer than any key may be.
    config = AgentFields.model_validate(masked(call.agent))
    voice, ears, llm = config.voice, config.transcriber, config.llm
    model: str | CustomModel | None = None if llm is None else llm.model
    if llm is not None and llm.api_url is not None and llm.model is not None:
        try:
            key = None if llm.api_key is None else seal.open(call.agent["llm"]["api_key"])
        except SealError as error:
            raise EngineError(f"`llm.api_key` cannot be opened: {error}") from error
        model = CustomModel(llm.api_url, llm.model, key)
    return Wanted(
        language=call.language,
        voice=None if voice is None else voice.name,
        stability=None if voice is None else voice.stability,
        llm=model,
        transcriber=None if ears is None else ears.model,
        heard_language=None if ears is None else ears.language,
    )


def _endpoint(table: str, name: str, one: EngineEndpoint) -> Endpoint:
    key = None if one.api_key is None else one.api_key.get_secret_value()
    return Endpoint(f"models.{table}.{name}", one.url, one.model, key, one.timeout_s)


def _custom(wanted: CustomModel, timeout_s: float) -> Endpoint:
    return Endpoint("llm.api_url", wanted.url, wanted.model, wanted.api_key, timeout_s)
