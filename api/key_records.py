"""API keys and what they may do."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

from api.caps import KeyCaps
from api.records import Dialect

KeyScope = Literal["read", "call", "admin"]

#: From the least to the most: each may do what the ones before it may.
SCOPES: Final[tuple[KeyScope, ...]] = get_args(KeyScope)

#: The highest limit of requests per minute that a key may be given.
MAX_RATE_LIMIT: Final = 1_000_000


def allows(given: KeyScope, needed: KeyScope) -> bool:
    """Whether a key with the scope `given` may do what needs `needed`."""
    return SCOPES.index(given) >= SCOPES.index(needed)


_DEFAULT_CAPS: Final = KeyCaps()


@dataclass(frozen=True)
class ApiKey:
    """An API key as it is listed; the key itself is kept only as a hash."""

    id: str
    name: str
    prefix: str
    scope: KeyScope
    rate_limit_per_minute: int | None
    """None: the deployment's (`server.rate_limit_per_minute`); 0: no limit."""
    created_at: float
    revoked_at: float | None
    dialect: Dialect | None = None
    """That its requests are in, on paths without a dialect's prefix; None: our own."""
    caps: KeyCaps = _DEFAULT_CAPS


@dataclass(frozen=True)
class KeyPage:
    """Keys from newest to oldest."""

    keys: tuple[ApiKey, ...]
    next_cursor: str | None
