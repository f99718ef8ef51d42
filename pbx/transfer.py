"""A blind transfer by dialling: the PBX calls somebody, and the two far ends are joined.

Unlike a REFER it needs nothing of the carrier, and the caller comes back when nobody answers; it
takes two channels of the trunk for as long as the two talk.
"""

import asyncio
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
    SwitchUnavailable,
)
from voice_loop.audio import FRAME_MS, Samples, frame_samples

#: Seconds that the PBX may take beyond the ring timeout.
_GRACE_S: Final = 30.0
#: The North American ringing tone (ITU-T E.180, supplement 2): two tones, 2 s on and 4 s off.
_RINGBACK_HZ: Final = (440, 480)
_RINGBACK_ON_MS: Final = 2000
_RINGBACK_MS: Final = 6000
_RINGBACK_LEVEL: Final = 2550  # of each: -19 dBm0


async def bridge(switch: Switch, attempt: Attempt, dial: Dial) -> Cause | None:
    """Call somebody, let the caller hear how it goes, and join the two.

    Args:
        switch: that has both.
        attempt: the caller; answered. Its audio is ours meanwhile.
        dial: whom to call.

    Returns None once they are joined; else why the other one did not answer, and the caller is
    with us again, its audio attached to nobody. So it is when this raises or is cancelled.

    Raises SwitchError as `originate` and `join` do.
    """
    other = await switch.originate(dial)
    joined = False
    try:
        async with asyncio.timeout(dial.ring_timeout_s + _GRACE_S):
            cause = await _answer(attempt, other)
        if cause is None:
            await attempt.join(other)
            joined = True
        return cause
    except TimeoutError:
        raise SwitchUnavailable("the PBX did not say what became of the transfer's call") from None
    finally:
        if not joined:
            attempt.attach(None)
            await other.hang_up()


async def _answer(attempt: Attempt, other: Attempt) -> Cause | None:
    """None when the other one answers, else why not."""
    relayed = False
    async for event in other.progress():
        match event:
            case Ringing() if not relayed:
                attempt.attach(Ringback(attempt.rate))
            case EarlyMedia() | Answered() if not relayed and attempt.rate == other.rate:
                relay = Relay()
                attempt.attach(relay.first)
                other.attach(relay.second)
                relayed = True
            case Ended(cause=cause):
                return cause
        if isinstance(event, Answered):
            return None
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
