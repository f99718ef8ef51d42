"""An attempt as the rest of Offhook sees it, whatever the PBX: a core with audio and timers.

Each kind of PBX brings a sans-IO core, which turns the PBX's events into outputs, and a driver,
which carries out what the core asks of the PBX.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, Final, Generic, Protocol

from pbx.attempt_core import CloseMedia, ConnectMedia, CoreT, DisconnectMedia
from pbx.audio_port import MediaError
from pbx.audio_watch import AudioWatch, TrunkAudio
from pbx.media import MediaLeg
from pbx.sent_watch import FarEndReport, SentWatch
from pbx.switch import (
    Answered,
    Attempt,
    AudioLost,
    AudioProblem,
    AudioRestored,
    Dialing,
    Digit,
    EarlyMedia,
    Ended,
    Held,
    MediaStats,
    Progress,
    Resumed,
    Ringing,
    SwitchRefused,
    Transferred,
)
from pbx.values import check_digits, check_limit, check_number
from voice_loop.ports import AudioPeer

_log = logging.getLogger(__name__)

#: Digits beyond this many unread ones are dropped: nobody presses so many keys.
_QUEUE: Final = 256
_RESERVED: Final = 16
#: Seconds between two looks at whether it is heard.
_LOOK_S: Final = 1.0


class Driver(Protocol[CoreT]):
    """What an attempt asks of the switch that made it."""

    @property
    def audio_host(self) -> str | None:
        """Where the PBX's audio is reached, whatever the PBX says; None believes it."""
        ...

    def carry_out(self, attempt: "LiveAttempt[CoreT]", command: Any) -> None:
        """Begin to do what the core asks of the PBX; must not block."""
        ...

    async def limit(self, attempt: "LiveAttempt[CoreT]", seconds: int) -> None:
        """Have the PBX itself hang the far end's channel up that long from now."""
        ...

    async def send_digits(self, attempt: "LiveAttempt[CoreT]", digits: str) -> None:
        """Press keys (checked already) on the far end's channel."""
        ...

    ask_s: float
    """Seconds without audio after which it is asked about the trunk's."""

    def ask_trunk(self, attempt: "LiveAttempt[CoreT]") -> None:
        """Begin to ask the PBX what the trunk brought; `trunk_received` is told."""
        ...

    def renew_audio(self, attempt: "LiveAttempt[CoreT]") -> None:
        """Begin to free what is stuck in the PBX: it has audio from the trunk, and we have none."""
        ...

    def unheard(self, attempt: "LiveAttempt[CoreT]", *, arriving: bool, before: bool) -> None:
        """Called where an answered attempt has brought no audio for a while.

        Args:
            arriving: whether it comes to the PBX.
            before: whether there was some before.
        """
        ...

    def unsent(self, attempt: "LiveAttempt[CoreT]") -> None:
        """Called where the far end reports that it hears nothing of us."""
        ...

    async def refer(self, attempt: "LiveAttempt[CoreT]", number: str) -> None:
        """Have the far end call `number` (checked already) instead of us."""
        ...

    async def join(self, attempt: "LiveAttempt[CoreT]", other: "LiveAttempt[CoreT]") -> None:
        """Connect the far ends of two answered attempts to one another."""
        ...

    def attempt_ended(self, attempt: "LiveAttempt[CoreT]", ended: Ended) -> None:
        """Called once, at the end."""
        ...


class LiveAttempt(Generic[CoreT]):
    """Implements `pbx.switch.Attempt`.

    Args:
        core: what has happened so far.
        leg: its audio; closed with the attempt.
        driver: the switch.
        trunk: name of the trunk that it goes over, where that is known.
    """

    def __init__(
        self, core: CoreT, leg: MediaLeg, driver: Driver[CoreT], trunk: str | None = None
    ) -> None:
        self.core = core
        """After calling it, call `pump()`."""
        self.leg = leg
        self.trunk = trunk
        self.finished = asyncio.Event()
        """Set when the attempt is over."""
        self._driver = driver
        self._queue: asyncio.Queue[Progress] = asyncio.Queue()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_for: float | None = None
        self._watch: AudioWatch | None = None
        self._sent_watch: SentWatch | None = None
        self._next_look: asyncio.TimerHandle | None = None
        self.pump()

    @property
    def id(self) -> str:
        return self.core.id

    @property
    def rate(self) -> int:
        return self.leg.rate

    async def progress(self) -> AsyncIterator[Progress]:
        """Every event from the start, in order, ending after `Ended`. One consumer."""
        while True:
            event = await self._queue.get()
            yield event
            if isinstance(event, Ended):
                return

    def attach(self, peer: AudioPeer | None) -> None:
        """Connect the audio, early media included, to `peer`; None sends silence."""
        self.leg.attach(peer)

    async def hang_up(self) -> None:
        """End the attempt: cancels while ringing. Does nothing when it is over."""
        self.core.hang_up(time.monotonic())
        self.pump()

    async def limit(self, seconds: int) -> None:
        """As `pbx.switch.Attempt.limit`."""
        check_limit(seconds)
        if self.core.over:
            raise SwitchRefused("the call is over", "limit_s")
        await self._driver.limit(self, seconds)

    async def send_digits(self, digits: str) -> None:
        """Press keys, one after the other. Raises SwitchRefused, SwitchUnavailable."""
        check_digits(digits)
        self._require_answered("digits")
        await self._driver.send_digits(self, digits)

    async def refer(self, number: str) -> None:
        """Have the far end call `number` instead of us (SIP REFER, RFC 3515)."""
        check_number(number)
        self._require_answered("transfer")
        await self._driver.refer(self, number)

    async def join(self, other: Attempt) -> None:
        """Connect the far ends of this attempt and another one; our audio leaves both."""
        self._require_answered("transfer")
        if other is self or not isinstance(other, LiveAttempt) or other._driver is not self._driver:
            raise SwitchRefused("only two attempts of one PBX can be joined", "transfer")
        other._require_answered("transfer")
        await self._driver.join(self, other)

    @property
    def problems(self) -> Sequence[AudioProblem]:
        return self.core.problems

    def media_stats(self) -> MediaStats:
        stats, core = self.leg.stats(), self.core
        # Where the PBX transcodes, it makes a new stream without gaps.
        lost = max(stats.lost, core.trunk.lost or 0)
        return replace(
            stats,
            lost=lost,
            leg_lost=stats.lost,
            trunk=core.trunk,
            holds=core.holds,
            held_s=round(core.held_s, 2),
            gaps=core.gaps,
            gap_s=round(core.gap_s, 2),
            comfort_noise=self._watch is not None and self._watch.comfort_noise,
        )

    def reconcile(self, found: Any) -> None:
        """Compare it with what the PBX has of it now, as its core takes that."""
        self.core.heard(self.leg.heard_at)
        self.core.reconcile(found, time.monotonic())
        self.pump()

    def lose(self, message: str) -> None:
        """End it without the PBX's word."""
        self.core.heard(self.leg.heard_at)
        self.core.lose(message, time.monotonic())
        self.pump()

    def discard(self) -> None:
        """Give everything back without a word: it never began."""
        self._cancel_timer()
        self._stop_looking()
        self.leg.close()
        self.finished.set()

    def pump(self) -> None:
        """Hand on what the core has put out, and set the timer for its deadline."""
        for output in self.core.take():
            match output:
                case ConnectMedia(host, port):
                    try:
                        self.leg.connect((self._driver.audio_host or host, port))
                    except MediaError as error:
                        _log.error("%s: no audio: %s", self.id, error)
                        self.core.fail(f"There was no audio: {error}", time.monotonic())
                        self.pump()
                        return
                case DisconnectMedia():
                    self.leg.disconnect()
                case CloseMedia():
                    self.leg.close()
                case Ended():
                    self._queue.put_nowait(output)
                    self._stop_looking()
                    self.leg.close()
                    self.finished.set()
                    self._driver.attempt_ended(self, output)
                case Digit() | Held() | Resumed() | AudioLost() | AudioRestored() if (
                    self._queue.qsize() >= _QUEUE - _RESERVED
                ):
                    _log.warning("%s: too many unread events; %r is dropped", self.id, output)
                case Dialing() | Ringing() | EarlyMedia() | AudioProblem() | Transferred():
                    self._queue.put_nowait(output)
                case Answered():
                    self._queue.put_nowait(output)
                    self._watch = AudioWatch(time.monotonic(), self._driver.ask_s)
                    self._sent_watch = SentWatch(time.monotonic())
                    self.leg.measure_anew()
                    self._look_later()
                case Digit() | Held() | Resumed() | AudioLost() | AudioRestored():
                    self._queue.put_nowait(output)
                case FarEndReport():
                    self._reported(output)
                case _:
                    self._driver.carry_out(self, output)
        if self.core.deadline != self._timer_for:
            self._cancel_timer()
            self._set_timer(self.core.deadline)

    def _require_answered(self, field: str) -> None:
        if not self.core.answered:
            raise SwitchRefused("nobody is on the line: the call is not answered or over", field)

    def trunk_received(self, had: TrunkAudio | None) -> None:
        """The answer to `Driver.ask_trunk`; None where the PBX cannot tell."""
        watch, now = self._watch, time.monotonic()
        if watch is None or not self._expects_audio:
            return
        match watch.trunk_received(had, now):
            case "renew":
                self._driver.renew_audio(self)
            case "unheard" | "stopped" as what:
                self._driver.unheard(self, arriving=watch.arriving, before=what == "stopped")
            case "lost":
                dead = had is not None and had.reports is not None
                self.core.lose_audio(watch.since, now, dead=dead)
            case "restored":
                self.core.restore_audio(now)
        self.pump()

    def _reported(self, report: FarEndReport) -> None:
        watch, now = self._sent_watch, time.monotonic()
        if watch is None:
            return
        if not self._expects_audio:
            watch.pause(now)
        elif watch.reported(report, now):
            self._driver.unsent(self)

    @property
    def _expects_audio(self) -> bool:
        return self.core.answered and not self.core.on_hold

    def _look(self) -> None:
        watch, now = self._watch, time.monotonic()
        assert watch is not None
        if not self._expects_audio:
            watch.pause(now)
        else:
            match watch.look(self.leg.received, now):
                case "ask":
                    self._driver.ask_trunk(self)
                case "restored":
                    self.core.restore_audio(now)
                    self.pump()
        self._look_later()

    def _look_later(self) -> None:
        self._next_look = asyncio.get_running_loop().call_later(_LOOK_S, self._look)

    def _stop_looking(self) -> None:
        if self._next_look is not None:
            self._next_look.cancel()
            self._next_look = None

    def _set_timer(self, deadline: float | None) -> None:
        if deadline is not None:
            delay = max(0.0, deadline - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)
            self._timer_for = deadline

    def _on_timer(self) -> None:
        self._cancel_timer()
        self.core.heard(self.leg.heard_at)
        self.core.on_deadline(time.monotonic())
        self.pump()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._timer_for = None
