"""Follows one call over HTTP and shows it: who speaks, what, and how quickly the agent answered.

The same code serves `offhook call` and `offhook demo`: both are clients of the public API.
"""

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from rich.console import Console

from api.base.lifecycle import TERMINAL
from api.client import EventObject, OffhookClient
from api.resources.call import CallObject
from api.resources.turn import TurnObject

#: How long to wait for the last webhook after the call has ended.
_WEBHOOK_WAIT_S = 10.0

_WHO: Final = {
    "agent": "[bold cyan]agent [/]",
    "person": "[bold green]person[/]",
    "keypad": "[bold magenta]keys  [/]",
    "tool": "[bold blue]tool  [/]",
}


async def follow(client: OffhookClient, call_id: str, console: Console | None) -> CallObject:
    """Show a call until its end; returns the final call object.

    Args:
        client: of the server that runs the call.
        call_id: which call.
        console: where to show it; None shows nothing.
    """
    async for event in client.stream_events(call_id):
        if console is not None:
            _show(console, event)
    call = await client.get_call(call_id)
    deadline = asyncio.get_running_loop().time() + _WEBHOOK_WAIT_S
    while call.webhook_status == "pending" and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.1)
        call = await client.get_call(call_id)
    return call


def _show(console: Console, event: EventObject) -> None:
    at = datetime.fromisoformat(event.timestamp).strftime("%H:%M:%S")
    if event.type == "call.turn":
        turn = TurnObject.model_validate(event.data["turn"])
        wire = turn.timings.get("wire_ms")
        after = "" if wire is None else f"  [dim](answered in {wire:.0f} ms)[/dim]"
        cut = "  [yellow](interrupted)[/yellow]" if turn.interrupted else ""
        console.print(f"[dim]{at}[/dim]  {_WHO[turn.speaker]}  ", end="")
        console.print(_said(turn), markup=False, highlight=False, end="")
        console.print(f"{after}{cut}")
    elif event.type != "call.digit":
        name = event.type.removeprefix("call.")
        color = "dim" if name not in TERMINAL else "bold"
        console.print(f"[dim]{at}[/dim]  [{color}]{_told(name, event.data)}[/]")


def _said(turn: TurnObject) -> str:
    if turn.tool is None:
        return turn.text
    arguments = json.dumps(turn.tool["arguments"], ensure_ascii=False)
    return f"{turn.tool['name']} {arguments} → {turn.text}"


def _told(name: str, data: Mapping[str, object]) -> str:
    """The name to show of an event; a machine that answered is shown as `voicemail`."""
    match data:
        case {"call": {"status": "no_answer", "answered_by": "machine"}} if name in TERMINAL:
            return "voicemail"
    return name.replace("_", " ")
