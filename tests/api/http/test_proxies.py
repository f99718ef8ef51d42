"""Whose word is taken for who asks."""

from ipaddress import ip_network

import pytest
from starlette.types import Scope

from api.http.auth import FAILURES_PER_MINUTE
from api.http.proxies import Proxies
from tests.api.conftest import Bench
from tests.api.doors import client_of

OURS = Proxies([ip_network("10.0.0.0/24"), ip_network("2001:db8:aa::/48")])


def seen(peer: str, *headers: tuple[str, str]) -> tuple[str, str]:
    """Client and scheme of a request."""
    raw = [(name.encode(), value.encode()) for name, value in headers]
    scope: Scope = {"type": "http", "client": (peer, 4711), "scheme": "http", "headers": raw}
    OURS.see_through(scope)
    return scope["client"][0], scope["scheme"]


@pytest.mark.parametrize(
    ("told", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("192.0.2.9, 192.0.2.7, 10.0.0.8", "192.0.2.7"),  # the first was made up
        ("10.0.0.9, 10.0.0.8", "10.0.0.9"),
        ("192.0.2.9, unknown", "10.0.0.1"),
        ("unknown, 10.0.0.8", "10.0.0.8"),
        ("", "10.0.0.1"),
    ],
)
def test_a_proxy_of_ours_tells_who_asks(told: str, client: str) -> None:
    assert seen("10.0.0.1", ("x-forwarded-for", told)) == (client, "http")


def test_several_headers_are_one_list() -> None:
    both = (("x-forwarded-for", "192.0.2.9"), ("x-forwarded-for", "192.0.2.7"))
    assert seen("2001:db8:aa::1", *both)[0] == "192.0.2.7"


def test_a_proxy_of_ours_tells_the_scheme() -> None:
    assert seen("10.0.0.1", ("x-forwarded-proto", "https")) == ("10.0.0.1", "https")
    assert seen("10.0.0.1", ("x-forwarded-proto", "gopher")) == ("10.0.0.1", "http")


@pytest.mark.parametrize("peer", ["127.0.0.1", "192.0.2.1", "10.0.1.1", "testclient"])
def test_nobody_else_is_believed(peer: str) -> None:
    lies = (
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "for=192.0.2.7;proto=https"),
    )
    assert seen(peer, *lies) == (peer, "http")


def test_what_a_proxy_passes_on_in_forwarded_is_not_read() -> None:
    assert seen("10.0.0.1", ("forwarded", "for=192.0.2.7;proto=https"))[0] == "10.0.0.1"


async def test_failures_are_those_of_the_client_behind_the_proxy(bench: Bench) -> None:
    settings = {"OFFHOOK_SERVER__TRUSTED_PROXIES": "10.0.0.0/24"}
    async with client_of(bench, "sk_wrong", settings, peer="10.0.0.1") as client:
        for _ in range(FAILURES_PER_MINUTE):
            headers = {"X-Forwarded-For": "192.0.2.7"}
            assert (await client.get("/v1/calls", headers=headers)).status_code == 401
        assert (await client.get("/v1/calls", headers=headers)).status_code == 429
        headers = {"X-Forwarded-For": "192.0.2.8"}
        assert (await client.get("/v1/calls", headers=headers)).status_code == 401


async def test_without_proxies_of_ours_an_address_cannot_be_chosen(bench: Bench) -> None:
    async with client_of(bench, "sk_wrong") as client:
        states = [
            (await client.get("/v1/calls", headers={"X-Forwarded-For": f"192.0.2.{n}"})).status_code
            for n in range(FAILURES_PER_MINUTE + 1)
        ]
    assert states == [401] * FAILURES_PER_MINUTE + [429]
