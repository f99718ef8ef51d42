"""What a configuration may refer to here, now: looked up in the store as far as it refers to it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from api.agents.templates import templates
from api.base.text import SECRETS
from api.deployment import Deployment
from api.egress.policy import EgressPolicy
from api.resources.agent_fields import AgentFields
from api.resources.calendar import CalendarConnection
from api.resources.tool_fields import CalendarTool
from api.settings import Settings

EngineKind = Literal["llm", "voice", "transcriber"]


@dataclass(frozen=True)
class AgentContext:
    """What a configuration may refer to in this deployment, now."""

    settings: Settings
    languages: frozenset[str]
    """Those that the loaded models speak."""
    engine_problem: Callable[[EngineKind, str | None, str | None], str | None]
    """Why there is no engine of this name, or none at all, for a language; None if there is."""
    webhook_url: Callable[[str], object]
    """Raises EgressError for a URL that webhooks may not go to."""
    tool_url: Callable[[str], object]
    """The same for tools."""
    model_url: Callable[[str], object]
    """The same for a language model of one's own."""
    prompt_problem: Callable[[str | None, str], str | None] = lambda *_: None
    """Why a language model has no room for a conversation after these instructions; None if it
    has."""
    numbers: frozenset[str] = frozenset()
    """The active caller numbers, E.164."""
    calendars: Mapping[str, CalendarConnection] = field(default_factory=dict)
    """Calendar connections by id."""
    secrets: frozenset[str] = frozenset()
    """Names of the secrets."""

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
    store, settings, engines = deployment.store, deployment.settings, deployment.engines
    number = config.from_number
    active = number is not None and await store.numbers.is_active(number)
    return AgentContext(
        settings=settings,
        languages=engines.languages,
        engine_problem=engines.problem,
        prompt_problem=engines.prompt_problem,
        webhook_url=EgressPolicy(settings.webhooks).check_url,
        tool_url=EgressPolicy(settings.tools).check_url,
        model_url=EgressPolicy.of_models(settings).check_url,
        numbers=frozenset({number}) if number is not None and active else frozenset(),
        calendars=await store.calendars.some(_calendars(config)),
        secrets=frozenset(await store.secrets.sealed(_secrets(config))),
    )


def _calendars(config: AgentFields) -> Collection[str]:
    """Ids of the calendar connections that it names."""
    return {tool.connection_id for tool in config.tools or () if isinstance(tool, CalendarTool)}


def _secrets(config: AgentFields) -> Collection[str]:
    """Names of the secrets that it names."""
    named = {name for template in templates(config) for name in template.names}
    return {name.removeprefix(SECRETS) for name in named if name.startswith(SECRETS)}
