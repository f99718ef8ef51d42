"""How frames of audio lie in datagrams: the only thing that differs between kinds of PBX."""

import random
import struct
from typing import Final, Protocol

from pbx.codecs import Codec
from pbx.rtp import RtpPacket, parse
from voice_loop.audio import frame_samples

_HEADER: Final = struct.Struct("!BBHII")


class Framing(Protocol):
    """Reads and writes one leg's datagrams."""

    def read(self, datagram: bytes) -> RtpPacket:
        """The packet in a datagram; raises RtpError for one that is malformed."""
        ...

    def write(self, payload: bytes) -> bytes:
        """The datagram that carries the next 20 ms of encoded audio."""
        ...

    def skip(self, frames: int) -> None:
        """Let time pass unsent: `frames` frames of 20 ms."""
        ...


class RtpFraming:
    """RTP: starts at random (RFC 3550 §5.1), one packet per frame, 20 ms of clock for each."""

    def __init__(self, codec: Codec) -> None:
        self._payload_type = codec.payload_type
        self._step = frame_samples(codec.clock)
        self._ssrc = random.getrandbits(32)
        self._sequence = random.getrandbits(16)
        self._timestamp = random.getrandbits(32)
        self._marker = 0x80  # a talk spurt begins (RFC 3551 §4.1)

    def read(self, datagram: bytes) -> RtpPacket:
        """Raises RtpError."""
        return parse(datagram)

    def write(self, payload: bytes) -> bytes:
        """One RTP packet."""
        header = _HEADER.pack(
            0x80, self._payload_type | self._marker, self._sequence, self._timestamp, self._ssrc
        )
        self._marker = 0
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + self._step) & 0xFFFFFFFF
        return header + payload

    def skip(self, frames: int) -> None:
        """Advances the timestamp, not the sequence number, and marks the next packet."""
        self._timestamp = (self._timestamp + frames * self._step) & 0xFFFFFFFF
        self._marker = 0x80
