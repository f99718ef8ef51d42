"""What an agent can do beside talking: the tools that the language model may call."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

#: Tools that the conversation itself performs.
END_CALL_TOOL: Final = "end_call"
SKIP_TURN_TOOL: Final = "skip_turn"
SEND_DIGITS_TOOL: Final = "send_digits"

#: What the model is told of a tool's output; the rest is cut.
MAX_OUTPUT: Final = 4000


@dataclass(frozen=True)
class ToolSpec:
    """What the language model knows of a tool."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    """JSON Schema of the arguments, an object; decoding is constrained to it."""
    announced: bool = False
    """Whether `say` is said, to its end, before the tool is used, however quick that is."""


@dataclass(frozen=True)
class ToolResult:
    """What became of a tool call."""

    output: str
    """What the model is told, at most `MAX_OUTPUT` characters."""
    is_error: bool = False
    ends: Literal["transferred"] | None = None
    """Why the conversation is over with it, if it is."""
    waits: bool = False
    """The agent says nothing to it, and waits for the person."""


class Tool(Protocol):
    """A tool of one call, bound to what its configuration allows."""

    @property
    def spec(self) -> ToolSpec: ...

    @property
    def say(self) -> str | None:
        """What the agent says while it works, if that takes long and nothing was said before;
        None for a phrase of ours, nothing if empty."""
        ...

    async def __call__(self, arguments: Mapping[str, Any], /) -> ToolResult:
        """Do it. Bounded in time by itself; never raises for what can happen outside: an error
        is a result that says what went wrong. Cancelled when the call ends first.

        Args:
            arguments: as the model gave them; they match `spec.parameters`.
        """
        ...
