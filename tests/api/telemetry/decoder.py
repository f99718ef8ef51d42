"""A reader of HEP3 by its specification (revision 36); shares nothing with what writes it."""

import ipaddress
import struct
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class HepPacket:
    """The chunks of the generic vendor that one packet may have."""

    family: int
    protocol: int
    source: tuple[str, int]
    destination: tuple[str, int]
    seconds: int
    microseconds: int
    payload_type: int
    capture_id: int
    payload: bytes
    correlation: bytes | None = None
    password: bytes | None = None


def decode(datagram: bytes) -> HepPacket:
    """One packet. Raises AssertionError where it is none."""
    assert datagram[:4] == b"HEP3"
    (total,) = struct.unpack("!H", datagram[4:6])
    assert total == len(datagram)
    chunks = dict(_chunks(datagram[6:]))
    family = _number(chunks, 1, 1)
    assert family in (2, 10)
    source, destination = (3, 4) if family == 2 else (5, 6)
    size = 4 if family == 2 else 16
    for kind in (source, destination):
        assert len(chunks[kind]) == size
    return HepPacket(
        family=family,
        protocol=_number(chunks, 2, 1),
        source=(_address(chunks[source]), _number(chunks, 7, 2)),
        destination=(_address(chunks[destination]), _number(chunks, 8, 2)),
        seconds=_number(chunks, 9, 4),
        microseconds=_number(chunks, 10, 4),
        payload_type=_number(chunks, 11, 1),
        capture_id=_number(chunks, 12, 4),
        password=chunks.get(14),
        payload=chunks[15],
        correlation=chunks.get(17),
    )


def _chunks(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        vendor, kind, length = struct.unpack("!HHH", data[:6])
        assert vendor == 0
        assert 6 <= length <= len(data)
        found.append((kind, data[6:length]))
        data = data[length:]
    assert len({kind for kind, _ in found}) == len(found)
    return found


def _number(chunks: Mapping[int, bytes], kind: int, size: int) -> int:
    assert len(chunks[kind]) == size
    return int.from_bytes(chunks[kind], "big")


def _address(packed: bytes) -> str:
    address = ipaddress.ip_address(packed)
    mapped = getattr(address, "ipv4_mapped", None)
    return str(address) if mapped is None else f"::ffff:{mapped}"
