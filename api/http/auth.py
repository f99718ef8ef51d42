"""Who may ask for what, and how often: bearer keys (RFC 6750), `Authorization: Bearer sk_…`."""

import hashlib
import logging
import time
from typing import Final

from starlette.requests import Request

from api.base.problems import Problem
from api.http.connection import connection_of
from api.http.doorkeeper import MAX_REMEMBERED, network_of
from api.http.endpoint import Endpoint
from api.http.ratelimit import Standing, TokenBuckets
from api.resources.key import ApiKey, allows
from api.store.keys import KEY_PREFIX, Keys
from pbx.rare_log import RareLog

MAX_KEY: Final = 200
#: Wrong keys that one address may show in a minute before it is told to wait.
FAILURES_PER_MINUTE: Final = 60

_REALM: Final = 'Bearer realm="offhook"'

log = logging.getLogger(__name__)


class Guard:
    """Lets a request in, or raises the problem that it is answered with."""

    def __init__(self, keys: Keys, rate_limit_per_minute: int) -> None:
        self._keys = keys
        self._limit = rate_limit_per_minute
        self._requests = TokenBuckets(MAX_REMEMBERED)
        self._failures = TokenBuckets(MAX_REMEMBERED)
        self._trouble = RareLog(log)

    async def admit(self, request: Request) -> ApiKey:
        """Who asks. Raises Problem: 401 without a live key, 429 too often."""
        try:
            key = await self._authenticate(request)
        except Problem:
            self._count_failure(request)
            raise
        self.count(request, key)
        return key

    async def sign_in(self, request: Request, key: str) -> ApiKey:
        """Whose key somebody has typed. Raises Problem: 401 without a live key, 429 too often."""
        found = await self._keys.recognise(key) if len(key) <= MAX_KEY else None
        if found is None:
            self._count_failure(request)
            raise _unauthorized("this API key is unknown or revoked")
        return found

    def count(self, request: Request, key: ApiKey) -> None:
        """Count a request of this key. Raises Problem 429 too often."""
        limit = self._limit if key.rate_limit_per_minute is None else key.rate_limit_per_minute
        if limit:
            standing = self._requests.take(key.id, limit, time.monotonic())
            request.state.rate_limit = standing.headers("key")
            if standing.retry_after_s is not None:
                raise _too_many(standing, f"this key may make {limit} requests a minute")

    async def _authenticate(self, request: Request) -> ApiKey:
        given = request.headers.get("authorization")
        if given is None:
            raise _unauthorized("send the header Authorization: Bearer sk_…", "")
        scheme, _, key = given.partition(" ")
        key = key.strip()
        if scheme.lower() != "bearer" or not key.startswith(KEY_PREFIX) or len(key) > MAX_KEY:
            raise _unauthorized("the Authorization header must be Bearer and a key sk_…")
        found = await self._keys.recognise(key)
        connection, digest = connection_of(request.state), hashlib.sha256(key.encode()).digest()
        if found is None:
            if connection is not None:
                connection.doubt(digest)
            raise _unauthorized("this API key is unknown or revoked")
        request.state.vouched = True
        if connection is not None:
            connection.vouch(digest)
        return found

    def _count_failure(self, request: Request) -> None:
        """429 once an address has failed too often.

        Only failures are refused: behind one address (NAT, a proxy) others may have good keys.
        """
        address = network_of(request.client.host if request.client else "")
        standing = self._failures.take(address, FAILURES_PER_MINUTE, time.monotonic())
        if standing.retry_after_s is not None:
            raise _too_many(standing, "too many requests without a live API key")
        if standing.remaining == 0:
            self._trouble.warn("requests without a live API key keep coming from %s", address)


def check_scope(key: ApiKey, endpoint: Endpoint) -> None:
    """Raise Problem 403 unless the key may use the endpoint."""
    needed = endpoint.needed_scope
    if not allows(key.scope, needed):
        challenge = f'{_REALM}, error="insufficient_scope", scope="{needed}"'
        detail = f"this needs a key with the scope {needed}; this key's is {key.scope}"
        raise Problem(403, "insufficient_scope", detail, headers={"WWW-Authenticate": challenge})


def _too_many(standing: Standing, detail: str) -> Problem:
    """429 (RFC 6585)."""
    wait = str(standing.retry_after_s)
    return Problem(429, "rate_limited", detail, headers={"Retry-After": wait})


def _unauthorized(detail: str, error: str = ', error="invalid_token"') -> Problem:
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": _REALM + error})
