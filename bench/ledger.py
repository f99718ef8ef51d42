"""The ledger: calls created per second.

    python -m bench.ledger [--creates 2000] [--json]

Calls are created in the store itself, then through real HTTP as `offhook serve` embeds it, the
client being a process of its own. The limit that they are compared with is bare SQLite on the same
disk, which commits one small row at a time.
"""

import argparse
import asyncio
import contextlib
import json
import sqlite3
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from api.compat.endpoints import ENDPOINTS
from api.egress.sealing import Seal, new_key
from api.http.app import create_app
from api.http.server import http_server, listen
from api.http.services import Check, Services
from api.resources.call import NewCall
from api.settings import load_settings
from api.store import Store
from bench.wire import HOST, Asked, Client, request
from tests.api.played_engines import played_engines

BODY: Final = json.dumps(
    {
        "to": "+15551234567",
        "prompt": "Confirm the dental appointment.",
        "context": {"patient": "Maria Lopez", "day": "Monday"},
        "returns": {"confirmed": "boolean"},
        "metadata": {"order": "7"},
    }
).encode()
NEW: Final = NewCall(
    "+15551234567",
    "+15559876543",
    "Confirm the dental appointment.",
    context={"patient": "Maria Lopez", "day": "Monday"},
    returns={"confirmed": "boolean"},
    metadata={"order": "7"},
)
CLIENTS: Final = 16
ROUNDS: Final = 5
"""What is compared is done in turns, that many."""
SETTINGS: Final = {
    "OFFHOOK_CALLS__NUMBERS": "+15559876543",
    "OFFHOOK_CALLS__MAX_CALLS_PER_NUMBER_PER_DAY": "0",
    "OFFHOOK_SERVER__RATE_LIMIT_PER_MINUTE": "0",
}


@dataclass(frozen=True)
class Rate:
    """How fast something was done."""

    what: str
    per_s: float
    p50_ms: float
    p99_ms: float


async def _healthy() -> Mapping[str, Check]:
    return {}


@asynccontextmanager
async def serving(store: Store) -> AsyncIterator[tuple[int, str]]:
    """The API over `store`: its port, and a key."""
    settings = load_settings(None, SETTINGS)
    services = Services(settings, store, played_engines("en"), Seal(new_key()), _healthy)
    _, key = await store.keys.create("bench")
    await store.numbers.seed(settings.pbx.trunk, settings.calls.numbers)
    with contextlib.closing(listen(HOST, 0)) as listener:
        async with http_server(create_app(services, ENDPOINTS), listener):
            yield listener.getsockname()[1], key


async def creates(folder: Path, count: int) -> list[Rate]:
    """Bare SQLite, the store, and HTTP; in turns, because the machine is not always as fast."""
    walls: dict[str, float] = defaultdict(float)
    took: dict[str, list[float]] = defaultdict(list)
    async with AsyncExitStack() as stack:
        client = stack.enter_context(contextlib.closing(Client()))
        bare = stack.enter_context(contextlib.closing(_bare_database(folder / "bare.db")))
        store = await opened(stack, folder / "creates.db")
        port, key = await stack.enter_async_context(serving(store))
        asked = [request("POST", "/v1/calls", key, BODY)] * (count // ROUNDS)
        for _ in range(ROUNDS):
            for what, done in (
                ("bare SQLite", await asyncio.to_thread(_commit, bare, len(asked))),
                ("store", await _create(store, len(asked))),
                ("HTTP", await client.ask(port, asked, CLIENTS)),
            ):
                took[what] += done.took
                walls[what] += done.wall
    return [Rate(what, count / walls[what], *quantiles(took[what])) for what in took]


def _bare_database(path: Path) -> sqlite3.Connection:
    """As safe on disk as the store's."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE rows (body BLOB)")
    return connection


def _commit(connection: sqlite3.Connection, count: int) -> Asked:
    """One small row for each commit."""
    took = []
    for _ in range(count):
        begun = time.perf_counter()
        connection.execute("INSERT INTO rows VALUES (?)", (BODY,))
        took.append(time.perf_counter() - begun)
    return Asked(took, sum(took))


async def _create(store: Store, count: int) -> Asked:
    """`CLIENTS` at a time, as over HTTP."""
    left = iter(range(count))
    took = []

    async def create_some() -> None:
        for _ in left:
            begun = time.perf_counter()
            await store.calls.create(NEW)
            took.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    await asyncio.gather(*(create_some() for _ in range(CLIENTS)))
    return Asked(took, time.perf_counter() - begun)


def quantiles(took: Sequence[float]) -> tuple[float, float]:
    """Median and 99th percentile in milliseconds."""
    p50, p99 = np.percentile(took, [50, 99])
    return float(p50) * 1000, float(p99) * 1000


async def opened(stack: AsyncExitStack, path: Path) -> Store:
    """A store that is closed with `stack`."""
    store = await Store.open(path)
    stack.push_async_callback(store.close)
    return store


def report(rates: Sequence[Rate]) -> str:
    """The figures as a table."""
    bare = rates[0].per_s
    lines = [f"{'calls created by':<18}{'per s':>9}{'p50 ms':>9}{'p99 ms':>9}{'of bare':>9}"]
    lines += [
        f"{one.what:<18}{one.per_s:>9.0f}{one.p50_ms:>9.2f}{one.p99_ms:>9.2f}"
        f"{one.per_s / bare:>9.3f}"
        for one in rates
    ]
    return "\n".join(lines)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--creates", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rates = asyncio.run(creates(Path(folder), options.creates))
    told = json.dumps([asdict(one) for one in rates]) if options.json else report(rates)
    sys.stdout.write(told + "\n")


if __name__ == "__main__":
    main()
