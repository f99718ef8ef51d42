"""RTP: layouts, malformations, wraps and the account of a stream."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.rtp import (
    Arrival,
    BadPaddingError,
    ReceptionStats,
    RtpError,
    RtpPacket,
    TruncatedExtensionError,
    TruncatedHeaderError,
    TruncatedSourcesError,
    WrongVersionError,
    parse,
    sequence_delta,
    serialize,
    timestamp_delta,
)

PLAIN = bytes.fromhex("80801234deadbeefcafef00d") + b"voice"
#: Two contributing sources, an extension of one word, three bytes of padding.
FULL = (
    bytes.fromhex("b2001234deadbeefcafef00d")
    + bytes.fromhex("0000000100000002")
    + bytes.fromhex("bede00010a0b0c0d")
    + b"voice"
    + b"\x00\x00\x03"
)

packets = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    payload=st.binary(max_size=200),
    marker=st.booleans(),
    sources=st.lists(st.integers(0, 0xFFFFFFFF), max_size=15).map(tuple),
    extension=st.none()
    | st.tuples(
        st.integers(0, 0xFFFF),
        st.lists(st.binary(min_size=4, max_size=4), max_size=5).map(b"".join),
    ),
)


def test_a_plain_packet() -> None:
    packet = RtpPacket(0, 0x1234, 0xDEADBEEF, 0xCAFEF00D, b"voice", marker=True)
    assert parse(PLAIN) == packet
    assert serialize(packet) == PLAIN


def test_a_packet_with_everything() -> None:
    packet = parse(FULL)
    assert packet.sources == (1, 2)
    assert packet.extension == (0xBEDE, b"\x0a\x0b\x0c\x0d")
    assert packet.payload == b"voice"
    assert not packet.marker
    assert serialize(packet) == bytes([0x92]) + FULL[1:-3]


@pytest.mark.parametrize("length", range(len(FULL)))
def test_every_truncation_is_named(length: int) -> None:
    if length < 12:
        expected: type[RtpError] = TruncatedHeaderError
    elif length < 20:
        expected = TruncatedSourcesError
    elif length < 28:
        expected = TruncatedExtensionError
    else:
        expected = BadPaddingError
    if length in (len(FULL) - 1, len(FULL) - 2):
        expected = BadPaddingError  # the last byte is a padding of zero
    if length in range(29, len(FULL) - 2):
        expected = BadPaddingError  # the last byte is a letter: more than there is
    with pytest.raises(expected):
        parse(FULL[:length])


@pytest.mark.parametrize("length", range(12))
def test_every_truncation_of_a_plain_header_is_named(length: int) -> None:
    with pytest.raises(TruncatedHeaderError):
        parse(PLAIN[:length])


@pytest.mark.parametrize("first", [0x00, 0x40, 0xC0])
def test_other_versions_are_refused(first: int) -> None:
    with pytest.raises(WrongVersionError):
        parse(bytes([first]) + PLAIN[1:])


@pytest.mark.parametrize(
    ("tail", "payload"), [(b"ab\x01", b"ab"), (b"\x00\x00\x03", b""), (b"\x01", b"")]
)
def test_padding_is_taken_off(tail: bytes, payload: bytes) -> None:
    assert parse(bytes([0xA0]) + PLAIN[1:12] + tail).payload == payload


@pytest.mark.parametrize("tail", [b"", b"ab\x00", b"ab\x04", b"ab\xff"])
def test_impossible_padding_is_refused(tail: bytes) -> None:
    with pytest.raises(BadPaddingError):
        parse(bytes([0xA0]) + PLAIN[1:12] + tail)


@given(packets)
def test_what_is_written_is_read(packet: RtpPacket) -> None:
    assert parse(serialize(packet)) == packet


@given(st.binary(max_size=100), st.booleans())
def test_no_datagram_breaks_the_parser(datagram: bytes, versioned: bool) -> None:
    if versioned and datagram:
        datagram = bytes([0x80 | datagram[0] & 0x3F]) + datagram[1:]
    try:
        packet = parse(datagram)
    except (
        TruncatedHeaderError,
        WrongVersionError,
        TruncatedSourcesError,
        TruncatedExtensionError,
        BadPaddingError,
    ):
        return
    assert len(packet.payload) <= len(datagram) - 12
    assert serialize(packet)[2:12] == datagram[2:12]


@pytest.mark.parametrize(
    "change",
    [
        {"payload_type": 128},
        {"sequence": 65536},
        {"timestamp": -1},
        {"ssrc": 1 << 32},
        {"sources": (0,) * 16},
        {"sources": (1 << 32,)},
        {"extension": (0, b"abc")},
        {"extension": (65536, b"abcd")},
    ],
)
def test_fields_out_of_range_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"is out of its range|is not"):
        serialize(parse(PLAIN)._replace(**change))  # type: ignore[arg-type]


@given(st.integers(0, 0xFFFF), st.integers(-32768, 32767))
def test_sequence_differences_survive_the_wrap(earlier: int, step: int) -> None:
    assert sequence_delta((earlier + step) & 0xFFFF, earlier) == step


@given(st.integers(0, 0xFFFFFFFF), st.integers(-(2**31), 2**31 - 1))
def test_timestamp_differences_survive_the_wrap(earlier: int, step: int) -> None:
    assert timestamp_delta((earlier + step) & 0xFFFFFFFF, earlier) == step


def packet(number: int, *, start: int = 0, ssrc: int = 7) -> RtpPacket:
    return RtpPacket(0, (start + number) & 0xFFFF, (number * 160) & 0xFFFFFFFF, ssrc, b"\xff" * 160)


def account(numbers: list[int], start: int = 0) -> tuple[ReceptionStats, list[Arrival]]:
    reception = ReceptionStats(8000)
    return reception, [reception.update(packet(n, start=start), n * 0.02) for n in numbers]


@pytest.mark.parametrize("start", range(65530, 65536))
@pytest.mark.parametrize(
    ("numbers", "lost", "reordered", "duplicate"),
    [
        (list(range(12)), 0, 0, 0),
        ([0, 1, 3, 4, 7, 8, 9], 3, 0, 0),
        ([0, 2, 1, 4, 3, 6, 5, 7], 0, 3, 0),
        ([0, 1, 1, 2, 5, 2, 5, 7], 3, 0, 3),
        ([3, 2, 1, 0, 4, 5, 6, 7], 0, 3, 0),
        ([0, 5, 1, 1, 2, 9, 3], 4, 3, 1),
    ],
)
def test_the_account_holds_across_the_wrap(
    start: int, numbers: list[int], lost: int, reordered: int, duplicate: int
) -> None:
    reception, _ = account(numbers, start)
    assert reception.received == len(numbers)
    assert (reception.lost, reception.reordered, reception.duplicate) == (
        lost,
        reordered,
        duplicate,
    )


def test_loss_is_counted_over_many_wraps() -> None:
    reception, _ = account([n for n in range(200_000) if n % 100], start=65000)
    assert reception.lost == 1999  # the first missing one is before the first packet
    assert reception.reordered == 0


def test_one_stray_packet_does_not_move_the_stream() -> None:
    reception = ReceptionStats(8000)
    steps = [(0, 7), (1, 7), (40_000, 7), (2, 7), (40_001, 7), (3, 7), (9, 8), (4, 7)]
    arrivals = [reception.update(packet(n, ssrc=ssrc), 0.0) for n, ssrc in steps]
    assert arrivals == [
        Arrival.NEW_STREAM,
        Arrival.NEWEST,
        Arrival.PROBATION,
        Arrival.NEWEST,
        Arrival.PROBATION,
        Arrival.NEWEST,
        Arrival.PROBATION,
        Arrival.NEWEST,
    ]
    assert reception.lost == 0


@pytest.mark.parametrize(("jump", "ssrc"), [(40_000, 7), (-5_000, 7), (3, 8)])
def test_two_in_a_row_begin_a_new_stream_and_keep_the_old_loss(jump: int, ssrc: int) -> None:
    reception = ReceptionStats(8000)
    for number in (0, 2):
        reception.update(packet(number), 0.02 * number)
    first = reception.update(packet(jump, ssrc=ssrc), 0.06)
    second = reception.update(packet(jump + 1, ssrc=ssrc), 0.08)
    assert (first, second) == (Arrival.PROBATION, Arrival.NEW_STREAM)
    assert reception.update(packet(jump + 3, ssrc=ssrc), 0.12) is Arrival.NEWEST
    assert reception.lost == 2


def test_a_stream_that_lives_is_not_displaced_by_another_at_the_same_time() -> None:
    reception = ReceptionStats(8000)
    for number in range(50):
        reception.update(packet(number), number * 0.02)
        for index in range(2):  # two in a row
            other = packet(2 * number + index, ssrc=8)
            arrival = reception.update(other, number * 0.02 + 0.005 * index)
            assert arrival is Arrival.PROBATION
    assert reception.update(packet(100, ssrc=8), 1.02) is Arrival.NEW_STREAM
    assert reception.lost == 0


@pytest.mark.parametrize(
    ("step", "after_s", "continues"),
    [
        (1, 0.02, True),
        (60, 1.2, True),
        (51, 1.2, True),  # it lost some, or was slow
        (500, 10.0, True),
        (0, 1.2, False),
        (-1, 1.2, False),
        (2000, 1.2, False),  # faster than time
        (3000, 60.0, False),
    ],
)
def test_what_continues_a_stream(step: int, after_s: float, *, continues: bool) -> None:
    reception = ReceptionStats(8000)
    assert not reception.continues(packet(1), 0.0)
    for number in range(10):
        reception.update(packet(number), number * 0.02)
    now = 9 * 0.02 + after_s
    assert reception.continues(packet(9 + step), now) is continues
    assert not reception.continues(packet(9 + step, ssrc=8), now)
    later = packet(9 + step)._replace(timestamp=packet(9 + step).timestamp + 8000 * 30)
    assert not reception.continues(later, now)


def test_jitter_follows_rfc_3550() -> None:
    """Every other packet is 5 ms late: each difference is 5 ms, and so becomes the estimate."""
    reception = ReceptionStats(8000)
    expected = 0.0
    for number in range(200):
        reception.update(packet(number), number * 0.02 + (0.005 if number % 2 else 0.0))
        if number == 1:
            expected = 5 / 16
        elif number > 1:
            expected += (5 - expected) / 16
        assert reception.jitter_ms == pytest.approx(expected)
    assert expected == pytest.approx(5, abs=0.01)


def test_jitter_ignores_the_timestamp_wrap_and_pauses_that_the_clock_counts() -> None:
    reception = ReceptionStats(8000)
    for number in range(10):
        pause = 50 if number > 5 else 0
        timestamp = (2**32 - 480 + (number + pause) * 160) & 0xFFFFFFFF
        sent = RtpPacket(0, number, timestamp, 7, b"\xff" * 160)
        reception.update(sent, (number + pause) * 0.02)
    assert reception.jitter_ms == pytest.approx(0, abs=1e-6)


def test_the_layout_is_big_endian() -> None:
    assert struct.unpack("!BBHII", serialize(parse(PLAIN))[:12])[2] == 0x1234


def test_jitter_ignores_a_clock_that_jumps() -> None:
    """As where a PBX hands a new source on under its own SSRC."""
    reception = ReceptionStats(8000)
    for number in range(200):
        jumped = 0x7000_0000 if number >= 100 else 0
        one = packet(number)._replace(timestamp=(number * 160 + jumped) & 0xFFFFFFFF)
        reception.update(one, number * 0.02)
    assert reception.jitter_ms < 1
