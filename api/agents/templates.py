"""`{{variables}}` in an agent's texts: which there are, whether all are known, and what they
become.

A variable is a call's own (`variables`), one of the call's facts (`BUILT_IN`), for an HTTP tool
also one of its inputs, or a secret (`{{secret.name}}`) in its headers, query and body.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.agents.config import AgentFields
from api.agents.tools import EmailTool, HttpTool, SmsTool, TransferTool

PLACEHOLDER: Final = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*\}\}")

#: Facts of the call that every text may name. `today` and `now` are where the callee is.
BUILT_IN: Final = frozenset(
    {"call_id", "call_direction", "user_phone_number", "agent_phone_number", "today", "now"}
)
#: What `returns_prompt` may name, and nothing else (RV-234).
OF_RETURNS_PROMPT: Final = frozenset(
    {"transcript", "call_direction", "user_phone_number", "agent_phone_number"}
)
SECRETS: Final = "secret."

_TEXTS: Final = (
    "persona",
    "instructions",
    "first_sentence",
    "end_of_call_sentence",
    "max_duration_end_message",
    "voicemail_message",
    "voicemail_sms_prompt",
    "after_call_sms_prompt",
)


class UnknownVariableError(Exception):
    """A text names a variable that has no value."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{{{{{name}}}}} has no value")
        self.name = name


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
        return PLACEHOLDER.findall(self.text)


def templates(config: AgentFields) -> Iterator[Template]:
    """Every text of a configuration that may hold variables."""
    for name in _TEXTS:
        if (text := getattr(config, name)) is not None:
            yield Template((name,), text)
    if config.returns_prompt is not None:
        yield Template(("returns_prompt",), config.returns_prompt, only=OF_RETURNS_PROMPT)
    for index, tool in enumerate(config.tools or ()):
        for template in _of_tool(tool):
            path = ("tools", index, *template.path)
            yield Template(path, template.text, template.inputs, template.secrets)


def _of_tool(tool: Any) -> Iterator[Template]:
    match tool:
        case HttpTool():
            inputs = frozenset(one.name for one in tool.input_schema)
            yield Template(("url",), tool.url, inputs)
            yield Template(("body_template",), tool.body_template, inputs, secrets=True)
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


def render(
    text: str, values: Mapping[str, Any], escape: Callable[[str], str] = lambda value: value
) -> str:
    """`text` with its variables replaced.

    Args:
        text: the template.
        values: variable name to value.
        escape: applied to each value's text.

    Raises UnknownVariableError.
    """

    def value_of(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in values:
            raise UnknownVariableError(name)
        return escape(as_text(values[name]))

    return PLACEHOLDER.sub(value_of, text)


def as_text(value: Any) -> str:
    """A variable's value as it stands in a text: `true` and `false`, nothing for null."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
