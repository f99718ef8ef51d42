"""What a configuration may refer to here, now: looked up in the store as far as it refers to it."""

from collections.abc import Collection

from api.agents.checks import Ground
from api.agents.config import AgentFields
from api.agents.templates import SECRETS, templates
from api.agents.tools import CalendarTool
from api.deployment import Deployment
from api.egress import EgressPolicy


async def ground_of(deployment: Deployment, config: AgentFields) -> Ground:
    """The ground for one configuration."""
    store, settings, engines = deployment.store, deployment.settings, deployment.engines
    number = config.from_number
    active = number is not None and await store.numbers.is_active(number)
    return Ground(
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
