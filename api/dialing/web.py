"""Takes calls from browsers: offers in, calls and answers out."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from api.base.refusals import Conflict, Invalid
from api.deployment import Deployment
from api.dialing.dialer import BusyError, ClosedError, Dialer
from api.orders.place import read_web_order
from api.resources.call import Call, NewCall
from api.resources.control import ListenIn
from api.resources.web_call import CreateWebCall
from api.settings.web import Web
from api.store import StoreError
from pbx.switch import LIMIT_MARGIN_S
from pbx.webrtc.gateway import GatewayError, WebConfig, WebGateway
from pbx.webrtc.ice import IceConfig, IceServer
from pbx.webrtc.sdp import Offer, OfferError

log = logging.getLogger(__name__)

_BUSY_S: Final = 5


class WebCalls:
    """Places calls that browsers offer."""

    def __init__(
        self,
        deployment: Deployment,
        dialer: Dialer,
        gateway: WebGateway,
        problem: Callable[[NewCall], str | None] = lambda _: None,
    ) -> None:
        """
        Args:
            deployment: whose agents are called.
            dialer: runs the calls.
            gateway: answers the browsers.
            problem: why a call cannot be held for want of an engine; None: it can.
        """
        self._deployment = deployment
        self._dialer = dialer
        self._gateway = gateway
        self._problem = problem

    async def place(
        self, asked: CreateWebCall, api_key_id: str | None, client: str | None
    ) -> tuple[Call, str]:
        """Place a call; gives it with the answer to its offer.

        Args:
            asked: the request.
            api_key_id: of the key that places it.
            client: IP address that the request came from.

        Raises Problem or Invalid with a pointer to every wrong field; Conflict, CapReached,
        StoreError where it cannot be now.
        """
        offer = self._read(asked.sdp)
        new = await read_web_order(self._deployment, asked, api_key_id)
        if (problem := self._problem(new)) is not None:
            raise Conflict("engine_down", problem, _BUSY_S)
        try:
            attempt, answer = await self._gateway.answer_call(offer)
        except OfferError as error:
            raise _wrong(error) from error
        except GatewayError as error:
            raise Conflict("busy", str(error), _BUSY_S) from error
        taken = False
        try:
            await attempt.limit(new.max_duration_s + LIMIT_MARGIN_S)
            begin = self._deployment.store.inbound.begin
            call = await self._dialer.receive(
                attempt, lambda call_id, node: begin(call_id, new, attempt.id, node)
            )
            taken = True
        except BusyError as error:
            detail = "`calls.max_concurrent` calls are under way"
            raise Conflict("busy", detail, _BUSY_S) from error
        except ClosedError as error:
            raise Conflict("busy", "the server is starting or stopping", _BUSY_S) from error
        except TimeoutError as error:
            raise StoreError("the store is slow") from error
        finally:
            if not taken:
                await attempt.hang_up()
        attempt.begin(client)
        return call, answer

    async def listen(
        self, call_id: str, asked: ListenIn, api_key_id: str | None, client: str | None
    ) -> str:
        """Let a browser listen to a call; gives the answer to its offer.

        Args:
            call_id: of the call, in progress on this server.
            asked: the request.
            api_key_id: of the key that it came with.
            client: IP address that it came from.

        Raises Invalid, Conflict.
        """
        try:
            offer = self._gateway.read(asked.sdp)
            listener, answer = await self._gateway.answer_listener(offer, stereo=asked.stereo)
        except OfferError as error:
            raise _wrong(error) from error
        except GatewayError as error:
            raise Conflict("busy", str(error), _BUSY_S) from error
        most = self._deployment.settings.web.max_listeners_per_call
        try:
            self._dialer.listen(call_id, listener, client, most, api_key_id)
        except Conflict:
            await listener.hang_up()
            raise
        return answer

    def _read(self, sdp: str) -> Offer:
        try:
            return self._gateway.read(sdp)
        except OfferError as error:
            raise _wrong(error) from error


def _wrong(error: OfferError) -> Invalid:
    return Invalid(f"is an offer that cannot be answered: {error}", field="sdp")


def web_config(web: Web) -> WebConfig:
    """The gateway's share of the settings."""
    ports = None if web.port_min == 0 else range(web.port_min, web.port_max + 1)
    ice = IceConfig(
        addresses=tuple(map(str, web.addresses)),
        advertise=None if web.advertise is None else str(web.advertise),
        ports=ports,
        stun=None if web.stun is None else _server(web.stun),
        turn=None
        if web.turn is None
        else replace(
            _server(web.turn),
            username=web.turn_username,
            credential=web.turn_credential.get_secret_value(),
        ),
    )
    return WebConfig(ice, web.codecs, web.connect_timeout_s, web.max_peers)


def _server(uri: str) -> IceServer:
    """RFC 7064 and RFC 7065."""
    scheme, _, rest = uri.partition(":")
    place, _, query = rest.partition("?transport=")
    host, _, port = place.partition(":")
    tls = scheme == "turns"
    default_port, default_transport = (5349, "tcp") if tls else (3478, "udp")
    return IceServer(host, int(port or default_port), transport=query or default_transport, tls=tls)
