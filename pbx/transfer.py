"""A transfer by dialling: the PBX calls somebody, and the two far ends are joined.

Unlike a REFER it needs nothing of the carrier, the caller comes back when nobody answers, and
whoever answers can be told first who is on the line. It takes two channels of the trunk for as
long as the two talk.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from pbx.relay import Relay
from pbx.switch import (
    Answered,
    Attempt,
    Cause,
    Dial,
    EarlyMedia,
    Ended,
    Ringing,
    Switch,
    SwitchError,
    SwitchUnavailable,
)
from voice_loop.audio import FRAME_MS, Samples, frame_samples
from voice_loop.ports import AudioPeer

_log = logging.getLogger(__name__)

#: Seconds that the PBX may take beyond the ring timeout.
_GRACE_S: Final = 30.0
#: The North American ringing tone (ITU-T E.180, supplement 2): two tones, 2 s on and 4 s off.
_RINGBACK_HZ: Final = (440, 480)
_RINGBACK_ON_MS: Final = 2000
_RINGBACK_MS: Final = 6000
_RINGBACK_LEVEL: Final = 2550  # of each: -19 dBm0


@dataclass(frozen=True)
class Briefing:
    """What makes a transfer an attended one."""

    tell: Callable[[Attempt], Awaitable[None]]
    """Talks to whoever answered, over the audio of their attempt; must end by itself."""
    hold: AudioPeer
    """What the caller hears until the two are joined."""


async def bridge(
    switch: Switch,
    attempt: Attempt,
    dial: Dial,
    *,
    attach: Callable[[AudioPeer | None], None] | None = None,
    briefing: Briefing | None = None,
) -> Cause | None:
    """Call somebody, let the caller hear how it goes, and join the two.

    Args:
        switch: that has both.
        attempt: the caller; answered. Its audio is ours meanwhile.
        dial: whom to call; its limit is that of the joined call, too.
        attach: connects the caller's audio in place of `attempt.attach`.
        briefing: for an attended transfer. If `tell` raises, the other one is hung up.

    Returns None once they are joined; else why the other one did not answer or when they hung up,
    and the caller is with us again, its audio attached to nobody. So it is when this raises or is
    cancelled.

    Raises SwitchError as `originate` and `join` do.
    """
    attach = attempt.attach if attach is None else attach
    other = await switch.originate(dial)
    joined = False
    try:
        if briefing is not None:
            attach(briefing.hold)
        async with asyncio.timeout(dial.ring_timeout_s + _GRACE_S):
            cause = await _answer(other, attempt.rate, attach if briefing is None else None)
        if cause is None and briefing is not None:
            cause = await _brief(other, briefing.tell)
        if cause is None:
            await attempt.join(other)
            joined = True
            await _limit((attempt, other), dial.limit_s)
        return cause
    except TimeoutError:
        raise SwitchUnavailable("the PBX did not say what became of the transfer's call") from None
    finally:
        if not joined:
            attach(None)
            await other.hang_up()


async def _limit(both: tuple[Attempt, Attempt], seconds: int) -> None:
    """Where that fails the limits stand that each had: the joined call may end too soon."""
    for one in both:
        try:
            await one.limit(seconds)
        except SwitchError as error:
            _log.warning("%s: its limit was not set anew: %s", one.id, error)


async def _answer(
    other: Attempt, rate: int, attach: Callable[[AudioPeer | None], None] | None
) -> Cause | None:
    """None when the other one answers, else why not; with `attach` the caller hears it ring."""
    relayed = False
    async for event in other.progress():
        match event:
            case Ringing() if attach is not None and not relayed:
                attach(Ringback(rate))
            case EarlyMedia() | Answered() if attach is not None and not relayed:
                relay = Relay(rate, other.rate)
                attach(relay.first)
                other.attach(relay.second)
                relayed = True
            case Ended(cause=cause):
                return cause
        if isinstance(event, Answered):
            return None
    raise AssertionError("an attempt's progress ends with Ended")


async def _brief(other: Attempt, tell: Callable[[Attempt], Awaitable[None]]) -> Cause | None:
    """None when the other one was told all; else why they are gone."""
    gone = asyncio.create_task(_end_of(other))
    telling = asyncio.ensure_future(tell(other))
    try:
        await asyncio.wait({gone, telling}, return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            return gone.result()
        telling.result()
        return None
    finally:
        gone.cancel()
        telling.cancel()
        await asyncio.gather(gone, telling, return_exceptions=True)


async def _end_of(attempt: Attempt) -> Cause:
    async for event in attempt.progress():
        if isinstance(event, Ended):
            return event.cause
    raise AssertionError("an attempt's progress ends with Ended")


class Ringback:
    """An audio peer that plays the ringing tone, for a network that sends none."""

    def __init__(self, rate: int) -> None:
        samples = np.arange(_RINGBACK_ON_MS * rate // 1000)
        tones = sum(np.sin(2 * np.pi * hz / rate * samples) for hz in _RINGBACK_HZ)
        tone = np.asarray(_RINGBACK_LEVEL * tones, np.int16)
        self._frames = tone.reshape(-1, frame_samples(rate))
        self._next = 0

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:  # noqa: ARG002
        """The next 20 ms of it."""
        index = self._next
        self._next = (index + 1) % (_RINGBACK_MS // FRAME_MS)
        return self._frames[index] if index < len(self._frames) else None
