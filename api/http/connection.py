"""One HTTP/1.1 connection: uvicorn's, with deadlines, and bounds on a request's head."""

import asyncio
import sys
from typing import Any, Final

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from api.http.doorkeeper import Doorkeeper, Visitor
from api.settings.server import Server as ServerSettings

#: h11 looks at the size of a head only while it is incomplete: it gets no more than this at a time.
_SLICE: Final = 4096


def canned(status: str, code: str, detail: str, *headers: str) -> bytes:
    """A whole answer, after which the connection is closed (RFC 9457)."""
    body = (
        f'{{"type": "urn:offhook:problem:{code}", "title": "{status[4:]}", '
        f'"status": {status[:3]}, "detail": "{detail}", "code": "{code}"}}'
    )
    lines = (
        f"HTTP/1.1 {status}",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
        *headers,
    )
    return ("\r\n".join(lines) + f"\r\n\r\n{body}").encode()


_MALFORMED: Final = canned("400 Bad Request", "malformed_request", "this is no HTTP/1.1 request")
_TOO_LARGE: Final = canned(
    "431 Request Header Fields Too Large",
    "head_too_large",
    "the request's line and headers are too long or too many",
)
_TOO_SLOW: Final = canned(
    "408 Request Timeout", "headers_timeout", "the request's headers did not arrive in time"
)


class Connection(H11Protocol):
    """Closed when a request's head is late, or an answer is not taken."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        *,
        limits: ServerSettings,
        keeper: Doorkeeper,
        visitor: Visitor,
        head_due: float,
    ) -> None:
        """
        Args:
            config: uvicorn's.
            server_state: likewise.
            limits: the deadlines.
            keeper: told what becomes of it.
            visitor: who it is to the keeper.
            head_due: time of the loop by which the first request's head is there.
        """
        super().__init__(config, server_state, {"connection": self})
        self.timeout_keep_alive = limits.keep_alive_timeout_s  # type: ignore[assignment]
        self._limits = limits
        self._keeper = keeper
        self._visitor = visitor
        self._head_due = head_due
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._unsent = 0
        self._aborted = False

    def vouch(self, key: bytes) -> None:
        """A request has shown the live key with this digest."""
        self._keeper.vouch(self._visitor, key)

    def doubt(self, key: bytes) -> None:
        """The key with this digest is no live one (any more)."""
        self._keeper.doubt(key)

    def abort(self) -> None:
        """Close it at once: what is being answered is not to be finished."""
        self._aborted = True
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_timer = self.loop.call_at(self._head_due, self._head_is_late)
        if self._aborted:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), _SLICE):
            if self.transport.is_closing():
                break
            super().data_received(data[start : start + _SLICE])
        if self.cycle is not None and not self.cycle.response_complete:
            self._cancel_head()
        elif self._head_timer is None:
            wait = self._limits.header_timeout_s
            self._head_timer = self.loop.call_later(wait, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_head()
        self._cancel_stall()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._keeper.leave(self._visitor)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_sending()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._cancel_stall()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's
        # uvicorn is handling h11's error, and does not hand it on.
        hint = getattr(sys.exc_info()[1], "error_status_hint", 400)
        self._refuse(_TOO_LARGE if hint == 431 else _MALFORMED)

    def shutdown(self) -> None:
        self._cancel_head()
        super().shutdown()

    def _refuse(self, answer: bytes) -> None:
        if self.conn.our_state is h11.IDLE:  # else it would stand in the middle of an answer
            self.transport.write(answer)
        self.transport.close()

    def _head_is_late(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self._refuse(_TOO_SLOW)

    def _watch_sending(self) -> None:
        self._unsent = self.transport.get_write_buffer_size()
        self._stall_timer = self.loop.call_later(self._limits.send_timeout_s, self._is_stalled)

    def _is_stalled(self) -> None:
        if self.transport.get_write_buffer_size() < self._unsent:
            self._watch_sending()
        else:
            self.transport.abort()

    def _cancel_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _cancel_stall(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None


def connection_of(state: Any) -> Connection | None:
    """The connection of a request with this `request.state`; None where another server runs us."""
    found = getattr(state, "connection", None)
    return found if isinstance(found, Connection) else None
