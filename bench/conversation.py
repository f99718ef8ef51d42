"""What one tick of a conversation costs: the whole of `exchange`, without models.

    python -m bench.conversation [--json]

The media ticker calls it 50 times a second for every call, so 100 µs would be half a per cent of
a core per call. Microseconds of CPU per tick, by what happens on the line.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass

import numpy as np

from models.vad import SileroDetector
from tests.voice_loop.scripted import RATE, PhoneCall
from voice_loop.audio import FRAMES_PER_SECOND, Samples, frame_samples

LONG = "our doctors are here from monday to friday and on the first saturday of every month. " * 10
TICKS = 20 * FRAMES_PER_SECOND


@dataclass(frozen=True)
class Result:
    """CPU per tick, µs: the median and the 99th percentile."""

    line: str
    p50_us: float
    p99_us: float


def measure(line: str, call: PhoneCall, frames: list[Samples]) -> Result:
    """Tick `TICKS` times, one frame after the other."""
    costs = []
    for index in range(TICKS):
        heard = frames[index % len(frames)]
        began = time.thread_time_ns()
        call.conversation.exchange(heard, 0.0, 0.0)
        costs.append((time.thread_time_ns() - began) / 1000)
    p50, p99 = np.percentile(costs, [50, 99])
    return Result(line, round(float(p50), 1), round(float(p99), 1))


async def run() -> list[Result]:
    """Both sides quiet, and the agent speaking."""
    random = np.random.default_rng(1)
    hiss = [random.normal(0, 30, frame_samples(RATE)).astype(np.int16) for _ in range(50)]
    results = []
    for line in ("both quiet", "agent speaks"):
        call = await PhoneCall({"[pressed #]": LONG}, new_detector=SileroDetector).answer()
        await call.hears_out()
        if line == "agent speaks":
            call.conversation.press("#", 0.0)
            await call.quiet(200)
        results.append(measure(line, call, hiss))
        call.conversation.hung_up()
        await call.end()
    return results


def main() -> None:
    """Print the results."""
    results = asyncio.run(run())
    if "--json" in sys.argv[1:]:
        print(json.dumps([asdict(result) for result in results]))
        return
    for result in results:
        print(f"{result.line:<14} {result.p50_us:>7.1f} µs median {result.p99_us:>7.1f} µs p99")


if __name__ == "__main__":
    main()
