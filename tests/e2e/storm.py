"""Many callers at once, each with habits of its own: `python -m tests.e2e.storm --seconds 60`.

What they do is in `tests/pbx/scenarios/u_*.xml` and `tests/pbx/far_ends.py`; each kind has its
share of the calls. A caller beyond `calls.max_concurrent` is refused, as a PBX does it.
"""

import argparse
import asyncio
import contextlib
import logging
import re
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from api.cli.example import CALLER_NUMBER, EXAMPLE
from pbx.testbed import TestBed
from pbx.testbed.freeswitch import FreeSwitch
from tests.e2e.conftest import Phone, phoning, settings_on
from tests.pbx.sipp import SippLab

#: By scenario, its share of the calls.
MIX: Final = {
    "u_01_cancel": 3,
    "u_02_randombye": 3,
    "u_03_badsdp": 1,
    "u_04_hold": 2,
    "u_05_nortp": 1,
    "u_06_latertp": 1,
    "u_07_odd": 1,
    "u_09_p30": 1,
    "u_11_g729": 1,
    "u_12_byenow": 2,
    "u_14_nosdp": 1,
    "u_15_odd_from": 1,
    "u_10_p60": 1,
    "c_no_ack": 1,
}
#: Scenarios that Asterisk refuses by itself, so that no call of ours comes of them.
REFUSED_BY_PBX: Final = frozenset({"u_03_badsdp", "u_11_g729"})
_LONGEST_S: Final = 60
_SETTLED_S: Final = 5
_LOGGERS: Final = ("api", "pbx", "voice_loop", "models", "asyncio")


class _Faults(logging.Handler):
    """Keeps what no storm may bring: errors, and whatever was raised."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR or record.exc_info:
            self.lines.append(self.format(record))


@dataclass
class Storm:
    """What became of it."""

    made: int = 0
    ends: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Calls of ours by status and end reason."""
    open: int = 0
    """Calls of ours that have no end."""
    answers: Counter[str] = field(default_factory=Counter)
    """Final responses to their INVITEs, by code."""
    unlike: Counter[str] = field(default_factory=Counter)
    """Callers for whom things did not go as their scenario has it, and what came in its place."""
    faults: Sequence[str] = ()
    legs: int = 0
    tasks: Counter[str] = field(default_factory=Counter)
    """More of them than before, by coroutine."""


@asynccontextmanager
async def office(
    bed: TestBed, folder: Path, max_concurrent: int, freeswitch: FreeSwitch | None = None
) -> AsyncIterator[Phone]:
    """A server with an agent who takes calls, over our Asterisk or that FreeSWITCH."""
    base = settings_on(bed, folder, freeswitch)
    async with phoning(
        bed,
        folder,
        freeswitch,
        pbx=base.pbx.model_copy(update={"inbound": True}),
        calls=base.calls.model_copy(update={"max_concurrent": max_concurrent}),
    ) as phone:
        (number,) = (await phone.ask("GET", "/v1/numbers"))["data"]
        agent = {
            "name": "Reception",
            "type": "inbound",
            "number_ids": [number["id"]],
            "instructions": EXAMPLE["prompt"],
            "context": EXAMPLE["context"],
        }
        await phone.ask("POST", "/v1/agents", agent)
        yield phone


async def storm(phone: Phone, sipp: SippLab, *, rate: float, seconds: float) -> Storm:
    """Let it blow for so long, wait until it is over, and look at what is left."""
    seen, faults = Storm(), _Faults()
    for name in _LOGGERS:
        logging.getLogger(name).addHandler(faults)
    tasks = _tasks()
    shares = sum(MIX.values())

    async def blow(scenario: str, share: int) -> None:
        own_rate = rate * share / shares
        calls = max(1, round(own_rate * seconds))
        limit_s = round(calls / own_rate) + _LONGEST_S
        if isinstance(phone.pbx, FreeSwitch):
            call = partial(sipp.calling_freeswitch, scenario, phone.pbx.sip)
        else:
            call = partial(sipp.calling, scenario)
        async with call(number=CALLER_NUMBER, calls=calls, rate=own_rate, limit_s=limit_s) as one:
            await one.ended(limit_s + 10)
        seen.made += calls
        seen.answers.update(_answers(one.messages()))
        # Where a CANCEL crosses our 200, anything goes, and any agent may hang up (BYE).
        if scenario != "u_01_cancel":
            wrong = re.findall(r"Aborting call on unexpected.*|.*timeout.*", one.errors())
            seen.unlike.update(f"{scenario}: {line}" for line in wrong)

    await asyncio.gather(*(blow(*one) for one in MIX.items()))
    async with asyncio.timeout(_LONGEST_S):
        while phone.server.dialer.active or await phone.pbx.channels():
            await asyncio.sleep(0.1)
    await _until_as_few(tasks)
    async for call in phone.client.list_calls():
        if call.ended_at is None:
            seen.open += 1
        else:
            seen.ends[call.status, call.end_reason or ""] += 1
    seen.legs = phone.server.media.open_legs
    seen.tasks = _tasks() - tasks
    for name in _LOGGERS:
        logging.getLogger(name).removeHandler(faults)
    seen.faults = faults.lines
    return seen


def _tasks() -> Counter[str]:
    return Counter(str(task.get_coro()).partition(" at ")[0] for task in asyncio.all_tasks())


async def _until_as_few(tasks: Counter[str]) -> None:
    """What works all the time waits in tasks of its own (`wait_for`): they come and go."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_SETTLED_S):
            while _tasks() - tasks:
                await asyncio.sleep(0.1)


def _answers(messages: str) -> Sequence[str]:
    """The code of the final response to each INVITE that began a call."""
    found = {}
    for message in re.split(r"^-{20,}.*$", messages, flags=re.MULTILINE):
        response = re.search(r"^SIP/2\.0 ([2-6]\d\d)", message, re.MULTILINE)
        call_id = re.search(r"^Call-ID: *(\S+)", message, re.MULTILINE)
        if response and call_id and re.search(r"^CSeq: *1 INVITE", message, re.MULTILINE):
            found[call_id[1]] = response[1]
    return list(found.values())


async def _main(arguments: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with AsyncExitStack() as stack:
            bed = await stack.enter_async_context(TestBed(print))
            freeswitch = None
            if arguments.freeswitch:
                freeswitch = await stack.enter_async_context(FreeSwitch(bed.ports.carrier_sip))
            phone = await stack.enter_async_context(
                office(bed, folder / "server", arguments.at_once, freeswitch)
            )
            sipp = SippLab(bed, folder / "sipp")
            seen = await storm(phone, sipp, rate=arguments.rate, seconds=arguments.seconds)
    for what, value in vars(seen).items():
        print(f"{what}: {value}")  # noqa: T201


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=10.0, help="calls a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--at-once", type=int, default=40, help="calls.max_concurrent")
    parser.add_argument("--freeswitch", action="store_true", help="over the installed one")
    asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
