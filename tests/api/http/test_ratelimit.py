"""Token buckets, without a clock; and what a client sees of them."""

import logging

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.http.auth import FAILURES_PER_MINUTE
from api.http.ratelimit import TokenBuckets
from tests.api.conftest import Bench
from tests.api.doors import client_of


def test_a_minutes_worth_may_come_at_once_then_evenly() -> None:
    buckets = TokenBuckets(10)
    standings = [buckets.take("a", 60, now=100.0) for _ in range(60)]
    assert [one.remaining for one in standings] == list(range(59, -1, -1))
    assert {one.retry_after_s for one in standings} == {None}
    refused = buckets.take("a", 60, now=100.0)
    assert (refused.remaining, refused.retry_after_s, refused.reset_s) == (0, 1, 60)
    assert buckets.take("a", 60, now=101.0).retry_after_s is None
    assert buckets.take("a", 60, now=101.0).retry_after_s == 1
    assert buckets.take("a", 60, now=1000.0).remaining == 59


def test_each_name_has_a_bucket_of_its_own() -> None:
    buckets = TokenBuckets(10)
    assert buckets.take("a", 1, now=0.0).retry_after_s is None
    assert buckets.take("a", 1, now=0.0).retry_after_s == 60
    assert buckets.take("b", 1, now=0.0).retry_after_s is None


def test_who_has_not_asked_for_longest_is_forgotten() -> None:
    buckets = TokenBuckets(2)
    buckets.take("a", 1, now=0.0)
    buckets.take("b", 1, now=1.0)
    assert buckets.take("a", 1, now=2.0).retry_after_s is not None
    buckets.take("c", 1, now=3.0)
    assert len(buckets) == 2
    assert buckets.take("a", 1, now=4.0).retry_after_s is not None
    assert buckets.take("b", 1, now=5.0).retry_after_s is None


def test_a_limit_may_change() -> None:
    buckets = TokenBuckets(2)
    buckets.take("a", 1000, now=0.0)
    assert buckets.take("a", 2, now=0.0).remaining == 1
    assert buckets.take("a", 2, now=0.0).remaining == 0
    assert buckets.take("a", 2, now=0.0).retry_after_s == 30


@given(
    st.integers(1, 100_000),
    st.lists(st.floats(0, 120, allow_nan=False), min_size=1, max_size=200),
)
@example(1, [0.0, 0.0, 1.6723761048041865, 75.36060247519444, 0.0])
def test_never_more_than_the_limit_and_what_time_has_refilled(
    limit: int, pauses: list[float]
) -> None:
    """And whoever waits as long as he is told gets a token."""
    buckets, now, taken = TokenBuckets(1), 0.0, 0
    for pause in pauses:
        now += pause
        standing = buckets.take("a", limit, now)
        if standing.retry_after_s is None:
            taken += 1
        else:
            now += standing.retry_after_s
            assert buckets.take("a", limit, now).retry_after_s is None
            taken += 1
        assert taken <= limit + now * limit / 60 + 1e-6
        assert 0 <= standing.remaining < limit
        assert 0 <= standing.reset_s <= 60


async def test_a_key_is_told_how_much_is_left_and_when_to_come_again(bench: Bench) -> None:
    _, key = await bench.store.keys.create("slow", rate_limit_per_minute=2)
    async with client_of(bench, key) as client:
        first = await client.get("/v1/calls")
        assert first.headers["ratelimit-policy"] == '"key";q=2;w=60'
        assert first.headers["ratelimit"].startswith('"key";r=1;t=')
        assert (await client.get("/v1/calls/none")).headers["ratelimit"].startswith('"key";r=0;t=')
        third = await client.get("/v1/calls")
        assert (third.status_code, third.json()["code"]) == (429, "rate_limited")
        assert 1 <= int(third.headers["retry-after"]) <= 30
        assert third.headers["ratelimit"].startswith('"key";r=0;t=')
        assert (await client.get("/healthz")).status_code == 200
    assert (await bench.client.get("/v1/calls")).status_code == 200  # another key


async def test_the_deployments_limit_holds_for_keys_without_one(bench: Bench) -> None:
    _, unlimited = await bench.store.keys.create("unlimited", rate_limit_per_minute=0)
    settings = {"OFFHOOK_SERVER__RATE_LIMIT_PER_MINUTE": "1"}
    async with client_of(bench, bench.key, settings) as client:
        assert (await client.get("/v1/calls")).headers["ratelimit-policy"] == '"key";q=1;w=60'
        assert (await client.get("/v1/calls")).status_code == 429
        client.headers["Authorization"] = f"Bearer {unlimited}"
        for _ in range(3):
            answer = await client.get("/v1/calls")
            assert (answer.status_code, "ratelimit" in answer.headers) == (200, False)


async def test_no_limit_no_headers(bench: Bench) -> None:
    settings = {"OFFHOOK_SERVER__RATE_LIMIT_PER_MINUTE": "0"}
    async with client_of(bench, bench.key, settings) as client:
        assert "ratelimit" not in (await client.get("/v1/calls")).headers


async def test_an_address_that_keeps_guessing_is_told_to_wait(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    async def codes(client: httpx.AsyncClient, times: int) -> set[int]:
        return {(await client.get("/v1/calls")).status_code for _ in range(times)}

    async with client_of(bench, "sk_guess", peer="2001:db8::1") as client:
        with caplog.at_level(logging.WARNING, "api.http.auth"):
            assert await codes(client, FAILURES_PER_MINUTE) == {401}
        assert "2001:db8::/64" in caplog.text
        refused = await client.get("/v1/calls")
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert int(refused.headers["retry-after"]) >= 1
        client.headers["Authorization"] = f"Bearer {bench.key}"
        assert await codes(client, 1) == {200}  # a good key behind the same address
