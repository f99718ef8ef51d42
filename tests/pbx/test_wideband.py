"""Calls at 16 kHz over a trunk that speaks G.722: what no narrowband call carries is heard."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from pbx.asterisk import AsteriskSwitch
from pbx.codecs import G722, PCMA, PCMU
from pbx.freeswitch import FreeSwitchConfig, FreeSwitchSwitch
from pbx.media import MediaServer
from pbx.switch import Attempt
from pbx.testbed import TestBed
from pbx.testbed.freeswitch import FreeSwitch, installed
from tests.pbx.cable import Cable
from tests.pbx.calls import Ear, dial, heard, no_channels
from tests.pbx.kinds import AsteriskPbx, Reception

#: Far above what G.711 carries.
TONE_HZ = 5000


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def wide_bed() -> AsyncIterator[TestBed]:
    async with TestBed(codecs="g722,alaw") as bed:
        yield bed


def asterisk(bed: TestBed) -> AsteriskPbx:
    return AsteriskPbx(bed, Cable(bed.host, bed.ports.ami))


async def pitch_of_echo(attempt: Attempt, tone_hz: float) -> float:
    ear = Ear(attempt.rate, tone_hz=tone_hz)
    attempt.attach(ear)
    await heard(ear)
    return ear.pitch()


async def started(bed: TestBed, media: MediaServer, **settings: Any) -> AsteriskSwitch:
    switch = asterisk(bed).make(media, port=bed.ports.ami, wideband=True, **settings)
    await switch.start()
    return switch


async def test_a_call_out_and_its_doctor(wide_bed: TestBed, media: MediaServer) -> None:
    switch = await started(wide_bed, media)
    attempt = await switch.originate(dial("echo"))
    assert attempt.rate == 16000
    assert await pitch_of_echo(attempt, TONE_HZ) == pytest.approx(TONE_HZ, abs=10)
    stats = attempt.media_stats()
    assert (stats.lost, stats.late, stats.strays) == (0, 0, 0)
    await attempt.hang_up()
    (audio,) = [one for one in await switch.check() if one.check == "audio"]
    assert audio.ok, audio
    await switch.close()
    await no_channels(wide_bed)


async def test_a_call_in(wide_bed: TestBed, media: MediaServer) -> None:
    pbx = asterisk(wide_bed)
    reception = Reception(pbx, media, port=wide_bed.ports.ami, wideband=True)
    await reception.switch.start()
    pbx.ring("Echo")
    attempt = (await reception.next_call()).attempt
    assert attempt.rate == 16000
    assert await pitch_of_echo(attempt, TONE_HZ) == pytest.approx(TONE_HZ, abs=10)
    await reception.switch.close()
    await no_channels(wide_bed)


async def test_a_far_end_without_g722_is_heard_all_the_same(
    wide_bed: TestBed, media: MediaServer
) -> None:
    """Asterisk transcodes: the codec was chosen before the far end answered."""
    file = wide_bed.carrier.etc / "pjsip.conf"
    shipped = file.read_text()
    file.write_text(shipped.replace("allow = g722,alaw", "allow = alaw"))
    await wide_bed.carrier.cli("module reload res_pjsip.so")
    switch = await started(wide_bed, media)
    try:
        attempt = await switch.originate(dial("echo"))
        assert await pitch_of_echo(attempt, 700) == pytest.approx(700, abs=10)
        await attempt.hang_up()
    finally:
        await switch.close()
        file.write_text(shipped)
        await wide_bed.carrier.cli("module reload res_pjsip.so")
    await no_channels(wide_bed)


async def test_a_trunk_without_g722_keeps_its_law(bed: TestBed, media: MediaServer) -> None:
    for settings, codec in (({}, PCMU), ({"codec": PCMA}, PCMA)):
        switch = await started(bed, media, **settings)
        attempt = await switch.originate(dial("echo"))
        assert attempt.rate == 8000
        assert switch._codec_for(("ulaw", "slin16")) is codec
        assert switch._codec_for(("alaw", "g722")) is G722
        await attempt.hang_up()
        await switch.close()
    await no_channels(bed)


async def test_freeswitch_hears_and_speaks_at_16_khz(media: MediaServer) -> None:
    """Over linear samples at 16 kHz, which every FreeSWITCH has; G.722 wants mod_spandsp."""
    if installed() is None:
        pytest.skip("no FreeSWITCH is installed here")
    async with (
        TestBed(codecs="slin16,ulaw") as bed,
        FreeSwitch(bed.ports.carrier_sip, codecs="L16@16000h@20i,PCMU") as server,
    ):
        config = FreeSwitchConfig(port=server.port, password=server.password, wideband=True)
        switch = FreeSwitchSwitch(config, media)
        await switch.start()
        for codecs, tone_hz in (("slin16,ulaw", TONE_HZ), ("ulaw", 700)):
            file = bed.carrier.etc / "pjsip.conf"
            file.write_text(file.read_text().replace("allow = slin16,ulaw", f"allow = {codecs}"))
            await bed.carrier.cli("module reload res_pjsip.so")
            attempt = await switch.originate(dial("echo"))
            assert attempt.rate == 16000
            assert await pitch_of_echo(attempt, tone_hz) == pytest.approx(tone_hz, abs=10)
            await attempt.hang_up()
        await switch.close()
