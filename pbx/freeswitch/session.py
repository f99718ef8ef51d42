"""The inside of the ESL thread: greenswitch's connection with its faults overridden.

Of greenswitch's `InboundESL` this keeps the order of the login and the queue of sent commands.
Overridden, each for a fault of 0.0.19: connecting (IPv4 only, waits for ever for a silent
server), receiving (EOF inside a body spins, bad UTF-8 and what was not asked for end it unnoticed,
values forge headers), sending (waits for ever when the link drops, short writes) and the handling
of events (a raising handler ends it). Instead of `stop()`, which waits for an answer, there is
`end()`. Nothing here is called from another thread.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import gevent
from gevent import socket
from gevent.event import AsyncResult
from gevent.event import Event as Signal
from greenswitch import InboundESL
from greenswitch.esl import NotConnectedError

from pbx.freeswitch.esl import EslParser, EslProtocolError, Message, read_event, write_command

_log = logging.getLogger(__name__)

Address = tuple[int, Any]
"""Address family and socket address, as `getaddrinfo` gives them."""

MAX_UNANSWERED: Final = 1024
"""Commands without a reply; more ends the session."""
_READ_BYTES: Final = 65536
_END_S: Final = 2.0
_REASON_LENGTH: Final = 200


@dataclass(frozen=True, repr=False)
class Command:
    """One command on its way in, and where its reply goes."""

    raw: bytes
    answer: Callable[[Message], None]
    is_wanted: Callable[[], bool]
    """What nobody waits for any more is not written: it would be done too late."""


class Session(InboundESL):  # type: ignore[misc]
    """What runs in the thread.

    Args:
        addresses: tried in order.
        limit_s: seconds for the connection and the login together.
        inbox: the commands; `wake()` when there are some.
        on_up: called with our address and the server's, once logged in.
        on_event: called with each event. What it raises ends the session.
    """

    connected: bool
    sock: Any

    def __init__(
        self,
        *,
        addresses: Sequence[Address],
        password: str,
        limit_s: float,
        inbox: deque[Command],
        on_up: Callable[[str, str], None],
        on_event: Callable[[dict[str, str]], None],
    ) -> None:
        super().__init__("", 0, password, timeout=limit_s)
        self._addresses = addresses
        self._inbox = inbox
        self._on_up = on_up
        self._on_event = on_event
        self._commands_sent: deque[Command] = deque()
        self._wake = Signal()
        self._over = Signal()
        self._reason = ""
        self._refusal = ""
        self.sock = None

    def run(self) -> str:
        """Connect, log in, and exchange until the end; returns its reason."""
        greenlets = [gevent.spawn(self._guarded, self._write)]
        try:
            self._over.wait()
        finally:
            self.connected = False
            greenlets += filter(None, [self._receive_events_greenlet])
            gevent.killall(greenlets, timeout=_END_S)
            if self.sock is not None:
                self.sock.close()
        return self._reason

    def end(self, reason: str) -> None:
        """End the session; the first reason counts."""
        if not self._over.is_set():
            self._reason = reason
            self._over.set()

    def wake(self) -> None:
        """There is something in the inbox."""
        self._wake.set()

    def _guarded(self, work: Callable[[], str]) -> None:
        """Whatever ends one of the greenlets ends the session, and says so."""
        try:
            self.end(work())
        except EslProtocolError as error:
            self.end(f"it does not speak the Event Socket protocol: {error}")
        except (NotConnectedError, OSError) as error:
            self.end(str(getattr(error, "strerror", None) or error))
        except Exception as error:
            # A greenlet that dies unnoticed is greenswitch's worst habit.
            _log.exception("a fault in the ESL connection")
            self.end(f"a fault of our own ({type(error).__name__})")

    def _write(self) -> str:
        self.connect()
        while True:
            self._wake.wait()
            self._wake.clear()
            batch = [self._inbox.popleft() for _ in range(len(self._inbox))]
            batch = [command for command in batch if command.is_wanted()]
            self._commands_sent.extend(batch)
            if len(self._commands_sent) > MAX_UNANSWERED:
                return f"it left {MAX_UNANSWERED} commands unanswered"
            self.sock.sendall(b"".join(command.raw for command in batch))

    def connect(self) -> None:
        late = NotConnectedError(f"no answer within {self.timeout:g} s")
        with gevent.Timeout(self.timeout, late):
            self.sock = self._dial()
            self.connected = True
            self._receive_events_greenlet = gevent.spawn(self._guarded, self.receive_events)
            self._auth_request_event.wait()
            try:
                self.authenticate()
            except ValueError:
                raise NotConnectedError(self._refusal) from None
        self._on_up(str(self.sock.getsockname()[0]), str(self.sock.getpeername()[0]))

    def _dial(self) -> Any:
        trouble: OSError | None = None
        for family, address in self._addresses:
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.connect(address)
            except OSError as error:
                sock.close()
                trouble = error
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise trouble or NotConnectedError("its name has no address")

    def send(self, data: str) -> Message:
        """Send one command of the login and wait; `connect` holds the time limit."""
        reply: Any = AsyncResult()

        def answer(message: Message) -> None:
            if "Reply-Text" not in message.headers:
                raise EslProtocolError("a reply without Reply-Text")
            if not message.headers["Reply-Text"].startswith("+OK"):
                self._refusal = (
                    "it refused the password: mend pbx.esl.password"
                    " (`password` in event_socket.conf.xml)"
                )
            reply.set(message)

        self._commands_sent.append(Command(b"", answer, bool))
        self.sock.sendall(write_command(data))
        message: Message = reply.get()
        return message

    def receive_events(self) -> str:
        parser = EslParser()
        while data := self.sock.recv(_READ_BYTES):
            for message in parser.feed(data):
                self.handle_event(message)
                if self._over.is_set():
                    return self._reason
        return self._refusal or "it closed the connection"

    def handle_event(self, event: Message) -> None:
        match event.content_type:
            case "text/event-plain":
                self._on_event(read_event(event.body))
            case "command/reply" | "api/response":
                if not self._commands_sent:
                    raise EslProtocolError("a reply that nothing asked for")
                self._commands_sent.popleft().answer(event)
            case "auth/request":
                self._auth_request_event.set()
            case "text/rude-rejection":
                self._refusal = (
                    f"it refuses our address {self.sock.getsockname()[0]}: mend"
                    " `apply-inbound-acl` in event_socket.conf.xml"
                )
            case "text/disconnect-notice":
                words = " ".join(event.body.decode("utf-8", "replace").split())
                self.end(self._refusal or f"it said: {words[:_REASON_LENGTH]!r}")
            case other:
                _log.debug("ESL sent %r, which nothing asked for", other)
