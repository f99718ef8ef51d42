"""Where webhooks and tools may go: schemes, hosts and addresses, checked at the door and at
connect time.

The operator's own network is allowed, since that is where receivers live. Loopback, link-local
(cloud metadata among it), multicast and unspecified addresses, and every address of this machine,
are refused unless a configured network holds them: such a URL comes from an API client and must not
reach the machine's own services, such as the PBX's manager and the database.
"""

import re
import socket
from collections.abc import Iterable
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Self
from urllib.parse import SplitResult, urlsplit

from api.settings import Settings, Tools, Webhooks

Address = IPv4Address | IPv6Address

MAX_URL = 2048
_PRINTABLE_ASCII = re.compile(r"[\x21-\x7e]+")

#: Metadata services that are not link-local (AWS over IPv6, Alibaba, Oracle).
_METADATA = frozenset(map(ip_address, ("fd00:ec2::254", "100.100.100.200", "192.0.0.192")))


#: NAT64 (RFC 6052, RFC 8215), SIIT (RFC 2765), and the deprecated IPv4-compatible addresses
#: (RFC 4291 2.5.5.1).
_CARRYING_IPV4 = tuple(
    map(ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96"))
)
_DISCARD = 9  # any port
_THIS_NETWORK = ip_network("0.0.0.0/8")  # RFC 1122 3.2.1.3; Linux routes it


def destination(url: str) -> str:
    """Scheme, host and port: what deliveries to one receiver share."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()


class EgressError(ValueError):
    """Nothing may be sent to this URL or address; the message says why."""


class EgressPolicy:
    """The rules of one deployment, for webhooks, tools or models."""

    def __init__(
        self, settings: Webhooks | Tools, model_hosts: tuple[str, ...] | None = None
    ) -> None:
        """
        Args:
            settings: what holds.
            model_hosts: `models.allowed_hosts`, for models; they go where tools may where that is
                empty.
        """
        self._settings = settings
        self._section = "webhooks" if isinstance(settings, Webhooks) else "tools"
        self._named = settings.allowed_hosts if model_hosts is None else model_hosts
        self._named_by = f"{self._section if model_hosts is None else 'models'}.allowed_hosts"

    @classmethod
    def of_models(cls, settings: Settings) -> Self:
        """For language models that a configuration brings along."""
        return cls(settings.tools, settings.models.allowed_hosts)

    def check_named(self, url: str) -> None:
        """Raise EgressError unless the operator has named the host of `url`."""
        try:
            host = urlsplit(url).hostname or ""
        except ValueError as error:
            raise EgressError(f"not a URL: {error}") from error
        if not _matches(host, self._named):
            raise EgressError(
                f"host {host} is not among {self._named_by}: a key with the scope call names no "
                "other"
            )

    def check_url(self, url: str) -> SplitResult:
        """Raise EgressError unless requests may be sent to `url`; returns its parts."""
        if len(url) > MAX_URL or _PRINTABLE_ASCII.fullmatch(url) is None:
            raise EgressError(f"a URL of up to {MAX_URL} printable ASCII characters without spaces")
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise EgressError(f"not a URL: {error}") from error
        if parts.scheme == "http" and not self._settings.allow_http:
            raise EgressError(
                f"must start with https:// ({self._section}.allow_http permits http://)"
            )
        if parts.scheme not in {"http", "https"} or not host:
            raise EgressError("must start with https:// and name a host")
        if parts.username is not None or parts.password is not None:
            raise EgressError("must not hold a user name or a password")
        if parts.fragment:
            raise EgressError("must not hold a fragment (#…)")
        allowed = self._named or self._settings.allowed_hosts
        if allowed and not _matches(host, allowed):
            by = self._named_by if self._named else f"{self._section}.allowed_hosts"
            raise EgressError(f"host {host} is not among {by}")
        try:
            address = ip_address(host)
        except ValueError:
            return parts  # a name: its addresses are checked when it is resolved
        self.check_address(address)
        return parts

    def check_address(self, address: Address) -> None:
        """Raise EgressError unless requests may be sent to `address`."""
        forms = _forms(address)
        allowed = self._settings.allowed_networks
        if any(form in network for form in forms for network in allowed):
            return
        if any(_is_refused(form) or _is_own(form) for form in forms):
            raise EgressError(
                f"address {address} is refused; {self._section}.allowed_networks can allow it"
            )


def _matches(host: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(host, pattern.lower()) for pattern in patterns)


def _is_own(address: Address) -> bool:
    """Whether it is an address of this machine: the way there begins at itself. Nothing is sent."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), _DISCARD))
            source = str(probe.getsockname()[0])
    except OSError:
        return False  # there is no way there
    return ip_address(source.partition("%")[0]) == address


def _forms(address: Address) -> tuple[Address, ...]:
    """The address, and the IPv4 address that it carries: a gateway or the system may unwrap it."""
    if isinstance(address, IPv4Address):
        return (address,)
    carried = address.ipv4_mapped or address.sixtofour
    if carried is None and any(address in network for network in _CARRYING_IPV4):
        carried = IPv4Address(int(address) & 0xFFFF_FFFF)
    return (address,) if carried is None else (address, carried)


def _is_refused(address: Address) -> bool:
    return (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address in _METADATA
        or address in _THIS_NETWORK
    )
