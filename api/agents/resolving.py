"""The door of agents: what a call's sources come to, validated once and checked against what there
is here, now."""

from dataclasses import dataclass
from datetime import UTC, datetime

from api.agents.checks import check_config, check_variables
from api.agents.context import context_of
from api.agents.layers import Layers
from api.agents.sizes import check_sizes
from api.agents.templates import sip_names
from api.base.json_object import JsonObject
from api.base.problems import FieldError
from api.base.text import Variables
from api.deployment import Deployment
from api.resources.agent_fields import AgentFields
from api.resources.masking import sealed


@dataclass(frozen=True)
class Configuration:
    """What holds for a call, or is wrong with it."""

    fields: AgentFields
    sealed: JsonObject
    """The same as it is kept: only what is set, secrets sealed."""
    errors: tuple[FieldError, ...]
    """They point into the request."""


async def resolve(
    deployment: Deployment, layers: Layers, *, open_variables: bool = False, inbound: bool = False
) -> Configuration:
    """Merge a configuration and check whether it can be carried out.

    Args:
        deployment: where.
        layers: its sources.
        open_variables: whether variables may be given later.
        inbound: whether calls bring those along that begin with `sip_`.

    Raises:
        Problem: as of `Layers.fields`.
    """
    fields = layers.fields
    variables = Variables(fields.variables or {})
    context = await context_of(deployment, fields)
    errors = check_config(fields, context)
    if not open_variables:
        brought = sip_names(fields) if inbound else ()
        errors += check_variables(fields, Variables(variables, dict.fromkeys(brought, "")))
    if not errors:
        errors += check_sizes(fields, variables, context, datetime.now(UTC))
    return Configuration(
        fields, sealed(layers.merged, deployment.seal), tuple(map(layers.rebased, errors))
    )
