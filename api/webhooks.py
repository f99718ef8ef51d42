"""The webhook deliverer: empties the outbox, in order per call, signed, retried.

Its decisions (when to retry, what an answer means) are pure; the shell owns sockets and time.
A slow receiver only ever holds its own places: attempts are bounded per receiver and in all, and
receivers that did not answer in time get one place each, together half of all.
"""

import asyncio
import json
import logging
import random
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Literal

import httpx

from api.call_object import rfc3339
from api.egress import Address, EgressError, EgressPolicy
from api.settings import Webhooks
from api.signing import signed_headers
from api.store import Store, StoreError
from api.webhook_records import TEST_EVENT, Attempted, Delivery, WebhookEvent

MAX_RETRY_AFTER_S = 24 * 3600.0
MAX_ERROR_TEXT = 300
STORE_PAUSE_S = 1.0
#: Receivers that are remembered as slow; the one known longest is forgotten first.
MAX_SLOW = 500

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RetrySchedule:
    """When a failed delivery is tried again."""

    delays_s: tuple[float, ...]
    jitter: float
    """Share by which a delay is shortened or lengthened, 0 to 1."""

    def delay_s(self, failures: int, chance: float, retry_after_s: float = 0.0) -> float | None:
        """Seconds to wait after the `failures`-th failure; None to give up.

        Args:
            failures: attempts made so far, at least 1.
            chance: uniform in 0 to 1.
            retry_after_s: what the receiver asked for; honoured up to a day.
        """
        if failures > len(self.delays_s):
            return None
        delay = self.delays_s[failures - 1] * (1 + self.jitter * (2 * chance - 1))
        return max(delay, min(retry_after_s, MAX_RETRY_AFTER_S))


@dataclass(frozen=True)
class Verdict:
    """What a receiver's answer means."""

    delivered: bool
    error: str | None = None
    final: bool = False
    """Whether no retry is wanted."""


def judge(status: int) -> Verdict:
    """Any 2xx is success, a redirect is a failure, 410 says never again (X-CB-14)."""
    if 200 <= status < 300:
        return Verdict(True)
    try:
        phrase = f" {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = ""
    note = "; redirects are not followed" if 300 <= status < 400 else ""
    return Verdict(False, f"the receiver answered {status}{phrase}{note}", final=status == 410)


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


def payload(event: WebhookEvent, style: Literal["call", "envelope"]) -> bytes:
    """The body for `event`, the same bytes on every attempt (CB-113).

    `call` is the call object itself with a `type` key; `envelope` is Standard Webhooks' shape.
    Where an event carries no call object, its facts stand in that place.
    """
    data = dict(event.data)
    if "call" not in data and event.call_id is not None:
        data = {"call_id": event.call_id} | data
    content: dict[str, Any]
    if style == "call":
        content = {"type": event.type} | data.get("call", data)
    else:
        content = {
            "id": event.id,
            "type": event.type,
            "timestamp": rfc3339(event.at),
            "data": data,
        }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


class WebhookDeliverer:
    """Run it for as long as the server lives."""

    def __init__(
        self,
        store: Store,
        settings: Webhooks,
        secret: str,
        *,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """
        Args:
            store: whose outbox to empty.
            settings: limits, schedule and egress rules.
            secret: the default signing secret, `whsec_…`.
            clock: Unix seconds.
            chance: uniform in 0 to 1, for the jitter.
        """
        self._store = store
        self._settings = settings
        self._secret = secret
        self._clock = clock
        self._chance = chance
        self._egress = EgressPolicy(settings)
        self._schedule = RetrySchedule(settings.retry_schedule_s, settings.retry_jitter)
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._per_host: Counter[str] = Counter()
        self._slow: dict[str, None] = {}
        """Destinations that did not answer in time the last time they were asked."""

    async def run(self) -> None:
        """Deliver until cancelled; attempts under way are then given up and made again later."""
        # No proxy or other settings from the environment; no connection shared between
        # receivers, because a pinned address hides whose certificate was checked.
        async with httpx.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            timeout=None,  # noqa: S113 - one timeout around all of an attempt, see _send
            limits=httpx.Limits(max_keepalive_connections=0),
            headers={"User-Agent": "Offhook", "Content-Type": "application/json"},
        ) as client:
            try:
                while True:
                    await self._round(client)
            finally:
                tasks = tuple(self._under_way.values())
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _round(self, client: httpx.AsyncClient) -> None:
        """Start what is due, then sleep until something can have changed."""
        due = self._store.webhook_due
        due.clear()
        now = self._clock()  # one for both questions: nothing may fall due between them
        try:
            while await self._start_due(client, now):
                pass
            next_due = await self._store.outbox.next_due(now)
        except StoreError:
            log.exception("webhooks: the store does not answer")
            await asyncio.sleep(STORE_PAUSE_S)
            due.set()
            return
        try:
            async with asyncio.timeout(None if next_due is None else next_due - self._clock()):
                await due.wait()
        except TimeoutError:
            pass

    async def _start_due(self, client: httpx.AsyncClient, now: float) -> bool:
        """Start attempts while there is room; True if there may be more to start."""
        room = self._settings.concurrency - len(self._under_way)
        if room <= 0:
            return False
        busy = [host for host in {*self._per_host, *self._slow} if not self._has_place(host)]
        found = await self._store.outbox.due(now, room, busy=busy, under_way=list(self._under_way))
        for delivery in found:
            if not self._has_place(delivery.destination):
                continue
            self._per_host[delivery.destination] += 1
            self._under_way[delivery.id] = asyncio.create_task(self._attempt(client, delivery))
        return bool(found)

    def _has_place(self, destination: str) -> bool:
        """Whether one more attempt may be made there now."""
        if destination not in self._slow:
            return self._per_host[destination] < self._settings.per_host
        if self._per_host[destination]:
            return False
        waiting = sum(count for host, count in self._per_host.items() if host in self._slow)
        return waiting < max(1, self._settings.concurrency // 2)

    async def _attempt(self, client: httpx.AsyncClient, delivery: Delivery) -> None:
        try:
            attempted = await self._send(client, delivery)
            if not attempted.delivered:
                log.warning(
                    "webhook %s of call %s to %s failed: %s",
                    delivery.event.id,
                    delivery.event.call_id,
                    delivery.destination,
                    attempted.error,
                )
            await self._store.outbox.record(delivery, attempted, self._clock())
        except StoreError:
            log.exception("webhook %s: its attempt could not be booked", delivery.event.id)
            await asyncio.sleep(STORE_PAUSE_S)
        finally:
            del self._under_way[delivery.id]
            self._per_host[delivery.destination] -= 1
            if not self._per_host[delivery.destination]:
                del self._per_host[delivery.destination]
            self._store.webhook_due.set()

    async def _send(self, client: httpx.AsyncClient, delivery: Delivery) -> Attempted:
        status = None
        wanted_s = 0.0
        at, begun = self._clock(), time.monotonic()
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                response = await self._post(client, delivery)
            self._slow.pop(delivery.destination, None)
            status = response.status_code
            verdict = judge(status)
            wanted_s = retry_after_s(response.headers.get("retry-after"), self._clock())
        except TimeoutError:
            verdict = Verdict(False, f"no answer within {self._settings.timeout_s:g} s")
            self._slow[delivery.destination] = None
            if len(self._slow) > MAX_SLOW:
                del self._slow[next(iter(self._slow))]
        except EgressError as error:
            verdict = Verdict(False, str(error), final=True)
        except Exception as error:  # whatever a hostile receiver provokes is a failed attempt
            text = f"{type(error).__name__}: {error}".rstrip(": ")
            verdict = Verdict(False, text[:MAX_ERROR_TEXT])
        next_at = None
        # A test is tried once: who asked for it is waiting for what came of it.
        if not (verdict.delivered or verdict.final or delivery.event.type == TEST_EVENT):
            delay_s = self._schedule.delay_s(delivery.failures + 1, self._chance(), wanted_s)
            next_at = None if delay_s is None else self._clock() + delay_s
        return Attempted(
            delivered=verdict.delivered,
            at=at,
            duration_ms=round((time.monotonic() - begun) * 1000),
            response_status=status,
            error=verdict.error,
            next_attempt_at=next_at,
            gone=status == HTTPStatus.GONE,
        )

    async def _post(self, client: httpx.AsyncClient, delivery: Delivery) -> httpx.Response:
        """Send to an address that was checked; its answer's body is not read."""
        parts = self._egress.check_url(delivery.url)
        host = parts.hostname or ""
        body = payload(delivery.event, self._settings.payload)
        # A call's own URL is told its secret by the deployment, even where it is an endpoint too.
        secrets = delivery.secrets + ((self._secret,) if delivery.inline else ())
        headers = signed_headers(secrets, delivery.event.id, int(self._clock()), body)
        headers["Host"] = parts.netloc
        failure: httpx.TransportError | None = None
        for address in await self._resolve(host, parts.port or 443):
            request = client.build_request(
                "POST",
                httpx.URL(delivery.url).copy_with(host=str(address)),
                content=body,
                headers=headers,
                extensions={"sni_hostname": host},
            )
            try:
                response = await client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
                continue
            await response.aclose()
            return response
        assert failure is not None
        raise failure

    async def _resolve(self, host: str, port: int) -> list[Address]:
        """The host's addresses that may be connected to, at least one."""
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
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
