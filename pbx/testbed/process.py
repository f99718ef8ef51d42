"""A PBX as a child process that never outlives us."""

import asyncio
import contextlib
import os
import shutil
import signal
from asyncio.subprocess import Process
from collections.abc import Sequence
from pathlib import Path

_KILL_S = 2.0


async def spawn(command: Sequence[str], home: Path) -> Process:
    """Start it with a process group of its own; what it prints goes to `home/log/output`.

    It dies when we die without a word, where util-linux's setpriv is there to see to that.
    """
    tool = shutil.which("setpriv")
    tied = () if tool is None else (tool, "--pdeathsig", "KILL")
    with (home / "log/output").open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *tied,
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, "HOME": str(home)},
        )


async def end(process: Process, patience_s: float | None) -> None:
    """End its group: SIGTERM, and SIGKILL after `patience_s` (None: at once, as a crash does)."""
    steps = [(signal.SIGKILL, _KILL_S)]
    if patience_s is not None:
        steps.insert(0, (signal.SIGTERM, patience_s))
    for number, wait_s in steps:
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await process.wait()
