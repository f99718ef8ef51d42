"""Text messages: the HTTP gateway's requests and answers, and SIP MESSAGE through the test bed."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from api.messaging.outgoing import NotSentError, Sms
from api.messaging.sms import HttpGateway, PbxGateway
from api.messaging.ways import WayOutError, ways_out
from api.settings import SmsHttp, load_settings
from pbx.asterisk import AsteriskSwitch
from pbx.media import MediaServer
from pbx.switch import SwitchUnavailable
from pbx.testbed import TestBed
from tests.api.receiver import Answer, Received, receiving, status
from tests.api.switchboard import PlayedSwitch
from tests.pbx.calls import config
from tests.pbx.test_asterisk_messages import arrived

SMS = Sms("m-1", "+15551234567", "+15559876543", 'Tomorrow at 8.30: "yes"?\r\nNorth Dental', None)


@asynccontextmanager
async def gateway(url: str, **values: Any) -> AsyncIterator[HttpGateway]:
    made = HttpGateway(SmsHttp.model_validate({"url": url, "timeout_s": 5.0} | values))
    yield made
    await made.close()


async def refused(sms: Sms, answer: Answer | None = None, **values: Any) -> NotSentError:
    async with receiving(answer) as receiver, gateway(receiver.url, **values) as made:
        with pytest.raises(NotSentError) as problem:
            await made.send(sms)
    return problem.value


async def test_a_message_is_one_request_to_the_gateway() -> None:
    async with receiving(status(200)) as receiver, gateway(receiver.url, token="t0p") as made:
        await made.send(SMS)
    (request,) = receiver.got
    assert request.path == "/hook?x=1"
    assert request.headers["authorization"] == "Bearer t0p"
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {
        "to": "+15551234567",
        "from": "+15559876543",
        "text": 'Tomorrow at 8.30: "yes"?\nNorth Dental',
    }


async def test_the_request_is_the_operators_template() -> None:
    values = {
        "method": "PUT",
        "headers": {"X-Key": "k"},
        "body": '{"messages": [{"ref": "offhook-{{id}}", "flash": false, "to": ["{{to}}"], '
        '"body": "{{ text }}"}]}',
    }
    async with receiving(status(202)) as receiver, gateway(receiver.url, **values) as made:
        text = 'x", "to": "+1999'
        await made.send(Sms("m-2", SMS.to, SMS.sender, text, None))
    (request,) = receiver.got
    assert request.headers["x-key"] == "k"
    sent = {"ref": "offhook-m-2", "flash": False, "to": [SMS.to], "body": text}
    assert json.loads(request.body) == {"messages": [sent]}


@pytest.mark.parametrize(
    ("code", "final"),
    [(400, True), (404, True), (422, True), (401, False), (429, False), (500, False), (302, False)],
)
async def test_what_the_gateway_refuses_for_now_and_for_good(code: int, final: bool) -> None:
    problem = await refused(SMS, status(code, "Location: http://127.0.0.1:1/"))
    assert problem.final is final
    assert str(code) in str(problem)


async def test_what_the_gateway_says_is_told_in_one_short_line() -> None:
    async def answer(_: Received, writer: Any) -> None:
        body = b"no such sender\r\n" + b"z" * 5000
        writer.write(b"HTTP/1.1 400 X\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    problem = await refused(SMS, answer)
    assert str(problem).startswith("the gateway answered 400 Bad Request: no such sender zzz")
    assert len(str(problem)) < 300


async def test_what_the_gateway_has_packed_is_not_unpacked() -> None:
    async def packed(request: Received, writer: asyncio.StreamWriter) -> None:
        assert request.headers["accept-encoding"] == "identity"
        body = gzip.compress(b"z" * 50_000_000)
        head = f"HTTP/1.1 400 X\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    problem = await refused(SMS, packed)
    assert str(problem) == "the gateway answered 400 Bad Request"


async def test_what_the_gateway_quotes_of_its_keys_is_not_told() -> None:
    async def quoting(request: Received, writer: asyncio.StreamWriter) -> None:
        said = f"wrong: {request.headers['authorization']} {request.headers['x-api-key']}"
        head = f"HTTP/1.1 401 X\r\nContent-Length: {len(said)}\r\n\r\n"
        writer.write(f"{head}{said}".encode())
        await writer.drain()

    problem = await refused(SMS, quoting, token="t0p-secret", headers={"X-Api-Key": "k3y"})
    assert str(problem).endswith("wrong: Bearer ******** ********")


async def test_a_gateway_that_hangs_or_is_gone_is_tried_again() -> None:
    given_up = asyncio.Event()

    async def hang(_: Received, writer: Any) -> None:
        await given_up.wait()

    async with receiving(hang) as receiver, gateway(receiver.url, timeout_s=0.2) as made:
        with pytest.raises(NotSentError, match=r"0\.2 s") as caught:
            await made.send(SMS)
        given_up.set()
    assert not caught.value.final
    async with gateway("http://127.0.0.1:1/") as made:
        with pytest.raises(NotSentError, match="does not answer") as caught:
            await made.send(SMS)
    assert not caught.value.final


@pytest.mark.parametrize(
    ("to", "text", "told"),
    [
        ("anonymous", "hi", "number is not known"),
        ("+1555\r\nX: y", "hi", "number is not known"),
        (SMS.to, " \r\n\0", "no text"),
        (SMS.to, "x" * 1601, "more than 1600"),
    ],
)
async def test_what_is_no_message_is_not_sent(to: str, text: str, told: str) -> None:
    async with receiving() as receiver, gateway(receiver.url) as made:
        with pytest.raises(NotSentError, match=told) as caught:
            await made.send(Sms("m", to, SMS.sender, text, None))
    assert caught.value.final
    assert receiver.got == []


async def test_a_message_goes_over_the_trunk(bed: TestBed) -> None:
    media = MediaServer("127.0.0.1", 41000, 41099)
    await media.start()
    switch = AsteriskSwitch(config(bed), media)
    await switch.start()
    try:
        await PbxGateway(switch).send(Sms("m", "+15551120001", "+15559876543", "hi\nyou", "trunk"))
        sender, text = await arrived(bed, "+15551120001")
        assert (sender, text) == ("<sip:+15559876543@127.0.0.1>", "hi\nyou")
        with pytest.raises(NotSentError, match="700 bytes") as caught:
            await PbxGateway(switch).send(Sms("m", SMS.to, SMS.sender, "é" * 400, None))
        assert caught.value.final
        with pytest.raises(NotSentError, match="failed to send") as caught:
            await PbxGateway(switch).send(Sms("m", SMS.to, SMS.sender, "hi", "nowhere"))
        assert not caught.value.final
    finally:
        await switch.close()
        await media.close()


async def test_a_pbx_that_is_down_is_asked_again() -> None:
    class Down(PlayedSwitch):
        async def send_message(self, *_: Any) -> None:
            raise SwitchUnavailable("there is no AMI connection")

    with pytest.raises(NotSentError, match="no AMI") as caught:
        await PbxGateway(Down()).send(SMS)
    assert not caught.value.final


def test_a_way_out_that_does_not_exist_is_named() -> None:
    settings = {"OFFHOOK_SMS__KIND": "sip", "OFFHOOK_PBX__KIND": "freeswitch"}
    with pytest.raises(WayOutError, match="not supported over FreeSWITCH"):
        ways_out(load_settings(None, settings), PlayedSwitch())
