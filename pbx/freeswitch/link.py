"""The Event Socket link: a command is sent once, and has a deadline.

Only what concerns our calls is asked of FreeSWITCH, so that a busy PBX's other calls do not reach
us.
"""

import asyncio
import socket
from collections.abc import Mapping
from typing import Final

from pbx.freeswitch.config import FreeSwitchConfig
from pbx.freeswitch.connection import EslConnection
from pbx.freeswitch.session import Address
from pbx.link import Link
from pbx.switch import SwitchRefused, SwitchUnavailable
from pbx.values import ID_PREFIX

_EVENTS: Final = (
    "CHANNEL_CREATE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_ANSWER CHANNEL_PARK "
    "CHANNEL_UNPARK CHANNEL_BRIDGE CHANNEL_UNBRIDGE CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE "
    "CHANNEL_DESTROY CHANNEL_HOLD CHANNEL_UNHOLD DTMF BACKGROUND_JOB SHUTDOWN HEARTBEAT"
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


def unicast(theirs: tuple[str, int], ours: tuple[str, int]) -> Mapping[str, str]:
    """The `sendmsg` that has a parked channel exchange its audio with us.

    Args:
        theirs: what FreeSWITCH is to bind.
        ours: where it sends to.
    """
    return {
        "call-command": "unicast",
        "local-ip": theirs[0],
        "local-port": str(theirs[1]),
        "remote-ip": ours[0],
        "remote-port": str(ours[1]),
        "transport": "udp",
    }


class EslLink(Link[FreeSwitchConfig, EslConnection]):
    """An Event Socket connection that comes back."""

    name = "ESL"

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

    async def _connect(self) -> None:
        config = self._config
        connection = EslConnection(config.password, config.connect_timeout_s, self._on_event)
        self._connection = connection
        try:
            async with asyncio.timeout(config.connect_timeout_s + _SLACK_S):
                await connection.start(await self._resolve())
                self.local_host, self.peer_host = connection.local_host, connection.peer_host
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

    async def _end(self, connection: EslConnection) -> None:
        await connection.close()

    async def _ping(self) -> None:
        await self.job("hostname")
