"""How frames of audio lie in datagrams: with the codec, all that differs between kinds of PBX.

RTP numbers its packets and tells their time. FreeSWITCH's `unicast` sends bare samples, one frame
in each datagram, so that number and time must be made here, of nothing but the arrivals.
"""

import random
from typing import Final, Protocol

from pbx.codecs import Codec, Encoding
from pbx.jitter import GREATEST_MS
from pbx.rtp import PacketWriter, RtpPacket, parse
from voice_loop.audio import FRAME_MS, FRAMES_PER_SECOND, frame_samples

_PAUSE_S: Final = GREATEST_MS / 1000
#: The longest packets of a trunk.
_LONGEST_MS: Final = 60
#: Frames of nothing that may stand for a late packet; more are a pause.
_LATE_FRAMES: Final = 2


class FrameSizeError(ValueError):
    """A bare datagram that is no frame: of at most 60 ms that came, of 20 ms that goes."""


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
        """The datagram that carries the next 20 ms of encoded audio; empty: it waits for more."""
        ...

    def skip(self, frames: int) -> None:
        """Let time pass unsent: `frames` frames of 20 ms."""
        ...


class RtpFraming:
    """RTP: starts at random (RFC 3550 §5.1), one packet per frame, 20 ms of clock for each."""

    def __init__(self, codec: Codec) -> None:
        self._payload_type = codec.payload_type
        self._scale = codec.rate // codec.clock
        start = random.getrandbits(32), random.getrandbits(16), random.getrandbits(32)
        self._writer = PacketWriter(codec.payload_type, frame_samples(codec.clock), start)

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
        return self._writer.write(payload)

    def skip(self, frames: int) -> None:
        """Advances the timestamp, not the sequence number, and marks the next packet."""
        self._writer.skip(frames)


class UnicastFraming:
    """FreeSWITCH's `unicast`: a frame's samples are the datagram, without any header.

    One comes each 20 ms, or however long the trunk's packets are, whether or not the trunk has
    sent anything: in place of a packet that is not there, FreeSWITCH sends a frame of nothing but
    -1 (no G.711 code decodes to that), be it that the far end is silent and sends none, or that its
    packet is late by a moment and will be in the next datagram. So those frames are left out, as
    RTP would leave them out: a few of them are a late packet, and what comes next follows on; more
    are a pause, in which time has passed in the stream. A silence longer than any delay of the
    jitter buffer is a pause as well (the channel was held, or parked anew). A lost datagram cannot
    be told from one never sent.
    """

    def __init__(self, encoding: Encoding) -> None:
        self._size = encoding.frame_bytes
        self._sample_bytes = encoding.sample_bytes
        self._packet = self._size
        self._came = 0
        self._unsent = b""
        self._rate = encoding.rate
        self._step = frame_samples(encoding.rate)
        self._longest = self._size * _LONGEST_MS // FRAME_MS
        self._nothing = b"\xff" * self._longest
        self._sequence = 0
        self._timestamp = 0
        self._last_step = 0
        self._missing = 0  # samples
        self._arrived_at = 0.0

    def read(self, datagram: bytes, arrived_at: float) -> RtpPacket | None:
        """Raises FrameSizeError. The last frame of a sound may be shorter than the others."""
        if not 0 < len(datagram) <= self._longest or len(datagram) % self._sample_bytes:
            raise self._wrong_size(len(datagram), "came")
        if len(datagram) == self._came:
            self._packet = max(self._size, self._came)  # and not the short end of a sound
        self._came = len(datagram)
        samples = len(datagram) // self._sample_bytes
        passed = arrived_at - self._arrived_at
        self._arrived_at = arrived_at
        if passed > _PAUSE_S:
            self._missing += (round(passed * FRAMES_PER_SECOND) - 1) * self._step
        if datagram == self._nothing[: len(datagram)]:
            self._missing += samples
            return None
        step = self._last_step
        if self._missing > _LATE_FRAMES * max(self._step, samples):
            step += self._missing
        self._missing = 0
        self._last_step = samples
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + step) & 0xFFFFFFFF
        return RtpPacket(0, self._sequence, self._timestamp, 0, datagram)

    def write(self, payload: bytes) -> bytes:
        """As many samples as come in a datagram; none until there are so many.

        FreeSWITCH fills a datagram that is shorter than the trunk's packets up with what is no
        audio. Raises FrameSizeError for what is not 20 ms.
        """
        if len(payload) != self._size:
            raise self._wrong_size(len(payload), "were to be sent")
        samples, size = self._unsent + payload, self._packet
        if len(samples) < size:
            self._unsent = samples
            return b""
        self._unsent = samples[size:]
        return samples[:size]

    def skip(self, frames: int) -> None:
        """Nothing: there is no clock in the stream."""

    def _wrong_size(self, size: int, what: str) -> FrameSizeError:
        return FrameSizeError(
            f"{size} bytes {what}, 20 ms at {self._rate} Hz are {self._size}: the channel's "
            f"codec must run at that rate, with a packet time of {_LONGEST_MS} ms at most"
        )


def framing_of(encoding: Encoding) -> Framing:
    """Codecs travel in RTP; an encoding that RTP has no payload type for, in bare datagrams."""
    return RtpFraming(encoding) if isinstance(encoding, Codec) else UnicastFraming(encoding)
