"""The jitter buffer against networks of every mood. Time is a number here; nothing waits."""

import random
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.jitter import GREATEST_MS, Heard, JitterBuffer
from pbx.rtp import RtpPacket
from voice_loop.audio import Samples

FRAME = 160
LOUD = 4000  # added to every other sample, so that no frame is taken for quiet


def speech(number: int, size: int = FRAME) -> Samples:
    """Audio that tells which packet it is from: the first sample is its number."""
    samples = np.full(size, number, dtype=np.int16)
    samples[1::2] += LOUD
    return samples


def quiet(number: int) -> Samples:
    return np.full(FRAME, number, dtype=np.int16)


def packet(
    number: int, *, sequence: int = 0, timestamp: int = 0, size: int = FRAME, ssrc: int = 7
) -> RtpPacket:
    """Packet `number` of a stream that begins at `sequence` and `timestamp`."""
    return RtpPacket(
        0, (sequence + number) & 0xFFFF, (timestamp + number * size) & 0xFFFFFFFF, ssrc, b""
    )


class Link:
    """A line of 20 ms ticks; packets are delivered at times of our choosing (ms)."""

    def __init__(self, buffer: JitterBuffer) -> None:
        self.buffer = buffer
        self.heard: list[Heard] = []

    def run(self, arrivals: Iterable[tuple[float, RtpPacket, Samples]], ticks: int) -> None:
        """Ticks come at 10, 30, 50, … ms; what arrives before a tick is pushed before it."""
        waiting = sorted(arrivals, key=lambda arrival: arrival[0])
        for tick in range(len(self.heard), len(self.heard) + ticks):
            now = tick * 20 + 10
            while waiting and waiting[0][0] <= now:
                at, sent, samples = waiting.pop(0)
                self.buffer.push(sent, samples, at / 1000)
            self.heard.append(self.buffer.pop(now / 1000))
        for at, sent, samples in waiting:
            self.buffer.push(sent, samples, at / 1000)

    @property
    def numbers(self) -> list[int]:
        """Which packets were heard, in order (None of the concealed)."""
        return [int(heard.frame[0]) for heard in self.heard if not heard.concealed]


def deliver(order: Sequence[int], **stream: int) -> list[tuple[float, RtpPacket, Samples]]:
    """Packets one every 20 ms in the order named."""
    return [(20.0 * slot, packet(n, **stream), speech(n)) for slot, n in enumerate(order)]


@pytest.mark.parametrize("start", range(65530, 65536))
@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ([1, 3, 2, 4, 5, 7, 6, 8, 9], [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ([1, 2, 2, 3, 3, 3, 4, 4, 5], [1, 2, 3, 4, 5]),
    ],
    ids=["straight", "reordered", "duplicated"],
)
def test_order_is_restored_across_the_wraps(
    start: int, order: list[int], expected: list[int]
) -> None:
    link = Link(JitterBuffer(8000))
    link.run(deliver(order, sequence=start, timestamp=2**32 - 3 * FRAME), 14)
    assert link.numbers == expected
    assert link.buffer.late == 0


def test_playout_starts_one_to_two_frames_behind_the_first_packet() -> None:
    link = Link(JitterBuffer(8000))
    link.run(deliver(range(1, 6)), 8)
    assert [heard.concealed for heard in link.heard[:2]] == [True, False]
    assert link.heard[1].arrived_at == 0.0
    assert not link.heard[0].frame.any()


@pytest.mark.parametrize("start_ms", [20, 60, 120, 200])
def test_the_first_delay_is_a_setting(start_ms: int) -> None:
    link = Link(JitterBuffer(8000, start_ms=start_ms))
    link.run(deliver(range(1, 20)), 19)
    first = next(tick for tick, heard in enumerate(link.heard) if not heard.concealed)
    assert first == start_ms // 20 - 1


def test_a_lost_packet_is_repeated_and_fades_into_silence() -> None:
    link = Link(JitterBuffer(8000))
    link.run(deliver([1, 2, 3]), 9)
    peaks = [int(heard.frame.max()) for heard in link.heard]
    assert peaks == [0, 4001, 4002, 4003, 3202, 2001, 800, 0, 0]
    assert [heard.concealed for heard in link.heard] == [True] + [False] * 3 + [True] * 5
    assert link.buffer.concealed_frames == 5
    assert link.heard[5].arrived_at == pytest.approx(0.110), "nothing arrived: the tick's time"


def test_after_a_loss_the_rest_comes_in_its_own_time() -> None:
    sent = [arrival for arrival in deliver(range(1, 11)) if arrival[1].sequence not in (4, 5)]
    link = Link(JitterBuffer(8000))
    link.run(sent, 11)
    assert link.numbers == [1, 2, 3, 6, 7, 8, 9, 10]
    assert link.buffer.concealed_frames == 2
    assert link.buffer.reception.lost == 2
    assert int(link.heard[6].frame[0]) == 6, "its place, one frame behind as from the start"


def test_a_packet_after_newer_ones_were_played_is_late() -> None:
    sent = deliver([1, 2, 3, 5, 6, 7, 8])
    sent = [(at + 20 if n > 2 else at, p, s) for n, (at, p, s) in enumerate(sent)]
    link = Link(JitterBuffer(8000))
    link.run([*sent, (125.0, packet(4), speech(4))], 10)
    assert link.numbers == [1, 2, 3, 5, 6, 7, 8]
    assert link.buffer.late == 1
    assert link.buffer.reception.lost == 0


def test_a_stall_of_the_network_loses_nothing_and_the_delay_returns_in_a_pause() -> None:
    """Packets 51 to 54 come 80 ms late; from packet 80 on the far end listens."""
    link = Link(JitterBuffer(8000, min_ms=40))
    sent = []
    for n in range(400):
        at = 20.0 * n if not 51 <= n <= 54 else 55 * 20.0
        sent.append((at, packet(n), speech(n) if n < 80 else quiet(n)))
    link.run(sent, 401)
    speaking = [n for n in link.numbers if n < 80]
    assert speaking == list(range(80))
    assert link.buffer.concealed_frames == 3
    assert link.buffer.dropped_frames == 3
    assert link.buffer.target_ms == 40
    assert link.numbers[-1] == 399
    last = [tick for tick, heard in enumerate(link.heard) if not heard.concealed][-1]
    assert last == 400, "one frame behind the packet, as before the stall"


def test_without_a_pause_the_delay_returns_all_the_same() -> None:
    sent = [(20.0 * n if n < 50 else 20.0 * n + 60, packet(n), speech(n)) for n in range(80)]
    sent += [(20.0 * n, packet(n), speech(n)) for n in range(80, 1000)]
    link = Link(JitterBuffer(8000, min_ms=40))
    link.run(sent, 1000)
    assert link.buffer.dropped_frames == link.buffer.concealed_frames == 2
    assert link.numbers[-1] == 998


def test_steady_jitter_is_met_with_delay_and_no_audio_is_lost() -> None:
    """Each packet up to 90 ms late, in order. After the first seconds nothing is concealed."""
    rng = random.Random(4)
    at, sent = 0.0, []
    for n in range(1000):
        at = max(at, 20.0 * n + rng.uniform(0, 90))
        sent.append((at, packet(n), speech(n)))
    link = Link(JitterBuffer(8000))
    link.run(sent, 1000)
    assert 80 <= link.buffer.target_ms <= 120
    assert link.buffer.late == 0
    assert link.buffer.dropped_frames <= 3
    assert sum(heard.concealed for heard in link.heard[300:]) <= 3
    assert link.numbers == sorted(set(link.numbers))


def test_a_burst_beyond_the_greatest_delay_loses_its_oldest_part() -> None:
    """A second's stall, then everything at once."""
    sent = [(20.0 * n, packet(n), speech(n)) for n in range(10)]
    sent += [(1200.0, packet(n), speech(n)) for n in range(10, 60)]
    link = Link(JitterBuffer(8000))
    link.run(sent, 75)
    assert link.numbers == [*range(10), *range(50, 60)]
    assert link.buffer.dropped_frames == 41, "its lead of one frame was dropped with them"


@pytest.mark.parametrize("size", [40, 80, 240, 320, 480, 800])
def test_packets_of_other_lengths_are_cut_into_frames(size: int) -> None:
    count = 4800 // size
    tone = np.arange(0, 6 * 4800, 6).astype(np.int16)  # steep enough not to be quiet
    sent = [
        (n * size / 8, packet(n, size=size), tone[n * size : (n + 1) * size]) for n in range(count)
    ]
    link = Link(JitterBuffer(8000, start_ms=60))
    link.run(sent, 36)
    played = np.concatenate([heard.frame for heard in link.heard if not heard.concealed])
    assert np.array_equal(played, tone)
    assert link.buffer.late == 0


def test_half_a_frame_missing_is_said() -> None:
    tone = np.arange(1, 1601, dtype=np.int16)
    sent = [(n * 10.0, packet(n, size=80), tone[n * 80 : n * 80 + 80]) for n in range(20)]
    del sent[5]
    link = Link(JitterBuffer(8000))
    link.run(sent, 8)
    broken = link.heard[3]
    assert broken.concealed
    assert np.array_equal(broken.frame[:80], tone[320:400])
    assert not broken.frame[80:].any()


def test_a_pause_that_the_timestamps_count_costs_no_delay() -> None:
    sent = [(20.0 * n, packet(n), speech(n)) for n in range(10)]
    sent += [
        (20.0 * (n + 100), packet(n)._replace(timestamp=(n + 100) * FRAME), speech(n))
        for n in range(10, 30)
    ]
    link = Link(JitterBuffer(8000))
    link.run(sent, 131)
    assert link.numbers == list(range(30))
    ticks = [tick for tick, heard in enumerate(link.heard) if not heard.concealed]
    assert ticks == [*range(1, 11), *range(111, 131)]
    assert link.buffer.reception.lost == 0
    assert link.buffer.concealed_frames == 50, "a second; after that it is a pause"


@pytest.mark.parametrize("pause", [6, 20, 1000])
def test_a_pause_that_the_timestamps_do_not_count_is_a_new_talk_spurt(pause: int) -> None:
    sent = [(20.0 * (n if n < 10 else n + pause), packet(n), speech(n)) for n in range(30)]
    link = Link(JitterBuffer(8000))
    link.run(sent, 35 + pause)
    assert link.numbers == list(range(30))
    ticks = [tick for tick, heard in enumerate(link.heard) if not heard.concealed]
    assert ticks == [*range(1, 11), *range(11 + pause, 31 + pause)]
    assert link.buffer.late == 0


@pytest.mark.parametrize("jump", [2**31 - 1, 5_000_000, 90_000, -90_000, -5_000_000])
def test_a_timestamp_that_jumps_is_spliced_on_without_a_gap(jump: int) -> None:
    sent = [(20.0 * n, packet(n, timestamp=jump if n >= 10 else 0), speech(n)) for n in range(30)]
    link = Link(JitterBuffer(8000))
    link.run(sent, 31)
    assert link.numbers == list(range(30))
    assert not any(heard.concealed for heard in link.heard[1:])


@pytest.mark.parametrize(("sequence", "ssrc"), [(0, 8), (30_000, 7), (40_000, 9)])
def test_a_new_stream_is_spliced_on_whole(sequence: int, ssrc: int) -> None:
    sent = [(20.0 * n, packet(n), speech(n)) for n in range(10)]
    sent += [
        (20.0 * n, packet(n, sequence=sequence, timestamp=77_777, ssrc=ssrc), speech(n))
        for n in range(10, 30)
    ]
    link = Link(JitterBuffer(8000))
    link.run(sent, 32)
    assert link.numbers == list(range(30)), "the packet on probation is heard, too"
    assert link.buffer.reception.lost == 0


def test_of_two_streams_at_one_time_the_first_is_heard_as_long_as_it_lives() -> None:
    """Two of the other come between two of its own now and then, as networks have it."""
    dice = random.Random(5)
    first = [(20.0 * n + dice.uniform(0, 9), packet(n), speech(n)) for n in range(100)]
    other = [
        (20.0 * n + dice.uniform(0, 9), packet(n, ssrc=8, timestamp=5000), speech(1000 + n))
        for n in range(130)
    ]
    link = Link(JitterBuffer(8000))
    link.run(first + other, 132)
    assert [n for n in link.numbers if n < 1000] == list(range(100))
    after = [n for n in link.numbers if n >= 1000]
    assert after == list(range(after[0], 1130)), "once it is gone, the other one whole"
    assert 1100 <= after[0] <= 1102
    assert link.numbers.index(after[0]) == 100, "never between"


def test_each_change_of_the_stream_is_spliced_on_whole() -> None:
    """There, to a third one, and back to the first where that has gone on."""
    ssrcs = [7] * 20 + [8] * 20 + [9] * 20 + [7] * 20
    sent = [
        (20.0 * n, packet(n, ssrc=ssrc, timestamp=1000 * ssrc), speech(n))
        for n, ssrc in enumerate(ssrcs)
    ]
    link = Link(JitterBuffer(8000))
    link.run(sent, 82)
    assert link.numbers == list(range(80))
    assert link.buffer.reception.lost == 0


def test_packets_without_audio_keep_the_account_but_are_not_heard() -> None:
    """A telephone event or comfort noise shares the stream's sequence numbers."""
    sent = [(20.0 * n, packet(n), speech(n) if n != 4 else speech(0, 0)) for n in range(10)]
    link = Link(JitterBuffer(8000))
    link.run(sent, 12)
    assert link.numbers == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert link.buffer.reception.lost == 0


def test_nothing_is_counted_as_concealed_before_the_first_packet() -> None:
    link = Link(JitterBuffer(8000))
    link.run([], 100)
    assert all(heard.concealed for heard in link.heard)
    assert link.buffer.concealed_frames == 0


def test_the_shared_silence_cannot_be_spoilt() -> None:
    heard = JitterBuffer(16000).pop(0.0)
    assert heard.frame.size == 320
    with pytest.raises(ValueError, match="read-only"):
        heard.frame[0] = 1


@pytest.mark.parametrize("bounds", [(10, 40, 200), (60, 40, 200), (20, 120, 100), (20, 40, 220)])
def test_impossible_delays_are_refused(bounds: tuple[int, int, int]) -> None:
    least, start, greatest = bounds
    with pytest.raises(ValueError, match="≤ 200 ms"):
        JitterBuffer(8000, start_ms=start, min_ms=least, max_ms=greatest)


def test_a_packet_longer_than_any_delay_is_dropped() -> None:
    buffer = JitterBuffer(8000)
    buffer.push(packet(0), speech(1, GREATEST_MS * 8 + 8), 0.0)
    assert buffer.dropped_frames == 10
    assert all(buffer.pop(n * 0.02).concealed for n in range(20))


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 0xFFFF) | st.integers(0, 40),
            st.integers(0, 2**32 - 1) | st.integers(0, 4000),
            st.sampled_from([1, 2]),
            st.sampled_from([0, 1, 7, 80, 160, 161, 320, 1600, 1601]),
            st.integers(0, 3),
        ),
        max_size=200,
    )
)
def test_no_stream_outgrows_the_buffer(steps: list[tuple[int, int, int, int, int]]) -> None:
    """Whatever comes: frames are whole, ticks are answered, and what is stored plays out."""
    buffer = JitterBuffer(8000)
    now = 0.0
    for sequence, timestamp, ssrc, size, pops in steps:
        buffer.push(RtpPacket(0, sequence, timestamp, ssrc, b""), speech(5, size), now)
        for _ in range(pops):
            now += 0.02
            heard = buffer.pop(now)
            assert heard.frame.shape == (FRAME,)
            assert heard.arrived_at <= now
    drained = [buffer.pop(now) for _ in range(GREATEST_MS // 20 + 5)]
    assert all(heard.concealed for heard in drained[-5:])
    assert buffer.reception.received == len(steps)
    assert buffer.reception.lost >= 0
