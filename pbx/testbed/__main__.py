"""`python -m pbx.testbed prepare` fetches its Asterisk; `… up` runs the pair until Ctrl-C."""

import argparse
import asyncio
import contextlib
import sys

from pbx.testbed.bed import TestBed
from pbx.testbed.personas import PERSONAS
from pbx.testbed.provide import TestBedError, provide


def _say(line: str) -> None:
    sys.stdout.write(f"==> {line}\n")
    sys.stdout.flush()


async def _up() -> None:
    async with TestBed(_say) as bed:
        _say(f"AMI {bed.host}:{bed.ports.ami}, user {bed.username}, secret {bed.secret}")
        _say(f"trunk {bed.trunk}, FastAGI expected at {bed.host}:{bed.ports.agi}")
        _say(f"files and logs in {bed.ours.home.parent}")
        for one in PERSONAS:
            _say(f"{one.number} {one.name}: {one.does}")
        await asyncio.Event().wait()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m pbx.testbed", description=__doc__)
    parser.add_argument("action", choices=("prepare", "up"))
    action = parser.parse_args().action
    try:
        if action == "prepare":
            _say(f"Asterisk for the test bed: {provide(_say).version}")
        else:
            with contextlib.suppress(KeyboardInterrupt):
                asyncio.run(_up())
    except TestBedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
