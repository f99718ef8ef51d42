"""A client of Revox, written from nothing but its page "Place a call" (plain httpx).

The page shows `POST https://www.getrevox.com/api/call` with a bearer key, and says of the answer
that it is `{"call": …}`, that an order may be resolved over several attempts, and which statuses
there are. That `GET /call/{id}` reads one is in the service's list of endpoints.
"""

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import httpx

#: Of the page's enum: an order in one of these changes no more.
TERMINAL: Final = {"completed", "cancelled", "errored"}


@dataclass
class RevoxError(Exception):
    """The service said no."""

    status: int
    body: Any


class RevoxClient:
    """`RevoxClient(base_url, key)` in an `async with`."""

    def __init__(self, base_url: str, api_key: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=base_url,
            headers={"Authorization": f"Bearer {api_key}"},
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

    async def place(self, phone_number: str, **members: Any) -> dict[str, Any]:
        """Place a call order."""
        return await self._call("POST", "/call", {"phone_number": phone_number, **members})

    async def get(self, call_id: str) -> dict[str, Any]:
        """Read a call order."""
        return await self._call("GET", f"/call/{call_id}")

    async def resolved(self, call_id: str, poll_s: float = 0.1) -> dict[str, Any]:
        """The order once it changes no more."""
        while (call := await self.get(call_id))["status"] not in TERMINAL:
            await asyncio.sleep(poll_s)
        return call

    async def create_assistant(self, **members: Any) -> dict[str, Any]:
        """Keep an assistant."""
        answer = await self._ask("POST", "/assistants", members)
        assistant: dict[str, Any] = answer["assistant"]
        return assistant

    async def download(self, url: str) -> bytes:
        """What is at a `recording_url`, without a key."""
        async with httpx.AsyncClient(trust_env=False, timeout=20) as plain:
            return (await plain.get(url)).raise_for_status().content

    async def _call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        call: dict[str, Any] = (await self._ask(method, path, body))["call"]
        return call

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self._http.request(method, path, json=body)
        if not answer.is_success:
            raise RevoxError(answer.status_code, answer.json())
        return answer.json()
