"""What a configuration may reach that a request of a key with the scope `call` brings along.

Who makes agents is the operator, whose word it is where they go. A key that only places calls could
be anybody's one day: what its requests say reaches what the operator has named, and nothing else.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from api.base.problems import FieldError, pointer
from api.base.text import PLACEHOLDER
from api.egress.policy import EgressError, EgressPolicy
from api.resources.agent_fields import AgentFields
from api.resources.tool_fields import EmailTool, HttpTool
from api.settings import Settings


def beyond_reach(config: AgentFields, settings: Settings) -> Iterator[FieldError]:
    """What it would reach and may not; pointers count from its root."""
    if config.webhook_url is not None:
        hooks = EgressPolicy(settings.webhooks)
        yield from _unnamed(hooks, config.webhook_url, pointer("webhook_url"))
    if config.llm is not None and config.llm.api_url is not None:
        models = EgressPolicy.of_models(settings)
        yield from _unnamed(models, config.llm.api_url, pointer("llm", "api_url"))
    if config.email_notification_address is not None:
        place = pointer("email_notification_address")
        yield from _unmailed(settings, config.email_notification_address, place)
    for index, tool in enumerate(config.tools or ()):
        match tool:
            case HttpTool():
                url = PLACEHOLDER.sub("x", tool.url)
                place = pointer("tools", index, "url")
                yield from _unnamed(EgressPolicy(settings.tools), url, place)
            case EmailTool():
                for which, address in enumerate(tool.to):
                    yield from _unmailed(settings, address, pointer("tools", index, "to", which))


def _unnamed(policy: EgressPolicy, url: str, place: str) -> Iterator[FieldError]:
    try:
        policy.check_named(url)
    except EgressError as error:
        yield FieldError(str(error), place, code="host_not_allowed")


def _unmailed(settings: Settings, address: str, place: str) -> Iterator[FieldError]:
    allowed = settings.smtp.allowed_recipients
    if not any(fnmatchcase(address.lower(), pattern.lower()) for pattern in allowed):
        detail = (
            f"{address} is not among smtp.allowed_recipients: a key with the scope call has nobody "
            "else mailed"
        )
        yield FieldError(detail, place, code="recipient_not_allowed")
