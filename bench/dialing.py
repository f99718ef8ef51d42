"""Orders through the whole dialer: how many calls a second, and whether a trunk's limit holds.

    python -m bench.dialing [--calls 600] [--limit 50] [--seconds 10] [--json]

The real store, dialer, runner and `pbx.asterisk` work off a queue at `bench.ami_peer`, a process
of its own that notes when it was told to dial; only the engines are played. Every number rings
and is busy, so no conversation is measured. First nothing limits the trunk, then
`calls_per_second` does: no second that begins with a call may hold more of them.
"""

import argparse
import asyncio
import bisect
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from api.calls.runner import RunnerConfig
from api.dialing.dialer import Dialer
from api.resources.call import NewCall
from api.resources.trunk import NewTrunk
from api.store import Store
from api.store.queries import CallFilter
from bench.ami_peer import TRUNK, Script, peer_process
from bench.originates import AIM_RATE, switch_on
from tests.voice_loop.scripted import Detector, Ears, Mind, Mouth
from voice_loop.config import ConversationConfig
from voice_loop.ports import Engines

CONCURRENT = 200
SCRIPT = Script(ring_s=0.05)


@dataclass(frozen=True)
class Result:
    """One run; the times are the PBX's."""

    limit: int | None
    """Calls per second that the trunk allows."""
    calls: int
    per_s: float
    most_in_a_second: int
    share_used: float | None
    """Of the limit, after the first second's calls."""


async def measure(limit: int | None, count: int) -> Result:
    """Work off a queue of `count` orders."""
    async with peer_process(SCRIPT) as peer:
        with tempfile.TemporaryDirectory() as folder:
            store = await Store.open(Path(folder) / "dialing.db")
            try:
                await store.trunks.create(NewTrunk(TRUNK, calls_per_second=limit))
                for number in range(count):
                    new = NewCall(f"+1555{number:06d}7", "+15559876543", "Say hello.", trunk=TRUNK)
                    await store.calls.create(new)
                await _work_off(store, peer.port)
            finally:
                await store.close()
        stories = await peer.stories()
    dialled = [story["dialled"] for story in stories]
    wall = dialled[-1] - dialled[0]
    return Result(
        limit=limit,
        calls=len(dialled),
        per_s=(len(dialled) - 1) / wall,
        most_in_a_second=_most_in_a_second(dialled),
        share_used=None if limit is None else (len(dialled) - limit) / wall / limit,
    )


async def _work_off(store: Store, port: int) -> None:
    engines = Engines(Ears(), Mind({}), Mouth(), lambda _: Detector())
    config = RunnerConfig(30, lambda call: ConversationConfig(call.prompt), None)
    async with switch_on(port) as switch:
        dialer = Dialer(store, switch, lambda _: engines, config, CONCURRENT)
        dialling = asyncio.create_task(dialer.run())
        try:
            while dialer.active or await _queued(store):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        finally:
            dialling.cancel()
            await asyncio.gather(dialling, return_exceptions=True)


async def _queued(store: Store) -> bool:
    page = await store.calls.page(limit=1, wanted=CallFilter(status="queued"))
    return bool(page.items)


def _most_in_a_second(times: Sequence[float]) -> int:
    """The fullest second; `times` are in order."""
    return max(bisect.bisect_left(times, at + 1.0) - n for n, at in enumerate(times))


def report(free: Result, limited: Result) -> str:
    """The figures as lines."""
    assert limited.limit is not None
    assert limited.share_used is not None
    return (
        f"{free.calls} calls without a limit: {free.per_s:.0f} per s, "
        f"{free.per_s / AIM_RATE:.2f} of the aim ({AIM_RATE:.0f})\n"
        f"{limited.calls} calls at {limited.limit} per s: {limited.share_used:.3f} of the limit "
        f"used; the fullest second held {limited.most_in_a_second}, "
        f"{limited.most_in_a_second / limited.limit:.2f} of the limit"
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=600, help="without a limit")
    parser.add_argument("--limit", type=int, default=50, help="calls per second")
    parser.add_argument("--seconds", type=int, default=10, help="of calls at the limit")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    free = asyncio.run(measure(None, options.calls))
    limited = asyncio.run(measure(options.limit, options.limit * options.seconds))
    if options.json:
        sys.stdout.write(json.dumps([asdict(free), asdict(limited)]) + "\n")
    else:
        sys.stdout.write(report(free, limited) + "\n")


if __name__ == "__main__":
    main()
