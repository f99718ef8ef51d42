"""Take the same audio through Offhook, Pipecat and LiveKit Agents, and print one table.

    python -m bench.peers --audio DIR [--whisper DIR] [--pipecat PYTHON] [--livekit PYTHON] [--json]

DIR has recordings of people (`models.recordings`). PYTHON is the interpreter of an environment
that one made for that framework (`docs/peers.md`); one that is not given is left out. Everything
runs on this machine, on one thread, in simulated time.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bench.peers.cases import cases
from bench.peers.exchange import About, Case, Outcome, read_outcomes, write_cases
from bench.peers.figures import cpu_share, overlaps, quantile, starts_per_minute, turns
from models.recordings import PARTS

ROOT: Final = Path(__file__).parents[2]
#: No framework reports to its makers, looks anything up, or takes more than a thread.
ENVIRONMENT: Final = {
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "OTEL_SDK_DISABLED": "true",
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": str(ROOT),
}
#: Names of these, which would have a framework use its maker's services, are taken away.
SERVICES: Final = ("LIVEKIT_", "PIPECAT_", "DAILY_", "OPENAI_")
TIMEOUT_S: Final = 1800


def run(script: str, python: str, folder: Path, more: Sequence[str] = ()) -> Path:
    """Run one framework's script on the cases; gives the file of its outcomes.

    Raises subprocess.CalledProcessError, and TimeoutExpired after `TIMEOUT_S`.
    """
    sys.stderr.write(f"{script}\n")
    outcomes = folder / f"{script}.jsonl"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(SERVICES)}
    subprocess.run(
        [python, "-m", f"bench.peers.{script}", str(folder), str(outcomes), *more],
        env={**inherited, **ENVIRONMENT},
        cwd=ROOT,
        stdout=sys.stderr,
        check=True,
        timeout=TIMEOUT_S,
    )
    return outcomes


def keep(folder: Path, kept: Path) -> Path:
    """Move a folder of cases to where the same ones would be already; gives that."""
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        digest.update(file.read_bytes())
    target = kept / digest.hexdigest()[:16]
    if not target.is_dir():
        kept.mkdir(parents=True, exist_ok=True)
        shutil.move(folder, target)
    return target


def figures(cases: Sequence[Case], about: About, outcomes: dict[str, Outcome]) -> dict[str, Any]:
    """All figures of one framework, rates as shares and times in ms."""
    taken = {
        one.conditions: {
            "holds": one.holds,
            "cut": one.cut,
            "turns": one.turns,
            "missed": one.missed,
            "mean_ms": one.mean,
            "p50_ms": quantile(one.latencies, 0.5),
            "p95_ms": quantile(one.latencies, 0.95),
        }
        for one in turns(cases, outcomes)
    }
    back = overlaps(cases, outcomes, "backchannel")
    taking = overlaps(cases, outcomes, "interruption")
    return {
        "name": about.name,
        "version": about.version,
        "setup": about.setup,
        "turns": taken,
        "backchannels": back.count,
        "backchannels_silenced": back.silenced,
        "interruptions": taking.count,
        "interruptions_silenced": taking.silenced,
        "silent_after_p50_ms": quantile(taking.silent_after, 0.5),
        "silent_after_p95_ms": quantile(taking.silent_after, 0.95),
        "noise_starts_per_minute": starts_per_minute(cases, outcomes),
        "cpu_share": cpu_share(about),
    }


def table(systems: Sequence[dict[str, Any]]) -> str:
    """The figures as a table in Markdown, a framework a column."""
    rows = [["", *(f"{one['name']} {one['version']}" for one in systems)]]
    for conditions in systems[0]["turns"]:
        taken = [one["turns"][conditions] for one in systems]
        rows += [
            [f"pauses cut, {conditions}", *(_of(one["cut"], one["holds"]) for one in taken)],
            [
                f"mean latency (median, 95 %), {conditions}",
                *(_ms(one["mean_ms"], one["p50_ms"], one["p95_ms"]) for one in taken),
            ],
            [
                f"turns not answered, {conditions}",
                *(_of(one["missed"], one["turns"]) for one in taken),
            ],
        ]
    rows += [
        [
            "backchannels that silence the agent",
            *(_of(one["backchannels_silenced"], one["backchannels"]) for one in systems),
        ],
        [
            "interruptions that silence it",
            *(_of(one["interruptions_silenced"], one["interruptions"]) for one in systems),
        ],
        [
            "and after, median (95 %)",
            *(_ms(one["silent_after_p50_ms"], one["silent_after_p95_ms"]) for one in systems),
        ],
        [
            "starts in a minute of noise",
            *(f"{one['noise_starts_per_minute']:.1f}" for one in systems),
        ],
        ["CPU, share of a core", *(f"{100 * one['cpu_share']:.1f} %" for one in systems)],
    ]
    rows.insert(1, ["---", *("---:" for _ in systems)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _of(some: int, count: int) -> str:
    return f"{some} of {count} ({100 * some / max(1, count):.0f} %)"


def _ms(first: float | None, *more: float | None) -> str:
    if first is None:
        return "–"
    return f"{first:.0f} ms ({', '.join(f'{one:.0f}' for one in more)})"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--audio", type=Path, required=True, help="recordings of people")
    parser.add_argument("--whisper", type=Path, help="a Whisper for CTranslate2, for Offhook")
    parser.add_argument("--pipecat", help="the Python of an environment with pipecat-ai")
    parser.add_argument("--livekit", help="the Python of an environment with livekit-agents")
    parser.add_argument("--orders", type=int, default=60, help="turns under clean conditions")
    parser.add_argument("--part", choices=PARTS, default="closed")
    parser.add_argument(
        "--keep", type=Path, help="a folder for the audio, and for what the others made of it"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    whisper = ["--whisper", str(options.whisper.resolve())] if options.whisper else []
    others = [("run_pipecat", options.pipecat), ("run_livekit", options.livekit)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "cases"
        folder.mkdir()
        made = write_cases(folder, cases(options.audio, options.orders, options.part))
        if options.keep is not None:
            folder = keep(folder, options.keep.resolve())
        outcomes = [run("run_offhook", sys.executable, folder, whisper)]
        for script, python in others:
            if python:
                made_before = folder / f"{script}.jsonl"
                again = not made_before.is_file()
                outcomes.append(run(script, python, folder) if again else made_before)
        found = [figures(made, *read_outcomes(file)) for file in outcomes]
    sys.stdout.write((json.dumps(found, indent=2) if options.json else table(found)) + "\n")


if __name__ == "__main__":
    main()
