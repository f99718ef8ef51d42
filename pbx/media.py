"""The media server: one UDP socket and one 20 ms ticker for the audio of every call.

Datagrams are told apart by their exact source address, which is also the lock: what comes from
anywhere else is counted and dropped, by a filter in the kernel already, so that a flood takes
neither room nor time from the calls. One that comes in the name of a far end is that call's alone:
each leg takes in so many datagrams a tick, and the ticker spends no more than a part of it on
taking in. Each tick first takes in what has arrived; then every
connected leg plays one frame out of its jitter buffer, trades it with its peer, and sends the
reply at once (silence while there is no peer), so that the far end hears us from the first moment.

Between ticks nothing wakes: a frame could not be played any sooner, and being woken for each
packet was most of the cost. The kernel stamps each datagram, so its arrival is known all the same.
A socket and a task per call take about twice the CPU and lose their pace long before;
`bench/media.py` compares.
"""

import asyncio
import ipaddress
import logging
import socket
import struct
import time
from collections.abc import Callable
from typing import Final, Literal

from pbx import source_filter
from pbx.codecs import Encoding
from pbx.framing import FrameSizeError, Framing, framing_of
from pbx.jitter import Heard, JitterBuffer
from pbx.pacer import Lateness, Pacer
from pbx.rtp import RtpError
from pbx.source_filter import SourceAddress
from pbx.switch import Finding, MediaStats
from voice_loop.audio import frame_samples
from voice_loop.ports import AudioPeer, ForewarnedPeer

_log = logging.getLogger(__name__)

_DATAGRAM_BYTES: Final = 2048  # above any Ethernet frame
_DRAIN: Final = 256  # datagrams taken in per tick in any case, and 8 more for each leg
_DRAIN_PER_LEG: Final = 8
_DRAIN_S: Final = 0.008  # beyond them, as many as there is time for
_MOST_PER_TICK: Final = 256  # of one leg: five seconds of audio after a stall
_RECEIVE_BUFFER_BYTES: Final = 4 * 1024 * 1024  # the kernel gives what its own limit allows
_SO_TIMESTAMPNS: Final = 35  # asm-generic/socket.h; the socket module does not name it
_TIMESPEC: Final = struct.Struct("@ll")
_ANCILLARY_BYTES: Final = socket.CMSG_SPACE(_TIMESPEC.size)
_GREATEST_AGE_S: Final = 1.0  # a datagram that seems older was stamped before a clock was set
_FLOOD: Final = 1000  # stray datagrams within a second that are worth a line in the log
_TOLD_EVERY_S: Final = 60.0
_LATCH_S: Final = 0.5  # in which the far end is waited for where it should be
_EXPEDITED: Final = 0xB8  # traffic class byte of DSCP EF, telephony in RFC 4594


Latch = Literal["off", "host", "any"]


class MediaError(Exception):
    """The media server cannot do what was asked; the message says why and how to mend it."""


class MediaLeg:
    """The audio of one call at our end. Made by `MediaServer.open_leg`."""

    def __init__(self, server: "MediaServer", codec: Encoding, framing: Framing) -> None:
        self.codec = codec
        self._server = server
        self._framing = framing
        self._buffer = JitterBuffer(codec.rate)
        self._silence = codec.encode(self._buffer.silence)
        self._samples = frame_samples(codec.rate)
        self._source: SourceAddress | None = None
        self._told: SourceAddress | None = None  # where it was before it latched on elsewhere
        self._peer: AudioPeer | None = None
        self._forewarned: ForewarnedPeer | None = None
        self._frame: Heard | None = None  # that this tick hears
        self._closed = False
        self._heard = False
        self._heard_at = 0.0
        self._news = asyncio.Event()  # it was heard, or there is nobody to hear any more
        self._sent = 0
        self._malformed = 0
        self._taken = 0  # datagrams since the last tick
        self._excess = 0
        self._send_failures = 0
        self._strays_before = server.stray_packets
        self._strays: int | None = None  # while it was open

    def __repr__(self) -> str:
        return f"<MediaLeg {self.codec.name} {self._source}>"

    @property
    def heard(self) -> bool:
        """Whether its far end was heard since the last `connect`."""
        return self._heard

    @property
    def rate(self) -> int:
        """Samples per second of its frames."""
        return self.codec.rate

    def connect(self, remote: tuple[str, int]) -> None:
        """Send to `remote` from the next tick on, and hear nobody else.

        Args:
            remote: IP address (not a name) and UDP port. A second call moves the leg there.

        Raises MediaError for what is no address, one that another leg has, and a closed leg.
        """
        if self._closed:
            raise MediaError(f"{self!r} is closed")
        source = self._server.source_address(remote)
        if source == self._told:
            return
        self._server.lock(self, self._source, source)
        self._source, self._told = source, None
        self._taken = 0
        self._heard = False
        self._heard_at = self._server.now()
        self._news.clear()

    def waits_for(self, source: SourceAddress, latch: Latch) -> bool:
        """Whether audio from there may be its far end's, which was not heard for a while."""
        if self._source is None or self._heard or self.unheard_s() < _LATCH_S:
            return False
        return latch == "any" or source[0] == self._source[0]

    def latch(self, source: SourceAddress, datagram: bytes, now: float) -> bool:
        """Take `source` for the far end from now on, if that is audio; whether it is."""
        try:
            packet = framing_of(self.codec).read(datagram, now)
        except (RtpError, FrameSizeError):
            return False
        if packet is None or not packet.payload:
            return False
        told = self._source
        self._server.lock(self, told, source)
        self._source, self._told = source, told
        _log.warning("%r: its audio comes from there, not from %s (rtp.latch)", self, told)
        return True

    async def wait_heard(self, timeout_s: float) -> bool:
        """Whether a datagram of audio comes, or has come, since the last `connect`.

        False after `timeout_s` seconds, or at once when the leg is disconnected or closed.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        except TimeoutError:
            return False
        return self._heard

    @property
    def heard_at(self) -> float:
        """When its far end was heard last, or connected, by the server's clock; 0 for never."""
        return self._heard_at

    def unheard_s(self) -> float:
        """Seconds since its far end was heard last, or connected; 0 where there is none."""
        return self._server.now() - self._heard_at if self._source is not None else 0.0

    def disconnect(self) -> None:
        """Forget the far end: neither send nor hear until the next `connect`.

        Its peer waits meanwhile, with no frame missed. Does nothing without a far end.
        """
        if self._source is not None:
            self._server.unlock(self._source)
            self._source = self._told = None
            self._heard = False
            self._news.set()

    def attach(self, peer: AudioPeer | None) -> None:
        """Trade frames with `peer` from the next tick on; None sends silence."""
        self._peer = peer
        self._forewarned = peer if isinstance(peer, ForewarnedPeer) else None

    def close(self) -> None:
        """Stop sending and forget the far end. Does nothing on a closed leg."""
        if self._closed:
            return
        self._closed = True
        self.attach(None)
        self.disconnect()
        self._news.set()
        self._strays = self._server.stray_packets - self._strays_before
        self._server.release(self)

    def stats(self) -> MediaStats:
        """What was counted so far; also after closing."""
        buffer = self._buffer
        reception = buffer.reception
        strays = self._strays
        if strays is None:
            strays = self._server.stray_packets - self._strays_before
        return MediaStats(
            received=reception.received,
            sent=self._sent,
            lost=reception.lost,
            late=buffer.late,
            reordered=reception.reordered,
            duplicate=reception.duplicate,
            concealed_frames=buffer.concealed_frames,
            dropped_frames=buffer.dropped_frames,
            jitter_ms=reception.jitter_ms,
            excess=self._excess,
            strays=strays,
        )

    def receive(self, datagram: bytes, now: float) -> None:
        """Take one datagram from the far end; what is malformed, or too many, is dropped."""
        if self._taken == _MOST_PER_TICK:
            if self._excess == 0:
                _log.warning("%r: its far end sends more than audio; that is dropped", self)
            self._excess += 1
            return
        self._taken += 1
        try:
            packet = self._framing.read(datagram, now)
        except (RtpError, FrameSizeError) as error:
            if self._malformed == 0:
                _log.warning("%r: dropped a malformed datagram: %s", self, error)
            self._malformed += 1
            return
        if packet is not None:
            self._buffer.push(packet, self.codec.decode(packet.payload), now)
        self._heard_at = now
        if not self._heard:
            self._heard = True
            self._news.set()
            self._server.note_heard()

    def hear(self, now: float, skipped: int) -> None:
        """Hear one frame, for `tick`."""
        self._taken = 0
        self._frame = None
        if self._source is None:
            return
        if skipped:
            self._framing.skip(skipped)
        self._frame = self._buffer.pop(now)
        if self._forewarned is not None:
            try:
                self._forewarned.expect(self._frame.frame)
            except Exception:
                self._detach_failed()

    def tick(self, now: float) -> None:
        """Trade the frame that was heard, and send one."""
        heard = self._frame
        if heard is None or self._source is None:
            return
        payload = self._silence
        peer = self._peer
        if peer is not None:
            try:
                reply = peer.exchange(heard.frame, heard.arrived_at, now)
                if reply is not None:
                    if reply.shape != (self._samples,):
                        raise ValueError(f"a frame of {self._samples} samples, not {reply.shape}")
                    payload = self.codec.encode(reply)
            except Exception:
                self._detach_failed()
        self._send(payload)

    def _detach_failed(self) -> None:
        _log.exception("%r: its peer failed and is detached; silence from here on", self)
        self.attach(None)

    def _send(self, payload: bytes) -> None:
        if self._source is None:  # its peer let go of it
            return
        try:
            self._server.send(self._framing.write(payload), self._source)
            self._sent += 1
        except OSError as error:
            if self._send_failures == 0:
                _log.warning("%r: cannot send: %s", self, error)
            self._send_failures += 1


class MediaServer:
    """Every media leg of this process, on one UDP port.

    Args:
        bind: IP address to listen on, and that the PBX sends to.
        port_min: first port that may be taken; even ones are tried first (RFC 3550 §11).
        port_max: last port that may be taken.
        max_legs: legs open at a time.
        latch: whether a leg whose far end is silent where it should be takes the first source of
            audio for it that is no other call's: `off`, on the same `host`, or on `any`. Only while
            one such leg waits, and never once it was heard.
        clock: seconds of a steady clock, the one that `arrived_at` and `now` are told in.
    """

    def __init__(
        self,
        bind: str,
        port_min: int,
        port_max: int,
        *,
        max_legs: int = 1000,
        latch: Latch = "off",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bind = bind
        self._ports = range(port_min, port_max + 1)
        self._max_legs = max_legs
        self._latch = latch
        self._clock = clock
        self._legs: set[MediaLeg] = set()
        self._by_source: dict[SourceAddress, MediaLeg] = {}
        self._connected: tuple[MediaLeg, ...] = ()
        self._socket: socket.socket | None = None
        self._filter_is_stale = False
        self._filter_failed = False
        self._strays = 0
        self._kernel_drops = 0  # as the kernel counts
        self._watched_at = 0.0
        self._strays_watched = 0
        self._told_at = -_TOLD_EVERY_S
        self._timer: asyncio.TimerHandle | None = None
        self._pacer = Pacer(clock())

    async def start(self) -> None:
        """Take the first free port and start ticking.

        Raises MediaError when the address or every port of the range cannot be had.
        """
        self._socket = self._open_socket()
        self._kernel_drops = 0
        self._renew_filter()
        self._pacer = Pacer(self._clock())
        self._watched_at = self._clock()
        self._schedule()

    @property
    def address(self) -> tuple[str, int]:
        """The IP address and port that the PBX is to send to."""
        if self._socket is None:
            raise MediaError("the media server is not started")
        host, port = self._socket.getsockname()[:2]
        return host, port

    def address_for(self, told: str | None, local_host: str | None) -> tuple[str, int]:
        """As `address`, for a PBX that may be elsewhere.

        Args:
            told: where the operator says that the PBX reaches us; None for nothing said.
            local_host: our address on the way to the PBX, for where we listen on all of ours.
        """
        host, port = self.address
        if told is not None:
            host = told
        elif ipaddress.ip_address(host).is_unspecified:
            host = local_host or host
        return host, port

    def look(self) -> Finding:
        """What `offhook doctor` is to say of the port."""
        try:
            host, port = self.address
        except MediaError as error:
            return Finding("rtp", False, str(error))
        return Finding("rtp", True, f"audio is exchanged at {host}:{port}")

    @property
    def open_legs(self) -> int:
        """Legs that are open now."""
        return len(self._legs)

    def open_leg(self, codec: Encoding) -> MediaLeg:
        """A new leg, silent until it is connected; the codec says how its audio is framed.

        Raises MediaError beyond `max_legs`.
        """
        if len(self._legs) >= self._max_legs:
            raise MediaError(f"all {self._max_legs} media legs are in use; wait for a call to end")
        leg = MediaLeg(self, codec, framing_of(codec))
        self._legs.add(leg)
        return leg

    @property
    def stray_packets(self) -> int:
        """Datagrams dropped unread: no leg is connected to their source, or a flood from one left
        them no room."""
        if self._socket is not None:
            drops = source_filter.dropped(self._socket)
            self._strays += (drops - self._kernel_drops) & 0xFFFFFFFF
            self._kernel_drops = drops
        return self._strays

    def now(self) -> float:
        """Seconds of its clock."""
        return self._clock()

    def lateness(self) -> Lateness:
        """How late the last minute's ticks were."""
        return self._pacer.lateness()

    async def close(self) -> None:
        """Close every leg and give the port back. Does nothing on a closed server."""
        for leg in list(self._legs):
            leg.close()
        self._strays = self.stray_packets
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def send(self, datagram: bytes, remote: SourceAddress) -> None:
        """Send at once or not at all: raises OSError, a full socket buffer included."""
        if self._socket is not None:
            self._socket.sendto(datagram, remote)

    def source_address(self, remote: tuple[str, int]) -> SourceAddress:
        """`remote` as the kernel will name it. Raises MediaError for what is no address."""
        host, port = remote
        try:
            ip = ipaddress.ip_address(host)
        except ValueError as error:
            raise MediaError(f"{host!r} is not an IP address to send audio to") from error
        if not 0 < port < 65536:
            raise MediaError(f"{port} is not a UDP port to send audio to")
        if ip.version != ipaddress.ip_address(self._bind).version:
            raise MediaError(f"audio for {host} cannot be sent from {self._bind} (rtp.bind)")
        return (str(ip), port) if ip.version == 4 else (str(ip), port, 0, 0)

    def lock(self, leg: MediaLeg, old: SourceAddress | None, new: SourceAddress) -> None:
        """Hear `new` for `leg`, and `old` no more. Raises MediaError if another leg has it."""
        if self._by_source.get(new, leg) is not leg:
            raise MediaError(f"another call's audio already comes from {new[0]}:{new[1]}")
        if old is not None:
            del self._by_source[old]
        self._by_source[new] = leg
        self._connected = tuple(self._by_source.values())
        self._renew_filter()

    def unlock(self, source: SourceAddress) -> None:
        """Hear `source` no more."""
        del self._by_source[source]
        self._connected = tuple(self._by_source.values())
        self._filter_is_stale = True

    def note_heard(self) -> None:
        """A leg has been heard for the first time: no stranger can be its far end any more."""
        self._filter_is_stale = self._filter_is_stale or self._latch != "off"

    def release(self, leg: MediaLeg) -> None:
        """Forget a leg that closes."""
        self._legs.discard(leg)

    def _open_socket(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._bind else socket.AF_INET
        reason = "the range is empty"
        for port in sorted(self._ports, key=lambda port: port % 2):
            udp = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            try:
                udp.bind((self._bind, port))
            except OSError as error:
                udp.close()
                reason = error.strerror or str(error)
                continue
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
            udp.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            if family == socket.AF_INET:
                udp.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _EXPEDITED)
            else:
                udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _EXPEDITED)
            return udp
        raise MediaError(
            f"no UDP port from {self._ports.start} to {self._ports.stop - 1} can be had on "
            f"{self._bind} ({reason}): widen rtp.port_min and rtp.port_max, or mend rtp.bind"
        )

    def _renew_filter(self) -> None:
        """Have the kernel let through what comes from the connected sources, and no more."""
        self._filter_is_stale = False
        if self._socket is None:
            return
        if self._latch != "off" and not all(leg.heard for leg in self._connected):
            source_filter.detach(self._socket)
            return
        try:
            source_filter.attach(self._socket, self._by_source)
        except OSError as error:
            if not self._filter_failed:
                _log.warning("strangers' datagrams are dropped here, not in the kernel: %s", error)
            self._filter_failed = True

    def _watch(self, now: float) -> None:
        """Tell of a flood of strays, once a minute."""
        if now < self._watched_at + 1:
            return
        strays = self.stray_packets
        if strays - self._strays_watched >= _FLOOD and now >= self._told_at + _TOLD_EVERY_S:
            self._told_at = now
            _log.warning(
                "%d datagrams within %.1f s were not of any call and are dropped: keep the audio "
                "port (rtp.bind) where only the PBX gets to",
                strays - self._strays_watched,
                now - self._watched_at,
            )
        self._watched_at, self._strays_watched = now, strays

    def _drain(self, now: float) -> None:
        """Hand on what has arrived; what there is no time for waits, or finds no room."""
        udp = self._socket
        if udp is None:
            return
        steady, wall = self._clock(), time.time()
        taken, least = 0, _DRAIN + _DRAIN_PER_LEG * len(self._connected)
        while taken < least or self._clock() < steady + _DRAIN_S:
            taken += 1
            try:
                datagram, ancillary, _, source = udp.recvmsg(_DATAGRAM_BYTES, _ANCILLARY_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                _log.warning("cannot receive audio: %s", error)
                return
            leg = self._by_source.get(source) or self._latched(source, datagram, now)
            if leg is None:
                self._strays += 1
                continue
            age = 0.0
            if ancillary:
                seconds, nanoseconds = _TIMESPEC.unpack(ancillary[0][2])
                age = wall - seconds - nanoseconds * 1e-9
                if not 0 <= age < _GREATEST_AGE_S:
                    age = 0.0
            leg.receive(datagram, min(steady - age, now))

    def _latched(self, source: SourceAddress, datagram: bytes, now: float) -> MediaLeg | None:
        """The leg whose far end that is, as it turns out."""
        if self._latch == "off":
            return None
        waiting = [leg for leg in self._connected if leg.waits_for(source, self._latch)]
        if len(waiting) != 1 or not waiting[0].latch(source, datagram, now):
            return None
        return waiting[0]

    def _schedule(self) -> None:
        delay = max(0.0, self._pacer.deadline - self._clock())
        self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        now = self._clock()
        try:
            if now >= self._pacer.deadline:
                skipped = self._pacer.tick(now)
                if self._filter_is_stale:
                    self._renew_filter()
                self._drain(now)
                connected = self._connected
                for leg in connected:
                    leg.hear(now, skipped)
                for leg in connected:
                    leg.tick(now)
                self._watch(now)
        except Exception:
            # One leg's fault must not silence every call.
            _log.exception("a fault in the media tick")
        finally:
            if self._socket is not None:
                self._schedule()
