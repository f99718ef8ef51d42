"""Whether a configuration's texts are of a size that can be worked with: rendered, and as the
instructions of a conversation, for which the language model's context must leave room."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final

from api.agents.context import AgentContext
from api.agents.templates import templates
from api.base.problems import FieldError, pointer
from api.base.text import as_text, render, variables_in
from api.resources.agent_fields import AgentFields
from api.resources.tool_fields import HttpTool, TransferTool
from api.tools.inputs import parameters
from models.registry import EngineRegistry
from voice_loop.faq import Faq
from voice_loop.prompts import system_prompt
from voice_loop.tools import ToolSpec

#: Characters of a whole configuration as JSON: each call, and each of its events, has a copy.
MAX_CONFIG: Final = 262_144
#: Characters that a text may have once its variables have their values.
MAX_RENDERED: Final = 50_000


def check_sizes(
    config: AgentFields, values: Mapping[str, Any], context: AgentContext, now: datetime
) -> list[FieldError]:
    """What is too long.

    Args:
        config: otherwise right.
        values: of its variables, as far as they are known.
        context: whose language models it is for.
        now: dates in the descriptions of tools are told against it.
    """
    large = list(_too_large(config))
    return large or check_filled(config, values, context.engines, now)


def check_filled(
    config: AgentFields, values: Mapping[str, Any], engines: EngineRegistry, now: datetime
) -> list[FieldError]:
    """What is too long once the variables have their values.

    Args:
        config: otherwise right.
        values: of its variables, as far as they are known.
        engines: among them the language model that it is for.
        now: as of `check_sizes`.
    """
    long = list(_rendered_too_long(config, values))
    return long or list(_no_room(config, values, engines, now))


def _too_large(config: AgentFields) -> Iterator[FieldError]:
    if len(config.model_dump_json(exclude_unset=True)) <= MAX_CONFIG:
        return
    sizes = {name: len(json.dumps(part)) for name, part in config.model_dump().items()}
    longest = max(sizes, key=lambda name: sizes[name])
    detail = f"the whole configuration has more than {MAX_CONFIG} characters, most of them here"
    yield FieldError(detail, pointer(longest), code="agent_too_large")


def _rendered_too_long(config: AgentFields, values: Mapping[str, Any]) -> Iterator[FieldError]:
    length_of = cache(lambda name: len(as_text(values.get(name))))
    for template in templates(config):
        length = len(template.text) + sum(map(length_of, template.names))
        if length > MAX_RENDERED:
            detail = f"has more than {MAX_RENDERED} characters with its variables' values"
            yield FieldError(detail, pointer(*template.path))


def _no_room(
    config: AgentFields, values: Mapping[str, Any], engines: EngineRegistry, now: datetime
) -> Iterator[FieldError]:
    if config.llm is not None and config.llm.api_url is not None:
        return  # its context is not known
    persona, task = _filled(config.persona, values), _filled(config.instructions, values)
    faq = Faq([(item.question, item.answer) for item in config.faq_items or ()]).standing
    tools = [
        ToolSpec(
            tool.name,
            tool.description or "",
            parameters(tool.input_schema, now) if isinstance(tool, HttpTool) else {},
        )
        for tool in config.tools or ()
        if isinstance(tool, HttpTool | TransferTool)
    ]
    prompt = system_prompt(
        task, config.context or {}, persona=persona, faq=faq, tools=tools, now=now
    )
    model = None if config.llm is None else config.llm.model
    wrong = engines.prompt_problem(model, prompt)
    if wrong is None:
        return
    parts = {
        "persona": system_prompt("", {}, persona=persona),
        "instructions": system_prompt(task, {}),
        "context": system_prompt("", config.context or {}),
        "faq_items": system_prompt("", {}, faq=faq),
        "tools": system_prompt("", {}, tools=tools),
    }
    longest = max(parts, key=lambda name: len(parts[name]))
    detail = f"persona, instructions, context, questions and tools are too long: {wrong}"
    yield FieldError(detail, pointer(longest), code="prompt_too_long")


def _filled(text: str | None, values: Mapping[str, Any]) -> str:
    """With the variables that are known."""
    names = variables_in(text or "")
    return render(text or "", {name: values.get(name) for name in names})
