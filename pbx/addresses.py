"""IP addresses as they come from sockets, settings and PBXs."""

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
    return is_private_host(endpoint.rpartition(":")[0])


def is_private_host(host: str) -> bool | None:
    """The same of an address without a port."""
    try:
        return plain_address(unbracketed(host)).is_private
    except ValueError:
        return None
