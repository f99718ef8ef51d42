"""Engines by the names that agents call them: the loaded set's own, and configured endpoints."""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Literal, TypeVar

from models.languages import language_of
from models.probing import hear, reach, speak, think
from voice_loop.audio import Samples
from voice_loop.ports import (
    EngineError,
    Engines,
    LanguageModel,
    OnsetModel,
    SpeechDetector,
    SpeechToText,
    TextToSpeech,
    Transcript,
    TurnEndModel,
    VaryingVoice,
)

Kind = Literal["llm", "voice", "transcriber"]
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

#: The loaded set's own language model and recogniser.
LOCAL: Final = "local"
#: Of a recogniser that does not say: what OpenAI's models need.
MIN_CONFIDENCE: Final = 0.4

_CALLED: Final[Mapping[Kind, str]] = {
    "llm": "language model",
    "voice": "voice",
    "transcriber": "speech recognition",
}
_LONGEST_SHOWN: Final = 80


@dataclass(frozen=True)
class Named(Generic[T_co]):
    """An engine with its name."""

    name: str
    engine: T_co
    place: Literal["local", "endpoint"] = "local"
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes that it speaks or hears; empty for language models, which are not asked."""
    min_confidence: float = MIN_CONFIDENCE
    """Of a recogniser: a transcript below this is asked for again."""
    too_long: Callable[[str], str | None] = lambda _: None
    """Of a language model: why instructions leave no room for a conversation; None if they do."""


@dataclass(frozen=True)
class CustomModel:
    """A language model that an agent brings along: an OpenAI-compatible server of its owner's."""

    url: str
    model: str
    api_key: str | None = None


@dataclass(frozen=True)
class Wanted:
    """The engines that one call asks for; None is the deployment's own choice."""

    language: str
    """What the agent speaks: a code or a locale."""
    voice: str | None = None
    """A name, or `provider/name` where a hosted service's client gives its provider."""
    stability: float | None = None
    """Of a `VaryingVoice`, 0 to 1."""
    llm: str | CustomModel | None = None
    transcriber: str | None = None
    heard_language: str | None = None
    """What the person speaks, where it is another one."""


@dataclass(frozen=True)
class Part:
    """An engine that calls are held with, as it can be tried out."""

    called: str
    """What it is and its name: `language model 'local'`."""
    place: Literal["local", "endpoint", "agent"]
    """`agent`: an agent has brought it along. What is not local may come and go."""
    key: Hashable
    """What it is known by."""
    reach: Callable[[], Awaitable[None]]
    """Asks whether it is there, at no cost; raises EngineError."""
    try_out: Callable[[], Awaitable[None]]
    """Asks it for a little; raises EngineError."""


class EngineRegistry:
    """All engines of a deployment, shared by all calls."""

    def __init__(
        self,
        llms: Sequence[Named[LanguageModel]],
        voices: Sequence[Named[TextToSpeech]],
        transcribers: Sequence[Named[SpeechToText]],
        *,
        new_detector: Callable[[int], SpeechDetector],
        custom: Callable[[CustomModel], LanguageModel],
        aliases: Mapping[str, str] | None = None,
        turn_end: TurnEndModel | None = None,
        onset: OnsetModel | None = None,
    ) -> None:
        """
        Args:
            llms: the default first.
            voices: of each language, the default first.
            transcribers: of each language, the default first.
            new_detector: makes one call's speech detector.
            custom: reaches a model that an agent brings along.
            aliases: other names; each is that of an engine of any kind.
            turn_end: hears whether a pause ends a turn.
            onset: decides on interruptions by their sound.

        Raises EngineError for a name that two engines of a kind have, and for an alias of none.
        """
        self._llms = _by_name("llm", llms)
        self._voices = _by_name("voice", voices)
        self._transcribers = _by_name("transcriber", transcribers)
        self._new_detector = new_detector
        self._onset = onset
        self._custom = custom
        self._turn_end = turn_end
        self._aliases = dict(aliases or {})
        for alias, name in self._aliases.items():
            if not any(name in self._of(kind) for kind in _CALLED):
                raise EngineError(
                    f"`models.aliases` has {alias!r} for {name!r}, and there is no such engine; "
                    f"there are: {'; '.join(map(self._names, _CALLED))}"
                )

    @property
    def languages(self) -> frozenset[str]:
        """ISO 639-1 codes of the languages that calls can be held in: heard and spoken."""
        heard = {code for one in self._transcribers.values() for code in one.languages}
        return frozenset(
            code for one in self._voices.values() for code in one.languages if code in heard
        )

    def speaks(self, language: str) -> bool:
        """Whether calls can be held in a language: a code, or a tag with a region."""
        return language_of(language) in self.languages

    @property
    def llms(self) -> Sequence[Named[LanguageModel]]:
        """The default first."""
        return list(self._llms.values())

    @property
    def voices(self) -> Sequence[Named[TextToSpeech]]:
        """Of each language, the default first."""
        return list(self._voices.values())

    @property
    def transcribers(self) -> Sequence[Named[SpeechToText]]:
        """Of each language, the default first."""
        return list(self._transcribers.values())

    def aliases_of(self, name: str) -> list[str]:
        """The other names of an engine."""
        return sorted(alias for alias, aliased in self._aliases.items() if aliased == name)

    def own_name(self, kind: Kind, name: str) -> str:
        """What an engine is called itself. Raises EngineError for a name of none."""
        return self._find(kind, self._of(kind), name).name

    def problem(self, kind: Kind, name: str | None, language: str | None = None) -> str | None:
        """Why there is no such engine, naming those that there are; None if there is.

        Args:
            kind: which kind of engine.
            name: as in `Wanted`.
            language: what it must speak or hear.
        """
        try:
            self._choose(kind, self._of(kind), name, language)
        except EngineError as error:
            return str(error)
        return None

    def prompt_problem(self, llm: str | None, prompt: str) -> str | None:
        """Why a language model has no room for a conversation after these instructions; None if it
        has, as far as is known. Raises EngineError for a name of none."""
        return self._choose("llm", self._llms, llm, None).too_long(prompt)

    def engines(self, wanted: Wanted) -> Engines:
        """The engines of one call. Raises EngineError."""
        ears = self._ears(wanted)
        voice = self.voice(wanted.voice, wanted.language)
        if wanted.stability is not None and isinstance(voice, VaryingVoice):
            voice = voice.steadied(wanted.stability)
        stt: SpeechToText = ears.engine
        if wanted.heard_language is not None:
            stt = _Hearing(stt, wanted.heard_language)
        return Engines(
            stt,
            self._llm(wanted.llm),
            voice,
            self._new_detector,
            ears.min_confidence,
            turn_end=self._turn_end,
            onset=self._onset,
        )

    def parts(self, wanted: Wanted) -> list[Part]:
        """The engines of one call, to be tried out. Raises EngineError."""
        heard = wanted.heard_language or wanted.language
        ears = self._ears(wanted)
        voice = self._choose("voice", self._voices, wanted.voice, wanted.language)
        if isinstance(wanted.llm, CustomModel):
            custom = wanted.llm
            mind = Part(
                f"{_CALLED['llm']} {custom.model!r} at {custom.url}",
                "agent",
                custom,
                lambda: reach(self._custom(custom)),
                lambda: think(self._custom(custom)),
            )
        else:
            mind = _mind(self._choose("llm", self._llms, wanted.llm, None))
        return [mind, _ears_part(ears, heard), _mouth(voice)]

    @property
    def remote_parts(self) -> list[Part]:
        """All configured engines on other machines."""
        parts = [
            *map(_mind, self._llms.values()),
            *(_ears_part(one, one.languages[0]) for one in self._transcribers.values()),
            *map(_mouth, self._voices.values()),
        ]
        return [part for part in parts if part.place == "endpoint"]

    def voice(self, name: str | None, language: str | None) -> TextToSpeech:
        """A voice by its name, or the default one of a language. Raises EngineError."""
        return self._choose("voice", self._voices, name, language).engine

    def languages_of(self, voice: str) -> Sequence[str]:
        """The languages that a voice speaks, the main one first. Raises EngineError."""
        return self._choose("voice", self._voices, voice, None).languages

    def _llm(self, wanted: str | CustomModel | None) -> LanguageModel:
        if isinstance(wanted, CustomModel):
            return self._custom(wanted)
        return self._choose("llm", self._llms, wanted, None).engine

    def _ears(self, wanted: Wanted) -> Named[SpeechToText]:
        language = wanted.heard_language or wanted.language
        return self._choose("transcriber", self._transcribers, wanted.transcriber, language)

    def _of(self, kind: Kind) -> Mapping[str, Named[object]]:
        engines: Mapping[Kind, Mapping[str, Named[object]]] = {
            "llm": self._llms,
            "voice": self._voices,
            "transcriber": self._transcribers,
        }
        return engines[kind]

    def _choose(
        self, kind: Kind, engines: Mapping[str, Named[T]], name: str | None, language: str | None
    ) -> Named[T]:
        """The engine of this name, else the first that is for this language."""
        code = None if language is None else language_of(language)
        if name is not None:
            found = self._find(kind, engines, name)
            if code is None or code in found.languages:
                return found
            known = ", ".join(found.languages)
            problem = f"the {_CALLED[kind]} {found.name!r} is for {known}, not for"
        else:
            for one in engines.values():
                if code is None or code in one.languages:
                    return one
            problem = f"there is no {_CALLED[kind]} for"
        raise EngineError(
            f"{problem} {str(language)[:_LONGEST_SHOWN]!r}; there are: {self._names(kind)}. "
            "Choose another `models.set` (see `offhook models list`), or add "
            f"`models.{kind}s.<name>`"
        )

    def _find(self, kind: Kind, engines: Mapping[str, Named[T]], name: str) -> Named[T]:
        asked = [name]
        if kind == "voice":
            provider, slash, own = name.partition("/")
            asked += [own or provider] if slash else []
        for one in asked:
            found = engines.get(one) or engines.get(self._aliases.get(one, ""))
            if found is not None:
                return found
        raise EngineError(
            f"there is no {_CALLED[kind]} {name[:_LONGEST_SHOWN]!r}; there are: "
            f"{self._names(kind)}. Another one is added as `models.{kind}s.<name>`, another name "
            "for one in `models.aliases`"
        )

    def _names(self, kind: Kind) -> str:
        return ", ".join(
            one.name
            + (f" ({', '.join(one.languages)})" if len(one.languages) in range(1, 6) else "")
            for one in self._of(kind).values()
        )


class _Hearing:
    """A recogniser for a person who speaks another language than the agent."""

    def __init__(self, stt: SpeechToText, language: str) -> None:
        self._stt = stt
        self._language = language

    async def transcribe(self, speech: Samples, rate: int, language: str) -> Transcript:  # noqa: ARG002
        return await self._stt.transcribe(speech, rate, self._language)


def _mind(one: Named[LanguageModel]) -> Part:
    return _part("llm", one, lambda: think(one.engine))


def _mouth(one: Named[TextToSpeech]) -> Part:
    return _part("voice", one, lambda: speak(one.engine))


def _ears_part(one: Named[SpeechToText], language: str) -> Part:
    return _part("transcriber", one, lambda: hear(one.engine, language))


def _part(kind: Kind, one: Named[object], try_out: Callable[[], Awaitable[None]]) -> Part:
    called, key = f"{_CALLED[kind]} {one.name!r}", (kind, one.name)
    return Part(called, one.place, key, lambda: reach(one.engine), try_out)


def _by_name(kind: Kind, engines: Sequence[Named[T]]) -> dict[str, Named[T]]:
    named = {one.name: one for one in engines}
    if len(named) < len(engines):
        names = [one.name for one in engines]
        twice = next(name for name in names if names.count(name) > 1)
        raise EngineError(
            f"`models.{kind}s.{twice}`: the loaded set has a {_CALLED[kind]} so called"
        )
    return named
