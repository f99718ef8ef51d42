"""Jobs that one process on a shared store does at a time."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from api.settings import StoreSection
from api.store import Store
from api.store.leased import while_leased
from api.store.leases import Leases
from api.webhooks.deliverer import WebhookDeliverer
from tests.api.receiver import receiving
from tests.api.story import completed
from tests.api.webhooks.test_deliverer import SECRET, settled, webhooks

TTL_S = 2.0


@asynccontextmanager
async def process(store: Store, name: str) -> AsyncIterator[asyncio.Task[None]]:
    """Another server's deliverer on the same store."""
    deliverer = WebhookDeliverer(store, webhooks(secret=SECRET, retry_schedule_s=[0.05] * 20))
    task = asyncio.create_task(
        while_leased(store.leases, "webhooks", name, deliverer.run, ttl_s=TTL_S)
    )
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.mark.both_stores
async def test_one_process_delivers_and_another_takes_over_when_it_stops_or_died(
    where: StoreSection,
) -> None:
    """CB-119: each event goes out once, though both processes could send it. Only what is under
    way at a stop, sent and not booked yet, may come twice, with the same id."""
    one, other = await Store.open(where), await Store.open(where)
    try:
        await one.leases.take("webhooks", "dead", 0.1)
        async with receiving() as receiver, process(one, "one") as first:
            await completed(one, webhook_url=receiver.url)
            await receiver.wait(4)
            async with process(other, "other"):
                call = await completed(other, webhook_url=receiver.url)
                if one.shared:  # where they share a store, they tell each other
                    await settled(other, call, "delivered")
                    assert len(receiver.got) == 8
                first.cancel()
                await settled(other, call, "delivered")
                again = await completed(other, webhook_url=receiver.url)
                await settled(other, again, "delivered")
            ids = [request.headers["webhook-id"] for request in receiver.got]
            assert len(set(ids)) == 12
            assert len(ids) <= 13
    finally:
        await one.close()
        await other.close()


async def test_the_work_stops_when_the_lease_is_lost_and_begins_again(store: Store) -> None:
    began: asyncio.Queue[str] = asyncio.Queue()

    async def work() -> None:
        began.put_nowait("began")
        try:
            await asyncio.sleep(3600)
        finally:
            began.put_nowait("ended")

    now = [time.time()]
    leases = Leases(store.database, lambda: now[0])
    task = asyncio.create_task(while_leased(leases, "x", "me", work, ttl_s=TTL_S))
    try:
        async with asyncio.timeout(20):
            assert await began.get() == "began"
            assert not await leases.take("x", "you", TTL_S)
            now[0] += 10 * TTL_S
            while not await leases.take("x", "you", 1000 * TTL_S):
                now[0] += 10 * TTL_S  # it had been renewed in between
            assert await began.get() == "ended"
            await leases.release("x", "you")
            assert await began.get() == "began"
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert await leases.take("x", "you", TTL_S)


async def test_a_fault_of_the_work_is_told_and_the_lease_given_back(store: Store) -> None:
    async def work() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await while_leased(store.leases, "x", "me", work)
    assert await store.leases.take("x", "you", 1)
