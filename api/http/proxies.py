"""Whom a request comes from, where a proxy stands in front of us.

Only what a proxy of ours appended to `X-Forwarded-For` counts; what anybody else writes there is
made up. `Forwarded` (RFC 7239) is never read: a proxy that writes the one header passes on the
other as its client sent it.
"""

import ipaddress
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import Scope

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Proxies:
    """The proxies that are ours, by network."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)

    def __contains__(self, host: str) -> bool:
        address = _address(host)
        return address is not None and self._has(address)

    def see_through(self, scope: Scope) -> None:
        """Make client and scheme of an HTTP scope those that a proxy of ours tells of."""
        client = scope.get("client")
        if not self._networks or client is None or client[0] not in self:
            return
        headers = Headers(scope=scope)
        told = [hop.strip() for hop in ",".join(headers.getlist("x-forwarded-for")).split(",")]
        for hop in reversed(told):
            address = _address(hop)
            if address is None:
                break  # no address: what stands before it was not written by a proxy of ours
            scope["client"] = (str(address), 0)
            if not self._has(address):
                break
        if (scheme := headers.get("x-forwarded-proto", "")) in {"http", "https"}:
            scope["scheme"] = scheme

    def _has(self, address: _Address) -> bool:
        return any(address in network for network in self._networks)


def _address(text: str) -> _Address | None:
    """The address in a hop: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
