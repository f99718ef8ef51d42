"""The body of `POST /v1/calls`: a superset of the hosted services' fields, checked to the bone.

Every error carries a JSON pointer.
"""

from typing import Annotated, Any, Final

from pydantic import Field, WithJsonSchema

from api.call_object import parse_rfc3339
from api.dialing.calendar import never_open
from api.dialing.retry import RetryPolicy, parse_retry
from api.dialing.zones import zones_of
from api.egress import EgressError, EgressPolicy
from api.fields import Body, parse_fields
from api.numbers import is_e164
from api.problems import FieldError, Problem, invalid, pointer
from api.records import Concurrency, NewCall
from api.returns import check_returns
from api.settings import Calls

DEFAULT_PROMPT: Final = "Say hello, ask how you can help, and say goodbye."

#: Fields whose texts may hold line breaks and tabs: they reach the language model only.
_FREE_TEXT = frozenset({"prompt", "context", "metadata"})


#: How far ahead a call may be scheduled: a year.
MAX_AHEAD_S: Final = 366 * 24 * 3600
_FAR: Final = 10**12


_WHEN: Final[dict[str, Any]] = {
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}, {"type": "null"}]
}


class ConcurrencyField(Body):
    """A limit shared by all calls with the same key."""

    key: str = Field(
        min_length=1, max_length=128, description="Any text.", examples=["clinic-berlin"]
    )
    max: int = Field(ge=1, le=10_000, description="Most live calls with this key.", examples=[2])


class CreateCall(Body):
    """A call to place: at once, or as `scheduled_at` and `retry` say."""

    to: str = Field(
        description="Number to call, E.164. `to_number` is the same field.",
        examples=["+15551234567"],
    )
    prompt: str = Field(
        default=DEFAULT_PROMPT,
        max_length=20_000,
        description="What the agent is to do on this call.",
        examples=["Confirm dental appointment tomorrow at 2pm"],
    )
    context: dict[str, Any] | None = Field(
        default=None,
        description="Facts that the agent may use.",
        examples=[{"patient": "Maria Lopez", "doctor": "Dr. Chen"}],
    )
    returns: dict[str, Any] | None = Field(
        default=None,
        description="What to find out: field name to type. A type is `string`, `number`, "
        "`integer`, `boolean`, `date`, `datetime`, a list of choices, or an object with `type`, "
        "`enum`, `items`, `description`.",
        examples=[{"confirmed": "boolean", "reschedule_to": "string"}],
    )
    language: str | None = Field(
        default=None, description="Language code; default `calls.default_language`."
    )
    from_number: str | None = Field(
        default=None,
        description="Caller number, one of `/v1/numbers`; default the oldest active one that may "
        "be shown to this callee.",
        examples=["+15559876543"],
    )
    webhook_url: str | None = Field(
        default=None, description="Receives every lifecycle event of this call, signed."
    )
    metadata: dict[str, Any] | None = Field(
        default=None, description="Yours; stored and echoed, never shown to the agent."
    )
    max_duration_seconds: int | None = Field(
        default=None, ge=5, description="Longest conversation; at most `calls.max_duration_s`."
    )
    scheduled_at: Annotated[Any, WithJsonSchema(_WHEN)] = Field(
        default=None,
        description="Not before this time: RFC 3339, or Unix seconds. Past or null: at once. At "
        "most a year ahead.",
        examples=["2027-03-01T09:00:00Z"],
    )
    retry: dict[str, Any] | None = Field(
        default=None,
        description="When and how often to try until a human is reached: `allowed_days`, "
        "`calling_windows` (`start`, `end`, `retry_delay_seconds`), `call_twice_in_a_row`, "
        "`max_attempts`, `timezone`. What is left out is completed: Monday to Friday, 10:00 to "
        "18:00 where the callee is, 7200 s, 3 attempts. Null: one attempt, at any hour.",
        examples=[{"max_attempts": 2, "timezone": "America/New_York"}],
    )
    force_now: bool = Field(
        default=False,
        description="The first attempt ignores calling windows and days; every limit holds.",
    )
    concurrency: ConcurrencyField | None = None


def parse_call(
    body: Any, calls: Calls, languages: frozenset[str], egress: EgressPolicy, now: float
) -> NewCall:
    """Check a request's JSON and fill in the defaults, but for how it goes out: without a
    `from_number` that is empty, and neither trunk nor rate are known here.

    Args:
        body: what `json.loads` made of it.
        calls: the deployment's default language, time zone and longest duration.
        languages: those that the loaded models speak.
        egress: where webhooks may go.
        now: Unix seconds.

    Raises:
        Problem: 422 with a pointer to every wrong field.
    """
    asked = parse_fields(CreateCall, body, free_text=_FREE_TEXT, aliases={"to_number": "to"})
    errors: list[FieldError] = []
    number_key = "to_number" if "to_number" in body else "to"
    if not is_e164(asked.to):
        errors.append(
            FieldError(
                "must be in E.164 form: a plus sign and 7 to 15 digits, as +15551234567",
                pointer(number_key),
            )
        )
    if not asked.prompt.strip():
        errors.append(FieldError("must not be empty", pointer("prompt")))
    returns = asked.returns or {}
    errors += check_returns(returns)
    language = asked.language or calls.default_language
    if language not in languages:
        known = ", ".join(sorted(languages)) or "none"
        errors.append(
            FieldError(
                f"the loaded models do not speak {language[:20]!r}; they speak: {known}",
                pointer("language"),
            )
        )
    if asked.max_duration_seconds and asked.max_duration_seconds > calls.max_duration_s:
        errors.append(
            FieldError(
                f"at most {calls.max_duration_s} (calls.max_duration_s)",
                pointer("max_duration_seconds"),
            )
        )
    if asked.webhook_url is not None:
        try:
            egress.check_url(asked.webhook_url)
        except EgressError as error:
            errors.append(FieldError(str(error), pointer("webhook_url")))
    scheduled_at = _scheduled_at(asked.scheduled_at, now, errors)
    retry = _retry(asked.retry, errors)
    zones: tuple[str, ...] = ()
    if not errors and retry is not None:
        zones = zones_of(asked.to, calls.default_timezone)
        closed = never_open(retry, zones, scheduled_at or now)
        if closed is not None and not asked.force_now:
            errors.append(closed)
    if errors:
        raise invalid(errors)
    return NewCall(
        to_number=asked.to,
        from_number=asked.from_number or "",
        prompt=asked.prompt,
        language=language,
        context=asked.context or {},
        returns=returns,
        metadata=asked.metadata or {},
        webhook_url=asked.webhook_url,
        max_duration_s=asked.max_duration_seconds or calls.max_duration_s,
        scheduled_at=scheduled_at,
        retry=retry,
        zones=zones,
        force_now=asked.force_now,
        concurrency=None
        if asked.concurrency is None
        else Concurrency(asked.concurrency.key, asked.concurrency.max),
    )


def _scheduled_at(asked: object, now: float, errors: list[FieldError]) -> float | None:
    """RV-266…270: RFC 3339 or Unix seconds; None if it is not in the future."""
    if asked is None:
        return None
    at: float | None = None
    if isinstance(asked, int | float) and not isinstance(asked, bool):
        at = float(max(-_FAR, min(asked, _FAR)))  # an integer may be too large for a float
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


def _retry(asked: dict[str, Any] | None, errors: list[FieldError]) -> RetryPolicy | None:
    if asked is None:
        return None
    try:
        return parse_retry(asked)
    except Problem as problem:
        errors += problem.errors
        return None
