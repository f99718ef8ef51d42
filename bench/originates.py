"""Originates per second over AMI, and how soon an event of the PBX is an event of the attempt.

    python -m bench.originates [--rate 300] [--seconds 10] [--json]

The whole of `pbx.asterisk` places calls at `bench.ami_peer`, a process of its own. First it
originates as fast as it can, then at `--rate`. Every call rings, is answered, talks in silence
and ends, so that beside the originates run the events of all the others and their audio.
"""

import argparse
import asyncio
import json
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

import numpy as np

from bench.ami_peer import HOST, SECRET, TRUNK, Script, peer_process
from pbx.asterisk import AsteriskConfig, AsteriskSwitch
from pbx.media import MediaServer
from pbx.switch import Answered, Attempt, Dial, Ended, Progress, Ringing
from pbx.values import ID_PREFIX

#: What the design asks for.
AIM_RATE = 300.0
AIM_P99_MS = 10.0
SCRIPT = Script(ring_s=0.2, talk_s=0.5)
#: Originates that wait for their answer at a time when nothing slows them.
AT_A_TIME = 50
_WARM_UP = 50
_TOLD_AS = {Ringing: "ringing", Answered: "answered", Ended: "ended"}


@dataclass(frozen=True)
class Result:
    """One run."""

    way: str
    calls: int
    completed: int
    originates_per_s: float
    originate_p50_ms: float
    """From asking for a call to Asterisk's word that its media leg is up."""
    originate_p99_ms: float
    event_p50_ms: float
    """From the PBX's writing of an event to the attempt's progress event."""
    event_p99_ms: float
    cpu_ms_per_call: float
    """CPU of this process, the audio of the calls included."""


class Run:
    """Places calls and notes when what was known."""

    def __init__(self, switch: AsteriskSwitch) -> None:
        self.heard: dict[str, dict[str, float]] = {}
        self.took: list[float] = []
        self.completed = 0
        self._switch = switch
        self._following: set[asyncio.Task[None]] = set()

    async def place(self) -> None:
        """Originate one call; it is followed in the background."""
        number = f"+1555{len(self.heard):06d}0"
        dial = Dial(f"{ID_PREFIX}{uuid.uuid4()}", number, caller_number="+15550000000")
        self.heard[dial.id] = {}
        begun = time.monotonic()
        attempt = await self._switch.originate(dial)
        self.took.append(time.monotonic() - begun)
        task = asyncio.create_task(self._follow(attempt))
        self._following.add(task)
        task.add_done_callback(self._following.discard)

    async def finish(self) -> None:
        """Wait for the end of every call."""
        while self._following:
            await asyncio.wait(self._following)

    async def _follow(self, attempt: Attempt) -> None:
        event: Progress
        async for event in attempt.progress():
            if type(event) in _TOLD_AS:
                self.heard[attempt.id][_TOLD_AS[type(event)]] = time.monotonic()
            if isinstance(event, Ended):
                self.completed += event.cause.state == "completed"


async def flat_out(run: Run, calls: int) -> None:
    """As fast as the switch takes them, `AT_A_TIME` waiting."""
    left = iter(range(calls))

    async def place_some() -> None:
        for _ in left:
            await run.place()

    await asyncio.gather(*(place_some() for _ in range(AT_A_TIME)))


async def paced(run: Run, rate: float, seconds: float) -> None:
    """One every `1 / rate` seconds, whatever becomes of those before."""
    begin = time.monotonic()
    placing = []
    for number in range(int(rate * seconds)):
        await asyncio.sleep(begin + number / rate - time.monotonic())
        placing.append(asyncio.create_task(run.place()))
    await asyncio.gather(*placing)


async def measure(rate: float | None, seconds: float) -> Result:
    """One run; `rate` None is as fast as can be."""
    async with peer_process(SCRIPT) as peer:
        async with switch_on(peer.port) as switch:
            warm = Run(switch)
            await flat_out(warm, _WARM_UP)
            await warm.finish()
            run = Run(switch)
            cpu, begun = time.process_time(), time.monotonic()
            if rate is None:
                await flat_out(run, int(AIM_RATE * seconds))
            else:
                await paced(run, rate, seconds)
            wall = time.monotonic() - begun
            await run.finish()
            cpu = time.process_time() - cpu
        stories = {story["id"]: story for story in await peer.stories()}
    delays = [
        (at - stories[call][what]) * 1000
        for call, told in run.heard.items()
        for what, at in told.items()
    ]
    took = [one * 1000 for one in run.took]
    return Result(
        way="as fast as it can" if rate is None else f"{rate:g} per second",
        calls=len(run.heard),
        completed=run.completed,
        originates_per_s=len(run.heard) / wall,
        originate_p50_ms=float(np.percentile(took, 50)),
        originate_p99_ms=float(np.percentile(took, 99)),
        event_p50_ms=float(np.percentile(delays, 50)),
        event_p99_ms=float(np.percentile(delays, 99)),
        cpu_ms_per_call=cpu / len(run.heard) * 1000,
    )


@asynccontextmanager
async def switch_on(port: int) -> AsyncIterator[AsteriskSwitch]:
    """A started switch on the peer at `port`."""
    media = MediaServer(HOST, 45000, 45999, max_legs=5000)
    await media.start()
    switch = AsteriskSwitch(AsteriskConfig(port=port, secret=SECRET, trunk=TRUNK), media)
    await switch.start()
    try:
        yield switch
    finally:
        await switch.close()
        await media.close()


def report(results: list[Result]) -> str:
    """The figures as a table."""
    row = "{:<20}{:>7}{:>11}{:>9}{:>21}{:>21}{:>13}"
    head = (
        "",
        "calls",
        "completed",
        "per s",
        "originate p50/p99 ms",
        "event p50/p99 ms",
        "CPU ms/call",
    )
    lines = [row.format(*head)]
    lines += [
        row.format(
            one.way,
            one.calls,
            one.completed,
            f"{one.originates_per_s:.0f}",
            f"{one.originate_p50_ms:.1f} / {one.originate_p99_ms:.1f}",
            f"{one.event_p50_ms:.1f} / {one.event_p99_ms:.1f}",
            f"{one.cpu_ms_per_call:.2f}",
        )
        for one in results
    ]
    fastest, steady = results
    lines.append(
        f"originates per second / {AIM_RATE:.0f} (aim): {fastest.originates_per_s / AIM_RATE:.2f}; "
        f"event p99 / {AIM_P99_MS:.0f} ms (aim): {steady.event_p99_ms / AIM_P99_MS:.2f}"
    )
    return "\n".join(lines)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=AIM_RATE, help="calls per second")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = [asyncio.run(measure(rate, options.seconds)) for rate in (None, options.rate)]
    if options.json:
        sys.stdout.write(json.dumps([asdict(one) for one in results]) + "\n")
    else:
        sys.stdout.write(report(results) + "\n")


if __name__ == "__main__":
    main()
