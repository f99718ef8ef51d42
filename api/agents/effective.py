"""What a call's configuration comes to when it is held: every variable has its value."""

from typing import Final

from api.base.text import render
from api.resources.agent_fields import AgentFields
from api.resources.call import Call
from api.resources.call_facts import values_of
from api.resources.masking import masked
from voice_loop.prompts import inert

#: What is said and thought on the call; the other texts are rendered where they are used.
_TEXTS: Final = (
    "persona",
    "instructions",
    "first_sentence",
    "recording_announcement",
    "end_of_call_sentence",
    "max_duration_end_message",
    "voicemail_message",
    "screening_message",
)


def effective(call: Call, at: float, default_zone: str | None = None) -> AgentFields:
    """The configuration that the conversation of a call follows; secrets in it are masked, and no
    variable's value looks to a model like its own marks.

    Args:
        call: which.
        at: what `{{now}}` and `{{today}}` are, Unix seconds.
        default_zone: of callees whose numbers do not tell (`calls.default_timezone`).

    Raises UnknownVariableError.
    """
    config = AgentFields.model_validate(masked({**call.agent, "instructions": call.prompt}))
    values = values_of(call, at, default_zone)
    texts = {
        name: render(text, values, inert)
        for name in _TEXTS
        # What an order of an earlier release says is no template.
        if name in call.agent and (text := getattr(config, name)) is not None
    }
    return config.model_copy(update=texts)
