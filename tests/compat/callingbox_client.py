"""A client of CallingBox, written from nothing but its pages "Create call", "The call object" and
"How it works" (plain httpx), and from its page on signatures for the webhook.

Agents and transcripts are in the service's list of endpoints.
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import httpx

#: The keys of the example that "Create call" shows, in their order.
KEYS: Final = [
    *("id", "to_number", "from_number", "status", "direction", "prompt", "context", "returns"),
    *("result", "result_status", "result_error", "language"),
    *("webhook_url", "webhook_status", "webhook_error"),
    *("created_at", "started_at", "answered_at", "ended_at"),
    *("duration_seconds", "billed_duration_seconds", "billing_amount_milli_cents"),
    *("reservation_status", "error_code", "error_message", "hangup_cause"),
    *("metadata", "updated_at"),
]
#: Of the page's enum: a call in one of these changes its status no more.
TERMINAL: Final = {"completed", "no_answer", "busy", "canceled", "failed"}


@dataclass
class CallingBoxError(Exception):
    """The service said no."""

    status: int
    error: str


class CallingBoxClient:
    """`CallingBoxClient(base_url, key)` in an `async with`."""

    def __init__(self, base_url: str, api_key: str) -> None:
        assert api_key.startswith("sk_")
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

    async def create_call(self, to: str, **fields: Any) -> dict[str, Any]:
        """`POST /v1/calls`."""
        call: dict[str, Any] = await self._ask("POST", "/v1/calls", {"to": to, **fields})
        return call

    async def get_call(self, call_id: str) -> dict[str, Any]:
        """`GET /v1/calls/{id}`."""
        call: dict[str, Any] = await self._ask("GET", f"/v1/calls/{call_id}")
        return call

    async def create_agent(self, name: str, **fields: Any) -> dict[str, Any]:
        """`POST /v1/agents`."""
        agent: dict[str, Any] = await self._ask("POST", "/v1/agents", {"name": name, **fields})
        return agent

    async def transcript(self, call_id: str) -> list[dict[str, Any]]:
        """`GET /v1/calls/{id}/transcript`."""
        told = await self._ask("GET", f"/v1/calls/{call_id}/transcript")
        turns: list[dict[str, Any]] = told["transcript"]
        return turns

    async def list_calls(self) -> list[dict[str, Any]]:
        """`GET /v1/calls`."""
        calls: list[dict[str, Any]] = await self._ask("GET", "/v1/calls")
        return calls

    async def result(self, call_id: str, poll_s: float = 0.1) -> dict[str, Any]:
        """Poll until the call is over, and its result there if it was completed."""
        while True:
            call = await self.get_call(call_id)
            waits = call["status"] == "completed" and call["result_status"] == "pending"
            if call["status"] in TERMINAL and not waits:
                return call
            await asyncio.sleep(poll_s)

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self._http.request(method, path, json=body)
        if not answer.is_success:
            raise CallingBoxError(answer.status_code, answer.json()["error"])
        return answer.json()


def verified(
    secret: str, headers: Mapping[str, str], body: bytes, now: float, tolerance_s: float = 300
) -> dict[str, Any]:
    """A webhook's body, its `CallingBox-Signature` checked: `t=<unix>,v1=<hex>`, HMAC-SHA256 over
    `<t>.<raw body>`; one of several `v1` has to be right.

    Args:
        headers: names in lower case.
        now: Unix seconds.
    """
    parts = [part.split("=", 1) for part in headers["callingbox-signature"].split(",")]
    (at,) = [value for name, value in parts if name == "t"]
    wanted = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    given = [value for name, value in parts if name == "v1"]
    assert any(hmac.compare_digest(wanted, one) for one in given), "the signature is wrong"
    assert abs(now - int(at)) <= tolerance_s, "it is too old"
    call: dict[str, Any] = json.loads(body)
    return call
