"""IP addresses as they come from sockets, settings and PBXs."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address


def plain_address(text: str) -> IPv4Address | IPv6Address:
    """An address, as IPv4 where it is that written as IPv6 (`::ffff:192.0.2.1`).

    Raises ValueError for what is none.
    """
    address = ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def is_loopback_name(host: str) -> bool:
    """Whether a host, by name or address, is this machine to itself alone."""
    try:
        return plain_address(unbracketed(host)).is_loopback
    except ValueError:
        return host == "localhost"


def unbracketed(host: str) -> str:
    """`[2001:db8::1]`, as in a URL, without its brackets; any other host as it is."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def bracketed(host: str) -> str:
    """A host as it stands before a colon and a port."""
    return f"[{host}]" if ":" in host else host


def is_private(endpoint: str) -> bool | None:
    """Whether `address:port` is of a network of somebody's own (RFC 1918), and so behind a NAT for
    everybody else; None for what is no address."""
    try:
        return plain_address(unbracketed(endpoint.rpartition(":")[0])).is_private
    except ValueError:
        return None


def local_address(host: str, port: int) -> str:
    """Our IP address on the way there, by this machine's routes; nothing is sent.

    Every one of ours (`::`, or `0.0.0.0` without IPv6) where the way is not known (yet).
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except OSError:
        found = []
    for family, kind, _, _, address in found:
        with socket.socket(family, kind) as udp:
            try:
                udp.connect(address)
            except OSError:
                continue
            return str(udp.getsockname()[0])
    return any_address()


def any_address() -> str:
    """That of all of this machine's, of IPv6 as well where it has that."""
    return "::" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104 - strangers are not heard
