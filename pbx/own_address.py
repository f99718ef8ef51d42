"""This machine's own IP addresses."""

import socket


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
