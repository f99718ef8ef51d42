"""A real PostgreSQL for the tests: one server for the run, one fresh database for each test."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg

from api.egress.sealing import new_key
from api.settings import StoreSection
from api.store import Store

_DEBIAN = Path("/usr/lib/postgresql")
_TEMPLATE = "offhook_template"
PASSWORD = "sesame"
KEY = new_key()


def programs() -> Path | None:
    """The folder of the newest server's programs, or None."""
    found = sorted(_DEBIAN.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres")
    return None if on_path is None else Path(on_path).resolve().parent


class PostgresServer:
    """A server on a socket in a folder of its own, which ends with us.

    It may lose what it has when the machine stops (`fsync=off`), and is quick for it.
    """

    def __init__(self, folder: Path, bin_: Path) -> None:
        self._folder = folder
        self._bin = bin_
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        self._has_template = False

    def make(self) -> None:
        """Make the cluster."""
        password = self._folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        data = self._folder / "data"
        options = ("--no-sync", "--encoding=UTF8", "--locale=C", "--username=offhook")
        access = ("--auth=trust", f"--pwfile={password}", f"--pgdata={data}")
        program = [*_owner(), str(self._bin / "initdb"), *options, *access]
        subprocess.run(program, cwd=self._folder, check=True, capture_output=True, timeout=120)
        (data / "pg_hba.conf").write_text("local all guarded scram-sha-256\nlocal all all trust\n")

    def start(self) -> None:
        """Serve; returns once clients may come."""
        log = self._folder / "log"
        tied = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
        settings = ("listen_addresses=", "fsync=off", "full_page_writes=off", "max_connections=60")
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    *(*_owner(), *tied, str(self._bin / "postgres")),
                    *("-D", str(self._folder / "data"), "-k", str(self._folder)),
                    *(part for setting in settings for part in ("-c", setting)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._folder,
                start_new_session=True,
            )
        asked = [str(self._bin / "pg_isready"), "--quiet", f"--host={self._folder}"]
        patience = time.monotonic() + 60
        while subprocess.run(asked, check=False).returncode:
            if self._process.poll() is not None or time.monotonic() > patience:
                raise RuntimeError(f"PostgreSQL does not start: {log.read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self, *, crash: bool = False) -> None:
        """Throw every client out and end; a crash leaves the cluster as it is."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT if crash else signal.SIGINT)
        self._process.wait(60)

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


def _owner() -> tuple[str, ...]:
    """What runs a program as one who may own a server, which root may not."""
    if os.getuid():
        return ()
    return ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")


def at(url: str, **settings: Any) -> StoreSection:
    """The settings of a store there."""
    return StoreSection.model_validate({"url": url, "pool_size": 4, "seal_key": KEY} | settings)


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
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop(crash=True)
    finally:
        shutil.rmtree(folder)
