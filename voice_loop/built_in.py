"""Tools to find the way through a telephone menu: press keys, or wait for what comes next."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from voice_loop.ports import Line
from voice_loop.tools import SEND_DIGITS_TOOL, SKIP_TURN_TOOL, ToolResult, ToolSpec

#: Seconds that a pause among the digits lasts: `w` as in Asterisk, `,` as on mobile telephones.
_PAUSES: Final = {"w": 0.5, ",": 2.0}


class SendDigits:
    """Presses keys (DTMF) on the line."""

    spec = ToolSpec(
        SEND_DIGITS_TOOL,
        "Press telephone keys, to choose from a menu or to type a number. "
        "w waits half a second, a comma two seconds.",
        {
            "type": "object",
            "properties": {"digits": {"type": "string", "pattern": "^[0-9A-D*#,w]{1,32}$"}},
            "required": ["digits"],
            "additionalProperties": False,
        },
    )
    say: str | None = ""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def __call__(self, arguments: Mapping[str, Any]) -> ToolResult:
        keys = ""
        for char in arguments["digits"]:
            if char not in _PAUSES:
                keys += char
                continue
            await self._press(keys)
            keys = ""
            await asyncio.sleep(_PAUSES[char])
        await self._press(keys)
        return ToolResult("The keys were pressed; wait for what comes.", waits=True)

    async def _press(self, keys: str) -> None:
        if keys:
            await self._line.send_digits(keys)


class SkipTurn:
    """Lets the person, or a machine, go on."""

    spec = ToolSpec(
        SKIP_TURN_TOOL,
        "Say nothing now and wait: a machine is still talking, or you are on hold.",
        {"type": "object", "properties": {}, "additionalProperties": False},
    )
    say: str | None = ""

    async def __call__(self, _arguments: Mapping[str, Any]) -> ToolResult:
        return ToolResult("You wait.", waits=True)
