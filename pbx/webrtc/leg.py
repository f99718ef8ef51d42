"""The audio of one peer at our end: paced by the media server's tick with every other call's."""

import logging
import random
from collections.abc import Callable
from typing import Final

from pbx.codecs import PCMA, PCMU, Coder
from pbx.jitter import Heard, JitterBuffer
from pbx.media import MediaServer
from pbx.rtp import RtpError
from pbx.switch import MediaStats
from pbx.webrtc.framing import Keypad, WebFraming
from pbx.webrtc.opus import RATE, OpusCoder
from pbx.webrtc.sdp import Offer
from voice_loop.audio import frame_samples
from voice_loop.ports import AudioPeer, ForewarnedPeer, TimedPeer

_log = logging.getLogger(__name__)

#: Packets taken in between two ticks: five seconds of audio after a stall.
_MOST_PER_TICK: Final = 256


class WebLeg:
    """One peer's audio. Takes part in the ticks from `start` to `stop`.

    Args:
        server: whose ticks.
        offer: what was agreed on.
        channels: of what is sent; two are interleaved in the frames.
        send: takes packets on their way out; must not block.
        on_key: told each key and how long it was down, ms.
    """

    def __init__(
        self,
        server: MediaServer,
        offer: Offer,
        *,
        channels: int = 1,
        send: Callable[[bytes], None],
        on_key: Callable[[str, int], None] = lambda *_: None,
    ) -> None:
        self.rate = RATE if offer.codec == "opus" else 8000
        """Samples per second of its frames."""
        self.ssrc = random.getrandbits(32)
        self.heard_at = 0.0
        """When the other side was heard last, by the server's clock; 0 for never."""
        self._server = server
        self._hears = offer.hears
        self._size = frame_samples(self.rate) * channels
        self._coder: Coder = PCMU if offer.codec == "PCMU" else PCMA
        if offer.codec == "opus":
            self._coder = OpusCoder(channels)
        start = self.ssrc, random.getrandbits(16), random.getrandbits(32)
        self._framing = WebFraming(offer, self.rate, start)
        self._keypad = Keypad(offer.events_clock)
        self._buffer = JitterBuffer(self.rate)
        self._peer: AudioPeer | None = None
        self._forewarned: ForewarnedPeer | None = None
        self._frame: Heard | None = None
        self._send = send
        self._on_key = on_key
        self._silence = self._buffer.silence.repeat(channels)
        self._taken = self._excess = self._sent = 0

    @property
    def received(self) -> int:
        """Packets that the other side has sent."""
        return self._buffer.reception.received

    def attach(self, peer: AudioPeer | None) -> None:
        """Trade frames with `peer` from the next tick on; None sends silence."""
        self._peer = peer
        self._forewarned = peer if isinstance(peer, ForewarnedPeer) else None

    def start(self) -> None:
        """Take part in the ticks."""
        self._server.join(self)

    def stop(self) -> None:
        """Take part no more, and let go of the peer."""
        self.attach(None)
        self._server.leave(self)

    def receive(self, datagram: bytes) -> None:
        """Take one packet; what is malformed, or too many, is dropped."""
        if self._taken == _MOST_PER_TICK:
            self._excess += 1
            return
        self._taken += 1
        now = self._server.now()
        try:
            packet = self._framing.read(datagram)
        except RtpError:
            return
        if self._framing.is_audio(packet):
            self.heard_at = now
            self._buffer.push(packet, self._coder.decode(packet.payload), now)
            return
        self._buffer.push(packet, self._buffer.silence[:0], now)
        if self._framing.is_event(packet) and (key := self._keypad.read(packet)) is not None:
            self._on_key(*key)

    def hear(self, now: float, skipped: int) -> None:
        """Hear one frame (`pbx.media.Ticked`)."""
        self._taken = 0
        if skipped:
            self._framing.skip(skipped)
            if isinstance(self._peer, TimedPeer):
                self._peer.miss(skipped)
        self._frame = self._buffer.pop(now)
        if self._forewarned is not None:
            try:
                self._forewarned.expect(self._frame.frame)
            except Exception:
                self._detach_failed()

    def tick(self, now: float) -> None:
        """Trade the frame that was heard, and send one (`pbx.media.Ticked`)."""
        heard, reply = self._frame, None
        if heard is None:
            return
        if self._peer is not None:
            try:
                reply = self._peer.exchange(heard.frame, heard.arrived_at, now)
                if reply is not None and reply.shape != (self._size,):
                    raise ValueError(f"a frame of {self._size} samples, not {reply.shape}")
            except Exception:
                reply = None
                self._detach_failed()
        if self._hears:
            payload = self._coder.encode(self._silence if reply is None else reply)
            if payload:
                self._send(self._framing.write(payload))
                self._sent += 1

    def stats(self, dropped: int) -> MediaStats:
        """What was counted so far; `dropped` packets were not sent in time."""
        reception = self._buffer.reception
        return MediaStats(
            received=reception.received,
            sent=self._sent - dropped,
            lost=reception.lost,
            late=self._buffer.late,
            reordered=reception.reordered,
            duplicate=reception.duplicate,
            concealed_frames=self._buffer.concealed_frames,
            dropped_frames=self._buffer.dropped_frames,
            jitter_ms=reception.jitter_ms,
            excess=self._excess,
            strays=0,
        )

    def _detach_failed(self) -> None:
        _log.exception("the peer of a web call failed and is detached; silence from here on")
        self.attach(None)
