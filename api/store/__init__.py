"""The ledger: calls, attempts, turns, events, webhooks with their outbox, and API keys in one
database."""

import asyncio
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from api.egress.sealing import Seal, SealOf
from api.settings import StoreSection
from api.store.agents import Agents
from api.store.amendments import Amendments
from api.store.calendars import Calendars
from api.store.campaigns import Campaigns
from api.store.change import Signals
from api.store.claims import Claims
from api.store.controls import Controls
from api.store.database import Database, StoreError
from api.store.deliveries import Deliveries
from api.store.do_not_call import DoNotCall
from api.store.endpoints import WebhookEndpoints
from api.store.erasures import Erasures
from api.store.event_bus import EventBus
from api.store.idempotency import IdempotentAnswers
from api.store.inbound import Inbound
from api.store.keys import Keys
from api.store.leases import Leases
from api.store.messages import Messages
from api.store.money import BudgetBook
from api.store.numbers import Numbers
from api.store.organization import Organization
from api.store.outbox import Outbox
from api.store.pacing import Pacing
from api.store.postgres import Postgres, PostgresDatabase
from api.store.purge import Purge
from api.store.queries import Calls
from api.store.rates import Rates
from api.store.recordings import Recordings
from api.store.secrets import Secrets
from api.store.sessions import Sessions
from api.store.signing_secret import SigningSecret
from api.store.sqlite import SqliteDatabase
from api.store.transfers import Transfers
from api.store.trunks import Trunks
from api.store.web_call_tokens import WebCallTokens

__all__ = ["Store", "StoreError"]


class Store:
    """An open store. Make it with `await Store.open(…)`, end it with `await store.close()`."""

    def __init__(
        self, database: Database, bus: EventBus, clock: Callable[[], float], seal: SealOf
    ) -> None:
        self.database = database
        """For SQL of one's own."""
        self.notices = database.notices
        """What any process on this store has done."""
        self.bus = bus
        self.webhook_due = asyncio.Event()
        """Set whenever a delivery was put in the outbox."""
        self.erasure_due = asyncio.Event()
        """Set whenever another process erased a call of which a node may have files."""
        self.erasing = asyncio.Lock()
        """Held while what is erased is carried out: writing the database anew stops every writer,
        so whoever waits finds it done."""
        signals = Signals(bus.publish, asyncio.Event(), clock)
        signals.work.set()  # after a start there may be something to do
        self.notices.subscribe("work", lambda _: signals.work.set())
        self.notices.subscribe("pacing", lambda _: signals.pacing.set())
        self.notices.subscribe("webhooks", lambda _: self.webhook_due.set())
        self.notices.subscribe("erasures", lambda _: self.erasure_due.set())
        self.notices.subscribe("call", bus.missed)
        self.calls = Calls(database, signals)
        self.amendments = Amendments(database, signals)
        self.claims = Claims(database, signals)
        self.inbound = Inbound(database, signals)
        self.campaigns = Campaigns(database, clock)
        self.pacing = Pacing(database, signals)
        self.agents = Agents(database, clock)
        self.secrets = Secrets(database, clock)
        self.calendars = Calendars(database, clock)
        self.transfers = Transfers(database, signals)
        self.recordings = Recordings(database, signals)
        self.controls = Controls(database, signals)
        self.trunks = Trunks(database, clock)
        self.numbers = Numbers(database, clock)
        self.do_not_call = DoNotCall(database, clock)
        self.rates = Rates(database, clock)
        self.budget = BudgetBook(database, clock)
        self.leases = Leases(database, clock)
        self.keys = Keys(database, clock)
        self.sessions = Sessions(database, clock)
        self.web_call_tokens = WebCallTokens(database, clock)
        self.organization = Organization(database)
        self.signing_secret = SigningSecret(database, clock, seal)
        self.outbox = Outbox(database, seal)
        self.endpoints = WebhookEndpoints(database, clock, seal)
        self.deliveries = Deliveries(database, clock)
        self.messages = Messages(database, clock)
        self.answers = IdempotentAnswers(database)
        self.purge = Purge(database)
        self.erasures = Erasures(database)

    @classmethod
    async def open(
        cls,
        where: Path | StoreSection,
        *,
        exclusive: bool = False,
        bus: EventBus | None = None,
        clock: Callable[[], float] = time.time,
    ) -> "Store":
        """Open and migrate a store. Raises StoreError.

        Args:
            where: a SQLite file, made when absent; or what the settings say.
            exclusive: refuse a SQLite file that is open so already.
            bus: where committed events are published.
            clock: Unix seconds.
        """
        settings = StoreSection(path=where) if isinstance(where, Path) else where
        database = _database(settings, exclusive=exclusive)
        await database.open()
        return cls(database, bus or EventBus(), clock, cache(partial(Seal.of, settings)))

    @property
    def shared(self) -> bool:
        """Whether other processes may use the store beside this one."""
        return self.database.shared

    async def scrub(self) -> bool:
        """Remove what is deleted from the database's own files; False where it has to be tried
        again. Raises StoreError."""
        return await self.database.scrub()

    async def probe(self) -> None:
        """Write something to the database. Raises StoreError."""
        await self.leases.take("probe", "probe", 0.0)

    async def close(self) -> None:
        """Let transactions under way finish and close every connection."""
        await self.database.close()


def _database(where: StoreSection, *, exclusive: bool) -> Database:
    if where.url is None:
        return SqliteDatabase(where.path, exclusive=exclusive)
    return PostgresDatabase(
        Postgres(where.url.get_secret_value(), where.pool_size, where.timeout_s)
    )
