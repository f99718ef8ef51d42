"""A PostgreSQL database, which several processes may share: a pool, and a line for notices.

Transactions are READ COMMITTED; where two must not overlap, they lock rows or `serialize`.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import asyncpg
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry, NullPool

from api.store.database import (
    CollisionError,
    Database,
    StoreError,
    Topic,
    Transaction,
    migrate,
    strict_json,
    told,
)
from api.store.line import NoticeLine
from api.store.migrate import UnknownRevisionError

T = TypeVar("T")

#: The oldest release that its makers still mend.
OLDEST_VERSION: Final = 14
#: Longest random waits, in seconds, before a transaction that collided is run again.
_AGAIN_S: Final = (0.02, 0.1, 0.4, 1.0)
#: Past the server's own time limit by this much, the server is taken for gone.
_GRACE_S: Final = 5.0


@dataclass(frozen=True)
class Postgres:
    """Where a PostgreSQL database is, and how it is used."""

    url: str
    """`postgresql://user@host:5432/database`; may hold a password."""
    pool_size: int = 10
    timeout_s: float = 10.0
    """Longest wait for a connection, a lock or a statement."""


async def connect(config: Postgres, statement_s: float | None) -> asyncpg.Connection:
    """A new connection, with a time limit for its statements. Raises StoreError."""
    connection = await _dial(config, statement_s)
    version = connection.get_server_version()
    if version.major < OLDEST_VERSION:
        connection.terminate()
        raise StoreError(
            f"store.url: the server is PostgreSQL {version.major}; "
            f"Offhook needs {OLDEST_VERSION} or newer"
        )
    return connection


async def _dial(config: Postgres, statement_s: float | None) -> asyncpg.Connection:
    limit = "0" if statement_s is None else f"{round(statement_s * 1000)}ms"
    try:
        return await asyncpg.connect(
            config.url,
            timeout=config.timeout_s,
            command_timeout=None if statement_s is None else statement_s + _GRACE_S,
            server_settings={
                "application_name": "offhook",
                "statement_timeout": limit,  # with its waits for locks
                # A process that died on the way must not keep its locks.
                "idle_in_transaction_session_timeout": limit,
                "jit": "off",  # compiling costs more than our small statements
            },
        )
    except asyncpg.InvalidCatalogNameError as error:
        raise StoreError(
            f"store.url: {error}; make the database with createdb, or name another"
        ) from error
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise StoreError(
            f"store.url: PostgreSQL refuses the login ({error}); mend its user or password, "
            "or the server's pg_hba.conf"
        ) from error
    except TimeoutError as error:
        raise StoreError(
            f"store.url: PostgreSQL does not answer within {config.timeout_s:g} s; is its "
            "host right, and does a firewall let us through?"
        ) from error
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StoreError(f"store.url: cannot connect to PostgreSQL: {error}") from error


class PostgresDatabase(Database):
    """The database at `config.url`, which must exist; its tables are made when absent."""

    shared = True

    def __init__(self, config: Postgres) -> None:
        super().__init__()
        self._config = config
        self._writers = self._engine(
            config.timeout_s,
            poolclass=AsyncAdaptedQueuePool,
            pool_size=config.pool_size,
            max_overflow=0,
            pool_timeout=config.timeout_s,
        )
        self._readers = self._writers.execution_options(isolation_level="AUTOCOMMIT")
        self._line = NoticeLine(lambda: connect(config, config.timeout_s), self.notices)

    def _engine(self, statement_s: float | None, **options: Any) -> AsyncEngine:
        engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=lambda: connect(self._config, statement_s),
            hide_parameters=True,  # errors are logged, and callers' words are private
            json_serializer=strict_json,
            **options,
        )

        def taken(connection: Any, _record: ConnectionPoolEntry, _proxy: Any) -> None:
            # The server may have been restarted since; the pool then connects anew.
            if connection.driver_connection.is_closed():
                raise DisconnectionError

        event.listen(engine.sync_engine, "checkout", taken)
        return engine

    async def open(self) -> None:
        """Connect, migrate, listen for notices."""
        try:
            await self._migrate()
            await self._line.open()
        except Exception:
            await self.close()
            raise

    async def _migrate(self) -> None:
        # Another process may be migrating, and a large table takes its time.
        patient = self._engine(None, poolclass=NullPool)
        try:
            await self._transact(patient, migrate)
        except UnknownRevisionError as error:
            raise StoreError(f"store.url: the database cannot be used: {error}") from error
        finally:
            await patient.dispose()

    async def _disconnect(self) -> None:
        await self._line.close()
        await self._writers.dispose()

    async def scrub(self) -> bool:
        """Nothing: PostgreSQL's own vacuum and checkpoints do it."""
        return True

    def tell_others(self, topic: Topic, payload: str) -> None:
        self._line.tell(topic, payload)

    async def _write(self, work: Callable[[Transaction], Coroutine[Any, Any, T]]) -> T:
        for longest_s in _AGAIN_S:
            with contextlib.suppress(CollisionError):
                return await self._transact(self._writers, work)
            await asyncio.sleep(random.uniform(0, longest_s))
        return await self._transact(self._writers, work)

    async def _transact(
        self, engine: AsyncEngine, work: Callable[[Transaction], Coroutine[Any, Any, T]]
    ) -> T:
        """One transaction, and what follows its commit."""
        async with told(), engine.begin() as connection:
            transaction = Transaction(connection, self)
            result = await work(transaction)
        for publish in transaction.after_commit:
            publish()
        return result

    async def _read(self, work: Callable[[AsyncConnection], Coroutine[Any, Any, T]]) -> T:
        async with told(), self._readers.connect() as connection:
            return await work(connection)
