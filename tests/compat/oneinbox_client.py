"""A client of OneInbox, written from nothing but its page "Create Call" (plain httpx).

The page shows `POST https://api.oneinbox.ai/v1/calls` with a bearer token, and the call that it
answers with. That `GET /v1/calls/{id}` reads one, and which statuses there are, is in the service's
list of endpoints.
"""

import asyncio
import re
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import httpx

#: The keys of the page's answer, in their order; the last four are optional there.
KEYS: Final = [
    *("id", "agent_id", "type", "status", "from_number", "to_number", "room_name", "direction"),
    *("scheduled_at", "variables", "started_at", "ended_at", "duration_seconds", "end_reason"),
    *("transcript", "messages", "recording_url", "analysis", "latency", "cost_cents", "metadata"),
    *("created_at", "updated_at", "twilio_call_sid", "outcome", "ai_summary", "credits_used"),
]
#: The page's pattern of both numbers.
NUMBER: Final = re.compile(r"^\+[1-9]\d{1,14}$")
#: A call in one of these changes its status no more.
TERMINAL: Final = {"completed", "failed"}


@dataclass
class OneInboxError(Exception):
    """The service said no."""

    status: int
    detail: Any


class OneInboxClient:
    """`OneInboxClient(base_url, token)` in an `async with`."""

    def __init__(self, base_url: str, token: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=base_url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=20,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def create_call(
        self, agent_id: str, to_number: str, from_number: str, **fields: Any
    ) -> dict[str, Any]:
        """`POST /v1/calls`."""
        assert NUMBER.match(to_number)
        assert NUMBER.match(from_number)
        required = {"agent_id": agent_id, "to_number": to_number, "from_number": from_number}
        return await self._ask("POST", "/v1/calls", {**required, **fields})

    async def get_call(self, call_id: str) -> dict[str, Any]:
        """`GET /v1/calls/{id}`."""
        return await self._ask("GET", f"/v1/calls/{call_id}")

    async def analysed(self, call_id: str, poll_s: float = 0.1) -> dict[str, Any]:
        """Poll until the call is over and analysed."""
        while True:
            call = await self.get_call(call_id)
            if call["status"] in TERMINAL and call["analysis"]:
                return call
            await asyncio.sleep(poll_s)

    async def download(self, url: str) -> bytes:
        """What is at a `recording_url`, without a token."""
        async with httpx.AsyncClient(trust_env=False, timeout=20) as plain:
            return (await plain.get(url)).raise_for_status().content

    async def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        answer = await self._http.request(method, path, json=body)
        if not answer.is_success:
            raise OneInboxError(answer.status_code, answer.json()["detail"])
        call: dict[str, Any] = answer.json()
        return call
