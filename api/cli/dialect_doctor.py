"""What `offhook doctor --dialect` sees: the engines and the store as a request meets them."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

import httpx

from api.calls.engines import engine_registry
from api.cli.doctor import store_exists
from api.compat.doctor import Installation, Need, examine
from api.egress.guarded_http import guarded_client
from api.egress.policy import EgressError, EgressPolicy
from api.main import engine_config
from api.resources.dialect import Dialect
from api.settings import Settings, Webhooks
from api.store import Store, StoreError
from api.store.pages import each_page
from models.load import LoadedEngines, load_engines
from models.registry import EngineRegistry
from models.trial import try_engines
from voice_loop.ports import EngineError

#: Most receivers that are asked whether they are there, and how long each has to answer.
_MAX_RECEIVERS: Final = 16
_ANSWER_S: Final = 5.0


async def needs_of(settings: Settings, dialect: Dialect) -> list[Need]:
    """Everything that a stock client needs; raises nothing that a setting can cause."""
    try:
        loaded = await asyncio.to_thread(_load, settings)
        try:
            async with engine_registry(settings, loaded) as engines:
                return examine(dialect, await _installation(settings, engines))
        finally:
            await asyncio.to_thread(loaded.close)
    except EngineError as error:
        return [Need("models", ok=False, message=str(error), command="offhook doctor")]
    except StoreError as error:
        return [Need("store", ok=False, message=str(error), command="offhook doctor")]


async def _installation(settings: Settings, engines: EngineRegistry) -> Installation:
    """What there is here; raises StoreError. No store is made where there is none (yet)."""
    if not store_exists(settings.store):
        return Installation(settings, engines, numbers=settings.calls.numbers)
    store = await Store.open(settings.store)
    try:
        keys = await store.keys.list()
        urls = await _receivers(store)
        return Installation(
            settings,
            engines,
            numbers=await _numbers(store, settings),
            keys=frozenset(key.dialect for key in keys if key.revoked_at is None),
            calendars=len((await store.calendars.page(limit=1)).items),
            receivers=await _faults(settings.webhooks, urls[:_MAX_RECEIVERS]),
            unasked=tuple(urls[_MAX_RECEIVERS:]),
        )
    finally:
        await store.close()


def _load(settings: Settings) -> LoadedEngines:
    config = engine_config(settings)
    try_engines(config)
    return load_engines(config)


async def _numbers(store: Store, settings: Settings) -> tuple[str, ...]:
    """The active caller numbers, the oldest first; those of the settings that the server adds when
    it starts are last."""
    stored = [
        number
        async for page in each_page(lambda cursor: store.numbers.page(limit=200, cursor=cursor))
        for number in page
    ]
    known = {number.number for number in stored}
    active = [number.number for number in stored if number.status == "active"]
    return (*active, *(number for number in settings.calls.numbers if number not in known))


async def _receivers(store: Store) -> list[str]:
    """The webhook URLs of agents and of enabled endpoints, each once."""
    urls = [one.url for one in await store.endpoints.list() if one.status == "enabled"]
    async for page in each_page(lambda cursor: store.agents.page(limit=200, cursor=cursor)):
        urls += [agent.config["webhook_url"] for agent in page if agent.config.get("webhook_url")]
    return list(dict.fromkeys(urls))


async def _faults(settings: Webhooks, urls: Iterable[str]) -> Mapping[str, str | None]:
    """Why each receiver cannot be reached, None where it answers at all."""
    policy = EgressPolicy(settings)
    async with guarded_client(policy, _MAX_RECEIVERS, {"User-Agent": "Offhook"}) as client:

        async def fault(url: str) -> str | None:
            try:
                async with asyncio.timeout(_ANSWER_S):
                    await client.head(url)
            except TimeoutError:
                return f"does not answer within {_ANSWER_S:g} s"
            except (EgressError, OSError, httpx.HTTPError) as error:
                return str(error) or type(error).__name__
            return None

        named = list(urls)
        return dict(zip(named, await asyncio.gather(*map(fault, named)), strict=True))
