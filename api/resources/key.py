"""API keys."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

from pydantic import Field

from api.base.fields import Body
from api.base.times import Timestamp
from api.resources.answer import Resource
from api.resources.caps import MAX_CAP, KeyCaps
from api.resources.dialect import Dialect

KeyScope = Literal["read", "call", "listen", "admin"]

#: From the least to the most: each may do what the ones before it may.
SCOPES: Final[tuple[KeyScope, ...]] = get_args(KeyScope)

#: The highest limit of requests per minute that a key may be given.
MAX_RATE_LIMIT: Final = 1_000_000


def allows(given: KeyScope, needed: KeyScope) -> bool:
    """Whether a key with the scope `given` may do what needs `needed`."""
    return SCOPES.index(given) >= SCOPES.index(needed)


@dataclass(frozen=True, kw_only=True)
class ApiKey(KeyCaps):
    """An API key as it is listed; the key itself is kept only as a hash."""

    id: str
    name: str
    prefix: str
    scope: KeyScope
    rate_limit_per_minute: int | None
    """None: the deployment's (`server.rate_limit_per_minute`); 0: no limit."""
    created_at: float
    revoked_at: float | None = None
    dialect: Dialect | None = None
    """That its requests are in, on paths without a dialect's prefix; None: our own."""


_SCOPE = (
    "`read`: read everything but secrets and keys. `call`: place and end calls too. `listen`: "
    "listen in on live calls, and speak into them, too. `admin`: "
    "configure, and manage keys."
)
_DIALECT = (
    "For a hosted service's client whose base URL has a fixed path: on `/v1/…`, and on Revox's "
    "paths without `/api`, requests with this key are read and answered in that service's way."
)

_CALLS = "Calls that it may place in 24 hours; 0: no limit, null: `calls.max_calls_per_day`."
_MINUTES = (
    "Minutes that its calls may last in 24 hours; 0: no limit, null: `calls.max_minutes_per_day`."
)
_CALLS_TO_NUMBER = (
    "Calls to one number in 24 hours from which on it may place no more; 0: no limit, null: "
    "`calls.max_calls_per_number_per_day`."
)


class CreateKey(Body):
    """An API key to make."""

    name: str = Field(min_length=1, max_length=100, description="What it is for.", examples=["crm"])
    scope: KeyScope = Field(description=_SCOPE, examples=["call"])
    rate_limit_per_minute: int | None = Field(
        default=None,
        ge=0,
        le=MAX_RATE_LIMIT,
        description="Requests per minute; 0 is no limit, null the deployment's "
        "`server.rate_limit_per_minute`.",
        examples=[600],
    )
    dialect: Dialect | None = Field(default=None, description=_DIALECT, examples=[None])
    max_calls_per_day: int | None = Field(
        default=None, ge=0, le=MAX_CAP, description=_CALLS, examples=[500]
    )
    max_minutes_per_day: int | None = Field(
        default=None, ge=0, le=MAX_CAP, description=_MINUTES, examples=[None]
    )
    max_calls_per_number_per_day: int | None = Field(
        default=None, ge=0, le=MAX_CAP, description=_CALLS_TO_NUMBER, examples=[None]
    )


class KeyObject(Resource):
    """An API key; the key itself is told when it is made, never again."""

    id: str = Field(
        json_schema_extra={"format": "uuid"}, examples=["5b2f7a52-3a0f-4a57-9f0e-6d7f6f6f2c11"]
    )
    name: str = Field(examples=["crm"])
    prefix: str = Field(description="How the key begins.", examples=["sk_Yk3vPzq"])
    scope: KeyScope = Field(description=_SCOPE, examples=["call"])
    rate_limit_per_minute: int | None = Field(
        description="null: the deployment's; 0: no limit.", examples=[600]
    )
    dialect: Dialect | None = Field(description=_DIALECT, examples=[None])
    max_calls_per_day: int | None = Field(description=_CALLS, examples=[500])
    max_minutes_per_day: int | None = Field(description=_MINUTES, examples=[None])
    max_calls_per_number_per_day: int | None = Field(description=_CALLS_TO_NUMBER, examples=[None])
    created_at: Timestamp
    revoked_at: Timestamp | None = Field(
        description="From then on it was worth nothing.", examples=[None]
    )


class KeyWithSecret(KeyObject):
    """An API key with the key itself."""

    key: str | None = Field(
        description="`sk_…`. Keep it: only its hash is stored. null where the answer is given "
        "again under its `Idempotency-Key`.",
        examples=["sk_Yk3vPzqW8vJt0bqk2m0d1nB6yKQmQ3gH0uR4sT5xZ7c"],
    )
