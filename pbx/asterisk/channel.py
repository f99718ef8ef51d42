"""An attempt on Asterisk as the rest of Offhook sees it: the core with audio and timers."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from pbx.asterisk.attempt import (
    AskCallId,
    AttemptCore,
    CloseMedia,
    ConnectMedia,
    Event,
    HangUpChannel,
)
from pbx.media import MediaError, MediaLeg
from pbx.switch import Digit, Ended, MediaStats, Progress, SwitchRefused
from pbx.values import check_digits
from voice_loop.ports import AudioPeer

_log = logging.getLogger(__name__)

#: Digits beyond this many unread ones are dropped: nobody presses so many keys.
_QUEUE: Final = 256
_RESERVED: Final = 16

Command = HangUpChannel | AskCallId


class AsteriskAttempt:
    """Implements `pbx.switch.Attempt`.

    Args:
        core: what has happened so far.
        leg: its audio; closed with the attempt.
        command: carries out what the core asks of the PBX; must not block.
        play_digit: sends one DTMF digit on a channel.
        ended: called once, at the end.
    """

    def __init__(
        self,
        core: AttemptCore,
        leg: MediaLeg,
        command: Callable[["AsteriskAttempt", Command], None],
        play_digit: Callable[[str, str], Awaitable[None]],
        ended: Callable[["AsteriskAttempt", Ended], None],
    ) -> None:
        self._core = core
        self._leg = leg
        self._command = command
        self._play_digit = play_digit
        self._on_ended = ended
        self._queue: asyncio.Queue[Progress] = asyncio.Queue()
        self._timer: asyncio.TimerHandle | None = None
        self.finished = asyncio.Event()
        """Set when the attempt is over."""
        self._pump()

    @property
    def id(self) -> str:
        return self._core.id

    @property
    def rate(self) -> int:
        return self._leg.rate

    async def progress(self) -> AsyncIterator[Progress]:
        """Every event from the start, in order, ending after `Ended`. One consumer."""
        while True:
            event = await self._queue.get()
            yield event
            if isinstance(event, Ended):
                return

    def attach(self, peer: AudioPeer | None) -> None:
        """Connect the audio, early media included, to `peer`; None sends silence."""
        self._leg.attach(peer)

    async def hang_up(self) -> None:
        """End the attempt: cancels while ringing. Does nothing when it is over."""
        self._core.hang_up(time.monotonic())
        self._pump()

    async def send_digits(self, digits: str) -> None:
        """Press keys, one after the other. Raises SwitchRefused, SwitchUnavailable."""
        check_digits(digits)
        for digit in digits:
            channel = self._core.far_channel
            if channel is None or self._core.far_gone or self._core.over:
                raise SwitchRefused("the call is over or not yet dialled", "digits")
            await self._play_digit(channel, digit)

    def media_stats(self) -> MediaStats:
        return self._leg.stats()

    def on_event(self, event: Event) -> None:
        """Digest a manager event of this call."""
        self._core.on_event(event, time.monotonic())
        self._pump()

    def on_call_id(self, value: str) -> None:
        """The trunk leg's SIP Call-ID."""
        self._core.call_id(value)

    def reconcile(self, channels: list[Event]) -> None:
        """Catch up with what lives on the PBX of this call."""
        self._core.reconcile(channels, time.monotonic())
        self._pump()

    def lose(self, message: str) -> None:
        """End it without the PBX's word."""
        self._core.lose(message, time.monotonic())
        self._pump()

    def discard(self) -> None:
        """Give everything back without a word: it never began."""
        self._cancel_timer()
        self._leg.close()
        self.finished.set()

    def _pump(self) -> None:
        for output in self._core.take():
            match output:
                case ConnectMedia(host, port):
                    try:
                        self._leg.connect((host, port))
                    except MediaError as error:
                        _log.error("%s: no audio: %s", self.id, error)
                        self._core.fail(f"There was no audio: {error}", time.monotonic())
                        self._pump()
                        return
                case CloseMedia():
                    self._leg.close()
                case HangUpChannel() | AskCallId():
                    self._command(self, output)
                case Ended():
                    self._queue.put_nowait(output)
                    self._leg.close()
                    self.finished.set()
                    self._on_ended(self, output)
                case Digit() if self._queue.qsize() >= _QUEUE - _RESERVED:
                    _log.warning("%s: too many unread digits; one is dropped", self.id)
                case _:
                    self._queue.put_nowait(output)
        self._cancel_timer()
        if self._core.deadline is not None:
            delay = max(0.0, self._core.deadline - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._core.on_deadline(time.monotonic())
        self._pump()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
