"""FastAGI, by which Asterisk brings its inbound calls; `test_contract_inbound` has the calls."""

import asyncio
import contextlib
from ipaddress import ip_network

import pytest

from pbx.asterisk import AsteriskSwitch
from pbx.asterisk.incoming import knows_secret, read_request
from pbx.incoming import IncomingCall, Refusal
from pbx.media import MediaServer
from pbx.switch import SwitchRefused, SwitchUnavailable
from pbx.testbed import TestBed
from tests.pbx.calls import PATIENCE_S, cause, until_over
from tests.pbx.kinds import AsteriskPbx, Pbx, Reception


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


async def forge(bed: TestBed, channel: str, unique_id: str, path: str) -> bytes:
    """What a stranger's FastAGI request is answered with."""
    reader, writer = await asyncio.open_connection(bed.host, bed.ports.agi)
    writer.write(
        f"agi_network: yes\nagi_network_script: {path}\nagi_channel: {channel}\n"
        f"agi_uniqueid: {unique_id}\nagi_extension: +15550777\n\n".encode()
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize("knows_secret", [False, True])
async def test_no_name_of_a_stranger_reaches_the_pbx(
    bed: TestBed, pbx: Pbx, media: MediaServer, *, knows_secret: bool
) -> None:
    """AMI takes `/…/` for a pattern over all channels; and a call has one FastAGI request only."""
    reception = Reception(pbx, media)
    await reception.switch.start()
    pbx.ring("Wait", "60")
    call = await reception.next_call()
    await pbx.until_answered()
    (caller,) = [one for one in await bed.ours.channels() if one.name.startswith("PJSIP")]

    path = f"incoming/{bed.agi_secret if knows_secret else 'a-guess-of-somebody'}"
    for channel, unique_id in (
        ("/.*/", "1.2"),
        ("/^PJSIP/", caller.unique_id),
        (caller.name, "1.2"),
        ("PJSIP/trunk-ffffffff", "1.2"),
        (caller.unique_id, caller.unique_id),
        (caller.name, caller.unique_id),
    ):
        assert await forge(bed, channel, unique_id, path) == b""

    assert reception.calls.empty()
    await pbx.until_calls(1)
    await call.attempt.hang_up()
    assert cause(await until_over(call.attempt)).state == "completed"
    await reception.switch.close()


@pytest.mark.parametrize("name", ["/.*/", "/^PJSIP/", "", " ", "PJSIP/a b", "PJSIP/a\tb"])
async def test_what_is_no_channel_is_in_no_action(pbx: Pbx, media: MediaServer, name: str) -> None:
    reception = Reception(pbx, media)
    await reception.switch.start()
    pbx.ring("Wait", "60")
    call = await reception.next_call()
    await pbx.until_answered()
    assert isinstance(reception.switch, AsteriskSwitch)
    for field in ("Channel", "Channel1", "Channel2"):
        with pytest.raises(SwitchRefused):
            await reception.switch._link.act("Hangup", {field: name})
    await pbx.until_calls(1)
    await call.attempt.hang_up()
    await until_over(call.attempt)
    await reception.switch.close()


async def test_only_the_pbx_may_ask(bed: TestBed, pbx: Pbx, media: MediaServer) -> None:
    elsewhere = (ip_network("192.0.2.0/24"),)
    calls: asyncio.Queue[IncomingCall] = asyncio.Queue()
    switch = pbx.make(media, calls.put, fastagi_networks=elsewhere)
    await switch.start()
    pbx.invite("Ann")
    reader, writer = await asyncio.open_connection(bed.host, bed.ports.agi)
    async with asyncio.timeout(PATIENCE_S):
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
    writer.close()
    await pbx.until_calls(0)
    assert calls.empty()
    await switch.close()


async def test_the_silent_use_nothing_up(bed: TestBed, pbx: Pbx, media: MediaServer) -> None:
    """Connections that send nothing go, the oldest first, before a call has to wait."""
    reception = Reception(pbx, media)
    await reception.switch.start()
    silent = [await asyncio.open_connection(bed.host, bed.ports.agi) for _ in range(300)]
    pbx.ring("Wait", "0.2")
    call = await reception.next_call()
    assert cause(await until_over(call.attempt)).state == "completed"
    for reader, writer in silent:
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()
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


def test_the_secret_is_the_last_part_of_the_path() -> None:
    assert knows_secret("incoming/hush", "hush")
    assert knows_secret("hush", "hush")
    for path in ("", "incoming", "incoming/", "hush/incoming", "incoming/hush/", "incoming/Hüsh"):
        assert not knows_secret(path, "hush")
    assert knows_secret("incoming", "")


def test_headers_are_checked() -> None:
    good = {
        "agi_uniqueid": "1.2",
        "agi_channel": "PJSIP/trunk-0000001f",
        "agi_calleridname": "a\x00\tb",
    }
    presented = read_request(good)
    assert presented is not None
    assert presented.caller_name == "a b"
    assert (presented.dialled, presented.arguments) == (None, ())
    told = {"agi_dnid": "+15550100", "agi_arg_1": "sales", "agi_arg_2": "b c", "agi_arg_9": "no"}
    presented = read_request({**good, **told})
    assert presented is not None
    assert (presented.dialled, presented.arguments) == ("+15550100", ("sales", "b c"))
    assert read_request({**good, "agi_uniqueid": "1 2"}) is None
    assert read_request({**good, "agi_channel": "a\rb"}) is None
    assert read_request({**good, "agi_channel": "/.*/"}) is None
    assert read_request({}) is None
