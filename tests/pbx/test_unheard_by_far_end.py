"""A far end whose own reports (RTCP) say that it hears nothing of us."""

import asyncio
import re
import socket
import struct

from pbx.switch import Answered, Dial
from tests.pbx.calls import Ear, new_id, until
from tests.pbx.kinds import Reception
from tests.pbx.sipp import Sipp, SippLab

_SSRC = 0x0DEAF000
#: A receiver report without a block, and its source's name (RFC 3550 sections 6.4.2 and 6.5).
_DEAF = (
    *struct.pack("!BBHI", 0x80, 201, 1, _SSRC),
    *struct.pack("!BBHIBBxx", 0x81, 202, 2, _SSRC, 1, 0),
)


async def report(far_end: Sipp) -> None:
    """Send its reports to where Asterisk takes them, one every two seconds, until cancelled."""
    invite = far_end.messages()
    (port,) = re.findall(r"^m=audio (\d+) ", invite, re.MULTILINE)[:1]
    (host,) = re.findall(r"^c=IN IP4 (\S+)", invite, re.MULTILINE)[:1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        while True:
            phone.sendto(bytes(_DEAF), (host.strip(), int(port) + 1))
            await asyncio.sleep(2)


async def test_we_send_and_nobody_hears(sipp: SippLab, reception: Reception) -> None:
    async with sipp.answering("05_alaw") as far_end:
        dial = Dial(new_id(), "+15550100", "+15550199", trunk=far_end.trunk)
        attempt = await reception.switch.originate(dial)
        attempt.attach(Ear(attempt.rate, 440))
        await until(attempt, Answered)
        reports = asyncio.create_task(report(far_end))
        async with asyncio.timeout(15):
            while not attempt.problems:
                await asyncio.sleep(0.1)
        reports.cancel()
        (told,) = attempt.problems
        assert (told.problem, told.cause) == ("no_audio_out", "firewall")
        assert "nothing arrives" in told.message
        await attempt.hang_up()
