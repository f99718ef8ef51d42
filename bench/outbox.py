"""Webhook deliveries per second: from the outbox over real HTTP, signed and booked.

    python -m bench.outbox [--deliveries 1000] [--json]

The receivers are a process of their own and answer at once. The limit that the deliverer is
compared with is its own HTTP client, which sends the same bodies, as many at a time, without
outbox, signature and booking.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import httpx

from api.settings import Webhooks
from api.store import Store
from api.webhooks.deliverer import WebhookDeliverer
from bench.ledger import BODY, NEW
from bench.wire import HOST, receivers

#: More than `webhooks.concurrency` / `webhooks.per_host`, so that all places are taken.
RECEIVERS: Final = 8
SETTINGS: Final = Webhooks.model_validate({"allow_http": True, "allowed_networks": ["127.0.0.0/8"]})


@dataclass(frozen=True)
class Result:
    """One run, in deliveries per second."""

    deliveries: int
    bare_client_per_s: float
    outbox_per_s: float


async def bare_client(urls: Sequence[str], count: int) -> float:
    """Requests per second of the deliverer's kind of client."""
    left = iter(range(count))
    limits = httpx.Limits(max_keepalive_connections=0)

    async def send_some(client: httpx.AsyncClient) -> None:
        for number in left:
            await client.post(urls[number % len(urls)], content=BODY)

    async with httpx.AsyncClient(trust_env=False, limits=limits) as client:
        begun = time.perf_counter()
        await asyncio.gather(*(send_some(client) for _ in range(SETTINGS.concurrency)))
        return count / (time.perf_counter() - begun)


async def from_outbox(store: Store, urls: Sequence[str], count: int) -> float:
    """Deliveries per second of the deliverer, all of them due at its start."""
    for number in range(count):
        await store.calls.create(replace(NEW, webhook_url=urls[number % len(urls)]))
    deliverer = WebhookDeliverer(store, SETTINGS)
    begun = time.perf_counter()
    delivering = asyncio.create_task(deliverer.run())
    try:
        while (await store.deliveries.page(limit=1, status="pending")).items:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    finally:
        wall = time.perf_counter() - begun
        delivering.cancel()
        await asyncio.gather(delivering, return_exceptions=True)
    failed = await store.deliveries.page(limit=1, status="exhausted")
    if failed.items:
        raise RuntimeError(f"a delivery failed: {failed.items[0].last_error}")
    return count / wall


async def measure(count: int) -> Result:
    """Both ways."""
    with receivers(RECEIVERS) as ports, tempfile.TemporaryDirectory() as folder:
        urls = [f"http://{HOST}:{port}/hook" for port in ports]
        store = await Store.open(Path(folder) / "outbox.db")
        try:
            bare_per_s = await bare_client(urls, count)
            return Result(count, bare_per_s, await from_outbox(store, urls, count))
        finally:
            await store.close()


def report(one: Result) -> str:
    """The figures as a line."""
    return (
        f"{one.deliveries} deliveries to {RECEIVERS} receivers: {one.outbox_per_s:.0f} per s from "
        f"the outbox, {one.bare_client_per_s:.0f} by the bare client: "
        f"{one.outbox_per_s / one.bare_client_per_s:.2f} of the limit"
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--deliveries", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = asyncio.run(measure(options.deliveries))
    sys.stdout.write((json.dumps(asdict(result)) if options.json else report(result)) + "\n")


if __name__ == "__main__":
    main()
