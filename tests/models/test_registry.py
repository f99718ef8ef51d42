"""Engines by name: defaults, aliases, languages, and what is told of a name that there is not."""

import pytest

from models.registry import CustomModel, EngineRegistry, Named, Wanted
from tests.voice_loop.scripted import Detector, Ears, Mind, Mouth
from voice_loop.audio import silence
from voice_loop.ports import EngineError, LanguageModel

LOCAL_MIND, BIG_MIND = Mind({}), Mind({})
EN, ES, MARIA = Mouth(), Mouth(), Mouth()
LOCAL_EARS, LAN_EARS = Ears(), Ears()


def registry(**aliases: str) -> EngineRegistry:
    customs: list[LanguageModel] = []

    def custom(wanted: CustomModel) -> LanguageModel:
        customs.append(Mind({wanted.model: wanted.url}))
        return customs[-1]

    return EngineRegistry(
        [Named("local", LOCAL_MIND), Named("big", BIG_MIND, "endpoint")],
        [
            Named("en", EN, languages=("en",)),
            Named("es", ES, languages=("es",)),
            Named("maria", MARIA, "endpoint", ("es", "en", "pt")),
        ],
        [
            Named("local", LOCAL_EARS, languages=("en",), min_confidence=0.8),
            Named("lan", LAN_EARS, "endpoint", ("en", "es", "fr")),
        ],
        new_detector=lambda _rate: Detector(),
        custom=custom,
        aliases={"gpt-4.1": "big", "cartesia/a0e9": "maria", "nova-2": "lan", **aliases},
    )


@pytest.mark.rows("CB-34")
def test_calls_are_held_in_what_is_heard_and_spoken() -> None:
    assert registry().languages == {"en", "es"}  # nobody hears pt, nobody speaks fr


@pytest.mark.rows("RV-235")
def test_the_deployments_own_choice_for_a_language() -> None:
    english, spanish = (registry().engines(Wanted(code)) for code in ("en-GB", "es"))
    assert (english.llm, english.tts, english.stt) == (LOCAL_MIND, EN, LOCAL_EARS)
    assert english.min_confidence == 0.8
    assert (spanish.tts, spanish.stt) == (ES, LAN_EARS)
    assert spanish.min_confidence == 0.4


@pytest.mark.rows(
    "RV-176…180", "RV-182", "RV-237", "RV-239…241", "OI-15", "OI-16", "OI-19", "OI-20"
)
@pytest.mark.parametrize(
    "wanted",
    [
        Wanted("es", voice="maria", llm="big", transcriber="lan"),
        Wanted("es", voice="cartesia/a0e9", llm="gpt-4.1", transcriber="nova-2"),
        Wanted("es", voice="elevenlabs/maria", llm="gpt-4.1", transcriber="nova-2"),
    ],
)
def test_engines_by_name_by_alias_and_behind_a_provider(wanted: Wanted) -> None:
    chosen = registry().engines(wanted)
    assert (chosen.llm, chosen.tts, chosen.stt) == (BIG_MIND, MARIA, LAN_EARS)


def test_a_voice_is_as_steady_as_is_wished_where_it_can_be() -> None:
    mouth = registry().engines(Wanted("en", stability=0.9)).tts
    assert isinstance(mouth, Mouth)
    assert mouth.stability == 0.9


@pytest.mark.rows("OI-23", "OI-24")
def test_a_whole_provider_may_have_an_alias() -> None:
    assert registry(cartesia="es").engines(Wanted("es", voice="cartesia/")).tts is ES


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        ("llm", "gpt-5", ["no language model 'gpt-5'", "local, big", "`models.llms.<name>`"]),
        ("voice", "cartesia/x", ["no voice 'cartesia/x'", "en (en), es (es), maria (es, en, pt)"]),
        ("transcriber", "nova-3", ["no speech recognition 'nova-3'", "local (en), lan", "aliases"]),
        ("llm", "en", ["no language model 'en'"]),
        ("llm", "x" * 500, ["no language model 'xxx"]),
        ("llm", "cartesia/big", ["no language model"]),
    ],
)
def test_a_name_that_there_is_not(kind: str, name: str, told: list[str]) -> None:
    problem = registry().problem(kind, name)  # type: ignore[arg-type]
    assert problem is not None
    assert all(part in problem for part in told), problem
    assert len(problem) < 400


def test_a_language_that_an_engine_is_not_for() -> None:
    assert registry().problem("voice", "en", "en-US") is None
    told = registry().problem("voice", "en", "es")
    assert told is not None
    assert "the voice 'en' is for en, not for 'es'" in told
    with pytest.raises(EngineError, match="there is no voice for 'de'"):
        registry().engines(Wanted("de", transcriber="lan", heard_language="fr"))
    assert "no speech recognition for 'xx'" in str(registry().problem("transcriber", None, "xx"))


@pytest.mark.rows("OI-21")
async def test_a_person_may_speak_another_language_than_the_agent() -> None:
    class Asked(Ears):
        languages: list[str] = []  # noqa: RUF012

        async def transcribe(self, speech, rate, language):  # type: ignore[no-untyped-def]
            self.languages.append(language)
            return await super().transcribe(speech, rate, language)

    ears = Asked()
    both = EngineRegistry(
        [Named("local", LOCAL_MIND)],
        [Named("en", EN, languages=("en",))],
        [Named("local", ears, languages=("en", "fr"))],
        new_detector=lambda _rate: Detector(),
        custom=lambda _wanted: LOCAL_MIND,
    )
    chosen = both.engines(Wanted("en", heard_language="fr-CA"))
    await chosen.stt.transcribe(silence(8000), 8000, "en")
    assert ears.languages == ["fr-CA"]


@pytest.mark.rows("RV-189", "RV-191", "RV-193", "RV-194")
def test_a_model_that_an_agent_brings_along() -> None:
    brought = CustomModel("http://10.0.0.9/v1", "llama", "key")
    chosen = registry().engines(Wanted("en", llm=brought)).llm
    assert isinstance(chosen, Mind)
    assert chosen.answers["llama"] == "http://10.0.0.9/v1"


def test_aliases_and_names_that_cannot_be() -> None:
    with pytest.raises(EngineError, match=r"`models\.aliases` has 'x' for 'nothing'"):
        registry(x="nothing")
    with pytest.raises(EngineError, match=r"`models\.llms\.local`: the loaded set has"):
        EngineRegistry(
            [Named("local", LOCAL_MIND), Named("local", BIG_MIND, "endpoint")],
            [],
            [],
            new_detector=lambda _rate: Detector(),
            custom=lambda _wanted: LOCAL_MIND,
        )
