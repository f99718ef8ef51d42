"""Turn latency of real calls: from the person's last voiced packet to our first voiced one.

Places calls to the test bed's talking person through the whole stack, and prints where each
answer's time went: `python -m bench.turns --help`.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from api.cli.example import EXAMPLE, demo_settings
from api.cli.live import follow
from api.client import OffhookClient
from api.main import serving
from pbx.testbed import TestBed, persona
from pbx.testbed.freeswitch import FreeSwitch

#: The steps in the order in which they happen.
STEPS = ("transcript_ms", "first_token_ms", "first_audio_ms", "endpoint_ms", "wire_ms")
#: The fastest fully local peer that published a figure for one telephone call (its own numbers).
PEER_WIRE_MS = 640.0


async def measure(calls: int, model_set: str, pbx: str = "asterisk") -> dict[str, Any]:
    """Place `calls` calls one after the other; gives {step: {p50, p95}} in ms, and counts."""
    marks: dict[str, list[float]] = defaultdict(list)
    completed = 0
    async with contextlib.AsyncExitStack() as stack:
        bed = await stack.enter_async_context(TestBed())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        freeswitch = None
        if pbx == "freeswitch":
            freeswitch = await stack.enter_async_context(FreeSwitch(bed.ports.carrier_sip))
        settings = demo_settings(bed, folder, model_set, freeswitch)
        server = await stack.enter_async_context(serving(settings))
        _, key = await server.store.keys.create("bench")
        client = await stack.enter_async_context(OffhookClient(server.url, key))
        for _ in range(calls):
            placed = await client.create_call({"to": persona("talker").number, **EXAMPLE})
            ended = await follow(client, placed.id, None)
            completed += ended.status == "completed"
            for turn in await server.store.calls.turns(placed.id):
                if turn.speaker == "agent" and "transcript_ms" in turn.timings:
                    for step in STEPS:
                        if step in turn.timings:
                            marks[step].append(turn.timings[step])
    steps = {
        step: {"p50": _quantile(got, 0.5), "p95": _quantile(got, 0.95)}
        for step, got in marks.items()
    }
    return {
        "calls": calls,
        "completed": completed,
        "answers": len(marks["wire_ms"]),
        "steps": steps,
    }


def _quantile(values: list[float], share: float) -> float:
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]


def report(figures: dict[str, Any]) -> str:
    """The figures as a table; all marks count from the person's last voiced packet."""
    lines = [
        "{completed} of {calls} calls completed, {answers} answers".format_map(figures),
        f"{'after the last voiced packet':32}{'p50 ms':>9}{'p95 ms':>9}",
    ]
    for step in STEPS:
        if found := figures["steps"].get(step):
            name = step.removesuffix("_ms").replace("_", " ")
            lines.append(f"{name:32}{found['p50']:9.0f}{found['p95']:9.0f}")
    if wire := figures["steps"].get("wire_ms"):
        share = wire["p50"] / figures["steps"]["endpoint_ms"]["p50"]
        lines.append(f"wire / endpointing wait: {share:.2f} (1 is the limit: engines cost nothing)")
        ratio = wire["p50"] / PEER_WIRE_MS
        lines.append(f"wire / {PEER_WIRE_MS:.0f} ms (fastest local peer's own figure): {ratio:.2f}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=5)
    parser.add_argument("--models", default="starter")
    parser.add_argument("--pbx", choices=("asterisk", "freeswitch"), default="asterisk")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = asyncio.run(measure(options.calls, options.models, options.pbx))
    sys.stdout.write((json.dumps(figures, indent=2) if options.json else report(figures)) + "\n")


if __name__ == "__main__":
    main()
