"""Both kinds of datagrams; the headerless through the real jitter buffer, in simulated time."""

import itertools
import random
from collections.abc import Callable, Container
from typing import NamedTuple

import numpy as np
import pytest

from pbx.codecs import PCMU, UNICAST8, UNICAST16, Codec, Encoding
from pbx.framing import FrameSizeError, Framing, RtpFraming, UnicastFraming, framing_of
from pbx.jitter import Heard, JitterBuffer
from pbx.rtp import RtpError, RtpPacket, serialize, timestamp_delta
from voice_loop.audio import Samples

BOTH_RATES = pytest.mark.parametrize("encoding", [UNICAST8, UNICAST16], ids=lambda e: e.name)
TALKING, LISTENING = 100, 100  # frames of speech, then of quiet, in a conversation


class Arrival(NamedTuple):
    at: float
    """When it reaches us, in milliseconds."""
    number: int | None
    """Which frame it is; None where FreeSWITCH says that it has nothing to send."""
    slot: int
    """Its place in the sender's time, in frames."""


Arrivals = list[Arrival]

#: RTP with the samples of `unicast`: nothing but the header is different.
PCM = Codec("L16", 8000, 2, 118, "slin")


#: What FreeSWITCH sends for a packet that is not there: samples of -1.
NOTHING = b"\xff" * 320


def frame_of(number: int, *, loud: bool) -> Samples:
    """A frame that tells its number by its first sample; the buffer may skip quiet ones."""
    samples = np.full(160, number % 16_000, dtype=np.int16)
    if loud:
        samples[1::2] += 4000
    return samples


def always(number: int) -> bool:
    return True


def by_turns(number: int) -> bool:
    return number % (TALKING + LISTENING) < TALKING


class Line:
    """A far end that sends numbered frames, and a tick of ours every 20 ms.

    Args:
        framing: how the frames travel; RTP that counts its time is the measure of what can be had.
        loud: which numbers are speech.
    """

    def __init__(self, framing: Framing, loud: Callable[[int], bool] = always) -> None:
        self.buffer = JitterBuffer(8000)
        self.heard: list[tuple[float, Heard]] = []
        self._encoding = UNICAST8 if isinstance(framing, UnicastFraming) else PCM
        self._framing = framing
        self._loud = loud

    def run(self, arrivals: Arrivals, ticks: int) -> "Line":
        """Ticks come at 1010, 1030, … ms."""
        waiting = sorted(arrivals, key=lambda arrival: arrival.at)
        begin = 0
        for tick in range(ticks):
            now = 1010 + 20 * tick
            while begin < len(waiting) and waiting[begin].at <= now:
                self._receive(waiting[begin])
                begin += 1
            self.heard.append((now, self.buffer.pop(now / 1000)))
        return self

    def _receive(self, arrival: Arrival) -> None:
        number = arrival.number
        if number is None:
            datagram = NOTHING
            if self._encoding is PCM:
                return  # RTP sends nothing by not sending
        else:
            datagram = self._encoding.encode(frame_of(number, loud=self._loud(number)))
            if self._encoding is PCM:
                timestamp = arrival.slot * 160
                datagram = serialize(RtpPacket(118, number & 0xFFFF, timestamp, 7, datagram))
        packet = self._framing.read(datagram, arrival.at / 1000)
        assert (packet is None) == (number is None)
        if packet is not None:
            self.buffer.push(packet, self._encoding.decode(packet.payload), arrival.at / 1000)

    @property
    def numbers(self) -> list[int]:
        """Which frames were heard, in order."""
        return [int(heard.frame[0]) for _, heard in self.heard if not heard.concealed]

    @property
    def delays(self) -> list[float]:
        """Milliseconds from arrival to playout, of each frame heard."""
        return [now - h.arrived_at * 1000 for now, h in self.heard if not h.concealed]

    @property
    def pattern(self) -> list[int | None]:
        """What each tick heard: a frame's number, or None for concealment."""
        return [None if heard.concealed else int(heard.frame[0]) for _, heard in self.heard]


def steady(count: int, *, first: int = 0, slot: int = 0, every: float = 20.0) -> Arrivals:
    """Frames sent one every 20 ms from a slot of time on (slot 0 is at 1000 ms)."""
    return [Arrival(1000 + every * (slot + n), first + n, slot + n) for n in range(count)]


def both(arrivals: Arrivals, ticks: int, loud: Callable[[int], bool] = always) -> tuple[Line, Line]:
    """The same arrivals without headers, and in RTP."""
    bare = Line(UnicastFraming(UNICAST8), loud).run(arrivals, ticks)
    return bare, Line(RtpFraming(PCM), loud).run(arrivals, ticks)


def read(framing: Framing, datagram: bytes, arrived_at: float) -> RtpPacket:
    """The packet that must be in a datagram."""
    packet = framing.read(datagram, arrived_at)
    assert packet is not None
    return packet


@BOTH_RATES
def test_the_datagram_is_the_payload(encoding: Encoding) -> None:
    framing = framing_of(encoding)
    payload = random.Random(1).randbytes(encoding.frame_bytes)
    assert framing.write(payload) == payload
    packet = read(framing, payload, 5.0)
    assert packet.payload == payload


@BOTH_RATES
@pytest.mark.parametrize("wrong", [0, 1, 13, 319, 641, 1922, 2048])
def test_no_frame_is_an_error_that_names_both_sizes(encoding: Encoding, wrong: int) -> None:
    expected = f"{wrong} bytes came, 20 ms at {encoding.rate} Hz are {encoding.frame_bytes}"
    with pytest.raises(FrameSizeError, match=expected):
        UnicastFraming(encoding).read(bytes(wrong), 1.0)


@BOTH_RATES
@pytest.mark.parametrize("wrong", [0, 1, 160, 318, 319, 321, 480, 639, 641])
def test_nothing_but_whole_frames_is_sent(encoding: Encoding, wrong: int) -> None:
    expected = f"{wrong} bytes were to be sent, .* are {encoding.frame_bytes}"
    with pytest.raises(FrameSizeError, match=expected):
        UnicastFraming(encoding).write(bytes(wrong))


@BOTH_RATES
def test_what_was_refused_leaves_no_trace(encoding: Encoding) -> None:
    framing = UnicastFraming(encoding)
    frame = bytes(encoding.frame_bytes)
    first = read(framing, frame, 10.0)
    with pytest.raises(FrameSizeError):
        framing.read(b"", 10.01)
    second = read(framing, frame, 10.02)
    assert (second.sequence - first.sequence, second.timestamp - first.timestamp) == (
        1,
        encoding.frame_bytes // 2,
    )


def steps(
    arrivals: list[float], encoding: Encoding = UNICAST8, nothing: Container[float] = ()
) -> list[tuple[int, int]]:
    """Sequence numbers and frames of timestamp between datagrams arriving at these seconds."""
    framing = UnicastFraming(encoding)
    packets = []
    for at in arrivals:
        frame = (b"\xff" if at in nothing else b"\x00") * encoding.frame_bytes
        packet = framing.read(frame, at)
        assert (packet is None) == (at in nothing)
        if packet is not None:
            packets.append(packet)
    return [
        (
            (later.sequence - earlier.sequence) & 0xFFFF,
            timestamp_delta(later.timestamp, earlier.timestamp) * 50 // encoding.rate,
        )
        for earlier, later in itertools.pairwise(packets)
    ]


@BOTH_RATES
@pytest.mark.parametrize("gap", [-0.5, 0.0, 0.001, 0.02, 0.04, 0.1, 0.199])
def test_jitter_is_no_gap(encoding: Encoding, gap: float) -> None:
    assert steps([100.0, 100.0 + gap], encoding) == [(1, 1)]


@BOTH_RATES
@pytest.mark.parametrize(
    ("gap", "frames"), [(0.21, 10), (0.24, 12), (3.0, 150), (3.009, 150), (3600.0, 180_000)]
)
def test_a_gap_of_arrivals_is_a_gap_of_timestamps(
    encoding: Encoding, gap: float, frames: int
) -> None:
    assert steps([100.0, 100.0 + gap, 100.02 + gap], encoding) == [(1, frames), (1, 1)]


@BOTH_RATES
@pytest.mark.parametrize(
    ("nothings", "frames"), [(1, 1), (2, 1), (3, 4), (5, 6), (9, 10), (50, 51), (1000, 1001)]
)
@pytest.mark.parametrize("jitter", [-0.015, 0.0, 0.015])
def test_frames_of_nothing_are_a_late_packet_or_a_pause(
    encoding: Encoding, nothings: int, frames: int, jitter: float
) -> None:
    quiet = [100.0 + 0.02 * n + jitter for n in range(1, nothings + 1)]
    after = 100.0 + 0.02 * (nothings + 1)
    assert steps([100.0, *quiet, after, after + 0.02], encoding, quiet) == [(1, frames), (1, 1)]


@pytest.mark.parametrize("held", [0.5, 3.0])
def test_a_channel_held_between_frames_of_nothing_is_one_pause(held: float) -> None:
    quiet = [100.02, 100.02 + held]
    assert steps([100.0, *quiet, 100.04 + held], UNICAST8, quiet) == [(1, round(held * 50) + 2)]


@BOTH_RATES
def test_a_short_frame_lasts_as_long_as_its_samples(encoding: Encoding) -> None:
    """The end of a sound that FreeSWITCH or the trunk plays."""
    framing = UnicastFraming(encoding)
    sizes = [encoding.frame_bytes, 100, 2, encoding.frame_bytes, encoding.frame_bytes]
    packets = [read(framing, bytes(size), 1.0 + n / 50) for n, size in enumerate(sizes)]
    assert [len(packet.payload) for packet in packets] == sizes
    lasted = [timestamp_delta(b.timestamp, a.timestamp) for a, b in itertools.pairwise(packets)]
    assert lasted == [size // 2 for size in sizes[:-1]]


@pytest.mark.parametrize("ptime_ms", [10, 30, 40, 60])
def test_packets_of_other_lengths_are_taken_and_pauses_among_them_last(ptime_ms: int) -> None:
    framing = UnicastFraming(UNICAST8)
    size = UNICAST8.frame_bytes * ptime_ms // 20
    told = [b"\0" * size] * 2 + [b"\xff" * size] * 10 + [b"\0" * size]
    arrived = [framing.read(one, 1.0 + n * ptime_ms / 1000) for n, one in enumerate(told)]
    packets = [one for one in arrived if one is not None]
    assert [len(one.payload) for one in packets] == [size] * 3
    lasted = [timestamp_delta(b.timestamp, a.timestamp) for a, b in itertools.pairwise(packets)]
    assert lasted == [size // 2, 11 * size // 2]


@pytest.mark.parametrize("ptime_ms", [20, 30, 40, 60])
def test_what_is_sent_is_as_long_as_what_comes(ptime_ms: int) -> None:
    framing = UnicastFraming(UNICAST8)
    size = UNICAST8.frame_bytes * ptime_ms // 20
    for one in (size, size, 100, size):  # the short end of a sound among them
        framing.read(bytes(one), 1.0)
    said = random.Random(1).randbytes(12 * UNICAST8.frame_bytes)
    pieces = [said[at : at + UNICAST8.frame_bytes] for at in range(0, len(said), 320)]
    sent = [datagram for one in pieces if (datagram := framing.write(one))]
    assert {len(one) for one in sent} == {size}
    assert b"".join(sent) == said


def test_numbers_and_time_wrap_as_in_rtp() -> None:
    """A call of a day, and one datagram after every pause of an hour."""
    framing = UnicastFraming(UNICAST16)
    frame = bytes(640)
    for n in range(70_000):
        packet = read(framing, frame, 1.0 + 3600.0 * n)
        assert serialize(packet)


def test_a_steady_stream_is_heard_as_in_rtp() -> None:
    bare, rtp = both(steady(3000), 3001)
    assert bare.pattern == rtp.pattern
    assert len(bare.numbers) == 2999, "one skipped: the delay went from two frames to one"
    assert max(bare.delays) <= 30
    assert bare.buffer.reception.jitter_ms == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("seed", range(5))
def test_jitter_of_15_ms_is_met_as_in_rtp(seed: int) -> None:
    """Up to 15 ms early or late, in order as on one wire."""
    rng, at, arrivals = random.Random(seed), 0.0, []
    for arrival in steady(3000, slot=1):
        at = max(at, arrival.at + rng.uniform(-15, 15))
        arrivals.append(arrival._replace(at=at))
    bare, rtp = both(arrivals, 3003)
    assert bare.pattern == rtp.pattern
    assert len(bare.numbers) >= 2998
    assert max(bare.delays) <= 80


@pytest.mark.parametrize("seed", range(5))
def test_bunches_of_50_ms_are_met_as_in_rtp(seed: int) -> None:
    """A busy host that hands on only every 50 ms, at any phase."""
    phase = random.Random(seed).uniform(0, 50)
    arrivals = [one._replace(at=50.0 * -(-(one.at - phase) // 50) + phase) for one in steady(3000)]
    bare, rtp = both(arrivals, 3010)
    assert bare.pattern == rtp.pattern
    assert len(bare.numbers) >= 2995
    assert max(bare.delays) <= 110


@pytest.mark.parametrize("paused", [11, 12, 20, 150, 3000])
def test_a_pause_is_heard_as_in_rtp_and_costs_no_delay(paused: int) -> None:
    """A channel held, or parked anew: no datagrams for so many frames, then speech at once."""
    arrivals = steady(200) + steady(300, first=200, slot=200 + paused)
    bare, rtp = both(arrivals, 503 + paused)
    assert bare.pattern == rtp.pattern
    assert bare.numbers[-300:] == list(range(200, 500)), "not a word of it is cut"
    assert max(bare.delays[-300:]) <= 30
    assert bare.buffer.target_ms == 20
    assert bare.buffer.reception.jitter_ms < 1
    assert bare.buffer.reception.lost == 0


@pytest.mark.parametrize("paused", [3, 5, 11, 150, 3000])
@pytest.mark.parametrize("jitter", [0, 15])
def test_a_pause_of_frames_of_nothing_is_heard_as_in_rtp(paused: int, jitter: int) -> None:
    """The far end suppresses its silence; FreeSWITCH sends its frames of nothing meanwhile."""
    rng, at, arrivals = random.Random(paused), 0.0, []
    spoken = steady(200, slot=1) + steady(300, first=200, slot=201 + paused)
    quiet = [one._replace(number=None) for one in steady(paused, slot=201)]
    for one in sorted(spoken + quiet, key=lambda one: one.slot):
        at = max(at, one.at + rng.uniform(-jitter, jitter))
        arrivals.append(one._replace(at=at))
    bare, rtp = both(arrivals, 505 + paused)
    assert bare.pattern == rtp.pattern
    assert len(bare.numbers) >= 499, "one skipped at most: the delay returns"
    assert max(bare.delays) <= 80
    assert bare.buffer.reception.lost == 0


@pytest.mark.parametrize("late", [1, 2])
def test_a_packet_that_is_late_at_freeswitch_is_no_loss(late: int) -> None:
    """Frames of nothing first, then every packet, so much later."""
    arrivals = steady(200)
    arrivals += [one._replace(number=None) for one in steady(late, slot=200)]
    arrivals += steady(300, first=200, slot=200 + late)
    bare, _ = both(arrivals, 503)
    assert bare.numbers[-300:] == list(range(200, 500))
    assert max(bare.delays[-300:]) <= 30
    assert bare.pattern.count(None) <= 2 + late + 1


@pytest.mark.parametrize("paused", range(1, 11))
def test_a_pause_too_short_to_tell_from_jitter_costs_no_delay_either(paused: int) -> None:
    arrivals = steady(200) + steady(300, first=200, slot=200 + paused)
    bare, _ = both(arrivals, 503 + paused)
    assert bare.numbers[-300:] == list(range(200, 500))
    assert max(bare.delays[-300:]) <= 30
    assert bare.pattern.count(None) <= paused + 6


def test_many_pauses_do_not_add_up() -> None:
    rng, arrivals, slot = random.Random(5), [], 0
    for spurt in range(200):
        arrivals += steady(60, first=60 * spurt, slot=slot)
        slot += 60 + rng.randrange(11, 75)
    bare, rtp = both(arrivals, slot)
    assert bare.pattern == rtp.pattern
    assert len(bare.numbers) >= 60 * 200 - 1
    assert max(bare.delays) <= 31


@pytest.mark.parametrize("stalled", range(1, 11))
def test_a_stall_is_heard_as_in_rtp(stalled: int) -> None:
    """Frames that come late, all at once: no pause, and nothing is lost."""
    arrivals = [
        one._replace(at=1000.0 + 20 * (40 + stalled)) if 40 <= one.slot < 40 + stalled else one
        for one in steady(1000)
    ]
    bare, rtp = both(arrivals, 1001, by_turns)
    assert bare.pattern == rtp.pattern
    assert max(bare.delays[-300:]) <= 50
    if stalled < 10:
        assert bare.numbers[:TALKING] == list(range(TALKING))


@pytest.mark.parametrize("ppm", [-100, 100])
def test_ten_minutes_of_drift_are_heard_as_in_rtp(ppm: int) -> None:
    """The drift is three frames in all."""
    arrivals = steady(30_000, every=20.0 * (1 + ppm / 1e6))
    bare, rtp = both(arrivals, 30_000, by_turns)
    assert bare.pattern == rtp.pattern
    assert max(bare.delays) <= 50
    assert len(bare.numbers) >= 30_000 - 8
    assert bare.pattern.count(None) <= 8


@pytest.mark.parametrize("percent", [1, 5])
def test_lost_datagrams_cost_no_more_than_in_rtp_and_no_delay(percent: int) -> None:
    rng = random.Random(percent)
    arrivals = [one for one in steady(6000) if rng.random() * 100 >= percent]
    bare, rtp = both(arrivals, 6001)
    assert bare.numbers == sorted(set(bare.numbers))
    assert len(bare.numbers) >= len(arrivals) - 1
    assert bare.pattern.count(None) <= rtp.pattern.count(None)
    assert max(bare.delays) <= 50


def test_heavy_loss_looks_like_jitter_but_its_delay_is_bounded_and_goes() -> None:
    """One in five lost for a minute, then a good line for another."""
    rng = random.Random(20)
    arrivals = [one for one in steady(6000) if one.slot >= 3000 or rng.random() >= 0.2]
    bare, _ = both(arrivals, 6001, by_turns)
    assert max(bare.delays) <= 200
    assert max(bare.delays[-2000:]) <= 50
    assert bare.buffer.target_ms == 20


def test_rtp_says_which_payloads_are_audio() -> None:
    framing = RtpFraming(PCMU)
    audio = RtpPacket(0, 1, 160, 7, b"\xff" * 160)
    event = RtpPacket(101, 2, 160, 7, b"\x01\x8a\x03\x20")
    assert framing.read(serialize(audio), 0.0) == audio
    assert framing.read(serialize(event), 0.0) == event._replace(payload=b"")
    with pytest.raises(RtpError):
        framing.read(b"", 0.0)


def samples_of(encoding: Encoding) -> Samples:
    return np.arange(encoding.rate // 50, dtype=np.int16)


@pytest.mark.parametrize("encoding", [PCMU, UNICAST8, UNICAST16], ids=lambda e: e.name)
def test_what_is_written_can_be_read(encoding: Encoding) -> None:
    ours, theirs = framing_of(encoding), framing_of(encoding)
    payload = encoding.encode(samples_of(encoding))
    packets = [read(theirs, ours.write(payload), 1.0 + n / 50) for n in range(3)]
    assert {packet.payload for packet in packets} == {payload}
    assert [timestamp_delta(b.timestamp, a.timestamp) for a, b in itertools.pairwise(packets)] == [
        encoding.rate // 50
    ] * 2
