"""Bearer keys (RFC 6750): `Authorization: Bearer sk_…`."""

from starlette.requests import Request

from api.problems import Problem
from api.records import ApiKey
from api.store.keys import KEY_PREFIX, Keys

MAX_KEY = 200


async def authenticate(request: Request, keys: Keys) -> ApiKey:
    """Who asks; 401 unless the request bears a live key."""
    given = request.headers.get("authorization")
    if given is None:
        raise _unauthorized("send the header Authorization: Bearer sk_…", "")
    scheme, _, key = given.partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key.startswith(KEY_PREFIX) or len(key) > MAX_KEY:
        raise _unauthorized("the Authorization header must be Bearer and a key sk_…")
    found = await keys.recognise(key)
    if found is None:
        raise _unauthorized("this API key is unknown or revoked")
    return found


def _unauthorized(detail: str, error: str = ', error="invalid_token"') -> Problem:
    challenge = f'Bearer realm="offhook"{error}'
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": challenge})
