"""The tools of one call: what the model is told of them, and the carrying out of its calls.

What the model asks for is checked against what is configured: it can use nothing else, and
nothing that goes wrong here ends the conversation.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from jsonschema import Draft202012Validator

from voice_loop.clauses import ToolCall
from voice_loop.lenient_json import coerced
from voice_loop.tools import END_CALL_TOOL, MAX_OUTPUT, Tool, ToolResult, ToolSpec

log = logging.getLogger(__name__)

#: Tools bound their own time; one that does not is given up.
_TIMEOUT_S = 120.0
#: Characters that the model is told of a call that cannot be read.
_MOST_QUOTED: Final = 500

END_CALL_SPEC: Final = ToolSpec(
    END_CALL_TOOL,
    "End the call, after saying goodbye.",
    {"type": "object", "properties": {}, "additionalProperties": False},
)


class Toolset:
    """The tools of one call."""

    def __init__(self, call_id: str, tools: Sequence[Tool]) -> None:
        self._call_id = call_id
        self._tools = {tool.spec.name: tool for tool in tools}

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """What the model may call; empty when it can only talk and end the call."""
        configured = tuple(tool.spec for tool in self._tools.values())
        return (END_CALL_SPEC, *configured) if configured else ()

    def say(self, call: ToolCall) -> str | None:
        """What the agent says while it works (`Tool.say`)."""
        tool = self._tools.get(call.name)
        return None if tool is None else tool.say

    def announcement(self, call: ToolCall) -> str:
        """What is to be said before it; often nothing."""
        # One whose arguments cannot be read is not used.
        tool = None if isinstance(call.arguments, str) else self._tools.get(call.name)
        return (tool.say or "") if tool is not None and tool.spec.announced else ""

    async def use(self, call: ToolCall) -> ToolResult:
        """Carry out what the model asked for."""
        tool = self._tools.get(call.name)
        if isinstance(call.arguments, str):
            what = call.arguments.strip()[:_MOST_QUOTED]
            return _error(f"That was no JSON object with name and arguments: {what}\nTry again.")
        if tool is None:
            known = ", ".join(self._tools)
            return _error(f"There is no such tool. The tools are: {known}.")
        try:
            arguments = coerced(call.arguments, tool.spec.parameters)
            validator = Draft202012Validator(tool.spec.parameters)
            for wrong in validator.iter_errors(arguments):
                return _error(f"The arguments are not right: {wrong.json_path}: {wrong.message}")
            async with asyncio.timeout(_TIMEOUT_S):
                result = await tool(arguments)
        except TimeoutError:
            log.error("call %s: tool %s took more than %g s", self._call_id, call.name, _TIMEOUT_S)
            return _error("It took too long and was given up.")
        except Exception:
            log.exception("call %s: tool %s failed", self._call_id, call.name)
            return _error("It failed.")
        return replace(result, output=result.output[:MAX_OUTPUT])


def _error(output: str) -> ToolResult:
    return ToolResult(output[:MAX_OUTPUT], is_error=True)
