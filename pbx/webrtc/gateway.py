"""Answers browsers' offers, and keeps what came of them until it is given back."""

import asyncio
import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from aiortc import RTCCertificate

from pbx.media import MediaServer
from pbx.webrtc.attempt import WebAttempt
from pbx.webrtc.ice import IceConfig
from pbx.webrtc.leg import WebLeg
from pbx.webrtc.listener import Listener
from pbx.webrtc.sdp import CodecName, Offer, OfferError, Ours, read_offer, write_answer
from pbx.webrtc.transport import ConnectError, Lost, PeerTransport

_log = logging.getLogger(__name__)

CHANNEL_PREFIX: Final = "web-"


class GatewayError(Exception):
    """No more browsers, or none at all, can be answered now; the message says why."""


@dataclass(frozen=True)
class WebConfig:
    """How browsers are answered."""

    ice: IceConfig = field(default_factory=IceConfig)
    codecs: Sequence[CodecName] = ("opus", "PCMU", "PCMA")
    connect_timeout_s: float = 15.0
    """Seconds in which a browser has to connect, once it is answered."""
    max_peers: int = 200
    """Browsers at one time, callers and listeners."""


class WebGateway:
    """Every browser that is connected, or about to be.

    Args:
        media: whose ticks pace their audio.
        config: how they are answered.
    """

    def __init__(self, media: MediaServer, config: WebConfig) -> None:
        self._media = media
        self._config = config
        self._certificate: RTCCertificate | None = None
        self._open: dict[WebAttempt | Listener, None] = {}
        self._opening = 0
        self._closed = False

    @property
    def peers(self) -> int:
        """Browsers that take up ports now."""
        return len(self._open) + self._opening

    def read(self, sdp: str) -> Offer:
        """Read an offer. Raises OfferError."""
        return read_offer(sdp, self._config.codecs)

    async def answer_call(self, offer: Offer) -> tuple[WebAttempt, str]:
        """Answer a caller; `WebAttempt.begin` lets them connect, `hang_up` gives all back.

        Raises OfferError for one who neither hears nor speaks both ways, GatewayError.
        """
        if offer.direction != "sendrecv":
            raise OfferError("a caller has to hear and to speak: a=sendrecv")
        attempt = WebAttempt(
            CHANNEL_PREFIX + str(uuid.uuid4()),
            self._media,
            self._config.connect_timeout_s,
            self._forget,
        )
        transport, leg, answer = await self._answer(
            offer,
            on_report=attempt.reported,
            on_key=attempt.pressed,
            on_lost=attempt.lost,
        )
        attempt.bind(leg, transport)
        self._open[attempt] = None
        return attempt, answer

    async def answer_listener(self, offer: Offer, *, stereo: bool) -> tuple[Listener, str]:
        """Answer somebody who listens to a call; `Listener.begin` lets them connect.

        Raises OfferError, GatewayError.
        """
        if not offer.hears:
            raise OfferError("a listener has to hear: a=recvonly or a=sendrecv")
        listener = Listener(self._config.connect_timeout_s, self._forget)
        channels = 2 if stereo and offer.codec == "opus" and offer.channels == 2 else 1
        transport, leg, answer = await self._answer(
            offer, channels=channels, on_lost=lambda _: listener.end()
        )
        listener.bind(leg, transport, channels)
        self._open[listener] = None
        return listener, answer

    async def close(self) -> None:
        """End every connection and answer no more."""
        self._closed = True
        await asyncio.gather(*(one.hang_up() for one in list(self._open)))

    async def _answer(
        self,
        offer: Offer,
        *,
        channels: int = 1,
        on_report: Callable[[], None] = lambda: None,
        on_key: Callable[[str, int], None] = lambda *_: None,
        on_lost: Callable[[Lost], None],
    ) -> tuple[PeerTransport, WebLeg, str]:
        if self._closed:
            raise GatewayError("the server is stopping")
        if self.peers >= self._config.max_peers:
            raise GatewayError(f"{self._config.max_peers} browsers are connected, which is all")
        if self._certificate is None:
            self._certificate = RTCCertificate.generateCertificate()
        transport = PeerTransport(
            offer,
            self._config.ice,
            self._certificate,
            on_rtp=lambda datagram: leg.receive(datagram),  # noqa: PLW0108 - it is made below
            on_report=on_report,
            on_lost=on_lost,
        )
        leg = WebLeg(self._media, offer, channels=channels, send=transport.send, on_key=on_key)
        self._opening += 1
        try:
            await transport.gather()
        except BaseException as error:
            await transport.close()
            if isinstance(error, ConnectError):
                raise GatewayError(str(error)) from error
            raise
        finally:
            self._opening -= 1
        ours = Ours(
            transport.username,
            transport.password,
            transport.fingerprints(),
            transport.candidates(),
            leg.ssrc,
            stereo=channels == 2,
        )
        return transport, leg, write_answer(offer, ours)

    def _forget(self, peer: WebAttempt | Listener) -> None:
        self._open.pop(peer, None)
