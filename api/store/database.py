"""One SQLite file: a single writer, a few readers, and transactions that cancelling cannot split.

aiosqlite runs each connection in a thread of its own, and a connection shared by tasks mixes
their transactions; a cancelled task would leave one open. So every transaction here is a task of
its own, shielded from the one that asked for it, and all writes queue for one connection under
`BEGIN IMMEDIATE`. What is published (events, wake-ups) runs right after the commit, in commit
order.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

from api.store.connection import connect
from api.store.migrate import upgrade

T = TypeVar("T")

BUSY_TIMEOUT_MS = 5000
READERS = 4

log = logging.getLogger(__name__)


class StoreError(Exception):
    """The store cannot be opened or used; the message names the file and the fix."""


@dataclass
class Transaction:
    """A write under way."""

    connection: AsyncConnection
    after_commit: list[Callable[[], None]] = field(default_factory=list)
    """Called in order once the commit is on disk; must not raise or block."""


@asynccontextmanager
async def _told(
    begun: AbstractAsyncContextManager[AsyncConnection],
) -> AsyncIterator[AsyncConnection]:
    """Tell the database's own failures (locked, disk full, broken) as StoreError."""
    try:
        async with begun as connection:
            yield connection
    except IntegrityError:
        raise  # an invariant: whoever wrote knows which
    except SQLAlchemyError as error:
        raise StoreError(f"the store does not answer: {error}") from error


class Database:
    """Opens the file, migrates it, and runs reads and writes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = asyncio.Lock()
        self._under_way: set[asyncio.Task[Any]] = set()
        self._writer = self._engine(1, "query_only=OFF")
        # A read is one statement, which is a snapshot by itself: without BEGIN and COMMIT it
        # takes half as many turns of the connection's thread.
        self._readers = self._engine(
            READERS,
            "query_only=ON",
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
        )

        def began(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

        event.listen(self._writer.sync_engine, "begin", began)

    def _engine(self, connections: int, mode: str, **options: Any) -> AsyncEngine:
        engine = create_async_engine(
            "sqlite+aiosqlite://",
            async_creator=lambda: connect(self._path),
            poolclass=AsyncAdaptedQueuePool,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=30,
            hide_parameters=True,  # errors are logged, and callers' words are private
            **options,
        )

        def connected(connection: Any, _record: ConnectionPoolEntry) -> None:
            connection.isolation_level = None  # the driver opens no transaction by itself
            cursor = connection.cursor()
            # FULL: a committed order survives a power cut (promise 1 of the design).
            for pragma in (
                f"busy_timeout={BUSY_TIMEOUT_MS}",
                "journal_mode=WAL",
                "synchronous=FULL",
                "foreign_keys=ON",
                mode,
            ):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

        event.listen(engine.sync_engine, "connect", connected)
        return engine

    async def open(self) -> None:
        """Make the folder and the file where absent (private to the user), migrate it.

        Raises StoreError, here and from then on whenever the database fails.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._path.touch(mode=0o600, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"store.path {self._path}: {error.strerror}; name a file that this user can write"
            ) from error

        async def migrate(transaction: Transaction) -> None:
            await transaction.connection.run_sync(upgrade)

        try:
            await self.write(migrate)
        except Exception as error:
            await self.close()
            raise StoreError(
                f"store.path {self._path} cannot be used as Offhook's SQLite file: {error}"
            ) from error

    async def close(self) -> None:
        """Let what is under way finish, then close every connection."""
        while self._under_way:
            await asyncio.wait(self._under_way)
        await self._readers.dispose()
        await self._writer.dispose()

    async def write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work` in a write transaction: all of it is committed, or nothing.

        A cancelled caller does not cancel it.
        """
        return await self._shielded(self._write(work))

    async def read(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run `work`; each of its statements sees what is committed when it starts."""
        return await self._shielded(self._read(work))

    async def _write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        async with self._lock:
            async with _told(self._writer.begin()) as connection:
                transaction = Transaction(connection)
                result = await work(transaction)
            for publish in transaction.after_commit:
                publish()
            return result

    async def _read(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        async with _told(self._readers.connect()) as connection:
            return await work(connection)

    async def _shielded(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        # Looked at here too, because a cancelled caller no longer sees it.
        if not task.cancelled() and (error := task.exception()) is not None:
            log.debug("store: transaction rolled back: %r", error)
