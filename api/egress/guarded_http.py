"""HTTP to where an API client says: only to addresses that the egress rules allow.

A name may lead somewhere else with every look-up, so each request goes to an address that was
checked, whatever the name says by then.
"""

import asyncio
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import httpx

from api.egress.policy import Address, EgressError, EgressPolicy
from api.settings import Tools

_PORTS: Final = {"http": 80, "https": 443}


class GuardedTransport(httpx.AsyncBaseTransport):
    """Looks up, checks, and connects to what was checked. Raises EgressError beside what any
    transport raises."""

    def __init__(self, policy: EgressPolicy, lookups: int, tls: ssl.SSLContext) -> None:
        """
        Args:
            policy: where requests may go.
            lookups: most names looked up at one time.
            tls: whose certificates are trusted.
        """
        self._policy = policy
        # No connection is kept: an address does not tell whose certificate was checked.
        self._inner = httpx.AsyncHTTPTransport(
            tls, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )
        # A name server that does not answer holds a thread for long after its request is given
        # up: not one of those that write recordings.
        self._resolver = ThreadPoolExecutor(lookups, "egress-dns")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        parts = self._policy.check_url(str(request.url))
        host = parts.hostname or ""
        failure: httpx.TransportError | None = None
        for address in await self._resolve(host, parts.port or _PORTS[parts.scheme]):
            pinned = httpx.Request(
                request.method,
                request.url.copy_with(host=str(address)),
                headers=request.headers,  # with the `Host` of the name
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
            try:
                return await self._inner.handle_async_request(pinned)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        assert failure is not None
        raise failure

    async def aclose(self) -> None:
        self._resolver.shutdown(wait=False, cancel_futures=True)
        await self._inner.aclose()

    async def _resolve(self, host: str, port: int) -> list[Address]:
        """The host's addresses that may be connected to, at least one."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._resolver, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        allowed: list[Address] = []
        refused: EgressError | None = None
        for *_, (text, *_) in found:
            address = ip_address(str(text).partition("%")[0])
            try:
                self._policy.check_address(address)
            except EgressError as error:
                refused = error
            else:
                allowed.append(address)
        if not allowed:
            raise refused or EgressError(f"{host} has no address")
        return allowed


def guarded_client(
    policy: EgressPolicy, lookups: int, headers: dict[str, str], ca_file: Path | None = None
) -> httpx.AsyncClient:
    """A client that follows no redirect, keeps no cookie, heeds no environment and has no
    timeout: whoever sends bounds the whole of it.

    Args:
        policy: where requests may go.
        lookups: most names looked up at one time.
        headers: of every request.
        ca_file: certificates (PEM) to trust beside the public ones.
    """
    tls = httpx.create_ssl_context(trust_env=False)
    if ca_file is not None:
        tls.load_verify_locations(ca_file)
    return httpx.AsyncClient(
        transport=GuardedTransport(policy, lookups, tls),
        trust_env=False,
        follow_redirects=False,
        timeout=None,  # noqa: S113 - see above
        headers=headers,
        # What one call's request is answered with does not go along with another's.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
    )


def tools_client(settings: Tools, lookups: int) -> httpx.AsyncClient:
    """A client for what tools reach.

    Args:
        settings: where that may be.
        lookups: most names looked up at one time.
    """
    # An answer that is packed could be unpacked to any size.
    headers = {"User-Agent": "Offhook", "Accept-Encoding": "identity"}
    return guarded_client(EgressPolicy(settings), lookups, headers, settings.ca_file)
