"""A web call as the rest of Offhook sees it: an answered line, like any other."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, Literal

from pbx.audio_watch import AudioWatch, TrunkAudio
from pbx.media import MediaServer
from pbx.switch import (
    Answered,
    Attempt,
    AudioLost,
    AudioProblem,
    AudioRestored,
    Cause,
    Digit,
    Ended,
    MediaStats,
    Progress,
    SwitchRefused,
)
from pbx.values import check_limit
from pbx.webrtc.leg import WebLeg
from pbx.webrtc.transport import ConnectError, Lost, PeerTransport
from voice_loop.ports import AudioPeer

_log = logging.getLogger(__name__)

#: Keys beyond this many unread events are dropped: nobody presses so many.
_QUEUE: Final = 256
_LOOK_S: Final = 1.0
_HUNG_UP: Final = Cause("completed", "normal_clearing", "The browser hung up.", 16)
_BY_US: Final = Cause("completed", "normal_clearing", "The call was hung up.", 16)
_CANCELED: Final = Cause("canceled", "originator_cancel", "The call was canceled.")
#: Nobody knows that the person hung up.
_LOST: Final = Cause(
    "failed", "connection_lost", "Nothing was heard of the browser any more for 30 s.", 27
)

_State = Literal["new", "connected", "over"]


class WebAttempt:
    """Implements `pbx.switch.Attempt` for a browser.

    Args:
        id: of its channel.
        server: whose ticks pace its audio.
        timeout_s: seconds in which the browser has to connect.
        on_over: told at the end, once.
    """

    def __init__(
        self,
        id: str,  # noqa: A002
        server: MediaServer,
        timeout_s: float,
        on_over: Callable[["WebAttempt"], None],
    ) -> None:
        self.id = id
        self._timeout_s = timeout_s
        self._on_over = on_over
        self._server = server
        self._queue: asyncio.Queue[Progress] = asyncio.Queue()
        self._state: _State = "new"
        self._work: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._look_timer: asyncio.TimerHandle | None = None
        self._watch: AudioWatch | None = None
        self._reports = 0
        self._gaps, self._gap_s, self._gap_from = 0, 0.0, 0.0

    def bind(self, leg: WebLeg, transport: PeerTransport) -> None:
        """Give it its audio and its transport."""
        self._leg, self._transport = leg, transport

    @property
    def rate(self) -> int:
        return self._leg.rate

    @property
    def problems(self) -> Sequence[AudioProblem]:
        """None: what a browser does not hear, nobody tells."""
        return ()

    def begin(self, client: str | None) -> None:
        """Connect; the offer came from the address `client`. It is answered once that is done."""
        self._work = asyncio.create_task(self._connect(client))

    async def progress(self) -> AsyncIterator[Progress]:
        while True:
            event = await self._queue.get()
            yield event
            if isinstance(event, Ended):
                return

    def attach(self, peer: AudioPeer | None) -> None:
        self._leg.attach(peer)

    async def hang_up(self) -> None:
        self._end(_CANCELED if self._state == "new" else _BY_US)
        if self._closing is not None:
            await asyncio.wait([self._closing])

    async def limit(self, seconds: int) -> None:
        check_limit(seconds)
        if self._state == "over":
            raise SwitchRefused("the call is over", "limit_s")
        if self._limit is not None:
            self._limit.cancel()
        self._limit = asyncio.get_running_loop().call_later(seconds, self._end, _BY_US)

    async def send_digits(self, digits: str) -> None:  # noqa: ARG002
        raise SwitchRefused("a browser has no use for keys that are pressed for it", "digits")

    async def refer(self, number: str) -> None:  # noqa: ARG002
        raise SwitchRefused("a browser takes no REFER", "number")

    async def join(self, other: Attempt) -> None:  # noqa: ARG002
        raise SwitchRefused("a browser is joined with no other line", "join")

    def media_stats(self) -> MediaStats:
        gap_s = self._gap_s
        if self._watch is not None and self._watch.lost:
            gap_s += time.monotonic() - self._gap_from
        stats = self._leg.stats(self._transport.dropped)
        return MediaStats(**(vars(stats) | {"gaps": self._gaps, "gap_s": round(gap_s, 2)}))

    # What the browser does --------------------------------------------------------------

    def lost(self, how: Lost) -> None:
        """The connection has ended."""
        self._end(_HUNG_UP if how == "left" else _LOST)

    def reported(self) -> None:
        """A report (RTCP) of the browser has come."""
        self._reports += 1

    def pressed(self, digit: str, duration_ms: int) -> None:
        """A key was pressed."""
        if self._state == "connected" and self._queue.qsize() < _QUEUE:
            self._queue.put_nowait(Digit(time.time(), digit, duration_ms))

    # The way through a call -------------------------------------------------------------

    async def _connect(self, client: str | None) -> None:
        try:
            await self._transport.connect(client, self._timeout_s)
        except ConnectError as error:
            _log.warning("%s: the browser did not connect: %s", self.id, error)
            self._end(Cause("failed", "not_connected", f"The browser did not connect: {error}."))
            return
        except Exception:
            _log.exception("%s: a fault of ours", self.id)
            self._end(Cause("failed", "internal_error", "Offhook failed; the log tells more."))
            return
        if self._state != "new":
            return
        self._state = "connected"
        self._leg.start()
        self._watch = AudioWatch(time.monotonic())
        self._look_later()
        self._queue.put_nowait(Answered(time.time()))

    def _look(self) -> None:
        """Find out whether it is heard: as of any line (`pbx.audio_watch`)."""
        watch, now = self._watch, time.monotonic()
        assert watch is not None
        found = watch.look(self._leg.received, now)
        if found == "ask":
            told = watch.trunk_received(TrunkAudio(self._leg.received, str(self._reports)), now)
            if told == "lost":
                self._gaps, self._gap_from = self._gaps + 1, watch.since
                lost_for = now - watch.since
                at = time.time()
                self._queue.put_nowait(AudioLost(at, at - lost_for, dead=False))
        elif found == "restored":
            self._gap_s += now - self._gap_from
            self._queue.put_nowait(AudioRestored(time.time()))
        self._look_later()

    def _look_later(self) -> None:
        self._look_timer = asyncio.get_running_loop().call_later(_LOOK_S, self._look)

    def _end(self, cause: Cause) -> None:
        if self._state == "over":
            return
        self._state = "over"
        for timer in (self._limit, self._look_timer):
            if timer is not None:
                timer.cancel()
        self._leg.stop()
        self._queue.put_nowait(Ended(time.time(), cause))
        self._closing = asyncio.create_task(self._close())

    async def _close(self) -> None:
        try:
            if self._work is not None and self._work is not asyncio.current_task():
                self._work.cancel()
                await asyncio.wait([self._work])
            await self._transport.close()
        finally:
            self._on_over(self)
