"""HEP3 packets, read by a decoder that was written from the specification alone."""

from ipaddress import ip_address

import pytest

from api.telemetry.hep import Address, Capture, Payload, encode
from tests.api.telemetry.decoder import HepPacket, decode

HERE: Address = (ip_address("192.0.2.10"), 5060)
THERE: Address = (ip_address("198.51.100.7"), 9060)
SIX: Address = (ip_address("2001:db8::5"), 5060)


def test_every_chunk_is_where_the_specification_has_it() -> None:
    told = Capture(Payload.RTCP, HERE, THERE, 1796090558.25, b'{"a":1}', "3f7a@192.0.2.10")
    assert decode(encode(told, 2001, "secret")) == HepPacket(
        family=2,
        protocol=17,
        source=("192.0.2.10", 5060),
        destination=("198.51.100.7", 9060),
        seconds=1796090558,
        microseconds=250_000,
        payload_type=5,
        capture_id=2001,
        password=b"secret",
        payload=b'{"a":1}',
        correlation=b"3f7a@192.0.2.10",
    )


@pytest.mark.parametrize(("payload", "number"), [(Payload.QUALITY, 34), (Payload.LOG, 100)])
def test_what_it_is_about(payload: Payload, number: int) -> None:
    packet = decode(encode(Capture(payload, HERE, THERE, 1.0, b"{}", "a@b"), 0xFFFFFFFF))
    assert (packet.payload_type, packet.capture_id, packet.password) == (number, 0xFFFFFFFF, None)


def test_ipv6_and_both_at_once() -> None:
    packet = decode(encode(Capture(Payload.LOG, SIX, HERE, 1.0, b"{}", "a@b"), 1))
    assert packet.family == 10
    assert packet.source == ("2001:db8::5", 5060)
    assert packet.destination == ("::ffff:192.0.2.10", 5060)


def test_a_time_just_before_a_second_is_whole() -> None:
    packet = decode(encode(Capture(Payload.LOG, HERE, HERE, 9.9999999, b"", "a@b"), 1))
    assert (packet.seconds, packet.microseconds) == (10, 0)


def test_what_is_too_long_still_is_one_datagram() -> None:
    hostile = Capture(Payload.LOG, HERE, THERE, 1.0, b"x" * 100_000, "y" * 100_000)
    told = encode(hostile, 1)
    assert len(told) < 65_507
    assert decode(told).correlation == b"y" * 1024
