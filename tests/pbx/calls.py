"""What tests of real calls share: an audio peer, and waiting for an attempt."""

import asyncio
import contextlib
import random
import uuid

import numpy as np
import pytest

from pbx.asterisk import AsteriskConfig
from pbx.switch import Attempt, Cause, Dial, Ended, Progress, Switch
from pbx.testbed import TestBed, persona
from voice_loop.audio import Samples

_SILENT = 100  # of int16
PATIENCE_S = 20.0
_ids = random.Random()
#: For a test of what every kind of PBX must do, through the fixture `pbx`.
every_kind = pytest.mark.parametrize("pbx", ["asterisk", "freeswitch"], indirect=True)


class Ear:
    """An audio peer that says a tone, or nothing, and keeps what it hears."""

    def __init__(self, rate: int, tone_hz: float = 0.0) -> None:
        self.heard: list[Samples] = []
        self.times: list[float] = []
        """When each was heard: a busy machine leaves some out."""
        self._rate = rate
        self._tone_hz = tone_hz
        self._sent = 0

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:
        self.heard.append(heard)
        self.times.append(now)
        if not self._tone_hz:
            return None
        count = self._rate // 50
        phase = 2 * np.pi * self._tone_hz / self._rate * np.arange(self._sent, self._sent + count)
        self._sent += count
        return np.asarray(8000 * np.sin(phase), np.int16)

    def level(self) -> float:
        """Loudest frame so far: RMS of int16 samples."""
        return max((float(np.sqrt(np.mean(f.astype(float) ** 2))) for f in self.heard), default=0)

    def pitch(self) -> float:
        """Hz of the strongest tone in the half second before it fell silent."""
        loud = [index for index, frame in enumerate(self.heard) if np.abs(frame).max() > _SILENT]
        end = loud[-1] + 1 if loud else len(self.heard)
        last = np.concatenate(self.heard[:end][-25:]).astype(float)
        spectrum = np.abs(np.fft.rfft(last * np.hanning(len(last))))
        return float(np.argmax(spectrum)) * self._rate / len(last)


def config(bed: TestBed) -> AsteriskConfig:
    return AsteriskConfig(
        host=bed.host,
        port=bed.ports.ami,
        username=bed.username,
        secret=bed.secret,
        trunk=bed.trunk,
        invite_timeout_s=bed.invite_timeout_s,
        reconnect_min_s=0.05,
    )


def dial(name: str, ring_timeout_s: int = 10) -> Dial:
    return Dial(new_id(), persona(name).number, "+15550199", "Offhook", ring_timeout_s)


def begin_ids(test: str) -> None:
    """From now on `new_id` gives the ids of that test, the same ones in every run."""
    _ids.seed(test)


def new_id() -> str:
    return f"offhook-{uuid.UUID(int=_ids.getrandbits(128), version=4)}"


async def until_over(attempt: Attempt) -> list[Progress]:
    async with asyncio.timeout(PATIENCE_S):
        return [event async for event in attempt.progress()]


async def until(attempt: Attempt, kind: type[Progress]) -> list[Progress]:
    """The events up to the first of that kind; the rest stays to be read."""
    seen: list[Progress] = []
    async with asyncio.timeout(PATIENCE_S):
        async for event in attempt.progress():
            seen.append(event)
            if isinstance(event, kind):
                return seen
    raise AssertionError(f"no {kind.__name__} among {seen}")


async def connected(switch: Switch, wanted: bool = True) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while switch.connected is not wanted:
            await asyncio.sleep(0.01)


async def heard(ear: "Ear", frames: int = 45, level: float = 4000) -> None:
    """Wait until that many frames were heard, and one that was so loud."""
    async with asyncio.timeout(PATIENCE_S):
        while ear.level() < level or len(ear.heard) < frames:
            await asyncio.sleep(0.02)


async def no_channels(bed: TestBed) -> None:
    """Wait until neither Asterisk has a channel left."""
    left: tuple[object, object] = (None, None)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            while any(left := (await bed.ours.channels(), await bed.carrier.channels())):
                await asyncio.sleep(0.05)
            return
    raise AssertionError(f"channels are left, ours and the carrier's: {left}")


def kinds(events: list[Progress]) -> list[type]:
    return [type(event) for event in events]


def cause(events: list[Progress]) -> Cause:
    """The cause of the one Ended, which is last."""
    assert [isinstance(event, Ended) for event in events].count(True) == 1
    assert isinstance(events[-1], Ended)
    return events[-1].cause
