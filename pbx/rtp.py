"""RTP as RFC 3550 lays it out: datagrams to packets and back, and the account of a stream.

Nothing here touches a socket or a clock. A malformed datagram raises an `RtpError` whose class
says what was wrong; sequence numbers and timestamps are only ever compared through differences
that survive their wraps.
"""

import enum
import struct
from typing import Final, NamedTuple

_HEADER: Final = struct.Struct("!BBHII")
_EXTENSION: Final = struct.Struct("!HH")
_VERSION: Final = 2


class RtpError(ValueError):
    """The datagram is not RTP; the subclass says why."""


class TruncatedHeaderError(RtpError):
    """Shorter than the fixed header of 12 bytes."""


class WrongVersionError(RtpError):
    """The version is not 2."""


class TruncatedSourcesError(RtpError):
    """Fewer contributing sources than the CSRC count announces."""


class TruncatedExtensionError(RtpError):
    """The header extension is shorter than it announces."""


class BadPaddingError(RtpError):
    """The padding's length is zero, or more than there is after the header."""


class RtpPacket(NamedTuple):
    """One RTP packet (RFC 3550 §5.1)."""

    payload_type: int
    """0 to 127."""
    sequence: int
    """0 to 65535."""
    timestamp: int
    """Units of the payload's clock, modulo 2³²."""
    ssrc: int
    payload: bytes
    """Without padding."""
    marker: bool = False
    sources: tuple[int, ...] = ()
    """Contributing sources (CSRC), at most 15."""
    extension: tuple[int, bytes] | None = None
    """Profile word and data of the header extension (§5.3.1); whole words of 4 bytes."""


def parse(datagram: bytes) -> RtpPacket:
    """Read one datagram. Raises a subclass of RtpError."""
    if len(datagram) < 12:
        raise TruncatedHeaderError(f"{len(datagram)} bytes, an RTP header has 12")
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(datagram)
    if first == 0x80:  # version 2 and nothing else: nearly every packet there is
        return RtpPacket(second & 127, sequence, timestamp, ssrc, datagram[12:], second > 127)
    if first >> 6 != _VERSION:
        raise WrongVersionError(f"version {first >> 6}, RTP is 2")

    start, end = 12, len(datagram)
    sources_end = start + 4 * (first & 15)
    if sources_end > end:
        raise TruncatedSourcesError(f"{first & 15} sources announced, {end - start} bytes follow")
    sources = struct.unpack_from(f"!{first & 15}I", datagram, start)
    start = sources_end

    extension = None
    if first & 0x10:
        if start + 4 > end:
            raise TruncatedExtensionError(f"{end - start} bytes, an extension's header has 4")
        profile, words = _EXTENSION.unpack_from(datagram, start)
        start += 4
        if start + 4 * words > end:
            raise TruncatedExtensionError(f"{words} words announced, {end - start} bytes follow")
        extension = (profile, datagram[start : start + 4 * words])
        start += 4 * words

    if first & 0x20:
        padding = datagram[-1] if end > start else 0
        if not 0 < padding <= end - start:
            raise BadPaddingError(f"{padding} bytes of padding in {end - start} bytes")
        end -= padding
    return RtpPacket(
        second & 127,
        sequence,
        timestamp,
        ssrc,
        datagram[start:end],
        second > 127,
        sources,
        extension,
    )


def serialize(packet: RtpPacket) -> bytes:
    """Write one packet, without padding. Raises ValueError for a field out of its range."""
    payload_type, sequence, timestamp, ssrc, payload, marker, sources, extension = packet
    if not 0 <= payload_type < 128 or len(sources) > 15:
        raise ValueError(f"payload type {payload_type} with {len(sources)} sources is not RTP")
    first = 0x80 | len(sources) | (0x10 if extension else 0)
    try:
        header = _HEADER.pack(
            first, payload_type | (0x80 if marker else 0), sequence, timestamp, ssrc
        )
        if sources:
            header += struct.pack(f"!{len(sources)}I", *sources)
        if extension is not None:
            profile, data = extension
            if len(data) % 4:
                raise ValueError(f"a header extension of {len(data)} bytes is not whole words")
            header += _EXTENSION.pack(profile, len(data) // 4) + data
    except struct.error as error:
        raise ValueError(f"a field of {packet!r} is out of its range") from error
    return header + payload


def sequence_delta(later: int, earlier: int) -> int:
    """`later - earlier` of two sequence numbers across a wrap: -32768 to 32767."""
    return ((later - earlier + 0x8000) & 0xFFFF) - 0x8000


def timestamp_delta(later: int, earlier: int) -> int:
    """`later - earlier` of two timestamps across a wrap: -2³¹ to 2³¹ - 1."""
    return ((later - earlier + 0x80000000) & 0xFFFFFFFF) - 0x80000000


class Arrival(enum.Enum):
    """What a packet is to its stream."""

    NEWEST = enum.auto()
    """Next in order, or after a gap."""
    REORDERED = enum.auto()
    """Missed until now."""
    DUPLICATE = enum.auto()
    PROBATION = enum.auto()
    """Fits the stream in no way; the next packet tells whether a new stream begins with it. Of
    another source than the stream's, none does while that one lives."""
    NEW_STREAM = enum.auto()
    """A stream begins: the very first packet, or the one that confirms the one on probation."""


class ReceptionStats:
    """Keeps the account of one received stream (RFC 3550 §6.4.1 and appendices A.1, A.3, A.8).

    Args:
        clock: timestamp units per second.
    """

    #: RFC 3550 A.1: a larger step forward, or a larger one back, is a restart of the sender.
    MAX_DROPOUT: Final = 3000
    MAX_MISORDER: Final = 100
    #: Seconds since its last packet in which a stream is not given up for another.
    LIVES_S: Final = 0.03
    #: What may follow on a pause: packets of 10 ms, and a clock that runs ahead by two seconds.
    MOST_PER_S: Final = 100
    AHEAD_S: Final = 2.0

    _SEEN_MASK: Final = (1 << 128) - 1

    def __init__(self, clock: int) -> None:
        self.received = 0
        """Packets in all, duplicates too."""
        self.duplicate = 0
        self.reordered = 0
        self.bursts = 0
        """How often packets were missing, one or more at a time; some may have come later."""
        self._clock = clock
        self._ssrc = -1
        self._highest = 0
        self._span = 0  # sequence numbers from the stream's first to its highest
        self._unique = 0
        self._seen = 0  # bit n: the packet n before the highest has come
        self._lost_before = 0
        self._candidate: tuple[int, int] | None = None  # SSRC and sequence number
        self._last_timestamp = 0
        self._last_arrival = 0.0
        self._jitter = 0.0
        self._jitter_sum = 0.0
        self._jitters = 0

    def continues(self, packet: RtpPacket, now: float) -> bool:
        """Whether that can only be a later packet of the stream, as somebody tells who knows it:
        its source's number, and where sequence and time stand by now."""
        passed = now - self._last_arrival
        step = sequence_delta(packet.sequence, self._highest)
        spacing = timestamp_delta(packet.timestamp, self._last_timestamp)
        return (
            packet.ssrc == self._ssrc
            and 0 < step < min(self.MAX_DROPOUT, (passed + self.AHEAD_S / 2) * self.MOST_PER_S)
            and 0 <= spacing <= (passed + self.AHEAD_S) * self._clock
        )

    @property
    def lost(self) -> int:
        """Packets that never came, by the extended sequence numbers of all streams."""
        return self._lost_before + self._span - self._unique

    @property
    def jitter_ms(self) -> float:
        """The interarrival jitter estimate in milliseconds."""
        return self._jitter * 1000 / self._clock

    @property
    def mean_jitter_ms(self) -> float:
        """The mean of that estimate over all packets."""
        return self._jitter_sum / max(1, self._jitters) * 1000 / self._clock

    def update(self, packet: RtpPacket, now: float) -> Arrival:
        """Enter one packet that arrived at `now` (seconds)."""
        self.received += 1
        sequence = packet.sequence
        step = sequence_delta(sequence, self._highest)
        if packet.ssrc != self._ssrc or not -self.MAX_MISORDER < step < self.MAX_DROPOUT:
            return self._outside(packet, now)
        self._candidate = None
        if step > 0:
            self._highest = sequence
            self._span += step
            self.bursts += step > 1
            self._seen = ((self._seen << step) | 1) & self._SEEN_MASK
            arrival = Arrival.NEWEST
        elif self._seen >> -step & 1:
            self.duplicate += 1
            return Arrival.DUPLICATE
        else:
            self._seen |= 1 << -step
            # Before the stream's first packet there is nothing that could have been lost.
            self._span = max(self._span, 1 - step)
            self.reordered += 1
            arrival = Arrival.REORDERED
        self._unique += 1
        spacing = timestamp_delta(packet.timestamp, self._last_timestamp)
        difference = abs((now - self._last_arrival) * self._clock - spacing)
        if difference < self._clock:  # more than a second is another clock's time
            self._jitter += (difference - self._jitter) / 16
            self._jitter_sum += self._jitter
            self._jitters += 1
        self._last_timestamp = packet.timestamp
        self._last_arrival = now
        return arrival

    def _outside(self, packet: RtpPacket, now: float) -> Arrival:
        first = self._ssrc == -1
        lives = packet.ssrc != self._ssrc and now - self._last_arrival < self.LIVES_S
        follows = self._candidate == (packet.ssrc, (packet.sequence - 1) & 0xFFFF)
        confirmed = follows and not lives
        if not first and not confirmed:
            self._candidate = (packet.ssrc, packet.sequence)
            return Arrival.PROBATION
        self._lost_before = self.lost
        self._ssrc, self._highest = packet.ssrc, packet.sequence
        self._span = self._unique = 2 if confirmed else 1
        self._seen = 0b11 if confirmed else 0b1
        self._candidate = None
        self._last_timestamp = packet.timestamp
        self._last_arrival = now
        return Arrival.NEW_STREAM


class PacketWriter:
    """Writes one stream's packets: numbered, timed and, where a talk spurt begins, marked.

    Args:
        payload_type: of its codec.
        step: units of the RTP clock in each packet.
        start: SSRC, sequence number and timestamp to start with; random (RFC 3550 §5.1).
    """

    def __init__(self, payload_type: int, step: int, start: tuple[int, int, int]) -> None:
        self._payload_type = payload_type
        self._step = step
        self._ssrc, self._sequence, self._timestamp = start
        self._marker = 0x80  # a talk spurt begins (RFC 3551 §4.1)

    def write(self, payload: bytes) -> bytes:
        """The packet that carries what is next."""
        header = _HEADER.pack(
            0x80, self._payload_type | self._marker, self._sequence, self._timestamp, self._ssrc
        )
        self._marker = 0
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + self._step) & 0xFFFFFFFF
        return header + payload

    def skip(self, frames: int) -> None:
        """Advance the timestamp, not the sequence number, and mark the next packet."""
        self._timestamp = (self._timestamp + frames * self._step) & 0xFFFFFFFF
        self._marker = 0x80
