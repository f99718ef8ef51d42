"""Campaigns at work: the real pacer on a real store."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from api.http.services import Check, Services
from api.orders.campaigns import CampaignFeeder
from api.resources.campaign import Campaign, Contact, NewCampaign, NewContact, Report
from api.settings import load_settings
from api.store import Store
from tests.api.conftest import SEAL, SETTINGS
from tests.api.played_engines import played_engines

NUMBERS = [f"+1555010{index:04}" for index in range(1000)]


async def services_of(store: Store) -> Services:
    """What a pacer is given."""

    async def health() -> dict[str, Check]:
        return {}

    settings = load_settings(None, SETTINGS)
    await store.numbers.seed(settings.pbx.trunk, settings.calls.numbers)
    return Services(settings, store, played_engines("en"), SEAL, health)


async def campaign(
    store: Store,
    numbers: Sequence[str] | int = 5,
    *,
    max_concurrent: int = 2,
    launch: bool = True,
    **template: Any,
) -> Campaign:
    """A campaign with those numbers, or so many."""
    listed = NUMBERS[:numbers] if isinstance(numbers, int) else numbers
    new = NewCampaign("Recalls", {"prompt": "hi"} | template, max_concurrent, launch)
    return await store.campaigns.create(new, [NewContact(number) for number in listed])


@contextlib.asynccontextmanager
async def pacing(*services: Services) -> AsyncIterator[None]:
    """A pacer at work for each of `services`; stopped at the end."""
    tasks = [asyncio.create_task(CampaignFeeder(one).run()) for one in services]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(result, asyncio.CancelledError), result


async def eventually(store: Store, campaign_id: str, check: Callable[[Report], bool]) -> Report:
    """The campaign, once it is as it should be."""
    report = await store.campaigns.get(campaign_id)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(60):
            while not check(report):
                await asyncio.sleep(0.03)
                report = await store.campaigns.get(campaign_id)
    assert check(report), report
    return report


async def idle(store: Store) -> None:
    """Return when the pacer has seen all news and done what there was to do."""
    for _ in range(3):
        store.pacing.wake()
        await asyncio.sleep(0.05)


async def contacts(store: Store, campaign_id: str) -> list[Contact]:
    return list((await store.campaigns.contacts(campaign_id, limit=1000)).items)
