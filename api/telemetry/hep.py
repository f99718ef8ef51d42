"""Packets of HEP3, the Homer Encapsulation Protocol, version 3 (EEP). No I/O.

A packet is a header and chunks, each with a vendor, a type and a length; all in network order:
https://github.com/sipcapture/HEP/blob/master/docs/HEP3NetworkProtocolSpecification_REV36.pdf
"""

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Final

_ID: Final = b"HEP3"
_HEADER: Final = struct.Struct("!4sH")
_CHUNK: Final = struct.Struct("!HHH")
#: The vendor of the chunks that everybody knows.
_GENERIC: Final = 0
#: Bytes of a payload, so that a packet is one datagram, whatever else it holds.
_MOST: Final = 60_000

Address = tuple[IPv4Address | IPv6Address, int]


class Payload(IntEnum):
    """What a packet is about, as Homer sorts it."""

    RTCP = 5
    """A report of RTCP, as JSON."""
    QUALITY = 34
    """A full report of a stream's quality, as JSON."""
    LOG = 100


@dataclass(frozen=True)
class Capture:
    """One packet."""

    payload: Payload
    source: Address
    destination: Address
    at: float
    """Unix time in seconds."""
    body: bytes
    correlation: str
    """What joins it with others: the SIP Call-ID."""


def encode(capture: Capture, capture_id: int, password: str | None = None) -> bytes:
    """The packet, for one UDP datagram.

    Args:
        capture: what it tells; of a body over 60,000 bytes the rest is cut off.
        capture_id: who we are to Homer, 32 bits.
        password: Homer's, sent as it is.
    """
    source, destination = capture.source, capture.destination
    four = source[0].version == destination[0].version == 4
    addresses = (source[0].packed, destination[0].packed) if four else _as_six(source, destination)
    microseconds = round(capture.at * 1e6)
    chunks: list[tuple[int, bytes]] = [
        (0x0001, bytes([socket.AF_INET if four else 10])),
        (0x0002, bytes([socket.IPPROTO_UDP])),
        *zip((0x0003, 0x0004) if four else (0x0005, 0x0006), addresses, strict=True),
        (0x0007, struct.pack("!H", source[1])),
        (0x0008, struct.pack("!H", destination[1])),
        (0x0009, struct.pack("!I", microseconds // 1_000_000)),
        (0x000A, struct.pack("!I", microseconds % 1_000_000)),
        (0x000B, bytes([capture.payload])),
        (0x000C, struct.pack("!I", capture_id)),
    ]
    if password:
        chunks.append((0x000E, password.encode()))
    chunks += [(0x0011, capture.correlation.encode()[:1024]), (0x000F, capture.body[:_MOST])]
    return _packet(chunks)


def _packet(chunks: Sequence[tuple[int, bytes]]) -> bytes:
    told = b"".join(
        _CHUNK.pack(_GENERIC, kind, _CHUNK.size + len(value)) + value for kind, value in chunks
    )
    return _HEADER.pack(_ID, _HEADER.size + len(told)) + told


def _as_six(*addresses: Address) -> Sequence[bytes]:
    """As IPv6, mapped where it is IPv4."""
    mapped = bytes(10) + b"\xff\xff"
    return [
        one.packed if isinstance(one, IPv6Address) else mapped + one.packed for one, _ in addresses
    ]
