"""The test bed by hand, each until Ctrl-C.

`prepare` fetches its Asterisk; `up` runs our Asterisk and the carrier; `freeswitch` runs a
FreeSWITCH that is installed here, for the live tests, and with --carrier the carrier as well.
"""

import argparse
import asyncio
import contextlib
import sys

from pbx.testbed.bed import TestBed
from pbx.testbed.freeswitch import FreeSwitch
from pbx.testbed.personas import PERSONAS
from pbx.testbed.provide import TestBedError, provide

#: What docker/compose.yaml gives a FreeSWITCH, and the live tests expect of one.
_SIP, _CARRIER_SIP = 5060, 5070


def _say(line: str) -> None:
    sys.stdout.write(f"==> {line}\n")
    sys.stdout.flush()


def _say_personas() -> None:
    for one in PERSONAS:
        _say(f"{one.number} {one.name}: {one.does}")


async def _up() -> None:
    async with TestBed(_say) as bed:
        _say(f"AMI {bed.host}:{bed.ports.ami}, user {bed.username}, secret {bed.secret}")
        _say(f"trunk {bed.trunk}, FastAGI expected at {bed.host}:{bed.ports.agi}")
        _say(f"files and logs in {bed.ours.home.parent}")
        _say_personas()
        await asyncio.Event().wait()


async def _freeswitch(with_carrier: bool) -> None:
    async with contextlib.AsyncExitStack() as stack:
        if with_carrier:
            await stack.enter_async_context(TestBed(_say, carrier_sip=_CARRIER_SIP))
        one = await stack.enter_async_context(FreeSwitch(_CARRIER_SIP, sip=_SIP))
        if with_carrier:
            _say_personas()
        _say(f"files and logs in {one.home}; SIP on {one.host}:{one.sip}")
        _say(
            f"OFFHOOK_PBX__KIND=freeswitch OFFHOOK_PBX__ESL__HOST={one.host} "
            f"OFFHOOK_PBX__ESL__PORT={one.port} OFFHOOK_PBX__ESL__PASSWORD={one.password}"
        )
        _say(f"OFFHOOK_TEST_FREESWITCH={one.host}:{one.port}:{one.password}")
        await asyncio.Event().wait()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m pbx.testbed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", choices=("prepare", "up", "freeswitch"))
    parser.add_argument("--carrier", action="store_true", help="with freeswitch: the carrier too")
    arguments = parser.parse_args()
    try:
        if arguments.action == "prepare":
            _say(f"Asterisk for the test bed: {provide(_say).version}")
        else:
            with contextlib.suppress(KeyboardInterrupt):
                asyncio.run(_up() if arguments.action == "up" else _freeswitch(arguments.carrier))
    except TestBedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
