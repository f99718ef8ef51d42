"""Entity tags over a real server (CB-3): If-None-Match on every GET, If-Match on every change."""

import asyncio
from typing import Any

import pytest

from tests.api.conftest import Bench

PATH = "/v1/webhook_endpoints"


async def an_endpoint(bench: Bench) -> str:
    made = await bench.client.post(PATH, json={"url": "https://a.example/hook"})
    return f"{PATH}/{made.json()['id']}"


@pytest.mark.parametrize(
    "listed", ["{tag}", "W/{tag}", '"other", {tag}', "*", '"other",W/"more",W/{tag}']
)
async def test_what_is_known_is_304(bench: Bench, listed: str) -> None:
    path = await an_endpoint(bench)
    for known in (path, PATH, "/v1/api_keys", "/openapi.json"):
        first = await bench.client.get(known)
        tag = first.headers["etag"]
        again = await bench.client.get(known, headers={"If-None-Match": listed.format(tag=tag)})
        assert (again.status_code, again.content) == (304, b"")
        assert (again.headers["etag"], again.headers["cache-control"]) == (
            tag,
            first.headers["cache-control"],
        )


async def test_tags_may_come_on_several_lines(bench: Bench) -> None:
    path = await an_endpoint(bench)
    tag = (await bench.client.get(path)).headers["etag"]
    lines = [("If-None-Match", '"other"'), ("If-None-Match", tag)]
    assert (await bench.client.get(path, headers=lines)).status_code == 304


async def test_what_changed_is_told_anew(bench: Bench) -> None:
    path = await an_endpoint(bench)
    first = await bench.client.get(path)
    changed = await bench.client.patch(path, json={"description": "x"})
    again = await bench.client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.json()["description"]) == (200, "x")
    assert again.headers["etag"] == changed.headers["etag"] != first.headers["etag"]


async def test_secrets_and_errors_have_no_tag(bench: Bench) -> None:
    made = await bench.client.post("/v1/api_keys", json={"name": "ci", "scope": "read"})
    assert (made.headers["cache-control"], "etag" in made.headers) == ("no-store", False)
    assert "etag" not in (await bench.client.get(f"{PATH}/none")).headers


async def test_a_change_of_something_that_changed_is_412(bench: Bench) -> None:
    path = await an_endpoint(bench)
    seen = (await bench.client.get(path)).headers["etag"]

    async def change(description: str, **headers: str) -> Any:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return await bench.client.patch(path, json={"description": description}, headers=names)

    assert (await change("first", If_Match=seen)).status_code == 200
    lost = await change("second", If_Match=seen)
    assert (lost.status_code, lost.json()["code"]) == (412, "precondition_failed")
    read = await bench.client.get(path)
    assert read.json()["description"] == "first"
    tag = read.headers["etag"]
    assert (await change("weak", If_Match=f"W/{tag}")).status_code == 412
    assert (await change("third", If_Match=f'"other", {tag}')).status_code == 200
    assert (await change("fourth", If_Match="*")).status_code == 200
    assert (await change("fifth")).status_code == 200


async def test_if_match_on_nothing_is_412(bench: Bench) -> None:
    answer = await bench.client.patch(f"{PATH}/none", json={}, headers={"If-Match": "*"})
    assert answer.status_code == 412


async def test_of_changes_at_one_time_one_gets_through(bench: Bench) -> None:
    path = await an_endpoint(bench)
    tag = (await bench.client.get(path)).headers["etag"]
    answers = await asyncio.gather(
        *(
            bench.client.patch(path, json={"description": str(number)}, headers={"If-Match": tag})
            for number in range(8)
        )
    )
    assert sorted(one.status_code for one in answers) == [200] + [412] * 7
