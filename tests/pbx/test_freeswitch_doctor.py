"""What the doctor makes of a FreeSWITCH that is not set up as it should be."""

import asyncio
from collections.abc import Mapping

import pytest

from pbx.dial_string import Way
from pbx.freeswitch import FreeSwitchSwitch
from pbx.freeswitch.config import FreeSwitchConfig
from pbx.freeswitch.doctor import examine
from pbx.freeswitch.gateway import Gateway, look_at_gateway
from pbx.freeswitch.link import EslLink
from pbx.media import Latch, MediaServer
from pbx.switch import Finding
from tests.pbx.conftest import LiveFreeSwitch
from tests.pbx.test_freeswitch_link import Peer, Script, linked

# As `sofia xmlstatus gateway` writes it, without what does not matter here.
_XML = """<?xml version="1.0" encoding="ISO-8859-1"?>
  <gateway>
    <name>trunk</name>
    <profile>offhook</profile>
    <realm>sip.example.org</realm>
    <proxy>{proxy}</proxy>
    <state>{state}</state>
    <status>{status}</status>
  </gateway>
"""
_PROXY = "sip:192.0.2.7:5080"
GOOD = {
    "version": "FreeSWITCH Version 1.11.2-release~64bit ( 64bit)",
    "sofia xmlstatus gateway trunk": _XML.format(proxy=_PROXY, state="NOREG", status="UP"),
    "module_exists mod_loopback": "false",
}


def answering(answers: Mapping[str, str]) -> Script:
    """A FreeSWITCH that says so; of its modules it has every one that is not named."""

    async def script(peer: Peer) -> None:
        await peer.welcome()
        while True:
            number, command = await peer.take()
            usual = "true" if command.startswith("module_exists") else "-ERR Command not found!"
            peer.finish(number, answers.get(command, usual))

    return script


async def found(answers: Mapping[str, str], media: MediaServer) -> Mapping[str, Finding]:
    """The doctor's findings by what was looked at."""
    async with linked(answering(answers)) as (server, watched):
        config = FreeSwitchConfig(port=server.port)
        ways = [config.way()]
        return {one.check: one for one in await examine(config, watched.link, media, ways)}


async def test_all_is_well(media: MediaServer) -> None:
    findings = await found(GOOD, media)
    assert {name: one.ok for name, one in findings.items()} == dict.fromkeys(
        ["esl", "rtp", "modules", "trunk", "audio"], True
    )
    assert [name for name, one in findings.items() if one.warning] == ["audio"]
    assert "1.11.2" in findings["esl"].message
    assert "'trunk' at 192.0.2.7:5080 (UP, registration NOREG)" in findings["trunk"].message


@pytest.mark.parametrize(
    ("state", "status", "told"),
    [
        ("NOREG", "DOWN", "does not answer OPTIONS at 192.0.2.7:5080: check that address"),
        ("FAIL_WAIT", "DOWN", "is not registered at 192.0.2.7:5080 (FAIL_WAIT): check its user"),
        ("EXPIRED", "UP", "is not registered"),
    ],
)
async def test_a_trunk_that_carries_nothing(
    media: MediaServer, state: str, status: str, told: str
) -> None:
    xml = _XML.format(proxy=_PROXY, state=state, status=status)
    findings = await found({**GOOD, "sofia xmlstatus gateway trunk": xml}, media)
    assert not findings["trunk"].ok
    assert told in findings["trunk"].message
    assert findings["esl"].ok


@pytest.mark.parametrize("answer", ["Invalid Gateway!", "-ERR sofia Command not found!", ""])
async def test_a_trunk_that_is_not_there(media: MediaServer, answer: str) -> None:
    findings = await found({**GOOD, "sofia xmlstatus gateway trunk": answer}, media)
    assert not findings["trunk"].ok
    assert "mend pbx.trunk" in findings["trunk"].message


async def test_every_trunk_is_looked_at(media: MediaServer) -> None:
    down = _XML.format(proxy=_PROXY, state="NOREG", status="DOWN")
    answers = {**GOOD, "sofia xmlstatus gateway west": down}
    ways = [FreeSwitchConfig().way(name) for name in ("trunk", "west", "east")]
    ways.append(Way("direct", "sofia/internal/{number}@10.0.0.1"))
    async with linked(answering(answers)) as (server, watched):
        config = FreeSwitchConfig(port=server.port)
        found = await examine(config, watched.link, media, ways)
    told = [(one.ok, one.message) for one in found if one.check == "trunk"]
    assert [ok for ok, _ in told] == [True, False, False, True]
    for word, (_, message) in zip(("UP", "OPTIONS", "'east'", "10.0.0.1"), told, strict=True):
        assert word in message


async def test_a_module_that_is_missing(media: MediaServer) -> None:
    findings = await found({**GOOD, "module_exists mod_sofia": "false"}, media)
    assert not findings["modules"].ok
    assert "mod_sofia" in findings["modules"].message
    assert "modules.conf.xml" in findings["modules"].message


async def test_a_media_server_that_has_no_port() -> None:
    findings = await found(GOOD, MediaServer("127.0.0.1", 40000, 40001))
    assert not findings["rtp"].ok


@pytest.mark.parametrize(
    ("proxy", "host"),
    [
        ("sip:192.0.2.7:5080", "192.0.2.7:5080"),
        ("sip:sip.example.org", "sip.example.org"),
        ("<sip:sip.example.org;transport=tcp>", "sip.example.org"),
        ("sips:user@[2001:db8::1]:5061;x=y", "[2001:db8::1]:5061"),
        ("", "sip.example.org"),
    ],
)
async def test_where_the_carrier_is(proxy: str, host: str) -> None:
    xml = _XML.format(
        proxy=proxy.replace("<", "&lt;").replace(">", "&gt;"), state="REGED", status="UP"
    )
    async with linked(answering({"sofia xmlstatus gateway trunk": xml})) as (_, watched):
        gateway = await look_at_gateway(watched.link, "trunk")
    assert gateway == Gateway("trunk", host, "UP", "REGED")
    assert gateway.problem is None


async def test_the_link_is_down(media: MediaServer) -> None:
    async with linked(answering(GOOD)) as (_, watched):
        link: EslLink = watched.link
    findings = await examine(FreeSwitchConfig(), link, media, [FreeSwitchConfig().way()])
    assert [one.check for one in findings if not one.ok] == ["esl"]


@pytest.mark.parametrize("latch", ["off", "any"])
async def test_a_test_call_is_heard_both_ways(
    freeswitch: LiveFreeSwitch | None, latch: Latch
) -> None:
    if freeswitch is None:
        pytest.skip("no FreeSWITCH is installed here")
    server = freeswitch.server
    await server.api("load mod_loopback")
    if await server.api("module_exists mod_loopback") != "true":
        pytest.skip("this FreeSWITCH has no mod_loopback")
    for told, ok in ((None, True), ("127.0.0.9", False)):
        config = FreeSwitchConfig(port=server.port, password=server.password, media_host=told)
        media = MediaServer("127.0.0.1", 40000, 40999, latch=latch)
        await media.start()
        switch = FreeSwitchSwitch(config, media)
        await switch.start()
        (audio,) = [one for one in await switch.check() if one.check == "audio"]
        await switch.close()
        await media.close()
        assert (audio.ok, audio.warning) == (ok, False), audio
        assert told is None or "rtp.advertise" in audio.message
    async with asyncio.timeout(10):  # the list lags
        while await server.channels():
            await asyncio.sleep(0.1)
