"""One SQLite file: a single writer and a few readers.

aiosqlite runs each connection in a thread of its own, and a connection shared by tasks mixes
their transactions. So all writes queue for one connection under `BEGIN IMMEDIATE`.
"""

import asyncio
import fcntl
import logging
import os
import sqlite3
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

from api.base.private_files import keep_private
from api.store.connection import OneTurnConnection, connect
from api.store.database import Database, StoreError, Topic, Transaction, migrate, strict_json, told

T = TypeVar("T")

BUSY_TIMEOUT_MS = 5000
READERS = 4

log = logging.getLogger(__name__)


class SqliteDatabase(Database):
    """The file at `path`, made when absent."""

    shared = False

    def __init__(self, path: Path, *, exclusive: bool = False) -> None:
        """
        Args:
            path: the file.
            exclusive: refuse to open it while somebody else has it open so: two servers on one
                file would not hear of each other.
        """
        super().__init__()
        self._path = path
        self._exclusive = exclusive
        self._locked: int | None = None
        self._lock = asyncio.Lock()
        self._writer = self._engine(1, "query_only=OFF")
        # Each of a read's statements is a snapshot by itself, without BEGIN and COMMIT.
        self._readers = self._engine(READERS, "query_only=ON", isolation_level="AUTOCOMMIT")

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
            pool_reset_on_return=None,  # every transaction is ended by who began it
            hide_parameters=True,  # errors are logged, and callers' words are private
            json_serializer=strict_json,
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
                "secure_delete=ON",  # what is erased is gone from the file, however it was built
                mode,
            ):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

        event.listen(engine.sync_engine, "connect", connected)
        return engine

    async def open(self) -> None:
        """Make the folder and the file where absent (private to the user), migrate it."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._path.touch(mode=0o600, exist_ok=True)
            for suffix in ("", "-wal", "-shm"):
                keep_private(self._path.with_name(self._path.name + suffix))
            if self._exclusive:
                self._locked = lock_store(self._path)
        except BlockingIOError as error:
            raise StoreError(
                f"store.path {self._path} is in use by another server; stop that one, or share "
                "a PostgreSQL database with `store.url`"
            ) from error
        except OSError as error:
            raise StoreError(
                f"store.path {self._path}: {error.strerror}; name a file that this user can write"
            ) from error
        try:
            await self.write(migrate)
        except Exception as error:
            await self.close()
            raise StoreError(
                f"store.path {self._path} cannot be used as Offhook's SQLite file: {error}"
            ) from error

    async def scrub(self) -> bool:
        """Write the file anew, and cut the write-ahead log to nothing: it holds pages as they were.

        `secure_delete` overwrites rows where they stood last, and not where they stood before
        their page was split or joined. Writers wait meanwhile, so a command leaves it to the server
        beside it.
        """
        if held := self._locked is None:
            try:
                self._locked = lock_store(self._path)
            except BlockingIOError:
                return False
        try:
            async with self._lock, told(), self._writer.connect() as connection:
                driver = (await connection.get_raw_connection()).driver_connection
                assert isinstance(driver, OneTurnConnection)
                return await driver.in_thread(_rewrite)
        except sqlite3.OperationalError as error:  # no room for a copy, or somebody reads it
            log.warning("store.path %s cannot be written anew yet: %s", self._path, error)
            return False
        finally:
            if held:
                self._unlock_file()

    def tell_others(self, topic: Topic, payload: str) -> None:
        """Nobody: one server has the file, and a command beside it does not wait for news."""

    async def _disconnect(self) -> None:
        await self._readers.dispose()
        await self._writer.dispose()
        self._unlock_file()

    def _unlock_file(self) -> None:
        if self._locked is not None:
            os.close(self._locked)
            self._locked = None

    async def _write(self, work: Callable[[Transaction], Coroutine[Any, Any, T]]) -> T:
        after_commit: list[Callable[[], None]] = []

        async def transact(connection: AsyncConnection) -> T:
            async with connection.begin():
                return await work(Transaction(connection, self, after_commit))

        async with self._lock:
            result = await self._one_turn(self._writer, transact)
            for publish in after_commit:
                publish()
        return result

    async def _read(self, work: Callable[[AsyncConnection], Coroutine[Any, Any, T]]) -> T:
        return await self._one_turn(self._readers, work)

    async def _one_turn(
        self, engine: AsyncEngine, work: Callable[[AsyncConnection], Coroutine[Any, Any, T]]
    ) -> T:
        async with told(), engine.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert isinstance(driver, OneTurnConnection)
            return await driver.one_turn(work(connection))


def lock_store(path: Path) -> int:
    """Take the store at `path` for a server alone; to be closed at the end. Raises OSError, and
    BlockingIOError while another one has it."""
    # Not on the database itself: closing any descriptor of that would drop SQLite's own locks.
    lock = path.with_name(f"{path.name}.lock")
    descriptor = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _rewrite(connection: sqlite3.Connection) -> bool:
    connection.execute("VACUUM")
    (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy
