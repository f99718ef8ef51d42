"""Sends one webhook: to an address that was checked, within a time, and never reads the answer.

A receiver is hostile: it may hang, drip, redirect, answer what is not HTTP, or have a name that
leads somewhere else with every look-up. What it provokes is a `Verdict`.
"""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from ipaddress import ip_address
from types import TracebackType
from typing import Self

import httpx

from api.egress import Address, EgressError, EgressPolicy
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
    """Any 2xx is success, a redirect is a failure, 410 says never again (X-CB-14)."""
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
        self._egress = EgressPolicy(settings)
        # No proxy or other settings from the environment; no connection shared between
        # receivers, because a pinned address hides whose certificate was checked.
        self._client = httpx.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            timeout=None,  # noqa: S113 - one timeout around all of an attempt, see send
            limits=httpx.Limits(max_keepalive_connections=0),
            headers={"User-Agent": "Offhook", "Content-Type": "application/json"},
        )
        # A name server that does not answer holds a thread for long after its attempt is given
        # up: not one of those that write recordings.
        self._resolver = ThreadPoolExecutor(settings.concurrency, "webhook-dns")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._resolver.shutdown(wait=False, cancel_futures=True)
        await self._client.aclose()

    async def send(self, url: str, headers: dict[str, str], body: bytes) -> Verdict:
        """`POST` once; raises nothing."""
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                response = await self._post(url, headers, body)
        except TimeoutError:
            text = f"no answer within {self._settings.timeout_s:g} s"
            return Verdict(False, text, timed_out=True)
        except EgressError as error:
            return Verdict(False, str(error), final=True)
        except Exception as error:  # whatever a hostile receiver provokes is a failed attempt
            text = f"{type(error).__name__}: {error}".rstrip(": ")
            return Verdict(False, text[:MAX_ERROR_TEXT])
        return judge(response.status_code, response.headers.get("retry-after"))

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> httpx.Response:
        parts = self._egress.check_url(url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        failure: httpx.TransportError | None = None
        for address in await self._resolve(host, port):
            request = self._client.build_request(
                "POST",
                httpx.URL(url).copy_with(host=str(address)),
                content=body,
                headers=headers | {"Host": parts.netloc},
                extensions={"sni_hostname": host},
            )
            try:
                response = await self._client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
                continue
            await response.aclose()
            return response
        assert failure is not None
        raise failure

    async def _resolve(self, host: str, port: int) -> list[Address]:
        """The host's addresses that may be connected to, at least one."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._resolver, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        allowed: list[Address] = []
        refused: EgressError | None = None
        for *_, (text, *_) in found:
            address = ip_address(str(text).partition("%")[0])
            try:
                self._egress.check_address(address)
            except EgressError as error:
                refused = error
            else:
                allowed.append(address)
        if not allowed:
            raise refused or EgressError(f"{host} has no address")
        return allowed
