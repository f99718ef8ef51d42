"""A deployment's engines in one registry: the loaded set's, then those of configured endpoints."""

from collections.abc import Callable, Iterable, Mapping

from models.load import LoadedEngines
from models.registry import LOCAL, CustomModel, EngineRegistry, Named
from voice_loop.ports import EngineError, LanguageModel, SpeechToText, TextToSpeech


def no_custom_model(wanted: CustomModel) -> LanguageModel:
    """Where agents bring no model along."""
    raise EngineError(f"the language model at {wanted.url} cannot be reached from here")


def registry_of(
    loaded: LoadedEngines,
    *,
    custom: Callable[[CustomModel], LanguageModel] = no_custom_model,
    llms: Iterable[Named[LanguageModel]] = (),
    voices: Iterable[Named[TextToSpeech]] = (),
    transcribers: Iterable[Named[SpeechToText]] = (),
    aliases: Mapping[str, str] | None = None,
) -> EngineRegistry:
    """The loaded set's engines, then those of configured endpoints; see `EngineRegistry`.

    The set's model and recogniser are called `local`, or like the set; its voices like their
    files. Of the voices of a language, the one that is called by its code is the default.
    """
    own = [
        Named(name, voice, languages=(loaded.spoken_by(name),))
        for name, voice in loaded.voices.items()
    ]
    sure = loaded.model_set.min_confidence
    ears = Named(LOCAL, loaded.stt, languages=loaded.stt.languages, min_confidence=sure)
    return EngineRegistry(
        [Named(LOCAL, loaded.llm, too_long=loaded.llm.too_long), *llms],
        [*sorted(own, key=lambda one: (one.name not in one.languages, one.name)), *voices],
        [ears, *transcribers],
        new_detector=loaded.new_detector,
        custom=custom,
        onset=loaded.onset,
        aliases={loaded.model_set.name: LOCAL, **(aliases or {})},
        turn_end=loaded.turn_end,
    )
