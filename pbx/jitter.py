"""The jitter buffer: packets in as the network brings them, one 20 ms frame out per tick.

Playout has a time line of its own, counted in samples: `pop` always plays the next 20 ms of it,
whatever came. A packet's place on it is its RTP timestamp plus an offset, and everything the
buffer does about the network's moods is a change of that offset or of the playout position:

- a packet comes after its frame was played, and nothing newer is there (underrun): it is placed
  at the playout position. Nothing is lost; the delay has grown by its lateness.
- the delay has been larger than needed for a second: a quiet frame is skipped (after three
  seconds without one, any frame).
- more is stored than the greatest delay allows: the oldest is dropped.
- the stream restarts, its timestamps jump, or it speaks again after a pause: the packet is placed
  behind what is stored, or one target delay ahead.

How large the delay needs to be is read off the spread of transit times over the last second.
"""

from typing import Final, NamedTuple

import numpy as np

from pbx.rtp import Arrival, ReceptionStats, RtpPacket, timestamp_delta
from voice_loop.audio import FRAME_MS, Samples, frame_samples, silence

#: No delay may be larger, by the configuration either.
GREATEST_MS: Final = 200

_WINDOW: Final = 50  # packets between two looks at the delay: about a second
_RESTART_FRAMES: Final = 5  # missing frames after which speech is taken for a new talk spurt
_IDLE_FRAMES: Final = 50  # missing frames after which the stream is idle: not concealment any more
_PATIENCE: Final = 3  # windows of waiting for a quiet frame to skip
_QUIET: Final = 656  # peak to peak, about -40 dBFS
_FADE: Final = (0.8, 0.5, 0.2)  # gains of the repeated frame while packets are missing
_MOST_PACKETS: Final = 64


class Heard(NamedTuple):
    """What one tick hears."""

    frame: Samples
    """20 ms at the line's rate. Silence comes as one shared array that cannot be written to."""
    arrived_at: float
    """When its last packet arrived (seconds); the tick's `now` where there is none."""
    concealed: bool
    """Whether a part or all of it is missing."""


class JitterBuffer:
    """Orders, delays and completes one received stream. Positions and sizes are in samples.

    Args:
        rate: samples, and RTP timestamp units, per second.
        start_ms: delay until the network is known.
        min_ms: smallest delay it will aim at; at least one frame.
        max_ms: greatest delay; what is stored beyond it is dropped, oldest first.

    Raises ValueError unless 20 ≤ min_ms ≤ start_ms ≤ max_ms ≤ 200.
    """

    def __init__(
        self, rate: int, *, start_ms: int = 40, min_ms: int = 20, max_ms: int = GREATEST_MS
    ) -> None:
        if not FRAME_MS <= min_ms <= start_ms <= max_ms <= GREATEST_MS:
            raise ValueError(
                f"jitter buffer delays must satisfy {FRAME_MS} ≤ min ({min_ms}) ≤ start "
                f"({start_ms}) ≤ max ({max_ms}) ≤ {GREATEST_MS} ms"
            )
        self.reception = ReceptionStats(rate)
        self.late = 0
        """Packets that came when their time had been played, or stored packets were newer."""
        self.concealed_frames = 0
        self.dropped_frames = 0
        """Frames skipped unheard to hold the delay down."""

        self._rate = rate
        self._frame = frame_samples(rate)
        self._min_frames = min_ms // FRAME_MS
        self._max_frames = max_ms // FRAME_MS
        self._max = self._max_frames * self._frame
        self._target_frames = start_ms // FRAME_MS
        self.silence = silence(rate)
        self.silence.flags.writeable = False
        """The shared silent frame."""

        self._packets: dict[int, tuple[Samples, float]] = {}  # by position, none before _next
        self._next = 0  # position of the next frame to play
        self._end = 0  # position behind the newest packet
        self._newest = (0, 0)  # timestamp and position of the newest packet
        self._held: tuple[RtpPacket, Samples, float] | None = None
        self._last = self.silence
        self._missing = _IDLE_FRAMES  # frames in a row without any packet

        self._rewound = 0  # delay added by late packets within the window
        self._open_window()
        self._excess_frames = 0
        self._excess_windows = 0

    @property
    def target_ms(self) -> int:
        """The delay it aims at now."""
        return self._target_frames * FRAME_MS

    def push(self, packet: RtpPacket, samples: Samples, now: float) -> None:
        """Enter one packet and its decoded audio (none, for payloads that are not audio).

        Args:
            packet: its sequence number, timestamp and SSRC are used.
            samples: at most `max_ms` of audio; a longer packet is dropped.
            now: arrival in seconds.
        """
        arrival = self.reception.update(packet, now)
        if arrival is Arrival.NEWEST:
            if len(samples):
                self._place_newest(packet.timestamp, samples, now)
        elif arrival is Arrival.REORDERED:
            timestamp, position = self._newest
            self._store(position + timestamp_delta(packet.timestamp, timestamp), samples, now)
        elif arrival is Arrival.PROBATION:
            self._held = (packet, samples, now)
        elif arrival is Arrival.NEW_STREAM:
            held, self._held = self._held, None
            if held is not None and len(held[1]):
                self._begin_spurt(held[0].timestamp, held[1], held[2])
                self._place_newest(packet.timestamp, samples, now)
            elif len(samples):
                self._begin_spurt(packet.timestamp, samples, now)

    def pop(self, now: float) -> Heard:
        """Play the next frame. To be called once per 20 ms; `now` is the tick in seconds."""
        heard = self._take(now)
        if self._excess_frames and not heard.concealed:
            waited = self._excess_windows >= _PATIENCE
            if waited or int(heard.frame.max()) - int(heard.frame.min()) < _QUIET:
                self._excess_frames -= 1
                self._excess_windows = 0
                self.dropped_frames += 1
                self._open_window()
                heard = self._take(now)
        return heard

    def _place_newest(self, timestamp: int, samples: Samples, now: float) -> None:
        last_timestamp, last_position = self._newest
        position = last_position + timestamp_delta(timestamp, last_timestamp)
        ahead = position - self._next
        underrun = not self._packets
        jumped = ahead < (-self._max if underrun else 0) or (
            ahead > self._max and position != self._end
        )
        if jumped or (underrun and self._missing >= _RESTART_FRAMES):
            self._begin_spurt(timestamp, samples, now)
            return
        if ahead < 0:
            self._rewound -= ahead
            position = self._next
        elif underrun and position != self._end:
            position -= ahead % self._frame  # after a gap, whole frames are the cheap ones
        self._newest = (timestamp, position)
        self._measure(position, now)
        self._store(position, samples, now)

    def _begin_spurt(self, timestamp: int, samples: Samples, now: float) -> None:
        """Place a packet that has no relation to those before it."""
        lead = (self._target_frames - 1) * self._frame
        position = max(self._end, self._next + lead)
        self._newest = (timestamp, position)
        self._open_window()
        self._store(position, samples, now)

    def _store(self, position: int, samples: Samples, now: float) -> None:
        size = len(samples)
        if size > self._max or len(self._packets) >= _MOST_PACKETS:
            self.dropped_frames += max(1, size // self._frame)
            return
        end = position + size
        if position < self._next:
            if end <= self._next:
                self.late += 1
                return
            samples = samples[self._next - position :]
            position = self._next
        self._packets.setdefault(position, (samples, now))
        if end > self._end:
            self._end = end
            excess = end - self._next - self._max
            if excess > 0:
                frames = -(-excess // self._frame)
                self.dropped_frames += frames
                self._play_from(self._next + frames * self._frame)

    def _play_from(self, position: int) -> None:
        """Move playout forward, cutting off what lies before."""
        self._next = position
        for start in [start for start in self._packets if start < position]:
            samples, arrived_at = self._packets.pop(start)
            if start + len(samples) > position:
                self._packets.setdefault(position, (samples[position - start :], arrived_at))

    def _open_window(self) -> None:
        self._seen = 0
        self._rewound = 0
        self._least_transit = self._greatest_transit = 0.0
        self._least_ahead = 0

    def _measure(self, position: int, now: float) -> None:
        """Follow the spread of transit times; once per window, set the target by it."""
        placed = position - self._rewound  # as if no packet of this window had been late
        transit = now * self._rate - placed
        ahead = placed - self._next
        if self._seen == 0:
            self._least_transit = self._greatest_transit = transit
            self._least_ahead = ahead
        elif transit < self._least_transit:
            self._least_transit = transit
        elif transit > self._greatest_transit:
            self._greatest_transit = transit
        self._least_ahead = min(self._least_ahead, ahead)
        self._seen += 1
        if self._seen < _WINDOW:
            return
        spread = self._greatest_transit - self._least_transit
        needed = 1 + int(-(-spread // self._frame))
        self._target_frames = min(
            max(needed, self._target_frames - 1, self._min_frames), self._max_frames
        )
        spare = (self._least_ahead + self._rewound) // self._frame + 1 - self._target_frames
        self._excess_frames = max(0, spare)
        self._excess_windows = self._excess_windows + 1 if spare > 0 else 0
        self._open_window()

    def _take(self, now: float) -> Heard:
        stored = self._packets.pop(self._next, None)
        if stored is None or len(stored[0]) != self._frame:
            if stored is not None:
                self._packets[self._next] = stored
            return self._assemble(now)
        self._next += self._frame
        self._missing = 0
        self._last = stored[0]
        return Heard(stored[0], stored[1], False)

    def _assemble(self, now: float) -> Heard:
        """A frame out of packets of other sizes, or of none."""
        start, end = self._next, self._next + self._frame
        touched = sorted(position for position in self._packets if position < end)
        if not touched:
            self._next = end
            return self._conceal(now)
        frame = np.zeros(self._frame, dtype=np.int16)
        arrived_at, filled, written = -np.inf, 0, start
        for position in touched:
            samples, arrived = self._packets[position]
            stop = min(position + len(samples), end)
            if stop > written:
                begin = max(position, written)
                frame[begin - start : stop - start] = samples[begin - position : stop - position]
                filled += stop - begin
                written = stop
                arrived_at = max(arrived_at, arrived)
        self._play_from(end)
        self._missing = 0
        self._last = frame
        if filled < self._frame:
            self.concealed_frames += 1
        return Heard(frame, arrived_at, filled < self._frame)

    def _conceal(self, now: float) -> Heard:
        missing = self._missing
        self._missing = missing + 1
        if missing < _IDLE_FRAMES:
            self.concealed_frames += 1
        if missing < len(_FADE):
            return Heard((self._last * _FADE[missing]).astype(np.int16), now, True)
        return Heard(self.silence, now, True)
