"""`{{variables}}` in an agent's texts: which there are, whether all are known, and what they
become.

A variable is a call's own (`variables`), one of the call's facts (`BUILT_IN`), for an HTTP tool
also one of its inputs, or a secret (`{{secret.name}}`) in its headers, query and body.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.base.text import variables_in
from api.resources.agent_fields import AgentFields
from api.resources.sip import PREFIX
from api.resources.tool_fields import EmailTool, HttpTool, SmsTool, TransferTool
from api.tools.request import body_of

#: What `returns_prompt` may name, and nothing else.
OF_RETURNS_PROMPT: Final = frozenset(
    {"transcript", "call_direction", "user_phone_number", "agent_phone_number"}
)

_TEXTS: Final = (
    "persona",
    "instructions",
    "first_sentence",
    "recording_announcement",
    "end_of_call_sentence",
    "max_duration_end_message",
    "voicemail_message",
    "screening_message",
    "voicemail_sms_prompt",
    "after_call_sms_prompt",
    "caller_name",
    "account_code",
)


@dataclass(frozen=True)
class Template:
    """One text of a configuration that may hold variables."""

    path: tuple[str | int, ...]
    """Where it is in the configuration."""
    text: str
    inputs: frozenset[str] = frozenset()
    """Variables that it alone may name."""
    secrets: bool = False
    """Whether it may name secrets."""
    only: frozenset[str] | None = None
    """If given, it may name these and nothing else."""

    @property
    def names(self) -> list[str]:
        """What it names, in order."""
        return variables_in(self.text)


def templates(config: AgentFields) -> Iterator[Template]:
    """Every text of a configuration that may hold variables."""
    for name in _TEXTS:
        if (text := getattr(config, name)) is not None:
            yield Template((name,), text)
    for name, text in (config.sip_headers or {}).items():
        yield Template(("sip_headers", name), text)
    if config.returns_prompt is not None:
        yield Template(("returns_prompt",), config.returns_prompt, only=OF_RETURNS_PROMPT)
    for index, tool in enumerate(config.tools or ()):
        for template in _of_tool(tool):
            path = ("tools", index, *template.path)
            yield Template(path, template.text, template.inputs, template.secrets)


def sip_names(config: AgentFields) -> set[str]:
    """The variables in its texts that inbound calls bring along, or leave empty."""
    names = {name for one in templates(config) for name in one.names}
    return {name for name in names if name.startswith(PREFIX)}


def _of_tool(tool: Any) -> Iterator[Template]:
    match tool:
        case HttpTool():
            inputs = frozenset(one.name for one in tool.input_schema)
            yield Template(("url",), tool.url, inputs)
            for text in _texts_of_body(tool):
                yield Template(("body_template",), text, inputs, secrets=True)
            for kind, pairs in (("headers", tool.headers), ("query_params", tool.query_params)):
                for index, pair in enumerate(pairs):
                    yield Template((kind, index, "value"), pair.value, inputs, secrets=True)
            if tool.say is not None:
                yield Template(("say",), tool.say)
        case SmsTool(template=str(text)):
            yield Template(("template",), text)
        case EmailTool():
            for name in ("subject", "body"):
                if (text := getattr(tool, name)) is not None:
                    yield Template((name,), text)
        case TransferTool():
            for name in ("summary_instructions", "say"):
                if (text := getattr(tool, name)) is not None:
                    yield Template((name,), text)


def _texts_of_body(tool: HttpTool) -> Iterator[str]:
    """The texts in a body, without JSON's escapes: names may have letters that it escapes."""
    try:
        yield from _texts(body_of(tool))
    except (ValueError, RecursionError):
        yield tool.body_template  # that it is no JSON is told elsewhere


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for item in value.values():
                yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)
