"""Calls as Homer is told of them: what the PBX tells, turns and decisions, and the line's quality.

Without words and numbers: what is said of a call is when, how long, and why. Everything is under
the SIP Call-ID, so that it stands beside the SIP that another agent captures.
"""

import asyncio
import json
import logging
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

from api.telemetry.hep import Address, Capture, Payload, encode
from pbx.quality import CallQuality, WayQuality

log = logging.getLogger(__name__)

#: Facts of one call that wait for its Call-ID.
_MOST_WAITING: Final = 32
#: Timestamp units of RTCP's jitter, per millisecond of narrowband audio.
_CLOCK_KHZ: Final = 8


@dataclass(frozen=True)
class Homer:
    """Where it is, and who we are to it."""

    host: str
    port: int
    capture_id: int
    password: str | None = None


class HomerSender:
    """Sends captures by UDP; what the network does not take at once is dropped and counted."""

    def __init__(self, homer: Homer) -> None:
        self._homer = homer
        self._socket: socket.socket | None = None
        self.sent = 0
        self.dropped = 0
        self._failing = False

    async def start(self) -> None:
        """Find it. Where it has no address nothing is sent, which the log tells."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                self._homer.host, self._homer.port, type=socket.SOCK_DGRAM
            )
            family, kind, protocol, _, address = found[0]
            self._socket = socket.socket(family, kind, protocol)
            self._socket.setblocking(False)
            self._socket.connect(address)
        except (OSError, UnicodeError) as error:  # the latter for what can be no name
            self.close()
            log.warning(
                "HEP: %s:%d is not to be reached (%s), and is told nothing: mend hep.host",
                self._homer.host,
                self._homer.port,
                error,
            )

    def close(self) -> None:
        """Send nothing any more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    @property
    def ours(self) -> Address:
        """Our address on the way there."""
        if self._socket is None:
            return ip_address("0.0.0.0"), 0  # noqa: S104 - nothing listens there
        host, port = self._socket.getsockname()[:2]
        return ip_address(host), int(port)

    def send(self, capture: Capture) -> None:
        """Hand one to the network; never blocks, never raises."""
        if self._socket is None:
            return
        packet = encode(capture, self._homer.capture_id, self._homer.password)
        try:
            self._socket.send(packet)
        except OSError as error:  # its refusals of earlier ones, too
            self.dropped += 1
            if not self._failing:
                log.warning("HEP: a packet is dropped: %s", error)
            self._failing = True
        else:
            self.sent += 1
            self._failing = False


async def address_of(host: str, port: int) -> Address | None:
    """The first address of a host, with that port; None where it has none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port)
    except (OSError, UnicodeError):
        return None
    return ip_address(found[0][4][0]), port


class CallCapture:
    """Tells of one attempt.

    Args:
        sender: None tells nobody.
        call_id: ours; what it goes by until its SIP Call-ID is known, should that never be.
        pbx: where the PBX is.
    """

    def __init__(
        self, sender: HomerSender | None, call_id: str, pbx: Address | None = None
    ) -> None:
        self._sender = sender
        self._call_id = call_id
        self._pbx = pbx
        self._sip_call_id: str | None = None
        self._waiting: list[tuple[Payload, float, Mapping[str, Any], bool]] = []

    def known_as(self, sip_call_id: str | None) -> None:
        """Its SIP Call-ID, once the PBX tells."""
        if sip_call_id is not None and self._sip_call_id is None:
            self._sip_call_id = sip_call_id
            self.flush()

    def fact(self, at: float, event: str, facts: Mapping[str, Any]) -> None:
        """Something happened: no words, no numbers."""
        told = {name: value for name, value in facts.items() if value is not None}
        self._tell(Payload.LOG, at, {"event": event, "call": self._call_id, **told})

    def quality(self, at: float, quality: CallQuality) -> None:
        """It is over, and this was its line."""
        for way, figures, inbound in (
            ("inbound", quality.inbound, True),
            ("outbound", quality.outbound, False),
        ):
            self._tell(Payload.RTCP, at, _rtcp(figures, quality.round_trip_ms), inbound=inbound)
            report = _report(self._sip_call_id or self._call_id, way, figures, quality.codec)
            self._tell(Payload.QUALITY, at, report, inbound=inbound)

    def flush(self) -> None:
        """Tell what has waited for the Call-ID."""
        waiting, self._waiting = self._waiting, []
        for payload, at, body, inbound in waiting:
            self._send(payload, at, body, inbound)

    def _tell(
        self, payload: Payload, at: float, body: Mapping[str, Any], *, inbound: bool = True
    ) -> None:
        if self._sender is None:
            return
        if self._sip_call_id is not None:
            self._send(payload, at, body, inbound)
        elif len(self._waiting) < _MOST_WAITING:
            self._waiting.append((payload, at, body, inbound))

    def _send(self, payload: Payload, at: float, body: Mapping[str, Any], inbound: bool) -> None:
        assert self._sender is not None
        ours = self._sender.ours
        pbx = self._pbx or ours
        source, destination = (pbx, ours) if inbound else (ours, pbx)
        told = json.dumps(body, separators=(",", ":")).encode()
        known_as = self._sip_call_id or self._call_id
        self._sender.send(Capture(payload, source, destination, at, told, known_as))


def _rtcp(way: WayQuality, round_trip_ms: int | None) -> Mapping[str, Any]:
    """A sender report with one block (RFC 3550 section 6.4.1), as agents of Homer write it."""
    packets = way.packets or 0
    blocks: Sequence[Mapping[str, int]] = []
    if way.loss_percent is not None:
        share = way.loss_percent / 100
        blocks = [
            {
                "source_ssrc": 0,
                "fraction_lost": min(255, round(256 * share)),
                "packets_lost": round(packets * share / (1 - share)) if share < 1 else packets,
                "highest_seq_no": packets & 0xFFFFFFFF,
                "ia_jitter": round((way.jitter_ms or 0.0) * _CLOCK_KHZ),
                "lsr": 0,
                "dlsr": round((round_trip_ms or 0) * 65.536),
            }
        ]
    return {
        "type": 200,
        "ssrc": 0,
        "report_count": len(blocks),
        "sender_information": {"packets": packets, "octets": 160 * packets},
        "report_blocks": blocks,
    }


def _report(known_as: str, way: str, figures: WayQuality, codec: str | None) -> Mapping[str, Any]:
    """A final report of one stream, by the names that agents of Homer use."""
    packets, loss = figures.packets or 0, (figures.loss_percent or 0.0) / 100
    lost = round(packets * loss / (1 - loss)) if loss < 1 else packets
    return {
        "CORRELATION_ID": known_as,
        "RTP_SIP_CALL_ID": known_as,
        "REPORT_NAME": f"offhook {way}",
        "TYPE": "FINAL",
        "DIR": 0 if way == "inbound" else 1,
        "PARTY": 0 if way == "inbound" else 1,
        "CODEC_NAME": codec or "",
        "TOTAL_PK": packets,
        "EXPECTED_PK": packets + lost,
        "PACKET_LOSS": lost,
        "JITTER": figures.jitter_ms or 0.0,
        "MEAN_JITTER": figures.jitter_ms or 0.0,
        "DELTA": figures.delay_ms or 0,
        **({} if figures.mos is None else {"MOS": figures.mos, "MEAN_MOS": figures.mos}),
        **({} if figures.r_factor is None else {"RFACTOR": figures.r_factor}),
    }
