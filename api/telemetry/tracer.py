"""Sends the traces of calls that are over to the operator's collector (OTLP over HTTP).

Nothing waits for it: what the collector does not take in time is dropped, and counted.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import httpx

from api.resources.event import CallEvent
from api.resources.webhook import Attempted, WebhookEvent
from api.settings.server import Traces
from api.store import Store, StoreError
from api.telemetry.meter import Meter
from api.telemetry.spans import Span, attempt_span, call_spans
from pbx.rare_log import RareLog

log = logging.getLogger(__name__)

#: Calls and webhooks that wait to be sent; the oldest are dropped beyond that.
_MOST: Final = 1000
#: Spans in one request.
_BATCH: Final = 500
_TIMEOUT_S: Final = 10.0
#: Seconds between requests, in which spans gather.
_PAUSE_S: Final = 1.0

Encode = Callable[[Sequence[Span]], bytes]


class TracesError(Exception):
    """Traces cannot be sent; the message tells how to mend it."""


class Tracer:
    """Run it for as long as the server lives."""

    def __init__(self, settings: Traces, store: Store, meter: Meter) -> None:
        """
        Args:
            settings: where to; with a URL.
            store: whose calls.
            meter: counts spans.

        Raises TracesError where OpenTelemetry is not installed.
        """
        assert settings.url is not None
        try:
            from api.telemetry.otlp import encoder  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise TracesError(
                "traces.url needs OpenTelemetry: pip install 'offhook[otel]', or leave it out"
            ) from error
        self._encode: Encode = encoder(settings.service_name)
        self._url = settings.url
        self._headers = {
            name: value.get_secret_value() for name, value in settings.headers.items()
        } | {"Content-Type": "application/x-protobuf", "User-Agent": "Offhook"}
        self._store = store
        self._meter = meter
        self._over: deque[tuple[str, float]] = deque(maxlen=_MOST)
        self._spans: deque[Span] = deque(maxlen=_MOST * 20)
        self._trouble = RareLog(log)

    def event(self, event: CallEvent) -> None:
        """Take note of a call that is over."""
        if event.terminal:
            if len(self._over) == _MOST:
                self._meter.spans.labels("dropped").inc()
            self._over.append((event.call_id, event.at))

    def webhook(self, event: WebhookEvent, attempted: Attempted) -> None:
        """Take note of an attempt to deliver."""
        if event.call_id is not None:
            self._spans.append(attempt_span(event.call_id, event.id, attempted.at, attempted))

    async def run(self) -> None:
        """Send until cancelled, and then once more what there is."""
        async with httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False) as client:
            try:
                while True:
                    await self._send(client)
                    await asyncio.sleep(_PAUSE_S)
            finally:
                async with asyncio.timeout(_TIMEOUT_S):
                    await self._send(client)

    async def _send(self, client: httpx.AsyncClient) -> None:
        while self._over:
            call_id, told_at = self._over[0]
            try:
                call = await self._store.calls.get(call_id)
                attempts = await self._store.calls.attempts(call_id)
                turns = (await self._store.calls.turns_of([call_id])).get(call_id, [])
                self._spans += call_spans(call, attempts, turns, told_at)
            except (StoreError, LookupError) as error:
                self._trouble.warn("a call's trace cannot be read: %s", error)
            self._over.popleft()
        while self._spans:
            batch = [self._spans.popleft() for _ in range(min(_BATCH, len(self._spans)))]
            try:
                sent = await self._post(client, await asyncio.to_thread(self._encode, batch))
            except asyncio.CancelledError:
                self._spans.extendleft(reversed(batch))  # sent twice, a span is one all the same
                raise
            self._meter.spans.labels("sent" if sent else "dropped").inc(len(batch))

    async def _post(self, client: httpx.AsyncClient, body: bytes) -> bool:
        try:
            answer = await client.post(self._url, content=body, headers=self._headers)
        except httpx.HTTPError as error:
            told = type(error).__name__
        else:
            if answer.is_success:
                return True
            told = f"it answers {answer.status_code}"
        self._trouble.warn("the collector of traces.url takes no traces: %s", told)
        return False
