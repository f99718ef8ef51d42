"""The webhook deliverer: empties the outbox, in order per call, signed, retried.

Its decisions (when to retry, who gets a place) are pure; the shell owns sockets and time. A slow
receiver only ever holds its own places: attempts are bounded per receiver and in all, and receivers
that did not answer in time get one place each, together half of all. Attempts that end while the
store is busy are booked together: under load that is one transaction for many.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from api.resources.webhook import TEST_EVENT, Attempted, Delivery, WebhookEvent
from api.settings import PayloadStyle, Webhooks
from api.store import Store, StoreError
from api.telemetry.meter import Meter
from api.telemetry.spans import traceparent
from api.telemetry.tracer import Tracer
from api.webhooks.message import message_headers, payload
from api.webhooks.sender import Verdict, WebhookSender, retry_after_s

MAX_RETRY_AFTER_S = 24 * 3600.0
STORE_PAUSE_S = 1.0
#: Receivers that are remembered as slow; the one known longest is forgotten first.
MAX_SLOW = 500

#: Makes the body of an event in a style.
Render = Callable[[WebhookEvent, PayloadStyle], Awaitable[bytes]]

log = logging.getLogger(__name__)


async def of_event(event: WebhookEvent, style: PayloadStyle) -> bytes:
    """The body made of the event alone."""
    return payload(event, style)


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


class Places:
    """How many attempts may be under way: in all, at one receiver, at slow ones."""

    def __init__(self, settings: Webhooks) -> None:
        self._settings = settings
        self._taken: Counter[str] = Counter()
        self._slow: dict[str, None] = {}
        """Destinations that did not answer in time the last time they were asked."""

    @property
    def room(self) -> int:
        """How many more there may be in all."""
        return self._settings.concurrency - self._taken.total()

    @property
    def full(self) -> list[str]:
        """Destinations that have no place left."""
        return [one for one in {*self._taken, *self._slow} if not self._has_place(one)]

    def take(self, destination: str) -> bool:
        """Take a place there, if there is one."""
        if not self._has_place(destination):
            return False
        self._taken[destination] += 1
        return True

    def give_back(self, destination: str, *, slow: bool | None) -> None:
        """An attempt there is over; `slow` is None where nothing was learnt of that."""
        self._taken[destination] -= 1
        if not self._taken[destination]:
            del self._taken[destination]
        if slow:
            self._slow[destination] = None
            if len(self._slow) > MAX_SLOW:
                del self._slow[next(iter(self._slow))]
        elif slow is False:
            self._slow.pop(destination, None)

    def _has_place(self, destination: str) -> bool:
        if destination not in self._slow:
            return self._taken[destination] < self._settings.per_host
        if self._taken[destination]:
            return False
        waiting = sum(count for host, count in self._taken.items() if host in self._slow)
        return waiting < max(1, self._settings.concurrency // 2)


class WebhookDeliverer:
    """Run it for as long as the server lives."""

    def __init__(
        self,
        store: Store,
        settings: Webhooks,
        render: Render = of_event,
        *,
        meter: Meter | None = None,
        tracer: Tracer | None = None,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """
        Args:
            store: whose outbox to empty.
            settings: limits, schedule, egress rules, and perhaps the default signing secret.
            render: makes the bodies.
            meter: counts attempts.
            tracer: puts them in their calls' traces.
            clock: Unix seconds.
            chance: uniform in 0 to 1, for the jitter.
        """
        self._store = store
        self._settings = settings
        self._render = render
        self._meter = meter or Meter()
        self._tracer = tracer
        self._clock = clock
        self._chance = chance
        self._schedule = RetrySchedule(settings.retry_schedule_s, settings.retry_jitter)
        self._places = Places(settings)
        self._under_way: dict[str, asyncio.Task[None]] = {}
        """By delivery; until their attempts are booked."""
        self._made: list[tuple[Delivery, Attempted]] = []
        """Attempts that are over and not booked yet."""

    async def run(self) -> None:
        """Deliver until cancelled; attempts under way are then given up and made again later."""
        async with WebhookSender(self._settings) as sender:
            try:
                while True:
                    await self._round(sender)
            finally:
                tasks = tuple(self._under_way.values())
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                with contextlib.suppress(StoreError):
                    await self._book()  # what was answered shall not be sent again
                self._under_way.clear()
                self._made.clear()

    async def _round(self, sender: WebhookSender) -> None:
        """Book what is over, start what is due, then sleep until something can have changed."""
        due = self._store.webhook_due
        due.clear()
        try:
            await self._book()
            now = self._clock()  # one for both questions: nothing may fall due between them
            while await self._start_due(sender, now):
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

    async def _book(self) -> None:
        made = tuple(self._made)
        if not made:
            return
        await self._store.outbox.record(made, self._clock())
        del self._made[: len(made)]
        for delivery, _ in made:
            self._under_way.pop(delivery.id, None)

    async def _start_due(self, sender: WebhookSender, now: float) -> bool:
        """Start attempts while there is room; True if there may be more to start."""
        room = self._places.room
        if room <= 0:
            return False
        found = await self._store.outbox.due(
            now, room, busy=self._places.full, under_way=list(self._under_way)
        )
        default = await self._default_secrets(now) if any(one.inline for one in found) else ()
        for delivery in found:
            if not self._places.take(delivery.destination):
                continue
            # A call's own URL is told its secret by the deployment, even where it is an endpoint.
            secrets = delivery.secrets + (default if delivery.inline else ())
            attempt = self._attempt(sender, delivery, secrets)
            self._under_way[delivery.id] = asyncio.create_task(attempt)
        return bool(found)

    async def _default_secrets(self, now: float) -> tuple[str, ...]:
        if self._settings.secret is not None:
            return (self._settings.secret.get_secret_value(),)
        return (await self._store.signing_secret.get()).signing(now)

    async def _attempt(
        self, sender: WebhookSender, delivery: Delivery, secrets: Sequence[str]
    ) -> None:
        slow: bool | None = None
        at, begun = self._clock(), time.monotonic()
        try:
            try:
                style = delivery.payload or self._settings.payload
                body = await self._render(delivery.event, style)
                headers = message_headers(delivery.event, secrets, int(at), body)
                if self._tracer is not None and (call_id := delivery.event.call_id) is not None:
                    headers["traceparent"] = traceparent(call_id, f"{delivery.event.id} {at}")
                verdict = await sender.send(delivery.url, headers, body)
            except Exception:
                log.exception("webhook %s cannot be made", delivery.event.id)
                verdict = Verdict(False, "it cannot be made; the log tells why")
            slow = verdict.timed_out if verdict.timed_out or verdict.status else None
            if not verdict.delivered:
                log.warning(
                    "webhook %s of call %s to %s failed: %s",
                    delivery.event.id,
                    delivery.event.call_id,
                    delivery.destination,
                    verdict.error,
                )
            attempted = Attempted(
                delivered=verdict.delivered,
                at=at,
                duration_ms=round((time.monotonic() - begun) * 1000),
                response_status=verdict.status,
                error=verdict.error,
                next_attempt_at=self._next_attempt_at(delivery, verdict),
                gone=verdict.status == HTTPStatus.GONE,
            )
            self._made.append((delivery, attempted))
            self._meter.webhook(attempted)
            if self._tracer is not None:
                self._tracer.webhook(delivery.event, attempted)
        finally:
            self._places.give_back(delivery.destination, slow=slow)
            self._store.webhook_due.set()

    def _next_attempt_at(self, delivery: Delivery, verdict: Verdict) -> float | None:
        # A test is tried once: who asked for it is waiting for what came of it.
        if verdict.delivered or verdict.final or delivery.event.type == TEST_EVENT:
            return None
        now = self._clock()
        wanted_s = retry_after_s(verdict.retry_after, now)
        delay_s = self._schedule.delay_s(delivery.failures + 1, self._chance(), wanted_s)
        return None if delay_s is None else now + delay_s
