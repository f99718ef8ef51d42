"""The ledger: calls, attempts, turns, events, webhooks with their outbox, and API keys in one
database."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.events import EventBus
from api.store.change import Signals
from api.store.claims import Claims
from api.store.database import Database, StoreError
from api.store.deliveries import Deliveries
from api.store.endpoints import WebhookEndpoints
from api.store.idempotency import IdempotentAnswers
from api.store.keys import Keys
from api.store.leases import Leases
from api.store.outbox import Outbox
from api.store.queries import Calls
from api.store.signing_secret import SigningSecret

__all__ = ["Store", "StoreError"]


class Store:
    """An open store. Make it with `await Store.open(…)`, end it with `await store.close()`."""

    def __init__(self, database: Database, bus: EventBus, clock: Callable[[], float]) -> None:
        self._database = database
        self.bus = bus
        self.webhook_due = asyncio.Event()
        """Set whenever a delivery was put in the outbox."""
        signals = Signals(bus.publish, self.webhook_due, asyncio.Event(), clock)
        signals.work.set()  # after a start there may be something to do
        self.calls = Calls(database, signals)
        self.claims = Claims(database, signals)
        self.leases = Leases(database, clock)
        self.keys = Keys(database, clock)
        self.signing_secret = SigningSecret(database, clock)
        self.outbox = Outbox(database)
        self.endpoints = WebhookEndpoints(database, self.webhook_due, clock)
        self.deliveries = Deliveries(database, self.webhook_due, clock)
        self.answers = IdempotentAnswers(database)

    @classmethod
    async def open(
        cls, path: Path, *, bus: EventBus | None = None, clock: Callable[[], float] = time.time
    ) -> "Store":
        """Open and migrate the SQLite file at `path`, made when absent. Raises StoreError.

        Args:
            path: the file.
            bus: where committed events are published.
            clock: Unix seconds.
        """
        database = Database(path)
        await database.open()
        return cls(database, bus or EventBus(), clock)

    @property
    def shared(self) -> bool:
        """Whether other processes may use the store beside this one."""
        return False

    async def ping(self) -> None:
        """Ask the database for a sign of life. Raises StoreError."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(select(1))

        await self._database.read(work)

    async def close(self) -> None:
        """Let transactions under way finish and close the file."""
        await self._database.close()
