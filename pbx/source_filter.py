"""A packet filter by which a UDP socket hears known sources only: a classic BPF program.

The kernel runs it on each datagram before that takes room in the socket's buffer, so that a flood
from strangers costs the process nothing (`SO_ATTACH_FILTER` in socket(7), linux/filter.h).
"""

import contextlib
import ctypes
import heapq
import socket
import struct
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from pbx.addresses import plain_address

#: As `socket.recvfrom` gives it: two fields for IPv4, four for IPv6.
SourceAddress = tuple[Any, ...]
#: code, jt, jf, k: how many instructions are skipped where a comparison with k is true, or false.
Instruction = tuple[int, int, int, int]

_INSTRUCTION: Final = struct.Struct("=HBBI")  # struct sock_filter
_PROGRAM: Final = struct.Struct("@HP")  # struct sock_fprog
_MEMINFO: Final = struct.Struct("@9I")  # linux/sock_diag.h; the last one is the drops
_SO_ATTACH_FILTER: Final = 26  # asm-generic/socket.h; the socket module names none of these
_SO_DETACH_FILTER: Final = 27
_SO_MEMINFO: Final = 55

_LOAD_BYTE: Final = 0x30
_LOAD_WORD: Final = 0x20
_LOAD_HALF: Final = 0x28
_MASK: Final = 0x54
_SKIP: Final = 0x05
_IF_EQUAL: Final = 0x15
_IF_GREATER: Final = 0x25
_IF_AT_LEAST: Final = 0x35
_ACCEPT: Final[Instruction] = (0x06, 0, 0, 0xFFFFFFFF)
_DROP: Final[Instruction] = (0x06, 0, 0, 0)

#: Offsets from here on begin at the IP header (SKF_NET_OFF), others at UDP's.
_IP_HEADER: Final = 0xFFF00000
_SOURCE_ADDRESS: Final = {4: _IP_HEADER + 12, 6: _IP_HEADER + 8}
_VERSION_BITS: Final = 0xF0  # of the IP header's first byte
_LOAD_SOURCE_PORT: Final[Instruction] = (_LOAD_HALF, 0, 0, 0)
#: All addresses' ranges of ports. Older kernels let a socket have some 1,200 instructions, and a
#: filter and its successor count together.
_MOST_RANGES: Final = 128
_MOST_ADDRESSES: Final = 16


def attach(udp: socket.socket, sources: Iterable[SourceAddress]) -> None:
    """Have `udp` receive what comes from `sources` from now on, and nothing else.

    A filter has an end: of very many sources, their neighbours may come through as well, so the
    reader looks again.

    Raises OSError where the kernel takes no filter; then all comes through.
    """
    code = b"".join(_INSTRUCTION.pack(*one) for one in program(sources))
    held = ctypes.create_string_buffer(code, len(code))
    told = _PROGRAM.pack(len(code) // _INSTRUCTION.size, ctypes.addressof(held))
    try:
        udp.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, told)
    except OSError:
        detach(udp)  # an older one would shut new sources out
        raise


def detach(udp: socket.socket) -> None:
    """Have `udp` receive whatever comes."""
    with contextlib.suppress(OSError):  # there is none
        udp.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)


def dropped(udp: socket.socket) -> int:
    """Datagrams that the kernel has dropped at `udp`, by its filter or for want of room: modulo
    2³², and 0 where it does not tell."""
    try:
        told = udp.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
    except OSError:
        return 0
    return int(_MEMINFO.unpack(told)[-1]) if len(told) == _MEMINFO.size else 0


def program(sources: Iterable[SourceAddress]) -> Sequence[Instruction]:
    """The filter for these sources."""
    ports: dict[str, set[int]] = defaultdict(set)
    for host, port, *_ in sources:
        ports[host].add(port)
    if len(ports) > _MOST_ADDRESSES:
        return [_ACCEPT]
    found: list[Instruction] = []
    for host, its_ports in ports.items():
        ranges = _ranges(sorted(its_ports), _MOST_RANGES // len(ports))
        found += _if_from(host, [_LOAD_SOURCE_PORT, *_search(ranges)])
    return [*found, _DROP]


def _if_from(host: str, then: Sequence[Instruction]) -> Iterable[Instruction]:
    """`then` for what comes from `host`; anything else goes on behind it."""
    address = plain_address(host)  # a packet of IPv4 has no mapped address, whatever the socket
    words = struct.unpack(f"!{len(address.packed) // 4}I", address.packed)
    yield _LOAD_BYTE, 0, 0, _IP_HEADER
    yield _MASK, 0, 0, _VERSION_BITS
    yield _IF_EQUAL, 1, 0, address.version << 4
    yield _SKIP, 0, 0, 3 * len(words) + len(then)
    for index, word in enumerate(words):
        yield _LOAD_WORD, 0, 0, _SOURCE_ADDRESS[address.version] + 4 * index
        yield _IF_EQUAL, 1, 0, word
        yield _SKIP, 0, 0, 3 * (len(words) - index - 1) + len(then)
    yield from then


def _search(ranges: Sequence[tuple[int, int]]) -> Sequence[Instruction]:
    """Accepts a port within one of the ascending ranges, by halving them."""
    if len(ranges) == 1:
        low, high = ranges[0]
        return [(_IF_AT_LEAST, 0, 1, low), (_IF_GREATER, 0, 1, high), _DROP, _ACCEPT]
    half = len(ranges) // 2
    below, above = _search(ranges[:half]), _search(ranges[half:])
    return [(_IF_AT_LEAST, 0, 1, ranges[half][0]), (_SKIP, 0, 0, len(below)), *below, *above]


def _ranges(ports: Sequence[int], most: int) -> Sequence[tuple[int, int]]:
    """At most so many ranges that hold the ascending ports, cut where the widest gaps are."""
    gaps = range(1, len(ports))
    cuts = sorted(heapq.nlargest(most - 1, gaps, key=lambda at: ports[at] - ports[at - 1]))
    starts, ends = [0, *cuts], [*cuts, len(ports)]
    return [(ports[start], ports[end - 1]) for start, end in zip(starts, ends, strict=True)]
