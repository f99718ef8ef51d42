"""Whether an agent's tools can be carried out here."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from api.agents.tools import RESERVED, HttpTool, ToolField, TransferTool
from api.problems import FieldError, pointer

if TYPE_CHECKING:
    from api.agents.checks import Ground


def check_tools(tools: Sequence[ToolField], ground: "Ground") -> Iterator[FieldError]:  # noqa: ARG001
    """What is wrong with them; pointers count from the configuration's root."""
    taken: set[str] = set()
    for index, tool in enumerate(tools):
        name = tool.name if isinstance(tool, HttpTool | TransferTool) else tool.type
        place = pointer("tools", index, "name" if isinstance(tool, HttpTool) else "type")
        if name in taken:
            yield FieldError("another tool has this name", place)
        elif isinstance(tool, HttpTool) and name in RESERVED:
            yield FieldError("is the name of a tool of ours", place)
        taken.add(name)
