"""Outbound calls over Asterisk, where it differs; `test_contract_calls` has what all PBXs do."""

import asyncio
import re
from dataclasses import replace

import pytest

from pbx.codecs import SLIN16
from pbx.media import MediaServer
from pbx.switch import Digit, Switch, SwitchRefused
from pbx.testbed import TestBed
from tests.pbx.calls import PATIENCE_S, cause, config, dial, until, until_over
from tests.pbx.kinds import OUR_NUMBER, AsteriskPbx, Pbx, Reception
from tests.pbx.test_contract_calls import HOSTILE, spoilt


async def test_a_codec_that_asterisk_would_not_hear_is_refused(bed: TestBed) -> None:
    with pytest.raises(ValueError, match="L16"):
        replace(config(bed), codec=SLIN16)


async def test_no_number_and_no_key_is_written_to_disk(
    bed: TestBed, pbx: AsteriskPbx, media: MediaServer
) -> None:
    """By an Asterisk with the shipped configuration, whether called or calling."""
    reception = Reception(pbx, media)
    await reception.switch.start()
    wish = dial("key presser")
    pbx.ring("SendDTMF", "w7*0,250,120")
    inbound, outbound = (
        (await reception.next_call()).attempt,
        await reception.switch.originate(wish),
    )
    for attempt in (inbound, outbound):
        await until(attempt, Digit)
    await outbound.send_digits("42")
    for attempt in (inbound, outbound):
        await attempt.hang_up()
        await until_over(attempt)
    await reception.switch.close()

    assert wish.caller_number is not None
    numbers = (wish.number, wish.caller_number, OUR_NUMBER, "+15550888")
    private = re.compile("|".join(number[1:] for number in numbers) + "|DTMF")
    shipped = [one for one in bed.ours.home.iterdir() if one.name != "etc"]
    files = [one for folder in shipped for one in folder.rglob("*") if one.is_file()]
    assert files
    for file in files:
        assert not private.findall(file.read_text(errors="replace")), file


async def test_asterisk_says_nothing_of_hostile_values(bed: TestBed, switch: Switch) -> None:
    before = bed.ours.log()
    for field, value in HOSTILE:
        with pytest.raises(SwitchRefused):
            await switch.originate(spoilt(field, value))
    assert bed.ours.log() == before


async def test_audio_that_is_lost_between_asterisk_and_us_is_told(
    pbx: Pbx, media: MediaServer, caplog: pytest.LogCaptureFixture
) -> None:
    reception = Reception(pbx, media, media_host="127.0.0.9")
    await reception.switch.start()
    pbx.ring("Milliwatt")
    attempt = (await reception.next_call()).attempt
    async with asyncio.timeout(PATIENCE_S):
        while "no audio" not in caplog.text:
            await asyncio.sleep(0.05)
    (line,) = [one.getMessage() for one in caplog.records if "no audio" in one.getMessage()]
    assert attempt.id in line
    assert "127.0.0.9" in line
    assert "rtp.advertise" in line
    await attempt.hang_up()
    assert cause(await until_over(attempt)).state == "completed"
    await reception.switch.close()
