"""Calls whose every link to Asterisk is IPv6: AMI, FastAGI and RTP over ::1."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from pbx.media import MediaServer
from pbx.testbed import TestBed
from tests.pbx.cable import Cable
from tests.pbx.calls import Ear, dial, heard, no_channels
from tests.pbx.kinds import AsteriskPbx, Reception

HOST = "::1"


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as one:
            one.bind((HOST, 0))
    except OSError:
        return False
    return True


pytestmark = pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")


@pytest_asyncio.fixture(loop_scope="session")
async def pbx(bed: TestBed) -> AsyncIterator[AsteriskPbx]:
    """An Asterisk whose manager and dialplan know IPv6."""
    manager, extensions = bed.ours.etc / "manager.conf", bed.ours.etc / "extensions.conf"
    shipped = manager.read_text(), extensions.read_text()
    manager.write_text(
        shipped[0]
        .replace(f"bindaddr = {bed.host}", "bindaddr = ::")
        .replace("\npermit = ", f"\npermit = {HOST}/128\npermit = ")
    )
    extensions.write_text(shipped[1].replace(f"agi://{bed.host}:", f"agi://[{HOST}]:"))
    await bed.ours.cli("manager reload")
    await bed.ours.cli("dialplan reload")
    yield AsteriskPbx(bed, Cable(HOST, bed.ports.ami))
    manager.write_text(shipped[0])
    extensions.write_text(shipped[1])
    await bed.ours.cli("manager reload")
    await bed.ours.cli("dialplan reload")


@pytest_asyncio.fixture(loop_scope="session", params=[HOST, "::"])
async def media(request: pytest.FixtureRequest) -> AsyncIterator[MediaServer]:
    server = MediaServer(request.param, 40000, 40999)
    await server.start()
    yield server
    await server.close()


async def test_a_call_out(pbx: AsteriskPbx, media: MediaServer) -> None:
    switch = pbx.make(media, host=HOST, port=pbx.bed.ports.ami)
    await switch.start()
    attempt = await switch.originate(dial("echo"))
    ear = Ear(attempt.rate, tone_hz=440)
    attempt.attach(ear)
    await heard(ear)
    assert 400 < ear.pitch() < 480
    assert attempt.media_stats().strays == 0
    legs = {one.name.partition("-")[0] for one in await pbx.bed.ours.channels()}
    assert f"UnicastRTP/[{HOST}]:{media.address[1]}" in legs
    await attempt.hang_up()
    (audio,) = [one for one in await switch.check() if one.check == "audio"]
    assert audio.ok, audio
    await switch.close()
    await no_channels(pbx.bed)


async def test_a_call_in(pbx: AsteriskPbx, media: MediaServer) -> None:
    reception = Reception(pbx, media, host=HOST, port=pbx.bed.ports.ami, fastagi_host=HOST)
    await reception.switch.start()
    pbx.ring("Echo")
    call = await reception.next_call()
    ear = Ear(call.attempt.rate, tone_hz=440)
    call.attempt.attach(ear)
    await heard(ear)
    await reception.switch.close()
    await no_channels(pbx.bed)


async def test_fastagi_on_every_address_takes_both(pbx: AsteriskPbx, media: MediaServer) -> None:
    reception = Reception(pbx, media, host=HOST, port=pbx.bed.ports.ami, fastagi_host="::")
    await reception.switch.start()
    for host in (HOST, "127.0.0.1"):
        reader, writer = await asyncio.open_connection(host, pbx.bed.ports.agi)
        writer.write(b"agi_network: yes\n\n")
        assert await reader.read() == b""  # of no call, but heard
        writer.close()
    pbx.ring("Echo")
    await (await reception.next_call()).attempt.hang_up()
    await reception.switch.close()
    await no_channels(pbx.bed)
