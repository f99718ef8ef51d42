"""What caches may keep of us, on a real server: the documents, and nothing else."""

import pytest

from tests.api.conftest import Bench


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/calls", 200),
        ("GET", "/v1/calls/{call}", 200),
        ("HEAD", "/v1/calls/{call}", 200),
        ("GET", "/v1/calls/{call}/events", 200),
        ("GET", "/v1/calls/{call}/recording", 404),
        ("GET", "/recordings/{call}/1?expires=1&signature=x", 404),
        ("GET", "/v1/do_not_call/export", 200),
        ("POST", "/v1/calls", 415),
        ("DELETE", "/v1/calls", 405),
        ("GET", "/v1/nowhere", 404),
        ("GET", "/healthz", 200),
        ("GET", "/api/call/{call}", 200),
        ("GET", "/compat/callingbox/v1/nowhere", 404),
    ],
)
async def test_answers_are_kept_by_no_cache(
    bench: Bench, method: str, path: str, status: int
) -> None:
    call = await bench.create()
    content = b"{" if method == "POST" else None
    request = bench.client.stream(method, path.format(call=call["id"]), content=content)
    async with request as answer:
        assert answer.status_code == status
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_who_has_no_key_is_told_nothing_to_keep(bench: Bench) -> None:
    answer = await bench.client.get("/v1/calls", headers={"Authorization": "Bearer sk_x"})
    assert (answer.status_code, answer.headers["cache-control"]) == (401, "no-store")


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/llms.txt"])
async def test_a_document_is_the_same_for_everybody(bench: Bench, path: str) -> None:
    answer = await bench.client.get(path)
    assert answer.headers["cache-control"] == "public, no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    again = await bench.client.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.headers["cache-control"]) == (304, "public, no-cache")
