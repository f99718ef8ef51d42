"""Keys with scopes (CB-5, OI-2, X-RV-7): what each may do, and managing them over the API."""

from typing import Any

import pytest

from api.compat.endpoints import ENDPOINTS
from api.http.endpoint import Endpoint
from api.resources.key import SCOPES, KeyScope, allows
from api.store.keys import hash_key
from tests.api.conftest import Bench
from tests.api.doors import client_of

PROTECTED = [endpoint for endpoint in ENDPOINTS if not endpoint.public]


def test_each_scope_holds_the_ones_below() -> None:
    assert [[allows(given, needed) for needed in SCOPES] for given in SCOPES] == [
        [True, False, False, False],
        [True, True, False, False],
        [True, True, True, False],
        [True, True, True, True],
    ]


@pytest.mark.parametrize("scope", SCOPES)
async def test_every_route_asks_for_its_scope(bench: Bench, scope: KeyScope) -> None:
    """None is forgotten, and 403 comes before anything is done or told."""
    _, key = await bench.store.keys.create(scope, scope, rate_limit_per_minute=0)
    async with client_of(bench, key) as client:
        for endpoint in PROTECTED:
            path = endpoint.path.replace("{", "").replace("}", "")
            if path.endswith("/events"):
                continue
            response = await client.request(endpoint.method, path)
            if allows(scope, endpoint.needed_scope):
                assert response.status_code not in {401, 403}, (endpoint.method, path)
                continue
            assert response.status_code == 403, (endpoint.method, path)
            if endpoint.dialect is None:
                assert response.json()["code"] == "insufficient_scope"
            assert response.headers["www-authenticate"] == (
                'Bearer realm="offhook", error="insufficient_scope", '
                f'scope="{endpoint.needed_scope}"'
            )


def test_what_configures_asks_for_admin() -> None:
    def needed(method: str, path: str) -> KeyScope:
        (endpoint,) = [one for one in ENDPOINTS if (one.method, one.path) == (method, path)]
        return endpoint.needed_scope

    assert needed("POST", "/v1/calls") == "call"
    assert needed("POST", "/v1/calls/{call_id}/hangup") == "call"
    assert needed("GET", "/v1/calls") == "read"
    assert needed("POST", "/v1/webhook_endpoints") == "admin"
    assert needed("POST", "/v1/webhook_secret/rotate") == "admin"
    assert needed("GET", "/v1/api_keys") == "admin"


def test_no_new_route_is_open_by_forgetting() -> None:
    """A route that writes and says nothing is for admins."""

    async def handler(exchange: Any) -> Any: ...

    assert Endpoint("PATCH", "/v1/x", handler, "x", "x", {}).needed_scope == "admin"
    assert Endpoint("GET", "/v1/x", handler, "x", "x", {}).needed_scope == "read"


async def make(bench: Bench, **body: Any) -> dict[str, Any]:
    response = await bench.client.post("/v1/api_keys", json={"name": "crm"} | body)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    assert response.headers["location"] == f"/v1/api_keys/{made['id']}"
    assert response.headers["cache-control"] == "no-store"
    return made


async def test_a_key_is_made_used_and_revoked(bench: Bench) -> None:
    made = await make(bench, scope="call", rate_limit_per_minute=100)
    assert made["key"].startswith(made["prefix"])
    async with client_of(bench, made["key"]) as client:
        placed = await client.post("/v1/calls", json={"to": "+15551234567"})
        assert (placed.status_code, placed.headers["ratelimit-policy"]) == (
            201,
            '"key";q=100;w=60',
        )
        assert (await client.get("/v1/api_keys")).status_code == 403
        revoked = await bench.client.post(f"/v1/api_keys/{made['id']}/revoke")
        assert (revoked.status_code, revoked.json()["revoked_at"] is None) == (200, False)
        assert (await client.get("/v1/calls")).status_code == 401
    again = await bench.client.post(f"/v1/api_keys/{made['id']}/revoke")
    assert again.json() == revoked.json()


async def test_the_key_is_told_once(bench: Bench) -> None:
    made = await make(bench, scope="read")
    read = await bench.client.get(f"/v1/api_keys/{made['id']}")
    assert read.json() == {name: value for name, value in made.items() if name != "key"}
    assert made["key"] not in (await bench.client.get("/v1/api_keys")).text


async def test_the_key_is_not_kept_under_an_idempotency_key_either(bench: Bench) -> None:
    body, headers = {"name": "ci", "scope": "read"}, {"Idempotency-Key": "k1"}
    first = await bench.client.post("/v1/api_keys", json=body, headers=headers)
    again = await bench.client.post("/v1/api_keys", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json() | {"key": None}
    assert len(await bench.store.keys.list()) == 2


async def test_keys_come_in_pages_newest_first(bench: Bench) -> None:
    made = [(await make(bench, scope="read"))["id"] for _ in range(4)]
    seen: list[str] = []
    cursor = None
    for _ in range(3):
        parameters = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await bench.client.get("/v1/api_keys", params=parameters)).json()
        seen += [key["id"] for key in page["data"]]
        cursor = page["next_cursor"]
    assert (cursor, seen[:4], len(seen)) == (None, made[::-1], 5)
    wrong = await bench.client.get("/v1/api_keys", params={"cursor": "x"})
    assert wrong.json()["errors"][0]["parameter"] == "cursor"


async def test_a_key_does_not_revoke_itself(bench: Bench) -> None:
    (own,) = await bench.store.keys.list()
    refused = await bench.client.post(f"/v1/api_keys/{own.id}/revoke")
    assert (refused.status_code, refused.json()["code"]) == (409, "own_key")
    assert await bench.store.keys.recognise(bench.key) is not None


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"scope": "read"}, "/name"),
        ({"name": "", "scope": "read"}, "/name"),
        ({"name": "a\nb", "scope": "read"}, "/name"),
        ({"name": "a"}, "/scope"),
        ({"name": "a", "scope": "root"}, "/scope"),
        ({"name": "a", "scope": "read", "rate_limit_per_minute": -1}, "/rate_limit_per_minute"),
        ({"name": "a", "scope": "read", "scopes": []}, "/scopes"),
    ],
)
async def test_a_wrong_field_is_named(bench: Bench, body: dict[str, Any], pointer: str) -> None:
    response = await bench.client.post("/v1/api_keys", json=body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == pointer


async def test_no_such_key(bench: Bench) -> None:
    for method, path in (("GET", "/v1/api_keys/x"), ("POST", "/v1/api_keys/x/revoke")):
        assert (await bench.client.request(method, path)).status_code == 404


async def test_the_store_keeps_only_the_hash(bench: Bench) -> None:
    made = await make(bench, scope="read")
    found = await bench.store.keys.recognise(made["key"])
    assert found is not None
    assert found.scope == "read"
    assert await bench.store.keys.recognise(hash_key(made["key"])) is None
