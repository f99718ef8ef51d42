"""Follows one call over HTTP and shows it: who speaks, what, and how quickly the agent answered.

The same code serves `offhook call` and `offhook demo`: both are clients of the public API.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

import httpx
from rich.console import Console

from api.lifecycle import TERMINAL

_TIMEOUT = httpx.Timeout(10.0, read=60.0)
#: How long to wait for the last webhook after the call has ended.
_WEBHOOK_WAIT_S = 10.0
_RECONNECTS = 5


class ApiError(Exception):
    """The server refused a request or cannot be reached; the message says what to do."""

    def __init__(self, message: str, *, reachable: bool = True) -> None:
        super().__init__(message)
        self.reachable = reachable


class Client:
    """A client of the native API."""

    def __init__(self, url: str, key: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=_TIMEOUT,
            trust_env=False,  # a proxy of the environment is no business of a local call
        )
        self._url = url

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def create_call(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Place a call; returns the call object. Raises ApiError."""
        return await self._json("POST", "/v1/calls", json=dict(body))

    async def call(self, call_id: str) -> dict[str, Any]:
        """The call object as it stands. Raises ApiError."""
        return await self._json("GET", f"/v1/calls/{call_id}")

    async def end(self, call_id: str) -> None:
        """Cancel or hang up, whichever the call's status allows. Raises ApiError."""
        call = await self.call(call_id)
        door = "hangup" if call["status"] == "in_progress" else "cancel"
        await self._json("POST", f"/v1/calls/{call_id}/{door}")

    async def events(self, call_id: str) -> AsyncIterator[dict[str, Any]]:
        """Every event of a call, live, to the last one; resumes a broken stream."""
        last, broken = "0", 0
        while True:
            try:
                async for event in self._stream(call_id, last):
                    last, broken = str(event["seq"]), 0
                    yield event
            except httpx.TransportError as error:
                broken += 1
                if broken > _RECONNECTS:
                    raise self._unreachable(error) from error
                await asyncio.sleep(0.5 * broken)
            else:
                return

    async def _stream(self, call_id: str, last: str) -> AsyncIterator[dict[str, Any]]:
        headers = {"Last-Event-ID": last}
        async with self._http.stream("GET", f"/v1/calls/{call_id}/events", headers=headers) as got:
            if got.status_code not in (200, 204):
                raise ApiError(f"{self._url} answered {got.status_code} for the call's events")
            async for line in got.aiter_lines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))

    async def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            answer = await self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if answer.is_success:
            found: dict[str, Any] = answer.json()
            return found
        raise ApiError(_problem(answer))

    def _unreachable(self, error: Exception) -> ApiError:
        return ApiError(
            f"cannot reach {self._url} ({error or type(error).__name__}); "
            "is `offhook serve` running there?",
            reachable=False,
        )


def _problem(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
        parts = [f"{problem['title']}: {problem.get('detail', '')}".rstrip(": ")]
        parts += [
            f"  {error.get('pointer') or error.get('parameter', '')}: {error['detail']}"
            for error in problem.get("errors", [])
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"the server answered {answer.status_code}"
    return "\n".join(parts)


async def follow(client: Client, call_id: str, console: Console | None) -> dict[str, Any]:
    """Show a call until its end; returns the final call object.

    Args:
        client: of the server that runs the call.
        call_id: which call.
        console: where to show it; None shows nothing.
    """
    async for event in client.events(call_id):
        if console is not None:
            _show(console, event)
    call = await client.call(call_id)
    deadline = asyncio.get_running_loop().time() + _WEBHOOK_WAIT_S
    while call["webhook_status"] == "pending" and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.1)
        call = await client.call(call_id)
    return call


def _show(console: Console, event: Mapping[str, Any]) -> None:
    kind, data = event["type"], event["data"]
    at = datetime.fromisoformat(event["timestamp"]).strftime("%H:%M:%S")
    if kind == "call.turn":
        turn = data["turn"]
        wire = turn["timings"].get("wire_ms")
        after = "" if wire is None else f"  [dim](answered in {wire:.0f} ms)[/dim]"
        cut = "  [yellow](interrupted)[/yellow]" if turn["interrupted"] else ""
        who = {"agent": "[bold cyan]agent [/]", "person": "[bold green]person[/]"}.get(
            turn["speaker"], "[bold magenta]keys  [/]"
        )
        console.print(f"[dim]{at}[/dim]  {who}  ", end="")
        console.print(turn["text"], markup=False, highlight=False, end="")
        console.print(f"{after}{cut}")
    elif kind not in ("call.digit",):
        name = kind.removeprefix("call.").replace("_", " ")
        color = "dim" if name not in TERMINAL else "bold"
        console.print(f"[dim]{at}[/dim]  [{color}]{name}[/]")
