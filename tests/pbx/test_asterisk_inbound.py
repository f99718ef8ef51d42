"""FastAGI, by which Asterisk brings its inbound calls; `test_contract_inbound` has the calls."""

import asyncio
import contextlib

import pytest

from pbx.asterisk.incoming import read_request
from pbx.incoming import IncomingCall, Refusal
from pbx.media import MediaServer
from pbx.switch import SwitchUnavailable
from pbx.testbed import TestBed
from tests.pbx.calls import PATIENCE_S, cause, until_over
from tests.pbx.kinds import AsteriskPbx, Pbx
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


@pytest.mark.rows("X-CB-32")
@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (Refusal.UNALLOCATED_NUMBER, 404),
        (Refusal.SUBSCRIBER_ABSENT, 480),
        (Refusal.USER_BUSY, 486),
        (Refusal.NORMAL_CIRCUIT_CONGESTION, 503),
        (RuntimeError("no agent"), 503),
    ],
)
async def test_a_refused_call_is_not_answered(
    pbx: AsteriskPbx, media: MediaServer, refusal: Refusal | Exception, status: int
) -> None:
    async def refuse(call: IncomingCall) -> Refusal:
        assert call.trunk == pbx.bed.trunk
        if isinstance(refusal, Exception):
            raise refusal
        return refusal

    switch = pbx.make(media, refuse)
    await switch.start()
    try:
        pbx.invite("Ann")
        assert await pbx.final_answer() == status
        assert media.open_legs == 0
        await pbx.until_calls(0)
    finally:
        await switch.close()


async def test_an_inbound_channel_is_hung_up_by_its_id(pbx: Pbx, media: MediaServer) -> None:
    """As is done after a crash."""
    reception = Reception(pbx, media)
    await reception.switch.start()
    pbx.ring("Wait", "60")
    call = await reception.next_call()
    await reception.switch.hang_up_channel("1.2")
    await pbx.until_answered()
    await reception.switch.hang_up_channel(call.attempt.id)
    assert cause(await until_over(call.attempt)).state == "completed"
    await reception.switch.close()


def test_headers_are_checked() -> None:
    good = {
        "agi_uniqueid": "1.2",
        "agi_channel": "PJSIP/trunk-0000001f",
        "agi_calleridname": "a\x00\tb",
    }
    presented = read_request(good)
    assert presented is not None
    assert presented.caller_name == "a b"
    assert presented.trunk == "trunk"
    assert read_request({**good, "agi_uniqueid": "1 2"}) is None
    assert read_request({**good, "agi_channel": "a\rb"}) is None
    assert read_request({}) is None
