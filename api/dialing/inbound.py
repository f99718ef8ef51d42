"""Decides about inbound calls: which agent takes one, or why it is not answered.

Whatever is wrong is found before the answer: nobody is answered into silence.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from api.agents.layers import Layers
from api.agents.templates import sip_names
from api.base.json_object import JsonObject
from api.base.problems import Problem
from api.base.refusals import Conflict, NotFound
from api.deployment import Deployment
from api.dialing.dialer import BusyError, ClosedError, Dialer
from api.dialing.inbound_numbers import caller_number, meant, owned_number, plain_number
from api.egress.sealing import SealError
from api.orders.checks import order_of
from api.policy.rewriting import Rule
from api.resources.agent import Agent
from api.resources.call import CreateCall, NewCall
from api.resources.dialect import dialect_of
from api.resources.masking import unsealed
from api.resources.number import OwnedNumber
from api.resources.sip import KEY, sip_json, sip_variables
from api.resources.trunk import rules_of
from api.settings import FIRST_PBX
from api.store import StoreError
from pbx.incoming import IncomingCall, Refusal
from pbx.switch import LIMIT_MARGIN_S, SwitchError

log = logging.getLogger(__name__)

#: Nobody is let ring for long because the store is slow; one ring is no harm.
_LOOK_UP_S: Final = 5.0
#: Fields of an agent that are about calling people.
_OUTBOUND: Final = frozenset({"from_number", "retry"})


class RefusedError(Exception):
    """The call is not answered; the message is for the log."""

    def __init__(self, refusal: Refusal, reason: str) -> None:
        super().__init__(reason)
        self.refusal = refusal


class InboundCalls:
    """Takes the calls that the trunk brings."""

    def __init__(
        self,
        deployment: Deployment,
        dialer: Dialer,
        problem: Callable[[NewCall], str | None] = lambda _: None,
    ) -> None:
        """
        Args:
            deployment: whose numbers and agents are called.
            dialer: runs the calls.
            problem: why a call cannot be held for want of an engine; None: it can.
        """
        self._deployment = deployment
        self._dialer = dialer
        self._problem = problem

    async def receive(self, call: IncomingCall) -> Refusal | None:
        """As `pbx.incoming.OnIncoming`."""
        try:
            await self._receive(call)
        except RefusedError as refused:
            refusal, reason = refused.refusal, str(refused)
        except BusyError:
            refusal, reason = Refusal.USER_BUSY, "`calls.max_concurrent` calls are under way"
        except Conflict as busy:
            refusal, reason = Refusal.USER_BUSY, str(busy)
        except ClosedError:
            refusal = Refusal.NORMAL_CIRCUIT_CONGESTION
            reason = "the server is starting or stopping"
        except (StoreError, SwitchError) as error:
            refusal, reason = Refusal.NORMAL_CIRCUIT_CONGESTION, str(error)
        except TimeoutError:
            refusal = Refusal.NORMAL_CIRCUIT_CONGESTION
            reason = "the store is slow, or the link to the PBX is down"
        else:
            return None
        log.warning(
            "inbound call %s (SIP %s) to %r refused: %s",
            call.attempt.id,
            call.sip_call_id,
            call.number,
            reason,
        )
        return refusal

    async def _receive(self, call: IncomingCall) -> None:
        async with asyncio.timeout(_LOOK_UP_S):
            trunk = await self._trunk(call)
            call, rules = await self._in_plan(call, trunk)
            number = await self._dialled(call)
            agent = await self._agent(number)
            new = await self._order(call, number, agent, trunk, rules)
        if (problem := self._problem(new)) is not None:
            raise RefusedError(Refusal.NORMAL_CIRCUIT_CONGESTION, problem)
        await call.attempt.limit(new.max_duration_s + LIMIT_MARGIN_S)
        begin = self._deployment.store.inbound.begin
        await self._dialer.receive(
            call.attempt,
            lambda call_id, node: begin(call_id, new, call.channel_id, node, call.sip_call_id),
        )

    async def _trunk(self, call: IncomingCall) -> str:
        """The trunk that brought it: as the PBX tells, else the number's own, else the PBX's."""
        if call.trunk is not None:
            return call.trunk
        number = await self._owned(call.number)
        its_pbx = self._deployment.settings.all_pbxs[call.pbx or FIRST_PBX]
        return (number and number.trunk) or its_pbx.trunk

    async def _in_plan(
        self, call: IncomingCall, trunk_name: str
    ) -> tuple[IncomingCall, Sequence[Rule]]:
        """The call with its numbers as the trunk's own rules have them, and the caller's rules."""
        try:
            trunk = await self._deployment.store.trunks.get(trunk_name)
        except NotFound:
            return call, ()
        dialled, caller = (
            rules_of(one) for one in (trunk.inbound_number_rules, trunk.inbound_caller_rules)
        )
        planned = replace(
            call,
            number=meant(call.number, dialled),
            dialled=None if call.dialled is None else meant(call.dialled, dialled),
            caller_number=None if call.caller_number is None else meant(call.caller_number, caller),
        )
        return planned, caller

    async def _dialled(self, call: IncomingCall) -> OwnedNumber:
        number = await self._owned(call.number)
        if number is None and call.dialled is not None:
            # The dialplan asks from another extension: an IVR's `s`, a queue's member.
            number = await self._owned(call.dialled)
        if number is None:
            reason = "it is none of /v1/numbers; see `calls.inbound_numbers`"
            raise RefusedError(Refusal.UNALLOCATED_NUMBER, reason)
        if number.status != "active":
            raise RefusedError(Refusal.SUBSCRIBER_ABSENT, f"number {number.id} is inactive")
        return number

    async def _owned(self, told: str) -> OwnedNumber | None:
        known = self._deployment.settings.calls.inbound_numbers
        return await owned_number(self._deployment.store.numbers.ending, known, told)

    async def _agent(self, number: OwnedNumber) -> Agent:
        agent = await self._deployment.store.agents.answering(number.id)
        if agent is None or agent.status != "active":
            reason = f"no inbound agent answers number {number.id}"
            raise RefusedError(Refusal.SUBSCRIBER_ABSENT, reason)
        return agent

    async def _order(
        self,
        call: IncomingCall,
        number: OwnedNumber,
        agent: Agent,
        trunk: str,
        rules: Sequence[Rule],
    ) -> NewCall:
        deployment = self._deployment
        try:
            config = unsealed(agent.config, deployment.seal)
            of_agent = {name: config[name] for name in config.keys() - _OUTBOUND}
            # What the agent's texts name and the call did not bring is empty.
            empty = dict.fromkeys(sip_names(Layers(of_agent).fields), "")
            layers = Layers(of_agent, call={"variables": empty} if empty else {})
            asked = CreateCall(to=number.number, agent_id=agent.id)
            new = await order_of(deployment, asked, layers)
        except (Problem, SealError) as error:
            reason = f"agent {agent.id} cannot take calls any more: {_told(error)}"
            raise RefusedError(Refusal.NORMAL_CIRCUIT_CONGESTION, reason) from error
        # Only now: what strangers bring along refuses no call, however long it is.
        sip = _sip(call, number)
        return replace(
            new,
            context=new.context if sip is None else {**new.context, KEY: sip},
            variables={**new.variables, **sip_variables(sip)},
            direction="inbound",
            dialect=dialect_of(agent.config),
            from_number=caller_number(self._caller(call, trunk, rules), number.number),
            trunk=trunk,
            agent_version=agent.version,
        )

    def _caller(self, call: IncomingCall, trunk: str, rules: Sequence[Rule]) -> str | None:
        """Who calls: nobody, where they want that; on a trunk that is trusted as the network says,
        else as they say."""
        brought = call.brought
        if brought.private:
            return None
        trusted = trunk in self._deployment.settings.calls.trusted_caller_id_trunks
        asserted = brought.asserted_number if trusted else None
        return meant(asserted, rules) if asserted else call.caller_number


def _sip(call: IncomingCall, number: OwnedNumber) -> JsonObject | None:
    """What the call brought along beside the number that it is to and the one that it is from."""
    brought = call.brought
    dialled = call.dialled or call.number
    known = plain_number(dialled).removeprefix("+") == number.number[1:]
    named = not brought.private and call.caller_name != call.caller_number
    return sip_json(
        brought.diversion,
        brought.headers,
        brought.arguments,
        caller_name=call.caller_name if named else None,
        asserted_identity=None if brought.private else brought.asserted,
        privacy=brought.privacy,
        dialled=None if known else dialled,
    )


def _told(error: Problem | SealError) -> str:
    if isinstance(error, Problem) and error.errors:
        return "; ".join(f"{one.pointer}: {one.detail}" for one in error.errors)
    return str(error)
