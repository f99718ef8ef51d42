"""Whether a configuration can be carried out by the engines that there are."""

import pytest

from api.agents.checks import check_config
from api.agents.context import AgentContext
from api.resources.agent_fields import AgentFields, VoiceField
from api.settings import Settings
from models.registry import LOCAL, EngineRegistry, Named
from tests.voice_loop.scripted import Detector, Ears, Mind, Mouth


@pytest.fixture(scope="module")
def context() -> AgentContext:
    """Of two English voices, one of which hosted services call otherwise."""
    engines = EngineRegistry(
        [Named(LOCAL, Mind({}))],
        [Named(name, Mouth(), languages=("en",)) for name in ("ada", "joe")],
        [Named(LOCAL, Ears(), languages=("en",))],
        new_detector=lambda _rate: Detector(),
        custom=lambda _wanted: Mind({}),
        aliases={"cartesia/sofia": "ada", "sonic-2": "ada"},
    )
    return AgentContext(Settings(), engines, frozenset(), {}, frozenset())


@pytest.mark.rows("OI-24")
@pytest.mark.parametrize(
    ("voice", "wrong"),
    [
        (VoiceField(id="ada", model="sonic-2"), []),
        (VoiceField(provider="cartesia", id="sofia", model="ada"), []),
        (VoiceField(model="joe"), []),
        (VoiceField(id="joe", model="sonic-2"), ["/voice/model"]),
        (VoiceField(provider="cartesia", id="sofia", model="joe"), ["/voice/model"]),
        (VoiceField(id="ada", model="sonic-9"), ["/voice/model"]),
        (VoiceField(id="eva", model="sonic-2"), ["/voice/id"]),
    ],
)
def test_a_voices_model_is_the_voice_that_speaks_or_refused(
    context: AgentContext, voice: VoiceField, wrong: list[str]
) -> None:
    errors = check_config(AgentFields(voice=voice), context)
    assert [error.pointer for error in errors] == wrong
