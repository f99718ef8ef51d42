"""Codecs against G.711's published values and their own round trips."""

import numpy as np
import pytest

from pbx.codecs import (
    CODECS,
    G722,
    PCMA,
    PCMU,
    SLIN16,
    UNICAST8,
    UNICAST16,
    Codec,
    Encoding,
    line_codec,
)
from voice_loop.audio import frame_samples, silence

EVERY = pytest.mark.parametrize(
    "codec", [*CODECS.values(), UNICAST8, UNICAST16], ids=lambda codec: codec.name
)
G711 = pytest.mark.parametrize("codec", [PCMU, PCMA], ids=lambda codec: codec.name)


def reference_mu_law(code: int) -> int:
    """G.711 table 2a, by its formula, on the 14-bit scale times four."""
    code = ~code & 0xFF
    magnitude = ((2 * (code & 15) + 33) << ((code >> 4) & 7)) - 33
    return 4 * (-magnitude if code & 0x80 else magnitude)


def reference_a_law(code: int) -> int:
    """G.711 table 1a, by its formula, on the 13-bit scale times eight."""
    code ^= 0x55
    segment, step = (code >> 4) & 7, code & 15
    magnitude = 2 * step + 1 if segment == 0 else (2 * step + 33) << (segment - 1)
    return 8 * (magnitude if code & 0x80 else -magnitude)


@pytest.mark.parametrize("code", range(256))
def test_every_g711_code_decodes_to_its_published_value(code: int) -> None:
    assert PCMU.decode(bytes([code]))[0] == reference_mu_law(code)
    assert PCMA.decode(bytes([code]))[0] == reference_a_law(code)


@G711
def test_every_sample_encodes_to_the_nearest_code(codec: Codec) -> None:
    samples = np.arange(-32768, 32768).astype(np.int16)
    values = codec.decode(bytes(range(256))).astype(np.int32)
    heard = codec.decode(codec.encode(samples)).astype(np.int32)
    nearest = np.min(np.abs(values[None, :] - samples.astype(np.int32)[:, None]), axis=1)
    assert np.array_equal(np.abs(heard - samples), nearest)


@G711
def test_values_of_codes_survive_a_round_trip(codec: Codec) -> None:
    values = codec.decode(bytes(range(256)))
    assert np.array_equal(codec.decode(codec.encode(values)), values)


def test_silence_is_the_code_that_telephones_send() -> None:
    assert PCMU.encode(silence(8000)) == b"\xff" * 160
    assert PCMA.encode(silence(8000)) == b"\xd5" * 160
    assert SLIN16.encode(silence(16000)) == bytes(640)


def test_wideband_samples_travel_in_network_order() -> None:
    samples = np.array([1, -2, 0x1234, -32768], dtype=np.int16)
    assert SLIN16.encode(samples) == b"\x00\x01\xff\xfe\x12\x34\x80\x00"
    assert np.array_equal(SLIN16.decode(SLIN16.encode(samples)), samples)
    assert SLIN16.decode(b"\x12\x34\x56").tolist() == [0x1234]


@pytest.mark.parametrize("encoding", [UNICAST8, UNICAST16], ids=lambda one: one.name)
def test_freeswitch_takes_samples_with_the_low_byte_first(encoding: Encoding) -> None:
    samples = np.array([1, -2, 0x1234, -32768], dtype=np.int16)
    assert encoding.encode(samples) == b"\x01\x00\xfe\xff\x34\x12\x00\x80"
    assert np.array_equal(encoding.decode(encoding.encode(samples)), samples)
    assert encoding.decode(b"\x34\x12\x56").tolist() == [0x1234]


def test_datagrams_of_unicast_have_the_sizes_that_freeswitch_sends() -> None:
    assert (UNICAST8.frame_bytes, UNICAST16.frame_bytes) == (320, 640)


@pytest.mark.parametrize("codec", CODECS.values(), ids=lambda codec: codec.name)
def test_the_rtp_clock_is_the_sampling_rate_but_for_one(codec: Codec) -> None:
    assert codec.clock == (8000 if codec is G722 else codec.rate)  # RFC 3551 section 4.5.2


@EVERY
def test_frames_have_the_size_that_the_wire_needs(codec: Encoding) -> None:
    payload = codec.encode(silence(codec.rate))
    assert len(payload) == codec.frame_bytes
    decoded = codec.decode(payload)
    assert decoded.dtype == np.int16
    assert decoded.size == frame_samples(codec.rate)
    assert codec.decode(b"").size == 0


@EVERY
def test_anything_but_int16_is_refused(codec: Encoding) -> None:
    with pytest.raises(ValueError, match="float32"):
        codec.encode(np.zeros(160, dtype=np.float32))


def test_what_asterisk_calls_them() -> None:
    assert {name: codec.payload_type for name, codec in CODECS.items()} == {
        "ulaw": 0,
        "alaw": 8,
        "slin16": 118,
        "g722": 9,
    }


def test_g722_carries_what_a_telephone_cannot() -> None:
    """A tone of 5 kHz, frame by frame, and what follows is not what it would be alone."""
    coders = G722.coder(), G722.coder()
    time = np.arange(16000) / 16000
    said = (8000 * np.sin(2 * np.pi * 5000 * time)).astype(np.int16).reshape(-1, 320)
    payloads = [coders[0].encode(frame) for frame in said]
    assert {len(one) for one in payloads} == {160}
    heard = np.concatenate([coders[1].decode(one) for one in payloads]).astype(float)
    spectrum = np.abs(np.fft.rfft(heard[8000:] * np.hanning(8000)))
    assert np.argmax(spectrum) * 2 == 5000
    assert np.sqrt(np.mean(heard[8000:] ** 2)) == pytest.approx(8000 / np.sqrt(2), rel=0.1)
    assert G722.encode(said[-1]) != payloads[-1]


def test_g722_takes_packets_of_any_length_and_none() -> None:
    coder = G722.coder()
    assert [coder.decode(bytes(count)).size for count in (80, 0, 160, 1, 480)] == [
        160, 0, 320, 2, 960
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("formats", "wideband", "codec"),
    [
        ("g722 alaw ulaw", True, G722),
        ("alaw g722 ulaw", True, G722),
        ("g722 alaw ulaw", False, PCMA),
        ("opus alaw", True, PCMA),
        ("g722", False, PCMU),
        ("", True, PCMU),
    ],
)
def test_what_is_spoken_with_a_trunk(formats: str, wideband: bool, codec: Codec) -> None:
    assert line_codec(formats.split(), wideband=wideband) is codec
