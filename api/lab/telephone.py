"""A caller's telephone: a UDP port of its own that talks RTP with the carrier, every 20 ms.

The carrier dials the port (`pbx.testbed.personas.telephone_number`); where it sends from is known
by its first packet. Loss and jitter are done to what leaves here, as a bad access line would.
"""

import asyncio
import random
import time
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from api.lab.caller import Caller
from api.lab.scenario import LineConditions
from pbx.codecs import Codec
from pbx.framing import RtpFraming
from pbx.pacer import Pacer
from pbx.rtp import RtpError, timestamp_delta

_HOST: Final = "127.0.0.1"
#: With no packet for so long, the call is over.
_GONE_S: Final = 1.0
#: Two packets do not leave at the same moment.
_APART_S: Final = 1e-5
#: A stream that is so far from its own clock has been begun anew.
_RESTART_S: Final = 0.1


class Telephone(asyncio.DatagramProtocol):
    """One telephone; `async with` has it at its port."""

    def __init__(self, codec: Codec, conditions: LineConditions, seed: int) -> None:
        """
        Args:
            codec: of both ways.
            conditions: how badly its packets get away.
            seed: of what is lost, and how late the others are.
        """
        self._codec = codec
        self._conditions = conditions
        self._random = random.Random(seed)
        self._framing = RtpFraming(codec)
        self._transport: asyncio.DatagramTransport | None = None
        self._remote: tuple[str, int] | None = None
        self._picked_up = asyncio.Event()
        self._heard_at = 0.0
        self._anchor: tuple[int, float] | None = None
        self._caller: Caller | None = None
        self._began_at = 0.0
        self._last_at = 0.0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=(_HOST, 0)
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._transport is not None:
            self._transport.close()

    @property
    def port(self) -> int:
        """Where it is reached."""
        assert self._transport is not None
        port: int = self._transport.get_extra_info("sockname")[1]
        return port

    async def rung(self, timeout_s: float) -> bool:
        """Whether somebody calls within that time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._picked_up.wait()
        return self._picked_up.is_set()

    async def talk(self, caller: Caller, now: float, longest_s: float) -> None:
        """Let a caller talk, until it is done, the far end is gone or the time is up.

        Args:
            caller: who talks.
            now: `time.monotonic()` seconds.
            longest_s: the time that it has.
        """
        self._caller, self._began_at, self._heard_at = caller, now, now
        pacer = Pacer(now)
        while not caller.done and caller.now < longest_s and now - self._heard_at < _GONE_S:
            await asyncio.sleep(max(0.0, pacer.deadline - time.monotonic()))
            now = time.monotonic()
            for _ in range(pacer.tick(now) + 1):
                self._send(self._framing.write(self._codec.encode(caller.speak())), now)
        self._caller = None

    def _placed(self, timestamp: int, at: float) -> float:
        """When a packet that came at `at` would have come, had none been late."""
        if self._anchor is not None:
            passed = timestamp_delta(timestamp, self._anchor[0]) / self._codec.clock
            due = self._anchor[1] + passed
            if due <= at < due + _RESTART_S:
                return due
        self._anchor = timestamp, at
        return at

    def _send(self, packet: bytes, now: float) -> None:
        if self._random.random() < self._conditions.loss:
            return
        late_s = self._random.random() * self._conditions.jitter_ms / 1000
        # The event loop keeps no order among what is due at one moment.
        self._last_at = max(self._last_at + _APART_S, now + late_s)
        if self._last_at <= now + _APART_S:
            self._leave(packet)
        else:
            asyncio.get_running_loop().call_at(self._last_at, self._leave, packet)

    def _leave(self, packet: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(packet, self._remote)

    # asyncio.DatagramProtocol ------------------------------------------------------------

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Take a packet; the latest sender is the far end."""
        now = time.monotonic()
        try:
            packet = self._framing.read(data, now)
        except RtpError:
            return
        self._remote, self._heard_at = addr, now
        self._picked_up.set()
        if self._caller is not None and packet.payload:
            at = self._placed(packet.timestamp, now - self._began_at)
            self._caller.hear(self._codec.decode(packet.payload), at)

    def error_received(self, exc: Exception) -> None:
        """The far end's port is closed: the silence that follows tells."""
