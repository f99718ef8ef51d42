"""FastAGI, by which Asterisk brings its inbound calls; `test_contract_inbound` has the calls."""

import asyncio
import contextlib

import pytest

from pbx.asterisk.incoming import read_request
from pbx.media import MediaServer
from pbx.switch import SwitchUnavailable
from pbx.testbed import TestBed
from tests.pbx.calls import PATIENCE_S, cause, until_over
from tests.pbx.kinds import Pbx
from tests.pbx.test_contract_inbound import Reception


async def test_connections_that_are_no_agi_do_no_harm(
    bed: TestBed, pbx: Pbx, media: MediaServer
) -> None:
    reception = Reception(pbx, media)
    await reception.switch.start()
    for nonsense in (b"", b"\n\n", b"GET / HTTP/1.1\r\n\r\n\n\n", b"x" * 50_000, b"agi_a: b\n\n"):
        reader, writer = await asyncio.open_connection(bed.host, bed.ports.agi)
        writer.write(nonsense)
        writer.write_eof()
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(ConnectionError):
                await reader.read()
        writer.close()

    pbx.ring("Wait", "0.2")
    call = await reception.next_call()
    assert cause(await until_over(call.attempt)).state == "completed"
    await reception.switch.close()


async def test_a_fastagi_port_in_use(pbx: Pbx, media: MediaServer) -> None:
    reception, other = Reception(pbx, media), Reception(pbx, media)
    await reception.switch.start()
    with pytest.raises(SwitchUnavailable, match=r"pbx\.fastagi\.port"):
        await other.switch.start()
    assert not other.switch.connected
    await reception.switch.close()


def test_headers_are_checked() -> None:
    good = {"agi_uniqueid": "1.2", "agi_channel": "PJSIP/trunk-1", "agi_calleridname": "a\x00\tb"}
    presented = read_request(good)
    assert presented is not None
    assert presented.caller_name == "a b"
    assert read_request({**good, "agi_uniqueid": "1 2"}) is None
    assert read_request({**good, "agi_channel": "a\rb"}) is None
    assert read_request({}) is None
