"""Text messages through the real Asterisk to the carrier (SIP MESSAGE)."""

import asyncio
import re

import pytest

from pbx.freeswitch import FreeSwitchConfig, FreeSwitchSwitch
from pbx.media import MediaServer
from pbx.switch import MAX_TEXT_BYTES, Switch, SwitchRefused
from pbx.testbed import TestBed
from tests.pbx.calls import PATIENCE_S

OURS = "+15550199"


async def arrived(bed: TestBed, number: str) -> tuple[str, str]:
    """(From, text) of the message to `number`, once the carrier has it."""
    line = re.compile(rf"NOTICE.*: message to {re.escape(number)} from (.*?): (.*?)\n\[", re.DOTALL)
    async with asyncio.timeout(PATIENCE_S):
        while not (found := line.findall(bed.carrier.log() + "\n[")):
            await asyncio.sleep(0.05)
    ((sender, text),) = found
    return sender, text


async def test_a_text_message_reaches_the_carrier_as_it_was_written(
    bed: TestBed, switch: Switch
) -> None:
    text = 'Señora López: mañana a las 8.30.\r\nAction: Originate\r\n"yes", ${no}'
    await switch.send_message("+15551110001", OURS, text)
    sender, got = await arrived(bed, "+15551110001")
    assert got.replace("\r", "") == text.replace("\r", "")
    assert re.fullmatch(rf"<sip:\{OURS}@127\.0\.0\.1>", sender)


async def test_the_longest_text_message(bed: TestBed, switch: Switch) -> None:
    await switch.send_message("+15551110002", OURS, "x" * MAX_TEXT_BYTES)
    assert (await arrived(bed, "+15551110002"))[1] == "x" * MAX_TEXT_BYTES


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("number", ("+1555\r\nAction: x", OURS, "hi")),
        ("number", ("+15551234@evil", OURS, "hi")),
        ("caller_number", ("+15551234", "Ann <sip:a@b>", "hi")),
        ("text", ("+15551234", OURS, "")),
        ("text", ("+15551234", OURS, "é" * MAX_TEXT_BYTES)),
    ],
)
async def test_what_is_no_message_is_refused_before_asterisk_sees_it(
    bed: TestBed, switch: Switch, field: str, values: tuple[str, str, str]
) -> None:
    before = bed.ours.log()
    with pytest.raises(SwitchRefused) as refusal:
        await switch.send_message(*values)
    assert refusal.value.field == field
    assert bed.ours.log() == before


async def test_a_trunk_that_is_not_there_is_told(switch: Switch) -> None:
    with pytest.raises(SwitchRefused, match="failed to send") as refusal:
        await switch.send_message("+15551234", OURS, "hi", "nowhere")
    assert refusal.value.field is None


async def test_the_trunk_cannot_text_us(bed: TestBed) -> None:
    """Else a text message would run the dialplan of inbound calls."""
    shown = await bed.ours.cli("pjsip show endpoint trunk")
    assert re.search(r"message_context\s*:\s*no-messages", shown)


async def test_freeswitch_is_said_not_to_do_it(media: MediaServer) -> None:
    with pytest.raises(SwitchRefused, match="not supported"):
        await FreeSwitchSwitch(FreeSwitchConfig(), media).send_message("+15551234", OURS, "hi")
