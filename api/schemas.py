"""The body of `POST /v1/calls`: a superset of the hosted services' fields, checked to the bone.

Every error carries a JSON pointer. Control characters go no further than this module.
"""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.egress import EgressError, EgressPolicy
from api.numbers import is_e164
from api.problems import FieldError, invalid, pointer
from api.records import NewCall
from api.returns import check_returns
from api.settings import Calls

DEFAULT_PROMPT: Final = "Say hello, ask how you can help, and say goodbye."
MAX_DEPTH: Final = 16

#: Fields whose texts may hold line breaks and tabs: they reach the language model only.
_FREE_TEXT = frozenset({"prompt", "context", "metadata"})
_LINE_BREAKS = frozenset("\t\n\r")


class CreateCall(BaseModel):
    """A call to place at once."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

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
    if not isinstance(body, dict):
        raise invalid([FieldError("must be a JSON object", "")])
    errors = list(_check_texts(body, ()))
    if errors:
        raise invalid(errors)
    number_key = "to"
    if "to_number" in body:
        if "to" in body:
            raise invalid([FieldError("give either to or to_number, not both", "/to_number")])
        number_key = "to_number"
        body = {"to" if key == "to_number" else key: value for key, value in body.items()}
    try:
        asked = CreateCall.model_validate(body)
    except ValidationError as error:
        raise invalid(
            _field_error(item["loc"], item["type"], item["msg"], number_key)
            for item in error.errors()
        ) from error

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


def _field_error(
    loc: tuple[int | str, ...], kind: str, message: str, number_key: str
) -> FieldError:
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(loc[-1]), [*CreateCall.model_fields, "to_number"], 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return FieldError(f"unknown key{hint}", pointer(*loc))
    if loc == ("to",):
        loc = (number_key,)
    return FieldError(message, pointer(*loc))


def _check_texts(value: Any, place: tuple[str | int, ...]) -> Iterator[FieldError]:
    """Refuse what no field may hold: control characters, broken Unicode, endless nesting."""
    if len(place) > MAX_DEPTH:
        yield FieldError(f"nested deeper than {MAX_DEPTH} levels", pointer(*place[:2]))
    elif isinstance(value, str):
        allowed = _LINE_BREAKS if place and place[0] in _FREE_TEXT else frozenset()
        if (wrong := _wrong_character(value, allowed)) is not None:
            yield FieldError(f"must not hold {wrong}", pointer(*place))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if (wrong := _wrong_character(key, frozenset())) is not None:
                yield FieldError(f"a key must not hold {wrong}", pointer(*place, key))
            else:
                yield from _check_texts(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _check_texts(item, (*place, index))


def _wrong_character(text: str, allowed: frozenset[str]) -> str | None:
    for character in text:
        code = ord(character)
        if 0xD800 <= code <= 0xDFFF:
            return "a lone surrogate (broken Unicode)"
        if (code < 0x20 or 0x7F <= code <= 0x9F) and character not in allowed:
            return f"the control character U+{code:04X}"
    return None
