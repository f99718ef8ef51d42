"""DTLS-SRTP of one peer over its ICE connection, through aiortc."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any, Final, Literal, cast

from aioice import ConnectionClosed
from aiortc import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport
from aiortc.rtcicetransport import RTCIceTransport

from pbx.webrtc.ice import IceConfig, IceConnection
from pbx.webrtc.sdp import Offer

_log = logging.getLogger(__name__)

#: Packets on their way out; what is more is late already.
_MOST_UNSENT: Final = 8
#: A browser that has left need not hear so.
_FAREWELL_S: Final = 1.0

Lost = Literal["left", "lost"]


class ConnectError(Exception):
    """No connection came about; the message says how far it got."""


class _Ice:
    """What aiortc's DTLS asks of its own ICE transport."""

    role = "controlled"

    def __init__(self, connection: IceConnection) -> None:
        self._recv = connection.recv
        self._send = connection.send


class _Dtls(RTCDtlsTransport):
    """Hands packets on as they come, undecoded."""

    def __init__(
        self,
        ice: _Ice,
        certificate: RTCCertificate,
        on_rtp: Callable[[bytes], None],
        on_report: Callable[[], None],
    ) -> None:
        super().__init__(cast(RTCIceTransport, ice), [certificate])
        self._on_rtp = on_rtp
        self._on_report = on_report

    async def _handle_rtp_data(self, data: bytes, arrival_time_ms: int) -> None:  # noqa: ARG002
        self._on_rtp(data)

    async def _handle_rtcp_data(self, data: bytes) -> None:  # noqa: ARG002
        self._on_report()


class PeerTransport:
    """Everything between a browser's audio and its RTP packets."""

    def __init__(
        self,
        offer: Offer,
        config: IceConfig,
        certificate: RTCCertificate,
        *,
        on_rtp: Callable[[bytes], None],
        on_report: Callable[[], None],
        on_lost: Callable[[Lost], None],
    ) -> None:
        """
        Args:
            offer: of the other side.
            config: where we may be found.
            certificate: ours.
            on_rtp: told each packet; must not block.
            on_report: told of each report (RTCP) of the other side.
            on_lost: told once when a connection ends that had come about: the browser `left`, or
                no more is heard of it.
        """
        self._offer = offer
        self._ice = IceConnection(config, controlling=offer.lite)
        self._dtls = _Dtls(_Ice(self._ice), certificate, on_rtp, on_report)
        self._dtls._set_role("client" if offer.role == "active" else "server")
        self._on_lost = on_lost
        self._unsent: asyncio.Queue[bytes] = asyncio.Queue(_MOST_UNSENT)
        self._sender: asyncio.Task[None] | None = None
        self._events: asyncio.Task[None] | None = None
        self._connected = False
        self._closed = False
        self.dropped = 0
        """Packets that could not be sent in time."""

    @property
    def username(self) -> str:
        return self._ice.local_username

    @property
    def password(self) -> str:
        return self._ice.local_password

    def fingerprints(self) -> list[tuple[str, str]]:
        """Of our certificate: SHA-256 alone, which everybody knows."""
        told = self._dtls.getLocalParameters().fingerprints
        return [(one.algorithm, one.value) for one in told if one.algorithm == "sha-256"]

    def candidates(self) -> list[str]:
        return self._ice.told()

    async def gather(self) -> None:
        """Open our ports. Raises ConnectError where there is none."""
        await self._ice.gather_candidates()
        if not self._ice.local_candidates:
            raise ConnectError("no UDP port can be had: see web.addresses and web.port_min")

    async def connect(self, client: str | None, timeout_s: float) -> None:
        """Wait until the browser has found us and keys are agreed on.

        Args:
            client: IP address that the offer came from.
            timeout_s: seconds in which all of it has to be done.

        Raises ConnectError.
        """
        offer = self._offer
        self._ice.remote_is_lite = offer.lite
        self._ice.remote_username, self._ice.remote_password = offer.username, offer.password
        got = "no ICE check of the browser reached us, and none of ours was answered"
        try:
            async with asyncio.timeout(timeout_s):
                await self._ice.expect(offer.candidates, client)
                while not self._ice.remote_candidates:  # noqa: ASYNC110 - its own checks tell
                    await asyncio.sleep(0.02)
                await self._ice.connect()
                got = "ICE found a way, and the DTLS handshake was not finished over it"
                fingerprints = [RTCDtlsFingerprint(*one) for one in offer.fingerprints]
                await self._dtls.start(RTCDtlsParameters(fingerprints))
        except (TimeoutError, ConnectionError, ValueError) as error:
            raise ConnectError(f"{got} within {timeout_s:.0f} s") from error
        if self._dtls.state != "connected":
            raise ConnectError("the DTLS handshake failed")
        self._connected = True
        self._sender = asyncio.create_task(self._send_all())
        self._dtls.on("statechange", self._changed)
        self._events = asyncio.create_task(self._watch())

    def send(self, datagram: bytes) -> None:
        """Send a packet, encrypted; the oldest is dropped where too many wait."""
        if self._unsent.full():
            self._unsent.get_nowait()
            self.dropped += 1
        self._unsent.put_nowait(datagram)

    async def close(self) -> None:
        """Say goodbye and give ports and tasks back. Does nothing when closed."""
        if self._closed:
            return
        self._closed = True
        self._dtls.remove_all_listeners()
        for task in (self._sender, self._events):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        receiving: asyncio.Future[Any] | None = self._dtls._task
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_S):
                await self._dtls.stop()
        await self._ice.close()
        if receiving is not None:
            await asyncio.wait([receiving])
            if not receiving.cancelled():
                receiving.exception()

    async def _send_all(self) -> None:
        while True:
            datagram = await self._unsent.get()
            try:
                await self._dtls._send_rtp(datagram)
            except ConnectionError:
                self.dropped += 1

    async def _watch(self) -> None:
        """aioice gives a peer up whose consent has run out (RFC 7675): 30 s without an answer."""
        while True:
            event = await self._ice.get_event()
            if event is None or isinstance(event, ConnectionClosed):
                self._lose("lost")
                return

    def _changed(self) -> None:
        if self._dtls.state in ("closed", "failed"):
            self._lose("left")

    def _lose(self, how: Lost) -> None:
        if self._connected and not self._closed:
            self._connected = False
            self._on_lost(how)
