"""A job that one process on a shared store does at a time."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from api.store import StoreError
from api.store.leases import Leases

#: How long nobody does the job after the process that did it has died.
LEASE_S: Final = 15.0

log = logging.getLogger(__name__)


async def while_leased(
    leases: Leases,
    name: str,
    holder: str,
    work: Callable[[], Awaitable[None]],
    ttl_s: float = LEASE_S,
) -> None:
    """Do `work` whenever this process has the lease, until it returns, raises or is cancelled.

    It is cancelled when the lease is lost, and begun again when it is ours once more.

    Args:
        leases: of the store.
        name: of the lease.
        holder: this process.
        work: what to do.
        ttl_s: seconds that a lease lasts; it is renewed three times as often.
    """
    while True:
        if not await leases.take(name, holder, ttl_s):
            await asyncio.sleep(ttl_s / 3)
            continue
        working = asyncio.ensure_future(work())
        keeping = asyncio.create_task(_keep(leases, name, holder, ttl_s))
        try:
            await asyncio.wait((working, keeping), return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            log.warning("the lease %s is lost to another process", name)
        finally:
            for task in (working, keeping):
                task.cancel()
            await asyncio.gather(working, keeping, return_exceptions=True)
            with contextlib.suppress(StoreError):
                await leases.release(name, holder)


async def _keep(leases: Leases, name: str, holder: str, ttl_s: float) -> None:
    """Renew the lease; returns once it is lost, or may be."""
    renewed = time.monotonic()
    while True:
        await asyncio.sleep(ttl_s / 3)
        begun = time.monotonic()
        try:
            if not await leases.take(name, holder, ttl_s):
                return
        except StoreError:
            if begun - renewed > ttl_s / 2:
                return
        else:
            renewed = begun
