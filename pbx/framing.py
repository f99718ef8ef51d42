"""How frames of audio lie in datagrams: with the codec, all that differs between kinds of PBX.

RTP numbers its packets and tells their time. FreeSWITCH's `unicast` sends bare samples, one frame
in each datagram, so that number and time must be made here, of nothing but the arrivals.
"""

import random
import struct
from typing import Final, Protocol

from pbx.codecs import Codec, Encoding
from pbx.jitter import GREATEST_MS
from pbx.rtp import RtpPacket, parse
from voice_loop.audio import FRAMES_PER_SECOND, frame_samples

_HEADER: Final = struct.Struct("!BBHII")
_PAUSE_S: Final = GREATEST_MS / 1000
#: Frames of nothing that may stand for a late packet; more are a pause.
_LATE_FRAMES: Final = 2


class FrameSizeError(ValueError):
    """A bare datagram that is no frame of at most 20 ms."""


class Framing(Protocol):
    """Reads and writes one leg's datagrams."""

    def read(self, datagram: bytes, arrived_at: float) -> RtpPacket | None:
        """The packet in a datagram; its payload is empty where that is no audio.

        Args:
            datagram: as it came.
            arrived_at: when, in seconds of a steady clock.

        None where it says only that nothing was there to send.

        Raises RtpError or FrameSizeError for one that is malformed.
        """
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
        self._scale = codec.rate // codec.clock
        self._ssrc = random.getrandbits(32)
        self._sequence = random.getrandbits(16)
        self._timestamp = random.getrandbits(32)
        self._marker = 0x80  # a talk spurt begins (RFC 3551 §4.1)

    def read(self, datagram: bytes, arrived_at: float) -> RtpPacket:  # noqa: ARG002
        """Raises RtpError. Other payload types (telephone events, comfort noise) are no audio.

        The timestamp counts samples, whatever the clock.
        """
        packet = parse(datagram)
        if self._scale != 1:
            packet = packet._replace(timestamp=packet.timestamp * self._scale & 0xFFFFFFFF)
        return packet if packet.payload_type == self._payload_type else packet._replace(payload=b"")

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


class UnicastFraming:
    """FreeSWITCH's `unicast`: a frame's samples are the datagram, without any header.

    One comes each 20 ms, whether or not the trunk has sent anything: in place of a packet that is
    not there, FreeSWITCH sends a frame of nothing but -1 (no G.711 code decodes to that), be it
    that the far end is silent and sends none, or that its packet is late by a moment and will be
    in the next datagram. So those frames are left out, as RTP would leave them out: a few of them
    are a late packet, and what comes next follows on; more are a pause, in which time has passed
    in the stream. A silence longer than any delay of the jitter buffer is a pause as well (the
    channel was held, or parked anew). A lost datagram cannot be told from one never sent.
    """

    def __init__(self, encoding: Encoding) -> None:
        self._size = encoding.frame_bytes
        self._sample_bytes = encoding.sample_bytes
        self._rate = encoding.rate
        self._step = frame_samples(encoding.rate)
        self._nothing = b"\xff" * self._size
        self._sequence = 0
        self._timestamp = 0
        self._last_step = 0
        self._missing = 0
        self._arrived_at = 0.0

    def read(self, datagram: bytes, arrived_at: float) -> RtpPacket | None:
        """Raises FrameSizeError. The last frame of a sound may be shorter than the others."""
        if not 0 < len(datagram) <= self._size or len(datagram) % 2:
            raise self._wrong_size(len(datagram), "came")
        passed = arrived_at - self._arrived_at
        self._arrived_at = arrived_at
        if passed > _PAUSE_S:
            self._missing += round(passed * FRAMES_PER_SECOND) - 1
        if datagram == self._nothing:
            self._missing += 1
            return None
        step = self._last_step
        if self._missing > _LATE_FRAMES:
            step += self._missing * self._step
        self._missing = 0
        self._last_step = len(datagram) // self._sample_bytes
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + step) & 0xFFFFFFFF
        return RtpPacket(0, self._sequence, self._timestamp, 0, datagram)

    def write(self, payload: bytes) -> bytes:
        """The payload itself. Raises FrameSizeError: an empty datagram would end it for good.

        FreeSWITCH's reader takes a datagram of no bytes for the end of its stream
        (`unicast_thread_run` in switch_ivr.c), and plays any other size at the wrong pace.
        """
        if len(payload) != self._size:
            raise self._wrong_size(len(payload), "were to be sent")
        return payload

    def skip(self, frames: int) -> None:
        """Nothing: there is no clock in the stream."""

    def _wrong_size(self, size: int, what: str) -> FrameSizeError:
        return FrameSizeError(
            f"{size} bytes {what}, 20 ms at {self._rate} Hz are {self._size}: the channel's "
            "codec must run at that rate, with a packet time of 20 ms"
        )


def framing_of(encoding: Encoding) -> Framing:
    """Codecs travel in RTP; an encoding that RTP has no payload type for, in bare datagrams."""
    return RtpFraming(encoding) if isinstance(encoding, Codec) else UnicastFraming(encoding)
