"""The Event Socket link, kept up: one connection after the other, each made ready the same way.

A command is sent once and never again by itself; every command has a deadline; reconnection has
backoff, and the calls are reconciled before the link counts as connected again. Only what
concerns our calls is asked of FreeSWITCH, so that a busy PBX's other calls do not reach us.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from pbx.freeswitch.config import FreeSwitchConfig
from pbx.freeswitch.connection import EslConnection, OnEvent
from pbx.freeswitch.session import Address
from pbx.switch import SwitchRefused, SwitchUnavailable
from pbx.values import ID_PREFIX

_log = logging.getLogger(__name__)

_EVENTS: Final = (
    "CHANNEL_CREATE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_ANSWER CHANNEL_PARK "
    "CHANNEL_UNPARK CHANNEL_BRIDGE CHANNEL_UNBRIDGE CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE "
    "CHANNEL_DESTROY DTMF BACKGROUND_JOB SHUTDOWN HEARTBEAT"
)
_FILTERS: Final = (
    # Any one of them lets an event through. The first is for the channels that we dialled: a
    # refused one is destroyed before it has variables. The second is for those that rang us.
    f"Unique-ID /^{ID_PREFIX}/",
    "variable_offhook true",
    # DTMF bears no variables, so those of other calls come too.
    "Event-Name DTMF",
    "Event-Name SHUTDOWN",
    "Event-Name HEARTBEAT",
)
_SLACK_S: Final = 1.0


class EslLink:
    """An Event Socket connection that comes back.

    Args:
        config: address, password, time limits.
        on_event: called with each event that concerns us, in order.
        on_up: awaited after each login, before the link counts as connected.
        on_down: called when the connection is lost.
    """

    def __init__(
        self,
        config: FreeSwitchConfig,
        on_event: OnEvent,
        on_up: Callable[[], Awaitable[None]],
        on_down: Callable[[], None],
    ) -> None:
        self._config = config
        self._on_event = on_event
        self._on_up = on_up
        self._on_down = on_down
        self._connection: EslConnection | None = None
        self._connected = False
        self._keeper: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Logged in and reconciled."""
        connection = self._connection
        return self._connected and connection is not None and not connection.lost.done()

    @property
    def local_host(self) -> str | None:
        """Our own address on the way to FreeSWITCH, as it sees us."""
        return None if self._connection is None else self._connection.local_host

    @property
    def peer_host(self) -> str | None:
        """The IP address that FreeSWITCH was reached at."""
        return None if self._connection is None else self._connection.peer_host

    async def open(self) -> None:
        """Log in, then keep the link up until `close()`. Raises SwitchUnavailable."""
        try:
            await self._come_up()
        except BaseException:
            await self._disconnect()
            raise
        self._keeper = asyncio.create_task(self._keep(), name="esl-link")

    async def close(self) -> None:
        """Disconnect for good; an `open()` under way raises SwitchUnavailable."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
        await self._disconnect()

    async def api(self, command: str, argument: str = "", *, limit_s: float | None = None) -> str:
        """Do one API command, as a job that holds up nothing else; never twice.

        Args:
            command: its name.
            argument: what follows it. Control characters raise SwitchRefused.
            limit_s: seconds to wait for its end; None is the configured time.

        Returns its output, stripped.

        Raises SwitchRefused with FreeSWITCH's text when it begins with `-ERR` or `-USAGE`;
        SwitchUnavailable when there is no link or no result (it may have been done all the same).
        """
        text = await self.job(command, argument, limit_s=limit_s)
        if text.startswith(("-ERR", "-USAGE")):
            raise SwitchRefused(text)
        return text

    async def job(self, command: str, argument: str = "", *, limit_s: float | None = None) -> str:
        """As `api`, but returns the output whatever it says."""
        reply_s = self._config.command_timeout_s
        return await self._live().job(f"{command} {argument}".rstrip(), reply_s, limit_s or reply_s)

    async def message(self, uuid: str, headers: Mapping[str, str]) -> None:
        """Send a `sendmsg` to a channel; FreeSWITCH queues it for the channel.

        Raises SwitchRefused if there is no such channel, else as `api` does.
        """
        await self._live().command(f"sendmsg {uuid}", headers, self._config.command_timeout_s)

    @property
    def _address(self) -> str:
        host = self._config.host
        return f"[{host}]:{self._config.port}" if ":" in host else f"{host}:{self._config.port}"

    def _live(self) -> EslConnection:
        if self._connection is None or self._connection.lost.done():
            raise SwitchUnavailable(f"there is no ESL connection to {self._address}")
        return self._connection

    async def _come_up(self) -> None:
        await self._connect()
        await self._on_up()
        self._live()  # not lost or closed meanwhile
        self._connected = True

    async def _connect(self) -> None:
        config = self._config
        connection = EslConnection(config.password, config.connect_timeout_s, self._on_event)
        self._connection = connection
        try:
            async with asyncio.timeout(config.connect_timeout_s + _SLACK_S):
                await connection.start(await self._resolve())
                filters = (*_FILTERS, f"Job-UUID {connection.job_filter}")
                for command in (*(f"filter {one}" for one in filters), f"event plain {_EVENTS}"):
                    await connection.command(command, {}, config.command_timeout_s)
        except (OSError, TimeoutError, SwitchUnavailable) as error:
            reason = str(getattr(error, "strerror", None) or error or "no answer")
            if "mend" not in reason:
                reason += (
                    "; start FreeSWITCH with mod_event_socket, or mend pbx.esl.host and"
                    " pbx.esl.port"
                )
            raise SwitchUnavailable(f"no ESL link to {self._address}: {reason}") from error
        except SwitchRefused as error:
            raise SwitchUnavailable(
                f"FreeSWITCH at {self._address} refused the events: {error}"
            ) from error

    async def _resolve(self) -> list[Address]:
        found = await asyncio.get_running_loop().getaddrinfo(
            self._config.host, self._config.port, type=socket.SOCK_STREAM
        )
        return [(family, address) for family, _, _, _, address in found]

    async def _disconnect(self) -> None:
        self._connected = False
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _keep(self) -> None:
        while True:
            await self._watch()
            await self._disconnect()
            self._on_down()
            await self._reconnect()

    async def _watch(self) -> None:
        """Return when the connection is gone, or as good as."""
        connection = self._connection
        assert connection is not None
        while not connection.lost.done():
            await asyncio.wait({connection.lost}, timeout=self._config.ping_interval_s)
            if not connection.lost.done():
                try:
                    await self.job("hostname")
                except (SwitchUnavailable, SwitchRefused) as error:
                    _log.warning("ESL gives no sign of life: %s", error)
                    break
        reason = connection.lost.result() if connection.lost.done() else "no sign of life"
        _log.warning("lost the ESL connection to %s: %s", self._address, reason)

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
                continue
            except Exception:
                # Whatever it is, a link that is given up would stop every later call.
                await self._disconnect()
                _log.exception("cannot reconnect")
                continue
            _log.info("the ESL connection to %s is back", self._address)
            return
