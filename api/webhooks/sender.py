"""Sends one webhook: to an address that was checked, within a time, and never reads the answer.

A receiver is hostile: it may hang, drip, redirect, answer what is not HTTP, or have a name that
leads somewhere else with every look-up. What it provokes is a `Verdict`.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import TracebackType
from typing import Self

from api.egress.guarded_http import guarded_client
from api.egress.policy import EgressError, EgressPolicy
from api.settings import Webhooks

MAX_ERROR_TEXT = 300


@dataclass(frozen=True)
class Verdict:
    """What came of an attempt."""

    delivered: bool
    error: str | None = None
    final: bool = False
    """Whether no retry is wanted."""
    status: int | None = None
    retry_after: str | None = None
    """The header, as it came."""
    timed_out: bool = False


def judge(status: int, retry_after: str | None = None) -> Verdict:
    """Any 2xx is success, a redirect is a failure, 410 says never again."""
    if 200 <= status < 300:
        return Verdict(True, status=status)
    try:
        phrase = f" {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = ""
    note = "; redirects are not followed" if 300 <= status < 400 else ""
    error = f"the receiver answered {status}{phrase}{note}"
    final = status == HTTPStatus.GONE
    return Verdict(False, error, final=final, status=status, retry_after=retry_after)


def retry_after_s(value: str | None, now: float) -> float:
    """Seconds of a `Retry-After` header (RFC 9110 10.2.3), 0 when there is none to honour."""
    if value is None:
        return 0.0
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now)


class WebhookSender:
    """An HTTP client for webhooks, for the time of an `async with`."""

    def __init__(self, settings: Webhooks) -> None:
        self._settings = settings
        self._client = guarded_client(
            EgressPolicy(settings),
            settings.concurrency,
            {"User-Agent": "Offhook", "Content-Type": "application/json"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def send(self, url: str, headers: dict[str, str], body: bytes) -> Verdict:
        """`POST` once; raises nothing."""
        try:
            async with (
                asyncio.timeout(self._settings.timeout_s),
                self._client.stream("POST", url, headers=headers, content=body) as response,
            ):
                status, retry_after = response.status_code, response.headers.get("retry-after")
        except TimeoutError:
            text = f"no answer within {self._settings.timeout_s:g} s"
            return Verdict(False, text, timed_out=True)
        except EgressError as error:
            return Verdict(False, str(error), final=True)
        except Exception as error:  # whatever a hostile receiver provokes is a failed attempt
            text = f"{type(error).__name__}: {error}".rstrip(": ")
            return Verdict(False, text[:MAX_ERROR_TEXT])
        return judge(status, retry_after)
