"""The AMI connection, kept up: panoramisk's protocol with its dangerous habits fenced off.

Fenced off: line breaks in values are refused before panoramisk writes them out; an action whose
connection is lost is never sent again by itself (panoramisk would repeat an Originate, and dial
twice); every action has a time limit; reconnection is ours, with backoff, so that the calls can
be reconciled before anything else happens.
"""

import asyncio
import contextlib
import logging
import ssl
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from panoramisk import Manager
from panoramisk.actions import Action

from pbx.asterisk.config import AsteriskConfig
from pbx.asterisk.outputs import Event
from pbx.link import Link
from pbx.switch import SwitchRefused, SwitchUnavailable
from pbx.values import is_channel_name, refuse_control_characters

_log = logging.getLogger(__name__)

_BOOT_S: Final = 3.0
_NEVER_S: Final = 10**9


class _Connection(Manager):  # type: ignore[misc]
    """One connection of panoramisk: it neither reconnects nor repeats anything by itself."""

    def __init__(self, config: AsteriskConfig, on_event: Callable[[Event], None]) -> None:
        super().__init__(
            loop=asyncio.get_running_loop(),
            host=config.host,
            port=config.port,
            ssl=config.tls,
            ping_delay=_NEVER_S,
            log=_log,
        )
        self.awaiting_actions: deque[Action] = deque(maxlen=0)
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.register_event("*", lambda _, message: on_event(_plain(message)))

    def connection_made(self, f: asyncio.Future[Any]) -> None:
        if not f.cancelled() and f.exception() is None:
            super().connection_made(f)

    def connection_lost(self, exc: object) -> None:
        self.shut(str(exc) if isinstance(exc, OSError) else "it closed the connection")

    def shut(self, reason: str = "it was closed") -> None:
        """Close the connection; what waits for it is told."""
        self.close()
        if not self.lost.done():
            self.lost.set_result(reason)

    async def act(self, fields: Mapping[str, Any], *, listing: bool, limit_s: float) -> list[Event]:
        """Send one action and wait for its answer: the response, then the listed events.

        Raises SwitchRefused for a response that is an error, SwitchUnavailable for none.
        """
        action = Action(dict(fields))
        name = fields["Action"]
        future = self.send_action(action, as_list=None if listing else False)
        try:
            await asyncio.wait(
                {future, self.lost}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED
            )
            if future.done():
                answer = future.result()
                return _accepted(name, answer if isinstance(answer, list) else [answer])
            if self.lost.done():
                raise SwitchUnavailable(f"the AMI connection was lost during {name}")
            raise SwitchUnavailable(f"Asterisk did not answer {name} within {limit_s:g} s")
        finally:
            future.cancel()
            if self.protocol is not None:
                self.protocol.responses.pop(action.id, None)


class AmiLink(Link[AsteriskConfig, _Connection]):
    """A manager connection that comes back."""

    name = "AMI"

    async def act(
        self,
        action: str,
        fields: Mapping[str, str | Sequence[str]] | None = None,
        *,
        listing: bool = False,
        limit_s: float | None = None,
    ) -> Sequence[Event]:
        """Do one AMI action; never twice.

        Args:
            action: its name.
            fields: its headers, one with several values as often. Control characters in them
                raise SwitchRefused, and so does what is no channel where one is named.
            listing: whether a list of events follows the response.
            limit_s: seconds to wait; None is the configured time.

        Returns the response, and with `listing` the events up to the final one.

        Raises SwitchRefused for an answer that is an error, SwitchUnavailable when there is no
        link or no answer (the action may have been done all the same).
        """
        message = _message(action, fields or {})
        limit_s = limit_s or self._config.action_timeout_s
        return await self._live().act(message, listing=listing, limit_s=limit_s)

    async def _connect(self) -> None:
        booted = asyncio.Event()

        def hear(event: Event) -> None:
            if event.get("Event") == "FullyBooted":
                booted.set()
            self._on_event(event)

        self._connection = connection = _Connection(self._config, hear)
        try:
            await self._log_in(connection)
        except BaseException:
            connection.shut()
            raise
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_BOOT_S):
                await booted.wait()

    async def _log_in(self, connection: _Connection) -> None:
        try:
            async with asyncio.timeout(self._config.connect_timeout_s):
                transport, _ = await connection.connect()
        except ssl.SSLCertVerificationError as error:
            raise SwitchUnavailable(
                f"the certificate of AMI at {self._address} does not hold "
                f"({error.verify_message}): mend pbx.ami.ca_file or the names in the certificate"
            ) from error
        except ssl.SSLError as error:
            raise SwitchUnavailable(
                f"what answers at {self._address} does not speak TLS ({error.reason}): mend "
                "pbx.ami.port (`tlsbindaddr` in manager.conf) or pbx.ami.tls"
            ) from error
        except (OSError, TimeoutError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise SwitchUnavailable(
                f"no AMI at {self._address} ({reason or 'no answer'}): start Asterisk with "
                "manager.conf enabled, or mend pbx.ami.host and pbx.ami.port"
            ) from error
        self.local_host = transport.get_extra_info("sockname")[0]
        self.peer_host = transport.get_extra_info("peername")[0]
        try:
            login = {"Username": self._config.username, "Secret": self._config.secret}
            await connection.act(
                _message("Login", login), listing=False, limit_s=self._config.action_timeout_s
            )
        except SwitchRefused as error:
            raise SwitchUnavailable(
                f"AMI at {self._address} refused the login: mend pbx.ami.username and "
                "pbx.ami.secret (and `permit` in manager.conf)"
            ) from error
        except SwitchUnavailable as error:
            raise SwitchUnavailable(
                f"what answers at {self._address} is no AMI: mend pbx.ami.host and pbx.ami.port, "
                "or pbx.ami.tls"
            ) from error

    async def _end(self, connection: _Connection) -> None:
        connection.shut()

    async def _ping(self) -> None:
        await self.act("Ping")


def _message(action: str, fields: Mapping[str, str | Sequence[str]]) -> Mapping[str, Any]:
    """The headers of an action. Raises SwitchRefused when one must not be written out."""
    for name, given in fields.items():
        for value in [given] if isinstance(given, str) else given:
            refuse_control_characters(name, value)
            if name.startswith("Channel") and not is_channel_name(value):
                raise SwitchRefused(f"{action}: {value!r} is no channel", name)
    return {"Action": action, **fields}


def _accepted(action: str, answer: Sequence[Any]) -> list[Event]:
    """What was answered. Raises SwitchRefused when that is an error."""
    events = [_plain(one) for one in answer]
    if events[0].get("Response") not in ("Success", "Follows", "Goodbye", "Pong"):
        raise SwitchRefused(f"Asterisk refused {action}: {events[0].get('Message', '')}")
    return events


def _plain(message: Any) -> Event:
    """Header to value; of a header that comes twice the first counts."""
    # Its own items() looks every header up again, which was a fifth of what a call costs.
    return {
        name: value[0] if isinstance(value, list) else value
        for name, value in message._store.values()
    }
