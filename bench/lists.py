"""Lists of calls over HTTP when a million are stored, against the same lists when few are.

    python -m bench.lists [--stored 1000000] [--json]

Two servers run, one over each store, and are asked in turns by a client in a process of its own.
"""

import argparse
import asyncio
import contextlib
import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from api.resources.attempt import Ended
from api.store import Store
from api.store.cursors import encode_cursor
from api.store.tables import calls
from bench.ledger import NEW, ROUNDS, opened, quantiles, serving
from bench.wire import Client, request
from pbx.switch import Cause

ENDED: Final = Cause("completed", "normal_clearing", "The call ended normally.", 16, 200, "a@b")
FEW: Final = 10_000
LISTS: Final = 200
"""Requests for each kind of list."""
#: Of a hundred stored calls so many ended so; the others were completed.
SHARES: Final = {"no_answer": 15, "busy": 8, "failed": 6, "canceled": 1}


@dataclass(frozen=True)
class Listing:
    """One kind of list."""

    what: str
    p50_ms: float
    p99_ms: float
    times_few: float
    """p50 with all calls stored, in multiples of that with `FEW`."""


async def lists(folder: Path, stored: int) -> list[Listing]:
    """Every kind of list, with few calls and with many, in turns."""
    found = []
    async with AsyncExitStack() as stack:
        client = stack.enter_context(contextlib.closing(Client()))
        servers = []
        for count in (FEW, stored):
            path = folder / f"{count}.db"
            store = await opened(stack, path)
            await _one_completed(store)
            await asyncio.to_thread(_fill, path, count)
            servers.append(await stack.enter_async_context(serving(store)))
        few, many = servers
        for what in _queries(FEW):
            took: dict[int, list[float]] = {FEW: [], stored: []}
            for _ in range(ROUNDS):
                for count, (port, key) in ((FEW, few), (stored, many)):
                    asked_for = f"/v1/calls?limit=20{_queries(count)[what]}"
                    asked = [request("GET", asked_for, key)] * (LISTS // ROUNDS)
                    took[count] += (await client.ask(port, asked, 1)).took
            usual, _ = quantiles(took[FEW])
            p50, p99 = quantiles(took[stored])
            found.append(Listing(what, p50, p99, p50 / usual))
    return found


def _queries(count: int) -> dict[str, str]:
    """What is asked for beyond the first page, as ends of the query string."""
    deep = encode_cursor(count / 10, "f")
    return {
        "first page": "",
        "deep page": f"&cursor={deep}",
        "a common status": "&status=completed",
        "a rare status": "&status=canceled",
        "a status, deep": f"&status=busy&cursor={deep}",
        "a number": "&to_number=%2B15550000042",
    }


async def _one_completed(store: Store) -> None:
    """The call that all others are copies of."""
    call = await store.calls.create(NEW)
    await store.claims.take(1, "bench")
    await store.calls.record_answered(call.id, time.time())
    await store.calls.record_ended(call.id, Ended(time.time(), ENDED, "agent_hangup"))


def _fill(path: Path, count: int) -> None:
    """Copy the first call until there are `count`, created a second apart, to 500 numbers."""
    shares, cases = 0, []
    for status, share in SHARES.items():
        shares += share
        cases.append(f"WHEN n % 100 < {shares} THEN '{status}'")
    changed = {
        "id": "printf('%08x-0000-4000-8000-000000000000', n)",
        "created_at": "CAST(n AS REAL)",
        "updated_at": "CAST(n AS REAL)",
        "to_number": "printf('+1555%07d', n % 500)",
        "status": f"CASE {' '.join(cases)} ELSE 'completed' END",
    }
    names = [f'"{column.name}"' for column in calls.columns]
    values = [changed.get(column.name, f'first."{column.name}"') for column in calls.columns]
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-262144")
        (there,) = connection.execute("SELECT count(*) FROM calls").fetchone()
        connection.execute(
            f"INSERT INTO calls ({', '.join(names)}) "
            "WITH RECURSIVE numbered(n) AS (SELECT ? UNION ALL SELECT n + 1 FROM numbered "
            f"WHERE n + 1 < ?) SELECT {', '.join(values)} FROM numbered, "
            "(SELECT * FROM calls ORDER BY created_at DESC LIMIT 1) AS first",
            (there, count),
        )
        connection.commit()


def report(found: Sequence[Listing], stored: int) -> str:
    """The figures as a table."""
    head = f"lists, {stored} calls stored"
    lines = [f"{head:<31}{'p50 ms':>9}{'p99 ms':>9}{f'× {FEW}':>9}"]
    lines += [
        f"{one.what:<31}{one.p50_ms:>9.2f}{one.p99_ms:>9.2f}{one.times_few:>9.2f}" for one in found
    ]
    return "\n".join(lines)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stored", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(lists(Path(folder), options.stored))
    if options.json:
        lists_ = [asdict(one) for one in found]
        sys.stdout.write(json.dumps({"stored": options.stored, "lists": lists_}) + "\n")
    else:
        sys.stdout.write(report(found, options.stored) + "\n")


if __name__ == "__main__":
    main()
