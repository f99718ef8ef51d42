"""Whether a call can be placed as a request asks: its configuration, merged and checked, its time
and where the callee may be."""

import time
from datetime import UTC, datetime
from typing import Final

from api.agents.layers import Layers, given
from api.agents.resolving import resolve
from api.base.json_object import JsonObject
from api.base.numbers import is_e164
from api.base.problems import FieldError, invalid, pointer
from api.base.times import parse_rfc3339
from api.deployment import Deployment
from api.orders.destinations import read_destination
from api.policy.calendar import never_open
from api.policy.retry import RetryPolicy
from api.policy.zones import zone_of
from api.resources.call import Concurrency, CreateCall, NewCall, OrderFields
from api.settings.calling import Calls

DEFAULT_PROMPT: Final = "Say hello, ask how you can help, and say goodbye."
#: How far ahead a call may be scheduled: a year.
MAX_AHEAD_S: Final = 366 * 24 * 3600
#: The first moment of the calendar, which a time of a campaign is shown in.
_FIRST: Final = datetime(1, 1, 1, tzinfo=UTC).timestamp()


def layers_of(asked: OrderFields, agent: JsonObject) -> Layers:
    """The sources of the call's configuration.

    Args:
        asked: the request.
        agent: the stored agent's configuration; empty without one.
    """
    call = given(asked)
    if asked.prompt is not None:
        call["instructions"] = asked.prompt
    return Layers(
        agent=agent,
        inline={} if asked.agent is None else given(asked.agent),
        overrides={} if asked.overrides is None else given(asked.overrides),
        call=call,
        names={} if asked.prompt is None else {"instructions": "prompt"},
    )


async def order_of(
    deployment: Deployment,
    asked: OrderFields,
    layers: Layers,
    *,
    open_variables: bool = False,
) -> NewCall:
    """Check a call and fill in the defaults, but for how it goes out: without a `from_number`
    that is empty, and neither trunk nor rate are known here.

    Args:
        deployment: whose settings, engines and store hold.
        asked: the request.
        layers: where its configuration comes from.
        open_variables: whether variables may be given later.

    Raises:
        Problem: 422 with a pointer to every wrong field.
    """
    now = time.time()
    configuration = await resolve(deployment, layers, open_variables=open_variables)
    config = configuration.fields
    calls, engines = deployment.settings.calls, deployment.engines
    errors = []
    dialled = asked if isinstance(asked, CreateCall) else None
    to = "" if dialled is None else dialled.to
    if dialled is not None:
        try:
            to = await read_destination(deployment.store, calls, dialled.to)
        except ValueError as error:
            errors.append(FieldError(str(error), pointer("to")))
    errors += configuration.errors
    language = config.language or calls.default_language
    if not engines.speaks(language) and config.language is None:
        known = ", ".join(sorted(engines.languages)) or "none"
        detail = f"the loaded models do not speak {language!r}; they speak: {known}"
        errors.append(FieldError(detail, pointer("language")))
    scheduled_at = None if dialled is None else _scheduled_at(dialled.scheduled_at, now, errors)
    retry: RetryPolicy | None = None
    zones: tuple[str, ...] = ()
    force_now = dialled is not None and dialled.force_now
    if not errors and config.retry is not None:
        retry = config.retry.policy()
        home = _home(to, calls)
        zones = () if home is None else (home,)
        closed = never_open(retry, zones, scheduled_at or now)
        if closed is not None and not force_now:
            errors.append(layers.rebased(closed))
    if errors:
        raise invalid(errors)
    return NewCall(
        to_number=to,
        from_number=config.from_number or "",
        prompt=config.instructions or DEFAULT_PROMPT,
        language=language,
        context=config.context or {},
        returns=config.returns or {},
        metadata=asked.metadata or {},
        webhook_url=config.webhook_url,
        max_duration_s=config.max_duration_seconds or calls.max_duration_s,
        scheduled_at=scheduled_at,
        retry=retry,
        zones=zones,
        force_now=force_now,
        concurrency=None
        if asked.concurrency is None
        else Concurrency(asked.concurrency.key, asked.concurrency.max),
        agent_id=asked.agent_id,
        agent=configuration.sealed,
        variables=config.variables or {},
    )


def _home(to: str, calls: Calls) -> str | None:
    """Where the callee may be; who has an extension or a SIP URI is where the
    deployment's number is."""
    if is_e164(to):
        return zone_of(to, calls.default_timezone)
    return calls.default_timezone or next(map(zone_of, calls.numbers), None)


def _scheduled_at(asked: object, now: float, errors: list[FieldError]) -> float | None:
    """Unix seconds of a time in RFC 3339 or Unix seconds; None unless it is in the future."""
    if asked is None:
        return None
    at: float | None = None
    if isinstance(asked, int | float) and not isinstance(asked, bool):
        at = float(asked) if asked >= _FIRST else None
    elif isinstance(asked, str):
        at = parse_rfc3339(asked)
    place = pointer("scheduled_at")
    if at is None:
        detail = "must be a time in RFC 3339 with its offset, as 2027-03-01T09:00:00Z, or seconds"
        errors.append(FieldError(detail, place))
        return None
    if at > now + MAX_AHEAD_S:
        errors.append(FieldError("must be within a year from now", place))
    return at if at > now else None
