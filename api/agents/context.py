"""What a configuration may refer to here, now: looked up in the store as far as it refers to it."""

import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from api.agents.templates import templates
from api.base.numbers import is_extension
from api.base.sip_uris import names_sip_uri, read_sip_uri
from api.base.text import SECRETS
from api.deployment import Deployment
from api.resources.agent_fields import AgentFields
from api.resources.calendar import CalendarConnection
from api.resources.tool_fields import CalendarTool, TransferTool
from api.resources.trunk import trunks_for
from api.settings import Settings
from api.store import Store
from models.registry import EngineRegistry


@dataclass(frozen=True)
class AgentContext:
    """What a configuration may refer to in this deployment, now."""

    settings: Settings
    engines: EngineRegistry
    numbers: frozenset[str]
    """The active caller numbers, E.164."""
    calendars: Mapping[str, CalendarConnection]
    """Calendar connections by id."""
    secrets: frozenset[str]
    """Names of the secrets."""
    destinations: frozenset[str] = frozenset()
    """The extensions and SIP URIs that it names and a trunk takes."""

    @property
    def sends_sms(self) -> bool:
        """Whether there is a way to send text messages."""
        return self.settings.sms.configured

    @property
    def sends_email(self) -> bool:
        """Whether there is a mail server."""
        return self.settings.smtp.configured


async def context_of(deployment: Deployment, config: AgentFields) -> AgentContext:
    """The context for one configuration."""
    store = deployment.store
    number = config.from_number
    active = number is not None and await store.numbers.is_active(number)
    return AgentContext(
        settings=deployment.settings,
        engines=deployment.engines,
        numbers=frozenset({number}) if number is not None and active else frozenset(),
        calendars=await store.calendars.some(_calendars(config)),
        secrets=frozenset(await store.secrets.sealed(_secrets(config))),
        destinations=await _destinations(store, config),
    )


async def _destinations(store: Store, config: AgentFields) -> frozenset[str]:
    transfers = [tool for tool in config.tools or () if isinstance(tool, TransferTool)]
    named = {tool.number: tool.number for tool in transfers if is_extension(tool.number)}
    for uri in {tool.number for tool in transfers if names_sip_uri(tool.number)}:
        with contextlib.suppress(ValueError):  # which is told where tools are checked
            named[uri] = read_sip_uri(uri)
    trunks = await store.trunks.list() if named else []
    return frozenset(one for one, meant in named.items() if trunks_for(meant, trunks))


def _calendars(config: AgentFields) -> Collection[str]:
    """Ids of the calendar connections that it names."""
    return {tool.connection_id for tool in config.tools or () if isinstance(tool, CalendarTool)}


def _secrets(config: AgentFields) -> Collection[str]:
    """Names of the secrets that it names."""
    named = {name for template in templates(config) for name in template.names}
    return {name.removeprefix(SECRETS) for name in named if name.startswith(SECRETS)}
