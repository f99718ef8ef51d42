"""RTP of one WebRTC stream: audio of one codec, and telephone events (RFC 4733). No I/O."""

import struct
from typing import Final

from pbx.rtp import PacketWriter, RtpPacket, parse, timestamp_delta
from pbx.webrtc.sdp import Offer
from voice_loop.audio import frame_samples

_EVENT: Final = struct.Struct("!BBH")
#: By event code (RFC 4733 section 3.2).
KEYS: Final = "0123456789*#ABCD"


class Keypad:
    """Tells keys out of telephone events: each once, however often its packets come."""

    def __init__(self, clock: int) -> None:
        self._clock = clock
        self._told: int | None = None

    def read(self, packet: RtpPacket) -> tuple[str, int] | None:
        """The key that a packet ends, and how long it was down, ms; None: nothing new.

        An event's packets have one timestamp, that of its beginning; its last is sent thrice.
        """
        if len(packet.payload) < _EVENT.size:
            return None
        code, flags, duration = _EVENT.unpack_from(packet.payload)
        ended = flags & 0x80
        if not ended or code >= len(KEYS) or packet.timestamp == self._told:
            return None
        self._told = packet.timestamp
        return KEYS[code], duration * 1000 // self._clock


class WebFraming:
    """Reads and writes one stream's packets.

    Args:
        offer: what was agreed on.
        rate: samples per second of the frames.
        start: SSRC, sequence number and timestamp to start with; random (RFC 3550 §5.1).
    """

    def __init__(self, offer: Offer, rate: int, start: tuple[int, int, int]) -> None:
        self._offer = offer
        self._scale = offer.clock // rate
        self._writer = PacketWriter(offer.payload_type, frame_samples(offer.clock), start)
        self._wire: int | None = None
        self._position = 0  # of the newest packet, in units of the clock, unwrapped

    def read(self, datagram: bytes) -> RtpPacket:
        """One packet; its timestamp counts samples, whatever the clock. Raises RtpError."""
        packet = parse(datagram)
        if self._wire is not None:
            self._position += timestamp_delta(packet.timestamp, self._wire)
        self._wire = packet.timestamp
        return packet._replace(timestamp=self._position // self._scale & 0xFFFFFFFF)

    def is_audio(self, packet: RtpPacket) -> bool:
        """Whether it holds audio of the codec that was agreed on."""
        return packet.payload_type == self._offer.payload_type

    def is_event(self, packet: RtpPacket) -> bool:
        """Whether it holds a telephone event."""
        return self._offer.events is not None and packet.payload_type == self._offer.events

    def write(self, payload: bytes) -> bytes:
        """The packet that carries the next 20 ms."""
        return self._writer.write(payload)

    def skip(self, frames: int) -> None:
        """Let time pass unsent."""
        self._writer.skip(frames)
