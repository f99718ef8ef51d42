"""Inbound calls: the carrier rings us, the dialplan's one line brings the call to FastAGI."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from pbx.asterisk import AsteriskSwitch
from pbx.asterisk.incoming import read_request
from pbx.incoming import IncomingCall
from pbx.media import MediaServer
from pbx.switch import Answered, Digit, Ended, SwitchUnavailable
from pbx.testbed import TestBed
from tests.pbx.calls import PATIENCE_S, Ear, cause, config, kinds, no_channels, until, until_over

OUR_NUMBER = "+15550777"


class Reception:
    """A switch that takes calls, and the calls that came."""

    def __init__(self, bed: TestBed, media: MediaServer) -> None:
        self.calls: asyncio.Queue[IncomingCall] = asyncio.Queue()
        self.switch = AsteriskSwitch(
            replace(config(bed), fastagi_port=bed.ports.agi), media, self.calls.put
        )

    async def next_call(self) -> IncomingCall:
        async with asyncio.timeout(PATIENCE_S):
            return await self.calls.get()


@pytest_asyncio.fixture(loop_scope="session")
async def reception(bed: TestBed, media: MediaServer) -> AsyncIterator[Reception]:
    one = Reception(bed, media)
    await one.switch.start()
    yield one
    await one.switch.close()


def ring(bed: TestBed, application: str = "Echo", data: str = "", name: str = "Ann") -> None:
    """The carrier calls us; `application` runs on its side at the answer."""
    bed.carrier.call_in(
        f"PJSIP/{OUR_NUMBER}@customer",
        caller_id=f'"{name}" <+15550888>',
        application=application,
        data=data,
    )


async def test_an_inbound_call_is_answered_and_heard(bed: TestBed, reception: Reception) -> None:
    ring(bed)
    call = await reception.next_call()
    ear = Ear(call.attempt.rate, tone_hz=620)
    call.attempt.attach(ear)
    await until(call.attempt, Answered)

    async with asyncio.timeout(PATIENCE_S):
        while ear.level() < 4000 or len(ear.heard) < 75:
            await asyncio.sleep(0.02)
    await call.attempt.hang_up()

    end = cause(await until_over(call.attempt))
    assert (call.number, call.caller_number, call.caller_name) == (OUR_NUMBER, "+15550888", "Ann")
    assert (end.state, end.name) == ("completed", "normal_clearing")
    assert end.sip_call_id
    assert ear.pitch() == pytest.approx(620, abs=3)
    await no_channels(bed)


async def test_the_caller_hangs_up(bed: TestBed, reception: Reception) -> None:
    ring(bed, "Wait", "1")
    call = await reception.next_call()

    events = await until_over(call.attempt)

    assert kinds(events) == [Answered, Ended]
    assert cause(events).state == "completed"
    await no_channels(bed)


async def test_keys_of_the_caller_are_heard_once(bed: TestBed, reception: Reception) -> None:
    ring(bed, "SendDTMF", "w7*0,250,120")
    call = await reception.next_call()

    events = await until_over(call.attempt)

    assert "".join(event.digit for event in events if isinstance(event, Digit)) == "7*0"


async def test_two_calls_at_once_are_two(bed: TestBed, reception: Reception) -> None:
    ring(bed)
    ring(bed, name="Bob")
    first, second = await reception.next_call(), await reception.next_call()

    assert first.attempt.id != second.attempt.id
    assert {first.caller_name, second.caller_name} == {"Ann", "Bob"}
    for call in (first, second):
        await until(call.attempt, Answered)
        await call.attempt.hang_up()
        await until_over(call.attempt)
    await no_channels(bed)


@pytest.mark.parametrize(
    "name",
    [
        "%0D%0AAction: Originate",
        "a\\r\\nAction: Originate",
        'say \\"hi\\"',
        "${SHELL(id)}",
        "); DROP TABLE calls",
        "x" * 300,
        "Zoë <sip:evil@example.org>",
    ],
)
async def test_a_hostile_display_name_is_only_a_name(
    bed: TestBed, reception: Reception, name: str
) -> None:
    ring(bed, name=name)
    call = await reception.next_call()
    await until(call.attempt, Answered)

    assert call.caller_name is None or len(call.caller_name) <= 80
    assert not any(char < " " for char in call.caller_name or "")
    assert len(await bed.ours.channels()) == 2
    await call.attempt.hang_up()
    assert cause(await until_over(call.attempt)).state == "completed"
    await no_channels(bed)
    assert "Originate" not in [line.split()[-1] for line in bed.ours.log().splitlines() if line]


async def test_a_display_name_with_control_characters(bed: TestBed, reception: Reception) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        host, port = phone.getsockname()
        sdp = (
            f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
            f"m=audio {port + 1} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        )
        invite = (
            f"INVITE sip:{OUR_NUMBER}@{host}:{bed.ports.sip} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bKcontrol;rport\r\n"
            'From: "a\x0b\x01\x7fEvent: Hangup %0D%0AUniqueid: offhook-1" '
            f"<sip:+15550666@{host}>;tag=1\r\n"
            f"To: <sip:{OUR_NUMBER}@{host}>\r\n"
            "Call-ID: control-name\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n"
            f"Contact: <sip:x@{host}:{port}>\r\nContent-Type: application/sdp\r\n"
            f"Content-Length: {len(sdp)}\r\n\r\n{sdp}"
        )
        phone.sendto(invite.encode(), (bed.host, bed.ports.sip))
        call = await reception.next_call()

    assert call.caller_number == "+15550666"
    assert call.caller_name is not None
    assert "Event: Hangup" in call.caller_name
    assert not any(char < " " or char == "\x7f" for char in call.caller_name)
    await until(call.attempt, Answered)
    await call.attempt.hang_up()
    assert cause(await until_over(call.attempt)).state == "completed"


async def test_connections_that_are_no_agi_do_no_harm(bed: TestBed, reception: Reception) -> None:
    for nonsense in (b"", b"\n\n", b"GET / HTTP/1.1\r\n\r\n\n\n", b"x" * 50_000, b"agi_a: b\n\n"):
        reader, writer = await asyncio.open_connection(bed.host, bed.ports.agi)
        writer.write(nonsense)
        writer.write_eof()
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(ConnectionError):
                await reader.read()
        writer.close()

    ring(bed, "Wait", "0.2")
    call = await reception.next_call()
    assert cause(await until_over(call.attempt)).state == "completed"


async def test_a_failing_receiver_hangs_up(bed: TestBed, media: MediaServer) -> None:
    calls: asyncio.Queue[IncomingCall] = asyncio.Queue()

    async def fail(call: IncomingCall) -> None:
        calls.put_nowait(call)
        raise RuntimeError("no agent")

    switch = AsteriskSwitch(replace(config(bed), fastagi_port=bed.ports.agi), media, fail)
    await switch.start()
    ring(bed, "Wait", "60")
    async with asyncio.timeout(PATIENCE_S):
        call = await calls.get()
    assert isinstance((await until_over(call.attempt))[-1], Ended)
    await no_channels(bed)
    await switch.close()


async def test_a_fastagi_port_in_use(
    bed: TestBed, media: MediaServer, reception: Reception
) -> None:
    other = Reception(bed, media)
    with pytest.raises(SwitchUnavailable, match=r"pbx\.fastagi\.port"):
        await other.switch.start()
    assert not other.switch.connected


def test_headers_are_checked() -> None:
    good = {"agi_uniqueid": "1.2", "agi_channel": "PJSIP/trunk-1", "agi_calleridname": "a\x00\tb"}
    presented = read_request(good)
    assert presented is not None
    assert presented.caller_name == "a b"
    assert read_request({**good, "agi_uniqueid": "1 2"}) is None
    assert read_request({**good, "agi_channel": "a\rb"}) is None
    assert read_request({}) is None
