"""What Homer is told of a call, over a real socket."""

import json
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from api.telemetry.homer import CallCapture, Homer, HomerSender
from pbx.quality import assess
from tests.api.telemetry.decoder import HepPacket, decode
from tests.pbx.test_quality import GOOD


class Collector:
    """Homer's side: what has come so far."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(2)
        self.port: int = self._socket.getsockname()[1]

    def take(self, count: int) -> list[tuple[HepPacket, dict[str, Any]]]:
        packets = [decode(self._socket.recv(65536)) for _ in range(count)]
        return [(one, json.loads(one.payload)) for one in packets]

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    one = Collector()
    yield one
    one.close()


@pytest.fixture
async def sender(collector: Collector) -> AsyncIterator[HomerSender]:
    one = HomerSender(Homer("127.0.0.1", collector.port, 7, "key"))
    await one.start()
    yield one
    one.close()


async def test_what_was_before_the_call_id_comes_under_it(
    collector: Collector, sender: HomerSender
) -> None:
    capture = CallCapture(sender, "our-id")
    capture.fact(1.0, "placed", {"trunk": "carrier", "nothing": None})
    capture.known_as("a@b")
    capture.fact(2.0, "ringing", {"sip_code": 180})
    (placed, facts), (ringing, _) = collector.take(2)
    assert (placed.payload_type, placed.correlation, placed.seconds) == (100, b"a@b", 1)
    assert (placed.capture_id, placed.password) == (7, b"key")
    assert facts == {"event": "placed", "call": "our-id", "trunk": "carrier"}
    assert (ringing.correlation, ringing.seconds) == (b"a@b", 2)


async def test_without_a_call_id_it_goes_by_ours(collector: Collector, sender: HomerSender) -> None:
    capture = CallCapture(sender, "our-id")
    for _ in range(100):
        capture.fact(1.0, "key", {})
    capture.flush()
    assert [one.correlation for one, _ in collector.take(32)] == [b"our-id"] * 32
    assert sender.sent == 32


async def test_the_lines_quality_in_homers_terms(collector: Collector, sender: HomerSender) -> None:
    capture = CallCapture(sender, "our-id")
    capture.known_as("a@b")
    capture.quality(9.0, assess(GOOD))
    told = collector.take(4)
    assert [one.payload_type for one, _ in told] == [5, 34, 5, 34]
    rtcp, report = told[0][1], told[1][1]
    assert rtcp["sender_information"]["packets"] == 1500
    assert rtcp["report_blocks"][0]["ia_jitter"] == 4
    assert (report["CORRELATION_ID"], report["TOTAL_PK"], report["PACKET_LOSS"]) == ("a@b", 1500, 0)
    assert report["MOS"] > 4.3
    inbound, outbound = told[0][0], told[2][0]
    assert (inbound.source, inbound.destination) == (outbound.destination, outbound.source)


async def test_a_homer_that_is_gone_costs_nothing(collector: Collector) -> None:
    sender = HomerSender(Homer("127.0.0.1", collector.port, 7))
    await sender.start()
    collector.close()
    capture = CallCapture(sender, "our-id")
    capture.known_as("a@b")
    for _ in range(100):
        capture.fact(1.0, "key", {})
    assert sender.sent + sender.dropped == 100
    assert sender.dropped > 0
    sender.close()


async def test_a_homer_that_is_nowhere_is_told_nothing(caplog: pytest.LogCaptureFixture) -> None:
    sender = HomerSender(Homer("a..b", 9060, 7))
    await sender.start()
    CallCapture(sender, "our-id").known_as("a@b")
    assert (sender.sent, sender.dropped) == (0, 0)
    assert "mend hep.host" in caplog.text
