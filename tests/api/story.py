"""Calls told to the store from start to end, as the dialer and the runner tell them."""

import asyncio
import time
from typing import Any

from api.base.times import rfc3339
from api.resources.attempt import Ended
from api.resources.call import Call, NewCall
from api.resources.claim import Claim
from api.store import Store
from pbx.switch import Cause

NUMBER = "+15551234567"
OURS = "+15559876543"
NODE = "node-1"
#: A whole second, so that answers tell it as it was given.
TOMORROW = rfc3339(int(time.time()) + 86_400)
NORMAL = Cause("completed", "normal_clearing", "The call ended normally.", 16, 200, "a@b")
BUSY = Cause("busy", "user_busy", "The line was busy.", 17, 486, "c@d")


async def new_call(store: Store, **values: Any) -> Call:
    return await store.calls.create(NewCall(NUMBER, OURS, **({"prompt": "hi"} | values)))


async def claimed(store: Store, **values: Any) -> Claim:
    await new_call(store, **values)
    return await _claim(store)


async def _claim(store: Store) -> Claim:
    """Claim the oldest due call, as a dialer does."""
    (claimed,) = await claim_up_to(store, 1)
    return claimed


async def claim_up_to(store: Store, limit: int) -> list[Claim]:
    """Claim what is due, as a dialer with that many free slots does."""
    return list((await store.claims.take(limit, NODE)).claims)


async def woken(store: Store) -> None:
    """Return once there is news for the dialer."""
    async with asyncio.timeout(20):
        await store.claims.wait(None)


async def answered(store: Store, **values: Any) -> Call:
    call_id = (await claimed(store, **values)).call.id
    await store.calls.record_ringing(call_id, time.time())
    await store.calls.record_answered(call_id, time.time())
    return await store.calls.get(call_id)


async def completed(store: Store, **values: Any) -> Call:
    call = await answered(store, **values)
    return await store.calls.record_ended(call.id, Ended(time.time(), NORMAL, "agent_hangup"))
