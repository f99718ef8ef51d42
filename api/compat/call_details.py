"""Calls with all that the dialects' call objects tell of them."""

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from api.base.refusals import NotFound
from api.calls.recording_links import LIFETIME_S
from api.http.endpoint import Exchange
from api.http.services import Services
from api.resources.agent import Agent
from api.resources.attempt import Attempt
from api.resources.call import Call
from api.resources.campaign import Campaign
from api.resources.turn import Turn
from models.registry import EngineRegistry


@dataclass(frozen=True)
class CallDetails:
    """A call with what belongs to it."""

    call: Call
    organization_id: str
    engines: EngineRegistry
    """Of the deployment."""
    attempts: Sequence[Attempt] = ()
    """In order."""
    turns: Sequence[Turn] = ()
    """In order, of all attempts."""
    recordings: Mapping[int, str] = field(default_factory=dict)
    """Attempt number to the URL of its recording, signed and expiring."""
    agent: Agent | None = None
    """The stored agent, as it was named when the call was placed."""
    campaign: Campaign | None = None


async def load_details(services: Services, calls: Sequence[Call]) -> list[CallDetails]:
    """Load what belongs to calls; the details come in the order of `calls`."""
    store = services.store
    ids = [call.id for call in calls]
    attempts = await store.calls.attempts_of(ids)
    turns = await store.calls.turns_of(ids)
    agents = await _agents(services, calls)
    campaigns = await _campaigns(services, calls)
    organization_id = await store.organization.id()
    return [
        CallDetails(
            call,
            organization_id,
            services.engines,
            attempts[call.id],
            turns[call.id],
            {
                attempt.number: url
                for attempt in attempts[call.id]
                if (url := recording_url(services, call, attempt)) is not None
            },
            agents.get((call.agent_id, call.agent_version)),
            campaigns.get(call.campaign_id or ""),
        )
        for call in calls
    ]


async def find_details(exchange: Exchange) -> CallDetails:
    """Load the details of the call that the path names; 404 if there is no such call."""
    call = await exchange.store.calls.get(exchange.named("call_id"))
    (details,) = await load_details(exchange.services, [call])
    return details


async def frozen_agent(services: Services, agent_id: str, version: int | None) -> Agent | None:
    """A stored agent with the name of the given version, None for the present one; None if there is
    no such agent."""
    agents = services.store.agents
    try:
        agent = await agents.get(agent_id)
        if version is None:
            return agent
        then = await agents.version(agent_id, version)
    except NotFound:
        return None
    return replace(agent, name=then.name, version=version, updated_at=then.created_at)


async def _agents(
    services: Services, calls: Sequence[Call]
) -> dict[tuple[str | None, int | None], Agent | None]:
    wanted = {(call.agent_id, call.agent_version) for call in calls}
    return {
        (agent_id, version): await frozen_agent(services, agent_id, version)
        for agent_id, version in wanted
        if agent_id is not None
    }


async def _campaigns(services: Services, calls: Sequence[Call]) -> dict[str, Campaign]:
    found: dict[str, Campaign] = {}
    for campaign_id in {call.campaign_id for call in calls if call.campaign_id is not None}:
        with contextlib.suppress(NotFound):
            found[campaign_id] = await services.store.campaigns.get(campaign_id)
    return found


def recording_url(services: Services, call: Call, attempt: Attempt) -> str | None:
    """A link to the attempt's recording that needs no key and is good for four to five hours; None
    without a recording.

    The link stays the same for an hour, so that a client that polls sees no change without one.
    """
    if not attempt.recorded:
        return None
    hours = int(time.time()) // 3600 + 1
    return services.links.url(call.id, attempt.number, hours * 3600 + LIFETIME_S)
