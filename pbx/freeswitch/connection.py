"""One connection to FreeSWITCH's event socket, as asyncio sees it; greenswitch is in a thread.

A thread and a gevent hub belong to one connection and end with it: nothing that went wrong in
them outlives it. Inward go commands (a bounded queue and `hub.loop.async_()`), outward replies,
events and at last the reason of the loss, in order (a bounded queue and `call_soon_threadsafe`);
neither side ever waits for the other.
"""

import asyncio
import contextlib
import itertools
import logging
import secrets
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import gevent
from greenswitch.esl import NotConnectedError

from pbx.freeswitch.esl import Message, write_command
from pbx.freeswitch.session import MAX_UNANSWERED, Address, Command, Session
from pbx.switch import SwitchRefused, SwitchUnavailable

_log = logging.getLogger(__name__)

OnEvent = Callable[[Mapping[str, str]], None]
"""Takes an event: header to value."""

MAX_WAITING: Final = 10_000
"""Replies and events between the thread and asyncio; more cuts the connection."""
_MAX_IN_FLIGHT: Final = 256
_BATCH: Final = 64
_END_S: Final = 2.0


class EslConnection:
    """The asyncio side of one connection; used once.

    Args:
        password: refused by `start` if it holds control characters.
        limit_s: seconds for the connection and the login together.
        on_event: called with each event, in order; what it raises is logged.
    """

    def __init__(self, password: str, limit_s: float, on_event: OnEvent) -> None:
        self._loop = asyncio.get_running_loop()
        self._password = password
        self._limit_s = limit_s
        self._on_event = on_event
        self._inbox: deque[Command] = deque()
        self._outbox: deque[Callable[[], None]] = deque()
        self._draining = False
        self._dropped = False
        self._places = asyncio.Semaphore(_MAX_IN_FLIGHT)
        self._mark = f"offhook-{secrets.token_hex(6)}-"
        self._numbers = itertools.count(1)
        self._jobs: dict[str, asyncio.Future[str]] = {}
        self._unsettled: set[asyncio.Future[Any]] = set()
        self._lock = threading.Lock()
        self._poke: Callable[[], None] | None = None
        self._farewell: str | None = None
        self._thread: threading.Thread | None = None
        self.lost: asyncio.Future[str] = self._loop.create_future()
        """Done when the connection is; its result is the reason."""
        self.local_host: str | None = None
        self.peer_host: str | None = None

    @property
    def job_filter(self) -> str:
        """Value of a filter for `Job-UUID` that lets the results of our jobs through only."""
        return f"/^{self._mark}/"

    async def start(self, addresses: Sequence[Address]) -> None:
        """Connect to the first address that answers, and log in.

        Raises SwitchUnavailable with the reason.
        """
        try:
            write_command(f"auth {self._password}")
        except SwitchRefused:
            raise SwitchUnavailable("pbx.esl.password holds what no password may hold") from None
        if self._dropped:
            raise SwitchUnavailable("it was closed")
        ready: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(
            target=self._run, args=(addresses, ready), name="esl-connection", daemon=True
        )
        self._thread.start()
        outcomes: set[asyncio.Future[Any]] = {ready, self.lost}
        await asyncio.wait(outcomes, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            raise SwitchUnavailable(self.lost.result())

    async def command(
        self, command: str, headers: Mapping[str, str], limit_s: float
    ) -> Mapping[str, str]:
        """Send one command; return its reply's headers.

        Raises SwitchRefused if it is refused, SwitchUnavailable if no reply came (it may have
        been done all the same).
        """
        raw = write_command(command, headers)
        try:
            async with asyncio.timeout(limit_s), self._places:
                reply: asyncio.Future[Message] = self._expect()
                self._send(
                    Command(
                        raw,
                        lambda message: self._hand_over(partial(_settle, reply, message)),
                        lambda: not reply.cancelled(),
                    )
                )
                try:
                    message = await reply
                finally:
                    self._unsettled.discard(reply)
        except TimeoutError as error:
            name = command.partition(" ")[0]
            raise SwitchUnavailable(
                f"FreeSWITCH did not answer {name} within {limit_s:g} s"
            ) from error
        text = message.headers.get("Reply-Text") or message.body.decode("utf-8", "replace")
        if not text.startswith("+OK"):
            raise SwitchRefused(text.strip())
        return message.headers

    async def job(self, command: str, reply_s: float, limit_s: float) -> str:
        """Have an API command done in the background; return its output, stripped.

        Args:
            command: the API command and its arguments.
            reply_s: seconds for FreeSWITCH to take the job.
            limit_s: seconds for its result, from now.

        Raises as `command` does.
        """
        number = f"{self._mark}{next(self._numbers)}"
        result: asyncio.Future[str] = self._expect()
        self._jobs[number] = result
        try:
            async with asyncio.timeout(limit_s):
                taken = await self.command(f"bgapi {command}", {"Job-UUID": number}, reply_s)
                if taken.get("Job-UUID") != number:
                    self._shut("its replies are out of step")
                return await result
        except TimeoutError as error:
            name = command.partition(" ")[0]
            raise SwitchUnavailable(
                f"FreeSWITCH did not finish {name} within {limit_s:g} s"
            ) from error
        finally:
            self._unsettled.discard(result)
            del self._jobs[number]
            result.cancel()

    async def close(self) -> None:
        """End the connection and its thread; nothing is heard of it after this."""
        self._dropped = True
        self._shut("it was closed")
        self._fail("the ESL connection was closed")
        if self._thread is not None:
            await asyncio.wait({self.lost}, timeout=_END_S)
            if not self.lost.done():
                _log.error("the thread of an ESL connection does not end; it is left behind")
                self._end("its thread hangs")
                return
            self._thread.join(_END_S)

    def _expect(self) -> asyncio.Future[Any]:
        """A future that fails when the connection is lost."""
        future: asyncio.Future[Any] = self._loop.create_future()
        if self.lost.done():
            raise SwitchUnavailable(f"there is no ESL connection: {self.lost.result()}")
        self._unsettled.add(future)
        return future

    def _send(self, command: Command) -> None:
        if len(self._inbox) >= MAX_UNANSWERED:
            raise SwitchUnavailable("FreeSWITCH does not take our commands")
        with self._lock:
            self._inbox.append(command)
            if self._poke is not None:
                self._poke()

    def _shut(self, reason: str) -> None:
        with self._lock:
            self._farewell = reason
            if self._poke is not None:
                self._poke()

    def _fail(self, reason: str) -> None:
        for future in self._unsettled:
            if not future.done():
                future.set_exception(SwitchUnavailable(reason))
                future.exception()  # counts as seen, should nobody wait for it any more
        self._unsettled.clear()

    def _drain(self) -> None:
        """Take what the thread handed over, a little at a time: audio must not wait for it."""
        self._draining = False
        for _ in range(_BATCH):
            if not self._outbox:
                return
            self._outbox.popleft()()
        self._draining = True
        self._loop.call_soon(self._drain)

    def _hear(self, event: dict[str, str]) -> None:
        if self._dropped:
            return
        if event.get("Event-Name") == "BACKGROUND_JOB":
            result = self._jobs.get(event.get("Job-UUID", ""))
            if result is not None and not result.done():
                result.set_result(event.get("_body", "").strip())
            return
        try:
            self._on_event(event)
        except Exception:
            _log.exception("cannot take the ESL event %s", event.get("Event-Name"))

    def _up(self, ready: asyncio.Future[None], local_host: str, peer_host: str) -> None:
        self.local_host, self.peer_host = local_host, peer_host
        _settle(ready, None)

    def _end(self, reason: str) -> None:
        if not self.lost.done():
            self.lost.set_result(reason)
        self._fail(f"the ESL connection was lost: {reason}")

    # From here on: in the thread.

    def _run(self, addresses: Sequence[Address], ready: asyncio.Future[None]) -> None:
        reason = "a fault of our own"
        try:
            reason = self._work(addresses, ready)
        except Exception:
            # Nobody else could tell that the thread is gone.
            _log.exception("a fault in the thread of an ESL connection")
        finally:
            self._outbox.append(partial(self._end, reason))
            self._call_drain()

    def _work(self, addresses: Sequence[Address], ready: asyncio.Future[None]) -> str:
        hub = gevent.get_hub()
        watcher = hub.loop.async_()
        try:
            session = Session(
                addresses=addresses,
                password=self._password,
                limit_s=self._limit_s,
                inbox=self._inbox,
                on_up=lambda local, peer: self._hand_over(partial(self._up, ready, local, peer)),
                on_event=lambda event: self._hand_over(partial(self._hear, event)),
            )

            def poked() -> None:
                if self._farewell is not None:
                    session.end(self._farewell)
                session.wake()

            watcher.start(poked)
            with self._lock:
                self._poke = watcher.send
                self._poke()
            return session.run()
        finally:
            with self._lock:
                self._poke = None
            watcher.close()
            hub.destroy(destroy_loop=True)
            hub.throw(gevent.GreenletExit)  # destroy() leaves it suspended, and so never freed

    def _hand_over(self, item: Callable[[], None]) -> None:
        if len(self._outbox) >= MAX_WAITING:
            raise NotConnectedError(f"more than {MAX_WAITING} events were waiting to be taken")
        self._outbox.append(item)
        self._call_drain()

    def _call_drain(self) -> None:
        if not self._draining:
            self._draining = True
            with contextlib.suppress(RuntimeError):  # the event loop is closed
                self._loop.call_soon_threadsafe(self._drain)


def _settle(future: asyncio.Future[Any], result: object) -> None:
    if not future.done():
        future.set_result(result)
