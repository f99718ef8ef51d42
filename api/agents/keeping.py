"""Keeping agents: whatever is saved has been checked as a whole."""

import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from api.agents.layers import Layers, given
from api.agents.resolving import resolve
from api.base.problems import FieldError, invalid, pointer
from api.deployment import Deployment
from api.resources.agent import Agent, AgentType, ChangeAgent, NewStoredAgent
from api.resources.agent_fields import AgentFields, NewAgent
from api.resources.masking import sealed, unmasked, unsealed
from api.resources.number import OwnedNumber


async def create_agent(deployment: Deployment, asked: NewAgent) -> Agent:
    """Keep a new agent. Raises Conflict, and Problem with a pointer to every wrong field."""
    return await deployment.store.agents.create(await checked(deployment, asked))


async def checked(deployment: Deployment, asked: NewAgent) -> NewStoredAgent:
    """A new agent as it would be kept. Raises Problem with a pointer to every wrong field."""
    config = _complete(given(asked))
    numbers = tuple(dict.fromkeys(asked.number_ids or ()))
    await _check(deployment, config, asked.type, numbers, asked.primary_number_id)
    return NewStoredAgent(
        asked.name, sealed(config, deployment.seal), asked.type, numbers, asked.primary_number_id
    )


async def change_agent(deployment: Deployment, agent_id: str, asked: ChangeAgent) -> Agent:
    """Change what was given.

    Raises NotFound, Conflict, and Problem with a pointer to every wrong field.
    """
    before = await deployment.store.agents.get(agent_id)
    after = await checked_change(deployment, before, asked)
    return await deployment.store.agents.change(before, after)


async def checked_change(
    deployment: Deployment, before: Agent, asked: ChangeAgent
) -> NewStoredAgent:
    """An agent as a change would make it.

    Raises Conflict, and Problem with a pointer to every wrong field.
    """
    before.require_active()
    kept = unsealed(before.config, deployment.seal)
    config = _complete({**kept, **unmasked(given(asked), kept)})
    numbers, primary = before.number_ids, before.primary_number_id
    if "number_ids" in asked.model_fields_set:
        numbers = tuple(dict.fromkeys(asked.number_ids or ()))
        primary = primary if primary in numbers else None
    if "primary_number_id" in asked.model_fields_set:
        primary = asked.primary_number_id
    await _check(deployment, config, before.type, numbers, primary)
    return NewStoredAgent(
        asked.name if "name" in asked.model_fields_set else before.name,
        before.config if config == kept else sealed(config, deployment.seal),
        before.type,
        numbers,
        primary,
    )


def _complete(config: Mapping[str, Any]) -> dict[str, Any]:
    """What is set of a configuration; FAQ items have an id."""
    whole = {name: value for name, value in config.items() if value is not None}
    if items := whole.get("faq_items"):
        whole["faq_items"] = [
            {**item, "id": str(uuid.uuid4()) if item.get("id") is None else item["id"]}
            for item in items
        ]
    return whole


async def _check(
    deployment: Deployment,
    config: Mapping[str, Any],
    kind: AgentType,
    number_ids: tuple[str, ...],
    primary: str | None,
) -> None:
    """Raises Problem with a pointer to every wrong field."""
    # Nobody gives an inbound agent other variables.
    checked = await resolve(
        deployment,
        Layers(call=config),
        open_variables=kind == "outbound",
        inbound=kind == "inbound",
    )
    owned = await deployment.store.numbers.owned(number_ids) if number_ids else ()
    errors = [
        *checked.errors,
        *_faq_errors(checked.fields),
        *_number_errors(checked.fields.from_number, number_ids, primary, owned),
    ]
    if errors:
        raise invalid(errors)


def _faq_errors(fields: AgentFields) -> Iterator[FieldError]:
    items = fields.faq_items or ()
    often = Counter(item.id for item in items)
    for index, item in enumerate(items):
        if often[item.id] > 1:
            yield FieldError("another item has this id", pointer("faq_items", index, "id"))


def _number_errors(
    from_number: str | None,
    number_ids: tuple[str, ...],
    primary: str | None,
    owned: Sequence[OwnedNumber],
) -> Iterator[FieldError]:
    known = {number.id: number.number for number in owned}
    for index, number_id in enumerate(number_ids):
        if number_id not in known:
            detail = "there is no such number; /v1/numbers lists them"
            yield FieldError(detail, pointer("number_ids", index))
    if primary is not None and primary not in number_ids:
        yield FieldError("is not one of its numbers", pointer("primary_number_id"))
    if from_number is not None and known and from_number not in known.values():
        detail = "is not one of its numbers"
        yield FieldError(detail, pointer("from_number"), code="from_number_not_allowed")
