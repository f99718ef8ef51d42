"""A real PostgreSQL for the tests: one server for the run, one fresh database for each test."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg

from api.settings import StoreSection
from api.store import Store

_DEBIAN = Path("/usr/lib/postgresql")
_TEMPLATE = "offhook_template"
PASSWORD = "sesame"


def programs() -> Path | None:
    """The folder of the newest server's programs, or None."""
    found = sorted(_DEBIAN.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres")
    return None if on_path is None else Path(on_path).resolve().parent


class PostgresServer:
    """A server on a socket in a folder of its own; nothing of it outlives the run.

    It may lose what it has when the machine stops (`fsync=off`), and is quick for it.
    """

    def __init__(self, folder: Path, bin_: Path) -> None:
        self._folder = folder
        self._bin = bin_
        self._databases = 0
        self._has_template = False

    def start(self) -> None:
        """Make the cluster and start it."""
        password = self._folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        self._run(
            "initdb",
            *("--no-sync", "--encoding=UTF8", "--locale=C", "--username=offhook"),
            *("--auth=trust", f"--pwfile={password}", f"--pgdata={self._folder / 'data'}"),
        )
        access = self._folder / "data" / "pg_hba.conf"
        access.write_text("local all guarded scram-sha-256\nlocal all all trust\n")
        self._control("start")

    def restart(self, mode: str = "fast") -> None:
        """Throw every client out, and come back. `immediate` is a crash."""
        self._control("restart", "-m", mode)

    def stop(self) -> None:
        self._control("stop", "-m", "immediate")

    def serve_again(self) -> None:
        """Start after `stop`."""
        self._control("start")

    def url(self, database: str, user: str = "offhook", password: str | None = None) -> str:
        login = user if password is None else f"{user}:{password}"
        return f"postgresql://{login}@/{database}?host={quote(str(self._folder), safe='')}"

    @contextlib.asynccontextmanager
    async def database(self, *, migrated: bool = True) -> AsyncIterator[str]:
        """The URL of a fresh database: a copy of one that was migrated, or an empty one."""
        if migrated and not self._has_template:
            await self.execute(f"CREATE DATABASE {_TEMPLATE}")
            store = await Store.open(at(self.url(_TEMPLATE)))
            await store.close()
            self._has_template = True
        self._databases += 1
        name = f"test_{self._databases}"
        template = _TEMPLATE if migrated else "template0"
        await self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield self.url(name)
        await self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def execute(self, statement: str, database: str = "postgres") -> None:
        connection = await asyncpg.connect(self.url(database))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def _control(self, action: str, *options: str) -> None:
        settings = (
            f"-k {self._folder}",
            *("-c listen_addresses=", "-c fsync=off", "-c full_page_writes=off"),
            *("-c max_connections=60", "-c shared_buffers=16MB"),
        )
        started = (
            [] if action == "stop" else ["-l", str(self._folder / "log"), "-o", " ".join(settings)]
        )
        self._run(
            "pg_ctl", action, "-w", "-s", "-D", str(self._folder / "data"), *started, *options
        )

    def _run(self, program: str, *arguments: str) -> None:
        """Run a program of the server as its owner: it refuses to run as root."""
        owner = (
            []
            if os.getuid()
            else ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        )
        done = subprocess.run(
            [*owner, str(self._bin / program), *arguments],
            stdout=subprocess.PIPE if program == "initdb" else subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            log = self._folder / "log"
            told = log.read_text() if log.exists() else done.stdout or ""
            raise RuntimeError(f"{program} failed: {told[-2000:]}")


def at(url: str, **settings: Any) -> StoreSection:
    """The settings of a store there."""
    return StoreSection.model_validate({"url": url, "pool_size": 4} | settings)


@contextlib.contextmanager
def running(bin_: Path) -> Iterator[PostgresServer]:
    """A server for the time of the `with`."""
    # Open to the server's owner, short because the socket lies in it, and in memory if possible.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="offhook-pg-", dir=memory))
    try:
        if not os.getuid():
            owner = pwd.getpwnam("postgres")
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        server = PostgresServer(folder, bin_)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
