"""The bus: every event committed in this process, to whoever listens here.

A queue per subscriber is bounded. One that falls behind, or whose call another process has written
to, is cut off and told so (`Lagged`): it reads what it missed from the table and subscribes anew.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from api.resources.event import CallEvent

QUEUE_LIMIT = 256


class Lagged(Exception):
    """The table has events that this subscriber was not given; it was dropped."""


class Subscription:
    """One subscriber's queue. Use as a context manager; one consumer."""

    def __init__(self, bus: "EventBus", call_id: str | None, limit: int) -> None:
        self._bus = bus
        self.call_id = call_id
        self._limit = limit
        self._queue: deque[CallEvent] = deque()
        self._lagged = False
        self._filled = asyncio.Event()

    def __enter__(self) -> "Subscription":
        self._bus.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._bus.remove(self)

    def put(self, event: CallEvent) -> None:
        """Queue `event`, or drop the subscriber if its queue is full."""
        if len(self._queue) >= self._limit:
            self.drop()
        else:
            self._queue.append(event)
            self._filled.set()

    def drop(self) -> None:
        """Have `next` raise Lagged."""
        self._lagged = True
        self._queue.clear()
        self._bus.remove(self)
        self._filled.set()

    async def next(self) -> CallEvent:
        """The next event; waits for it. Raises Lagged."""
        while True:
            if self._lagged:
                raise Lagged
            if self._queue:
                return self._queue.popleft()
            self._filled.clear()
            await self._filled.wait()


class EventBus:
    """Hands each event to the subscribers of its call and to those of all calls."""

    def __init__(self) -> None:
        self._subscriptions: dict[str | None, set[Subscription]] = {}
        self.watchers: list[Callable[[CallEvent], None]] = []
        """Told of every event that this process commits; must not block."""

    def subscribe(self, call_id: str | None = None, limit: int = QUEUE_LIMIT) -> Subscription:
        """A queue of the events of one call, or of all; enter it to start receiving."""
        return Subscription(self, call_id, limit)

    def add(self, subscription: Subscription) -> None:
        self._subscriptions.setdefault(subscription.call_id, set()).add(subscription)

    def remove(self, subscription: Subscription) -> None:
        peers = self._subscriptions.get(subscription.call_id, set())
        peers.discard(subscription)
        if not peers:
            self._subscriptions.pop(subscription.call_id, None)

    def publish(self, event: CallEvent) -> None:
        """Queue `event` for every subscriber; never blocks."""
        for watch in self.watchers:
            watch(event)
        for key in (event.call_id, None):
            for subscription in tuple(self._subscriptions.get(key, ())):
                subscription.put(event)

    def missed(self, call_id: str | None) -> None:
        """Another process has told an event of this call; None: perhaps of any."""
        keys = tuple(self._subscriptions) if call_id is None else (call_id, None)
        for key in keys:
            for subscription in tuple(self._subscriptions.get(key, ())):
                subscription.drop()
