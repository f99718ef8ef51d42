"""The media server: one UDP socket and one 20 ms ticker for the audio of every call.

Datagrams are told apart by their exact source address, and strangers' are dropped by the kernel
(`pbx.audio_port`), so that a flood takes neither room nor time from the calls. One that comes in
the name of a far end is that call's alone: each leg takes in so many datagrams a tick, and the
ticker spends no more than a part of it on taking in. Each tick first takes in what has arrived;
then every connected leg plays one frame out of its jitter buffer, trades it with its peer, and
sends the reply at once (silence while there is no peer), so that the far end hears us from the
first moment.

Where a far end may come from elsewhere than was said (`latch`), each leg has a port of its own:
that alone tells then whose audio it is.

Between ticks nothing wakes: a frame could not be played any sooner, and being woken for each
packet was most of the cost. The kernel stamps each datagram, so its arrival is known all the same.
A socket and a task per call take about twice the CPU and lose their pace long before;
`bench/media.py` compares.
"""

import asyncio
import ipaddress
import logging
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Network, IPv6Network
from typing import Final, Literal, Protocol

from pbx.addresses import bracketed, plain_address
from pbx.audio_port import Arrived, AudioPort, MediaError
from pbx.codecs import Codec, Encoding
from pbx.framing import FrameSizeError, Framing, framing_of
from pbx.jitter import Heard, JitterBuffer
from pbx.pacer import Lateness, Pacer
from pbx.rtp import RtpError, RtpPacket, sequence_delta
from pbx.source_filter import SourceAddress
from pbx.speech_level import SpeechLevel
from pbx.switch import Finding, MediaStats
from voice_loop.audio import frame_samples
from voice_loop.ports import AudioPeer, ForewarnedPeer, TimedPeer

_log = logging.getLogger(__name__)

_DRAIN: Final = 256  # datagrams taken in per tick in any case, and 8 more for each leg
_DRAIN_PER_LEG: Final = 8
_DRAIN_S: Final = 0.008  # beyond them, as many as there is time for
_MOST_PER_TICK: Final = 256  # of one leg: five seconds of audio after a stall
_FLOOD: Final = 1000  # stray datagrams within a second that are worth a line in the log
_TOLD_EVERY_S: Final = 60.0
_MOST_STRANGERS: Final = 16
_LATCH_S: Final = 0.5  # in which the far end is waited for where it should be
_REBOUND_S: Final = 1.0  # of silence after which it may have been given another port
_IN_A_ROW: Final = 4  # steps between two packets, of which one may be lost or late

Latch = Literal["off", "host", "any"]


class Ticked(Protocol):
    """What takes part in the media tick: every one hears before any trades a frame."""

    def hear(self, now: float, skipped: int) -> None:
        """Hear one frame, `skipped` ticks after the one that was due; must not raise."""
        ...

    def tick(self, now: float) -> None:
        """Trade the frame that was heard, and send one; must not raise."""
        ...


class MediaLeg:
    """The audio of one call at our end. Made by `MediaServer.open_leg`."""

    def __init__(
        self,
        server: "MediaServer",
        codec: Encoding,
        port: "AudioPort[MediaLeg]",
    ) -> None:
        self.port = port
        """Where it is heard; its own, or that of all."""
        self._server = server
        self._buffer = JitterBuffer(codec.rate)
        self.recode(codec)
        self._samples = frame_samples(codec.rate)
        self._frames = 0
        self.measure_anew()
        self._source: SourceAddress | None = None
        self._told: SourceAddress | None = None  # where it was before it latched on elsewhere
        self._rebound: tuple[SourceAddress, int] | None = None  # where its stream may go on
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
        self._strays_before = port.strays
        self._strays: int | None = None  # while it was open

    def __repr__(self) -> str:
        return f"<MediaLeg {self.codec.name} {self._source}>"

    @property
    def heard(self) -> bool:
        """Whether its far end was heard since the last `connect`."""
        return self._heard

    @property
    def connected(self) -> bool:
        """Whether it has a far end."""
        return self._source is not None

    @property
    def received(self) -> int:
        """Packets that its far end has sent."""
        return self._buffer.reception.received

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
        source = self.port.source_address(remote)
        if source == self._told:
            return
        self.port.lock(self, self._source, source)
        self._source, self._told, self._rebound = source, None, None
        self._taken = 0
        self._heard = False
        self._heard_at = self._server.now()
        self._news.clear()
        self._server.reconnected(self)

    def recode(self, codec: Encoding) -> None:
        """Have another encoding on the wire from now on; of the same rate."""
        self.codec = codec
        self._framing: Framing = framing_of(codec)
        self._coder = codec.coder()
        # What was said before may matter to how the same samples are written.
        self._silence = codec.encode(self._buffer.silence) if self._coder is codec else None

    def latch(self, source: SourceAddress, datagram: bytes, now: float) -> bool:
        """Take `source` for the far end from now on, if that is audio of its; whether it is.

        Once a far end was heard it is given up only when it has fallen silent, and only for who
        goes on with its very stream, twice in a row: a NAT on the way has bound it anew. Who did
        not read that stream cannot guess its number (RFC 7362 section 5).
        """
        if self._source is None or not self.seeks:
            return False
        if not self._server.may_be_latched(source, self._source):
            return False
        try:
            packet = framing_of(self.codec).read(datagram, now)
        except (RtpError, FrameSizeError):
            return False
        if packet is None or not packet.payload:
            return False
        if self._heard and not self._goes_on(source, packet, now):
            return False
        before = self._source
        self.port.lock(self, before, source)
        self._source, self._told = source, self._told or before
        _log.warning("%r: its audio comes from there, not from %s (rtp.latch)", self, before)
        return True

    def _goes_on(self, source: SourceAddress, packet: RtpPacket, now: float) -> bool:
        """Whether the stream that was heard goes on from there: the second packet tells."""
        if not isinstance(self.codec, Codec) or not self._buffer.reception.continues(packet, now):
            return False
        before, self._rebound = self._rebound, (source, packet.sequence)
        return (
            before is not None
            and before[0] == source
            and 0 < sequence_delta(packet.sequence, before[1]) < _IN_A_ROW
        )

    @property
    def seeks(self) -> bool:
        """Whether its far end may turn out to be elsewhere than it was told, or heard."""
        silence_s = self.unheard_s()
        return silence_s >= (_REBOUND_S if self._heard else _LATCH_S)

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
            self.port.unlock(self._source)
            self._source = self._told = None
            self._heard = False
            self._news.set()
            self._server.reconnected(self)

    def attach(self, peer: AudioPeer | None) -> None:
        """Trade frames with `peer` from the next tick on; None sends silence."""
        self._peer = peer
        self._forewarned = peer if isinstance(peer, ForewarnedPeer) else None

    def measure_anew(self) -> None:
        """Measure the levels from now on: what was before was ringing, or an announcement."""
        self._heard_level = SpeechLevel(self.rate)
        self._sent_level = SpeechLevel(self.rate)

    def close(self) -> None:
        """Stop sending and forget the far end. Does nothing on a closed leg."""
        if self._closed:
            return
        self._closed = True
        self.attach(None)
        self.disconnect()
        self._news.set()
        self._strays = self.port.strays - self._strays_before
        self._server.release(self)

    def stats(self) -> MediaStats:
        """What was counted so far; also after closing."""
        buffer = self._buffer
        reception = buffer.reception
        strays = self._strays
        if strays is None:
            strays = self.port.strays - self._strays_before
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
            leg_lost=reception.lost,
            bursts=reception.bursts,
            mean_jitter_ms=reception.mean_jitter_ms,
            buffer_ms=buffer.target_ms,
            frames=self._frames,
            heard_level=self._heard_level.level(),
            sent_level=self._sent_level.level(),
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
            self._buffer.push(packet, self._coder.decode(packet.payload), now)
        self._heard_at = now
        if not self._heard:
            self._heard = True
            self._news.set()
            self._server.note_heard(self)

    def hear(self, now: float, skipped: int) -> None:
        """Hear one frame, for `tick`."""
        self._taken = 0
        self._frame = None
        if self._source is None:
            return
        if skipped:
            self._framing.skip(skipped)
            if isinstance(self._peer, TimedPeer):
                self._peer.miss(skipped)
        self._frame = self._buffer.pop(now)
        self._frames += 1
        self._heard_level.push(self._frame.frame)
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
        sent = self._buffer.silence
        peer = self._peer
        if peer is not None:
            try:
                reply = peer.exchange(heard.frame, heard.arrived_at, now)
                if reply is not None:
                    if reply.shape != (self._samples,):
                        raise ValueError(f"a frame of {self._samples} samples, not {reply.shape}")
                    payload = self._coder.encode(reply)
                    sent = reply
            except Exception:
                self._detach_failed()
        self._sent_level.push(sent)
        self._send(self._coder.encode(self._buffer.silence) if payload is None else payload)

    def _detach_failed(self) -> None:
        _log.exception("%r: its peer failed and is detached; silence from here on", self)
        self.attach(None)

    def _send(self, payload: bytes) -> None:
        if self._source is None:  # its peer let go of it
            return
        try:
            # FreeSWITCH takes an empty one for the end (`unicast_thread_run` in switch_ivr.c).
            if datagram := self._framing.write(payload):
                self.port.send(datagram, self._source)
                self._sent += 1
        except OSError as error:
            if self._send_failures == 0:
                _log.warning("%r: cannot send: %s", self, error)
            self._send_failures += 1


class MediaServer:
    """Every media leg of this process, on one UDP port, or with a port for each (`latch`).

    Args:
        bind: IP address to listen on, and that the PBX sends to; `::` is IPv4, too.
        port_min: first port that may be taken; even ones are tried first (RFC 3550 §11).
        port_max: last port that may be taken.
        max_legs: legs open at a time.
        latch: whether a leg whose far end is silent where it should be takes the first source of
            audio that comes to its port for it: `off`, on the same `host`, or on `any` of
            `sources`. Once it was heard, only one that goes on with its stream after a silence.
        sources: networks that `any` means; none means every one.
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
        sources: Sequence[IPv4Network | IPv6Network] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bind = bind
        self._range = range(port_min, port_max + 1)
        self._max_legs = max_legs
        self._latch = latch
        self._networks = tuple(sources)
        self._clock = clock
        self._legs: dict[MediaLeg, None] = {}
        self._guests: dict[Ticked, None] = {}
        self._connected: tuple[Ticked, ...] = ()
        self._shared: AudioPort[MediaLeg] | None = None
        self._own: list[AudioPort[MediaLeg]] = []
        self._next_own = 0
        self._strays = 0  # of ports that were given back
        self._strangers: set[SourceAddress] | None = None
        self._watched_at = 0.0
        self._strays_watched = 0
        self._told_at = -_TOLD_EVERY_S
        self._timer: asyncio.TimerHandle | None = None
        self._pacer = Pacer(clock())

    async def start(self) -> None:
        """Take the first free port and start ticking.

        Raises MediaError when the address or every port of the range cannot be had.
        """
        self._shared = self._open(sorted(self._range, key=lambda port: port % 2))
        self._pacer = Pacer(self._clock())
        self._watched_at = self._clock()
        self._schedule()

    @property
    def address(self) -> tuple[str, int]:
        """The IP address and port that the PBX is to send to."""
        return self._main().address

    def has_port(self, port: int) -> bool:
        """Whether audio to that port of ours is for this server: it is, or was, one of its legs'.

        One of its range that another process has is that one's.
        """
        if self._latch == "off":
            return port == self.address[1]
        ours = any(own.address[1] == port for own in self._ports())
        return port in self._range and (ours or self._is_free(port))

    def address_for(
        self, told: str | None, local_host: str | None, leg: MediaLeg | None = None
    ) -> tuple[str, int]:
        """As `address`, for a PBX that may be elsewhere.

        Args:
            told: where the operator says that the PBX reaches us; None for nothing said.
            local_host: our address on the way to the PBX, for where we listen on all of ours.
            leg: whose port; None for that of all.
        """
        host, port = self.address if leg is None else leg.port.address
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
        told = f"audio is exchanged at {bracketed(host)}:{port}"
        if self._latch == "any" and not self._networks:
            hint = "; a call takes it from anywhere: set rtp.sources to where the PBX sends from"
            return Finding("rtp", True, told + hint, warning=True)
        return Finding("rtp", True, told)

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
        port = self._main() if self._latch == "off" else self._open_own()
        leg = MediaLeg(self, codec, port)
        self._legs[leg] = None
        return leg

    @property
    def stray_packets(self) -> int:
        """Datagrams dropped unread: no leg is connected to their source, or a flood from one left
        them no room."""
        return self._strays + sum(port.strays for port in self._ports())

    @contextmanager
    def noting_strangers(self) -> Iterator[Collection[SourceAddress]]:
        """While it lasts, the sources of strays are noted; for `offhook doctor`: meanwhile the
        kernel lets a flood through."""
        self._strangers = noted = set[SourceAddress]()
        self._main().wait_for_strangers(True)
        try:
            yield noted
        finally:
            self._strangers = None
            self._main().wait_for_strangers(False)

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
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._shared is not None:
            self._strays += self._shared.strays
            self._shared.close()
            self._shared = None

    def reconnected(self, leg: MediaLeg) -> None:
        """A leg has another far end, or none."""
        self._count_connected()
        if self._latch != "off":
            leg.port.wait_for_strangers(leg.connected)

    def join(self, guest: Ticked) -> None:
        """Have audio of another kind take part in the ticks, until it leaves."""
        self._guests[guest] = None
        self._count_connected()

    def leave(self, guest: Ticked) -> None:
        """Let it take part no more. Does nothing where it does not."""
        self._guests.pop(guest, None)
        self._count_connected()

    def _count_connected(self) -> None:
        self._connected = (*(one for one in self._legs if one.connected), *self._guests)

    def note_heard(self, leg: MediaLeg) -> None:
        """A leg has been heard for the first time: no stranger can be its far end, as long as it
        goes on."""
        if self._latch != "off":
            leg.port.wait_for_strangers(False)

    def may_be_latched(self, source: SourceAddress, told: SourceAddress) -> bool:
        """Whether the far end that was to be at `told` may be at `source` instead."""
        if self._latch == "host" or not self._networks:
            return self._latch == "any" or source[0] == told[0]
        address = plain_address(str(source[0]))
        return any(address in network for network in self._networks)

    def release(self, leg: MediaLeg) -> None:
        """Forget a leg that closes."""
        self._legs.pop(leg, None)
        if leg.port in self._own:
            self._own.remove(leg.port)
            self._strays += leg.port.strays
            leg.port.close()

    def _is_free(self, port: int) -> bool:
        try:
            AudioPort(self._bind, [port]).close()
        except MediaError:
            return False
        return True

    def _main(self) -> AudioPort[MediaLeg]:
        if self._shared is None:
            raise MediaError("the media server is not started")
        return self._shared

    def _ports(self) -> Iterable[AudioPort[MediaLeg]]:
        return self._own if self._shared is None else [self._shared, *self._own]

    def _open(self, ports: Iterable[int]) -> AudioPort[MediaLeg]:
        try:
            return AudioPort(self._bind, ports)
        except MediaError as error:
            raise MediaError(
                f"no UDP port from {self._range.start} to {self._range.stop - 1} can be had on "
                f"{self._bind} ({error}): widen rtp.port_min and rtp.port_max, or mend rtp.bind"
            ) from None

    def _open_own(self) -> AudioPort[MediaLeg]:
        """A port for one leg: each in turn, so that one given back rests the longest, and nobody
        latches on to the end of an earlier call."""
        even = [port for port in self._range if port % 2 == 0] or list(self._range)
        start = self._next_own % len(even)
        own = self._open([*even[start:], *even[:start]])
        self._next_own = even.index(own.address[1]) + 1
        self._own.append(own)
        return own

    def _watch(self, now: float) -> None:
        """Let strangers be looked at where a far end has fallen silent; tell of a flood of strays,
        once a minute."""
        if now < self._watched_at + 1:
            return
        if self._latch != "off":
            for leg in (one for one in self._legs if one.connected):
                leg.port.wait_for_strangers(leg.seeks or not leg.heard)
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
        wall = time.time()
        steady = self._clock()
        for port in self._ports():
            # A flood of one leg's own port takes nothing from the others.
            own = port is not self._shared
            least = _DRAIN_PER_LEG if own else _DRAIN + _DRAIN_PER_LEG * len(self._connected)
            most = _MOST_PER_TICK if own else sys.maxsize
            taken = 0
            while taken < least or (taken < most and self._clock() < steady + _DRAIN_S):
                try:
                    arrived = port.receive(wall)
                except OSError as error:
                    _log.warning("cannot receive audio: %s", error)
                    break
                if arrived is None:
                    break
                taken += 1
                leg = port.owners.get(arrived.source) or self._latched(port, arrived, now)
                if leg is None:
                    port.drop()
                    if self._strangers is not None and len(self._strangers) < _MOST_STRANGERS:
                        self._strangers.add(arrived.source)
                else:
                    leg.receive(arrived.datagram, min(steady - arrived.age_s, now))

    def _latched(self, port: AudioPort[MediaLeg], arrived: Arrived, now: float) -> MediaLeg | None:
        """The leg of that port, if that turns out to be its far end."""
        if self._latch == "off":
            return None
        leg = next(iter(port.owners.values()), None)
        if leg is None or not leg.latch(arrived.source, arrived.datagram, now):
            return None
        return leg

    def _schedule(self) -> None:
        delay = max(0.0, self._pacer.deadline - self._clock())
        self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        now = self._clock()
        try:
            if now >= self._pacer.deadline:
                skipped = self._pacer.tick(now)
                for port in self._ports():
                    port.settle()
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
            if self._shared is not None:
                self._schedule()
