"""A connection to a PBX, kept up: one after the other, each made ready the same way.

Nothing is sent again by itself when a connection is lost; reconnection has backoff, and the calls
are reconciled before the link counts as connected again.
"""

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar, Generic, Protocol, TypeVar

from pbx.addresses import bracketed, plain_address
from pbx.config import PbxConfig
from pbx.switch import SwitchNotReachedError, SwitchRefused, SwitchUnavailable

_log = logging.getLogger(__name__)

ConfigT = TypeVar("ConfigT", bound=PbxConfig)


class Connection(Protocol):
    """One connection; used once."""

    @property
    def lost(self) -> asyncio.Future[str]:
        """Done when the connection is; its result is the reason."""
        ...


ConnectionT = TypeVar("ConnectionT", bound=Connection)


class Link(ABC, Generic[ConfigT, ConnectionT]):
    """A connection that comes back.

    Args:
        config: address, credentials, time limits.
        on_event: called with each event that concerns us, header to value, in order.
        on_up: awaited after each login, before the link counts as connected.
        on_down: called when the connection is lost.
    """

    #: The protocol, as people call it.
    name: ClassVar[str]

    def __init__(
        self,
        config: ConfigT,
        on_event: Callable[[Mapping[str, str]], None],
        on_up: Callable[[], Awaitable[None]],
        on_down: Callable[[], None],
    ) -> None:
        self._config = config
        self._on_event = on_event
        self._on_up = on_up
        self._on_down = on_down
        self._connection: ConnectionT | None = None
        self._logged_in = False
        self._connected = False
        self._keeper: asyncio.Task[None] | None = None
        self.local_host: str | None = None
        """Our own address on the way to the PBX, as it sees us."""
        self.peer_host: str | None = None
        """The IP address that the PBX was reached at."""

    @property
    def leaves_the_host(self) -> bool:
        """Whether others than this machine could read along."""
        peer = self.peer_host
        return peer not in (None, self.local_host) and not plain_address(peer).is_loopback

    @property
    def connected(self) -> bool:
        """Logged in and reconciled."""
        connection = self._connection
        return self._connected and connection is not None and not connection.lost.done()

    async def open(self) -> None:
        """Log in, then keep the link up until `close()`. Raises SwitchUnavailable."""
        try:
            await self._come_up()
            self._live()  # not lost or closed meanwhile
        except BaseException:
            await self._disconnect()
            raise
        self._keeper = asyncio.create_task(self._keep(), name=f"{self.name} link")

    async def close(self) -> None:
        """Disconnect for good; an `open()` under way raises SwitchUnavailable."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
        await self._disconnect()
        self.local_host = self.peer_host = None

    @abstractmethod
    async def _connect(self) -> None:
        """Set `_connection`, and log it in; set the hosts. Raises SwitchUnavailable."""

    @abstractmethod
    async def _end(self, connection: ConnectionT) -> None:
        """Close it; what waits for it is told."""

    @abstractmethod
    async def _ping(self) -> None:
        """Raises SwitchError when there is no sign of life."""

    @property
    def _address(self) -> str:
        return f"{bracketed(self._config.host)}:{self._config.port}"

    def _live(self) -> ConnectionT:
        """The connection; raises SwitchNotReachedError when there is none that is logged in."""
        if self._connection is None or not self._logged_in or self._connection.lost.done():
            raise SwitchNotReachedError(f"there is no {self.name} connection to {self._address}")
        return self._connection

    async def _come_up(self) -> None:
        await self._connect()
        self._logged_in = True
        await self._on_up()
        self._connected = True

    async def _disconnect(self) -> None:
        self._logged_in = self._connected = False
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._end(connection)

    async def _keep(self) -> None:
        while True:
            assert self._connection is not None
            reason = await self._watch(self._connection.lost)
            _log.warning("lost the %s connection to %s: %s", self.name, self._address, reason)
            await self._disconnect()
            self._on_down()
            await self._reconnect()

    async def _watch(self, lost: asyncio.Future[str]) -> str:
        """Return when the connection is gone, or as good as: with the reason."""
        while not lost.done():
            await asyncio.wait({lost}, timeout=self._config.ping_interval_s)
            if not lost.done():
                try:
                    await self._ping()
                except (SwitchUnavailable, SwitchRefused) as error:
                    _log.warning("%s gives no sign of life: %s", self.name, error)
                    break
        return lost.result() if lost.done() else "no sign of life"

    async def _reconnect(self) -> None:
        delay = self._config.reconnect_min_s
        told = ""
        while True:
            await asyncio.sleep(delay)
            delay = min(delay * 2, self._config.reconnect_max_s)
            try:
                await self._come_up()
            except (SwitchUnavailable, SwitchRefused) as error:
                await self._disconnect()
                if str(error) != told:
                    told = str(error)
                    _log.warning("cannot reconnect: %s", error)
            except Exception:
                # Whatever it is, a link that is given up would stop every later call.
                await self._disconnect()
                _log.exception("cannot reconnect")
            else:
                _log.info("the %s connection to %s is back", self.name, self._address)
                return
