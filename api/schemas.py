"""The body of `POST /v1/calls`: a superset of the hosted services' fields, checked to the bone.

Every error carries a JSON pointer.
"""

from typing import Any, Final

from pydantic import Field

from api.egress import EgressError, EgressPolicy
from api.fields import Body, parse_fields
from api.numbers import is_e164
from api.problems import FieldError, invalid, pointer
from api.records import NewCall
from api.returns import check_returns
from api.settings import Calls

DEFAULT_PROMPT: Final = "Say hello, ask how you can help, and say goodbye."

#: Fields whose texts may hold line breaks and tabs: they reach the language model only.
_FREE_TEXT = frozenset({"prompt", "context", "metadata"})


class CreateCall(Body):
    """A call to place at once."""

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
        default=None, description="Caller number, one of `calls.numbers`; default the first."
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


def parse_call(body: Any, calls: Calls, languages: frozenset[str], egress: EgressPolicy) -> NewCall:
    """Check a request's JSON and fill in the defaults.

    Args:
        body: what `json.loads` made of it.
        calls: the deployment's numbers, default language and longest duration.
        languages: those that the loaded models speak.
        egress: where webhooks may go.

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
    if errors:
        raise invalid(errors)
    return NewCall(
        to_number=asked.to,
        from_number=_caller_number(asked.from_number, calls.numbers),
        prompt=asked.prompt,
        language=language,
        context=asked.context or {},
        returns=returns,
        metadata=asked.metadata or {},
        webhook_url=asked.webhook_url,
        max_duration_s=asked.max_duration_seconds or calls.max_duration_s,
    )


def _caller_number(asked: str | None, numbers: tuple[str, ...]) -> str:
    """CB-17…20: one of ours, by default the oldest."""
    if not numbers:
        raise invalid(
            [
                FieldError(
                    "this deployment has no caller number; set calls.numbers",
                    pointer("from_number"),
                )
            ],
            "no_active_number",
        )
    if asked is None:
        return numbers[0]
    if asked not in numbers:
        raise invalid(
            [
                FieldError(
                    "is not one of this deployment's numbers (calls.numbers)",
                    pointer("from_number"),
                )
            ],
            "from_number_not_allowed",
        )
    return asked
