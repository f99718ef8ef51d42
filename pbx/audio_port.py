"""One UDP port for audio: what has arrived, from whom it is taken, and what was dropped.

Datagrams are told apart by their exact source address, which is also the lock: what comes from
anywhere else is counted and dropped, by a filter in the kernel already.
"""

import ipaddress
import logging
import socket
import struct
from collections.abc import Iterable, Mapping
from typing import Final, Generic, NamedTuple, TypeVar

from pbx import source_filter
from pbx.source_filter import SourceAddress

_log = logging.getLogger(__name__)

_DATAGRAM_BYTES: Final = 2048  # above any Ethernet frame
_RECEIVE_BUFFER_BYTES: Final = 4 * 1024 * 1024  # the kernel gives what its own limit allows
_SO_TIMESTAMPNS: Final = 35  # asm-generic/socket.h; the socket module does not name it
_TIMESPEC: Final = struct.Struct("@ll")
_ANCILLARY_BYTES: Final = socket.CMSG_SPACE(_TIMESPEC.size)
_GREATEST_AGE_S: Final = 1.0  # a datagram that seems older was stamped before a clock was set
_EXPEDITED: Final = 0xB8  # traffic class byte of DSCP EF, telephony in RFC 4594

OwnerT = TypeVar("OwnerT")


class MediaError(Exception):
    """The media server cannot do what was asked; the message says why and how to mend it."""


class Arrived(NamedTuple):
    """One datagram."""

    datagram: bytes
    source: SourceAddress
    age_s: float
    """How long ago it came."""


class AudioPort(Generic[OwnerT]):
    """A bound socket, and whose audio each source is.

    Args:
        bind: IP address; `::` takes IPv4 as well (RFC 3493 section 3.7).
        ports: tried in this order.

    Raises MediaError when none can be had.
    """

    def __init__(self, bind: str, ports: Iterable[int]) -> None:
        self._bind = ipaddress.ip_address(bind)
        self._both = self._bind.version == 6 and self._bind.is_unspecified
        self._socket = self._open(ports)
        self._by_source: dict[SourceAddress, OwnerT] = {}
        self._filter_failed = False
        self._filter_is_stale = False
        self._waits = False
        self._unknown = 0
        self._drops_before = source_filter.dropped(self._socket)
        self._renew_filter()

    @property
    def address(self) -> tuple[str, int]:
        """IP address and port that it is bound to."""
        host, port = self._socket.getsockname()[:2]
        return host, port

    @property
    def owners(self) -> Mapping[SourceAddress, OwnerT]:
        """Whose audio comes from where."""
        return self._by_source

    @property
    def strays(self) -> int:
        """Datagrams dropped so far: from a source that nobody owns, or for want of room."""
        drops = source_filter.dropped(self._socket)
        self._unknown += (drops - self._drops_before) & 0xFFFFFFFF
        self._drops_before = drops
        return self._unknown

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()

    def source_address(self, remote: tuple[str, int]) -> SourceAddress:
        """`remote` as the kernel will name it. Raises MediaError for what is no address."""
        host, port = remote
        try:
            ip = ipaddress.ip_address(host)
        except ValueError as error:
            raise MediaError(f"{host!r} is not an IP address to send audio to") from error
        if not 0 < port < 65536:
            raise MediaError(f"{port} is not a UDP port to send audio to")
        if self._both and ip.version == 4:
            return f"::ffff:{ip}", port, 0, 0
        if ip.version != self._bind.version:
            raise MediaError(f"audio for {host} cannot be sent from {self._bind} (rtp.bind)")
        return (str(ip), port) if ip.version == 4 else (str(ip), port, 0, 0)

    def lock(self, owner: OwnerT, old: SourceAddress | None, new: SourceAddress) -> None:
        """Hear `new` for `owner`, and `old` no more. Raises MediaError if another owns it."""
        if self._by_source.get(new, owner) is not owner:
            raise MediaError(f"another call's audio already comes from {new[0]}:{new[1]}")
        if old is not None:
            del self._by_source[old]
        self._by_source[new] = owner
        self._renew_filter()

    def unlock(self, source: SourceAddress) -> None:
        """Hear `source` no more."""
        del self._by_source[source]
        self._filter_is_stale = True

    def wait_for_strangers(self, waits: bool) -> None:
        """Whether sources that nobody owns are to be handed on as well."""
        if waits != self._waits:
            self._waits = waits
            self._filter_is_stale = True

    def settle(self) -> None:
        """Bring the filter up to date."""
        if self._filter_is_stale:
            self._renew_filter()

    def send(self, datagram: bytes, remote: SourceAddress) -> None:
        """Send at once or not at all: raises OSError, a full socket buffer included."""
        self._socket.sendto(datagram, remote)

    def receive(self, wall: float) -> Arrived | None:
        """The next datagram; None where there is none. Raises OSError.

        Args:
            wall: Unix time in seconds now.
        """
        try:
            datagram, ancillary, _, source = self._socket.recvmsg(_DATAGRAM_BYTES, _ANCILLARY_BYTES)
        except BlockingIOError:
            return None
        age = 0.0
        if ancillary:
            seconds, nanoseconds = _TIMESPEC.unpack(ancillary[0][2])
            age = wall - seconds - nanoseconds * 1e-9
            if not 0 <= age < _GREATEST_AGE_S:
                age = 0.0
        return Arrived(datagram, source, age)

    def drop(self) -> None:
        """Count a datagram that is nobody's."""
        self._unknown += 1

    def _open(self, ports: Iterable[int]) -> socket.socket:
        family = socket.AF_INET6 if self._bind.version == 6 else socket.AF_INET
        reason, port = "the range is empty", None
        for port in ports:
            udp = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            try:
                if family == socket.AF_INET6:
                    udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(not self._both))
                udp.bind((str(self._bind), port))
            except OSError as error:
                udp.close()
                reason = error.strerror or str(error)
                continue
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
            udp.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            if family == socket.AF_INET6:
                udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _EXPEDITED)
            if family == socket.AF_INET or self._both:
                udp.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _EXPEDITED)
            return udp
        raise MediaError(reason)

    def _renew_filter(self) -> None:
        """Have the kernel let through what comes from the owned sources, and no more."""
        self._filter_is_stale = False
        if self._waits:
            source_filter.detach(self._socket)
            return
        try:
            source_filter.attach(self._socket, self._by_source)
        except OSError as error:
            if not self._filter_failed:
                _log.warning("strangers' datagrams are dropped here, not in the kernel: %s", error)
            self._filter_failed = True
