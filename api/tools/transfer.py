"""`transfer_call`: the agent hands the person over to whom its configuration names, nobody else."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from api.base.refusals import Refused
from api.base.text import render
from api.resources.tool_fields import TransferTool
from api.resources.transfer import TransferWish
from api.store import StoreError
from voice_loop.prompts import inert
from voice_loop.tools import ToolResult, ToolSpec

HandOver = Callable[[TransferWish], Awaitable[str | None]]
"""Hands the person of a call over: None when it is done, else why it came to nothing. Raises
Refused, StoreError."""

#: In one attempt, whatever the person talks the agent into.
MAX_TRIES: Final = 5
_WHEN: Final = "Put the person through to a human, when they ask for one."


class TransferCall:
    """The transfer tool: the model says when, and has no say in where."""

    def __init__(self, tool: TransferTool, values: Mapping[str, Any], hand_over: HandOver) -> None:
        """
        Args:
            tool: of the configuration.
            values: of its variables.
            hand_over: of the attempt.
        """
        self._hand_over = hand_over
        self._tries = 0
        instructions = tool.summary_instructions
        self._wish = TransferWish(
            tool.number,
            tool.mode,
            summary_instructions=None
            if instructions is None
            else render(instructions, values, inert),
        )
        # Said to its end; then they hear it ring, so that nothing else needs to be said.
        self.say = "" if tool.say is None else render(tool.say, values)
        self.spec = ToolSpec(
            tool.name,
            tool.description or _WHEN,
            {"type": "object", "properties": {}, "additionalProperties": False},
            announced=bool(self.say),
        )

    async def __call__(self, arguments: Mapping[str, Any], /) -> ToolResult:  # noqa: ARG002
        if self._tries >= MAX_TRIES:
            return _failed(f"it was tried {MAX_TRIES} times")
        self._tries += 1
        try:
            reason = await self._hand_over(self._wish)
        except (Refused, StoreError) as error:
            return _failed(str(error))
        if reason is not None:
            return _failed(reason)
        return ToolResult("The person was put through.", ends="transferred")


def _failed(reason: str) -> ToolResult:
    return ToolResult(f"The person was not put through: {reason}. They are here.", is_error=True)
