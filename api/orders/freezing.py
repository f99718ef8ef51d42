"""Merging a call's configuration when it is first dialled, for calls that wait until then.

Their layers lie in `agent_layers`; the agent is taken as it is now. What is wrong with the whole
by now ends the call.
"""

from dataclasses import replace

from api.agents.layers import Layers
from api.base.problems import Problem
from api.deployment import Deployment
from api.egress.sealing import SealError
from api.orders.checks import order_of
from api.orders.place import active_agent
from api.resources.call import Call, CreateCall
from api.resources.masking import unsealed


class AgentUnusableError(Exception):
    """The configuration cannot be carried out any more; the message says why."""


class Freezer:
    """Freezes configurations."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._seal = deployment.seal

    async def __call__(self, call: Call) -> Call:
        """The call with its configuration, or as it is if it has it already.

        A longest duration that the budget holds money for does not grow. Raises
        AgentUnusableError.
        """
        if call.agent_layers is None:
            self._check_keys(call)
            return call
        asked = CreateCall(to=call.to_number, agent_id=call.agent_id)
        try:
            parts = unsealed(call.agent_layers, self._seal)
            agent = None
            if call.agent_id is not None:
                agent = await active_agent(self._deployment.store, call.agent_id)
            config = {} if agent is None else unsealed(agent.config, self._seal)
            layers = Layers(config, parts["inline"], parts["overrides"], parts["call"])
            order = await order_of(self._deployment, asked, layers)
        except Problem as problem:
            raise AgentUnusableError(problem.detail) from problem
        except SealError as error:
            raise AgentUnusableError(f"its keys cannot be opened: {error}") from error
        longest = order.max_duration_s
        if call.rate is not None:
            longest = min(longest, call.max_duration_s)
        frozen = replace(
            order,
            agent_version=None if agent is None else agent.version,
            max_duration_s=longest,
        )
        return await self._deployment.store.amendments.freeze(call.id, frozen)

    def _check_keys(self, call: Call) -> None:
        """Found out on the line, it would be too late."""
        try:
            unsealed(call.agent, self._seal)
        except SealError as error:
            raise AgentUnusableError(f"its keys cannot be opened: {error}") from error
