"""Somebody who listens to a call from a browser."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

import numpy as np

from pbx.webrtc.leg import WebLeg
from pbx.webrtc.transport import ConnectError, PeerTransport
from voice_loop.audio import FULL_SCALE, Doubler, Halver, Samples

_log = logging.getLogger(__name__)

#: Frames that wait for the listener's tick, and for the call's.
_FRAMES: Final = 3


class _Line:
    """Frames on their way from one tick to another, at the rate of the one that takes them."""

    def __init__(self, source_rate: int, target_rate: int) -> None:
        self._frames: list[Samples] = []
        if source_rate == target_rate:
            self._convert: Callable[[Samples], Samples] = lambda frame: frame
        else:
            self._convert = (Halver() if source_rate > target_rate else Doubler()).push

    def put(self, frame: Samples) -> None:
        """Late frames are dropped, oldest first."""
        self._frames = [*self._frames[1 - _FRAMES :], self._convert(frame)]

    def take(self) -> Samples | None:
        return self._frames.pop(0) if self._frames else None


class Listener:
    """An `AudioPeer` of its own leg that gives what the call brings, and does not listen.

    Args:
        timeout_s: seconds in which the browser has to connect.
        on_over: told at the end, once.
    """

    def __init__(self, timeout_s: float, on_over: Callable[["Listener"], None]) -> None:
        self._timeout_s = timeout_s
        self._on_over = on_over
        self._on_left: Callable[[], None] = lambda: None
        self._work: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    def bind(self, leg: WebLeg, transport: PeerTransport, channels: int) -> None:
        """Give it its audio and its transport."""
        self._leg, self._transport, self._channels = leg, transport, channels

    def begin(self, client: str | None, rate: int, on_left: Callable[[], None]) -> None:
        """Connect.

        Args:
            client: IP address that the offer came from.
            rate: of the call's frames, Hz.
            on_left: told when they hear no more.
        """
        self._on_left = on_left
        self._person, self._agent = _Line(rate, self._leg.rate), _Line(rate, self._leg.rate)
        self._work = asyncio.create_task(self._connect(client))

    def bring(self, person: Samples, agent: Samples) -> None:
        """Take what was heard and said in one tick of the call."""
        self._person.put(person)
        self._agent.put(agent)

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:  # noqa: ARG002
        """Trade a frame with the browser (`voice_loop.ports.AudioPeer`)."""
        person, agent = self._person.take(), self._agent.take()
        if person is None or agent is None:
            return None
        if self._channels == 2:
            both: Samples = np.stack([person, agent], axis=1).ravel()
            return both
        mixed = person.astype(np.int32) + agent
        clipped: Samples = np.clip(mixed, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
        return clipped

    def end(self) -> None:
        """Have them hear no more; ports and tasks are given back."""
        if self._closing is None:
            self._leg.stop()
            self._on_left()
            self._closing = asyncio.create_task(self._close())

    async def hang_up(self) -> None:
        """As `end`, and wait until all is given back."""
        self.end()
        assert self._closing is not None
        await asyncio.wait([self._closing])

    async def _connect(self, client: str | None) -> None:
        try:
            await self._transport.connect(client, self._timeout_s)
        except ConnectError as error:
            _log.warning("a listener did not connect: %s", error)
            self.end()
            return
        self._leg.attach(self)
        self._leg.start()

    async def _close(self) -> None:
        try:
            if self._work is not None and not self._work.done():
                self._work.cancel()
                await asyncio.wait([self._work])
            await self._transport.close()
        finally:
            self._on_over(self)
