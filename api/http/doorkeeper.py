"""Who may be connected: strangers make room for one another, and none for who has shown a key.

Knows no socket: the HTTP server asks it and closes what it says.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from api.http.proxies import Proxies
from api.http.ratelimit import TokenBuckets

#: Connections of one address that are listened to in a minute although they show no key; likewise
#: those that show one which is not known. Who turns out to have a live key is not counted.
STRANGERS_PER_MINUTE: Final = 600
#: Addresses and keys that are remembered; who has not come for longest is forgotten.
MAX_REMEMBERED: Final = 10_000


@dataclass(eq=False)
class Visitor:
    """A connection."""

    network: str
    """Of its peer (`network_of`)."""
    proxy: bool
    """Whether it comes from a proxy of ours, for many."""
    close: Callable[[], None] = lambda: None
    """Closes it; to be set by who can."""
    heard_as: str = ""
    """The bucket that its first request was taken from."""
    stranger: bool = True
    """Whether it has shown no live key yet."""


class Doorkeeper:
    """Counts connections, and decides which are too many."""

    def __init__(self, most: int, most_per_address: int, proxies: Proxies) -> None:
        """
        Args:
            most: connections in all.
            most_per_address: connections of one address; a proxy's are only counted in all.
            proxies: ours.
        """
        self._most = most
        self._most_per_address = most_per_address
        self._proxies = proxies
        self._visitors: set[Visitor] = set()
        self._counts: dict[str, int] = {}
        self._strangers: dict[str, OrderedDict[Visitor, None]] = {}
        """By network; the one that has been there for longest first."""
        self._first_requests = TokenBuckets(MAX_REMEMBERED)
        self._familiar: OrderedDict[bytes, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._visitors)

    def let_in(self, host: str) -> Visitor | None:
        """A new connection from this address, for which the oldest stranger of the address may have
        to go, or of the address with the most of them; None: it is one too many."""
        visitor = Visitor(network_of(host), host in self._proxies)
        if not visitor.proxy and self._counts.get(visitor.network, 0) >= self._most_per_address:
            crowd = self._strangers.get(visitor.network)
        elif len(self._visitors) >= self._most:
            crowd = max(self._strangers.values(), key=len, default=None)
        else:
            return self._add(visitor)
        if not crowd:
            return None
        oldest = next(iter(crowd))
        self.leave(oldest)
        oldest.close()
        return self._add(visitor)

    def hear(self, visitor: Visitor, key: bytes | None, now: float) -> bool:
        """Whether the first request of a connection is listened to.

        Args:
            visitor: the connection.
            key: digest of the key that it begins with, not checked yet.
            now: seconds of a clock that never goes back.
        """
        if visitor.proxy or key in self._familiar:
            return True
        visitor.heard_as = visitor.network if key is None else f"{visitor.network} with a key"
        standing = self._first_requests.take(visitor.heard_as, STRANGERS_PER_MINUTE, now)
        return standing.retry_after_s is None

    def vouch(self, visitor: Visitor, key: bytes) -> None:
        """It has shown a live key."""
        self._familiar[key] = None
        self._familiar.move_to_end(key)
        if len(self._familiar) > MAX_REMEMBERED:
            self._familiar.popitem(last=False)
        if visitor.stranger and visitor in self._visitors:
            visitor.stranger = False
            self._forget(visitor)
            self._first_requests.give_back(visitor.heard_as)

    def doubt(self, key: bytes) -> None:
        """The key is no live one (any more)."""
        self._familiar.pop(key, None)

    def leave(self, visitor: Visitor) -> None:
        """It is closed. Does nothing where that is known."""
        if visitor not in self._visitors:
            return
        self._visitors.discard(visitor)
        self._counts[visitor.network] -= 1
        if not self._counts[visitor.network]:
            del self._counts[visitor.network]
        if visitor.stranger:
            self._forget(visitor)

    def _add(self, visitor: Visitor) -> Visitor:
        self._visitors.add(visitor)
        self._counts[visitor.network] = self._counts.get(visitor.network, 0) + 1
        self._strangers.setdefault(visitor.network, OrderedDict())[visitor] = None
        return visitor

    def _forget(self, visitor: Visitor) -> None:
        crowd = self._strangers[visitor.network]
        del crowd[visitor]
        if not crowd:
            del self._strangers[visitor.network]


def network_of(host: str) -> str:
    """An address; of IPv6 the /64, which one host has to itself (RFC 6177)."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((address.packed[:8] + bytes(8), 64)))
    return str(address)
