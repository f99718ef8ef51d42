"""ICE (RFC 8445) of one peer, through aioice: at which addresses and ports we are found."""

import asyncio
import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

import aioice
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import StunProtocol, server_reflexive_candidate

from pbx.webrtc.sdp import Candidate

_log = logging.getLogger(__name__)

#: Seconds in which STUN and TURN servers answer, or are done without.
_GATHER_S: Final = 5.0
#: Ports are taken in turn, so that one that was given back rests.
_turn = itertools.count()


@dataclass(frozen=True)
class IceServer:
    """A STUN server, or a TURN server with its credentials."""

    host: str
    port: int
    username: str | None = None
    credential: str | None = field(default=None, repr=False)
    transport: str = "udp"
    tls: bool = False


@dataclass(frozen=True)
class IceConfig:
    """Where browsers may find us."""

    addresses: Sequence[str] = ()
    """Of this machine; none means every one but loopback."""
    advertise: str | None = None
    """Address that is told in place of ours, where a router passes its ports on to us."""
    ports: range | None = None
    """UDP ports that may be taken; None means any."""
    stun: IceServer | None = None
    turn: IceServer | None = None


class IceConnection(aioice.Connection):
    """One peer's connection. Binds to the addresses and ports that are allowed."""

    def __init__(self, config: IceConfig, *, controlling: bool) -> None:
        turn = config.turn
        super().__init__(
            controlling,
            stun_server=None if config.stun is None else (config.stun.host, config.stun.port),
            turn_server=None if turn is None else (turn.host, turn.port),
            turn_username=None if turn is None else turn.username,
            turn_password=None if turn is None else turn.credential,
            turn_ssl=turn is not None and turn.tls,
            turn_transport="udp" if turn is None else turn.transport,
        )
        self._config = config

    async def get_component_candidates(
        self, component: int, addresses: list[str], timeout: int = 5
    ) -> list[aioice.Candidate]:
        """As aioice, but for where it binds."""
        candidates, reflexive = [], []
        for address in self._config.addresses or addresses:
            if (protocol := await self._bind(address)) is None:
                continue
            self._protocols.append(protocol)
            host, port = protocol.transport.get_extra_info("sockname")[:2]
            protocol.local_candidate = aioice.Candidate(
                foundation=candidate_foundation("host", "udp", host),
                component=component,
                transport="udp",
                priority=candidate_priority(component, "host"),
                host=host,
                port=port,
                type="host",
            )
            candidates.append(protocol.local_candidate)
            if self.stun_server is not None and ip_address(host).version == 4:
                reflexive.append(server_reflexive_candidate(protocol, self.stun_server))
        relayed, *found = await asyncio.gather(
            super().get_component_candidates(component, [], timeout),
            *(asyncio.wait_for(one, _GATHER_S) for one in reflexive),
            return_exceptions=True,
        )
        for one in (relayed, *found):
            if isinstance(one, BaseException):
                _log.warning("a STUN or TURN server does not answer: %r", one)
        candidates += [one[0] for one in found if isinstance(one, tuple)]
        return candidates + (relayed if isinstance(relayed, list) else [])

    def told(self) -> list[str]:
        """Our candidates as an answer tells them."""
        shown = []
        for one in self.local_candidates:
            advertised, line = self._config.advertise, one.to_sdp()
            if advertised is not None and one.type == "host":
                line = line.replace(f" {one.host} {one.port} ", f" {advertised} {one.port} ")
            if line not in shown:
                shown.append(line)
        return shown

    async def expect(self, candidates: Sequence[Candidate], client: str | None) -> None:
        """Take the other side's candidates.

        A browser that may not use the microphone hides its addresses behind names of multicast
        DNS. Nobody is asked about those: whoever sent the offer is where it came from, or will be
        known by its own checks.

        Args:
            candidates: as offered.
            client: IP address that the offer came from.
        """
        for one in candidates:
            host = client if one.host.endswith(".local") else one.host
            if host is None:
                continue
            await self.add_remote_candidate(
                aioice.Candidate(one.foundation, 1, "udp", one.priority, host, one.port, one.kind)
            )

    async def _bind(self, address: str) -> StunProtocol | None:
        loop = asyncio.get_running_loop()
        ports = self._config.ports
        if ports is None:
            choice: Sequence[int] = (0,)
        else:
            start = next(_turn) % len(ports)
            choice = [*ports[start:], *ports[:start]]
        problem: OSError | None = None
        for port in choice:
            try:
                _, protocol = await loop.create_datagram_endpoint(
                    lambda: StunProtocol(self), local_addr=(address, port)
                )
            except OSError as error:
                problem = error
            else:
                return protocol
        _log.info("no UDP port for WebRTC on %s: %s", address, problem)
        return None
