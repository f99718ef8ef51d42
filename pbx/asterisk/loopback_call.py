"""A call from our audio port through Asterisk and back to it: whether packets get both ways."""

import asyncio
import contextlib
import uuid
from typing import Final

from pbx.asterisk.link import AmiLink
from pbx.codecs import PCMU
from pbx.media import MediaLeg, MediaServer
from pbx.switch import Finding, SwitchError
from pbx.values import ID_PREFIX

#: Seconds for both legs to be there, and then for their audio to arrive.
_LEGS_S: Final = 3.0
_HEARD_S: Final = 2.0


async def make_loopback_call(
    link: AmiLink, media: MediaServer, address: tuple[str, int]
) -> Finding:
    """Have Asterisk connect two legs of ours, so that each hears the other through it.

    Args:
        link: to Asterisk.
        media: started.
        address: of our audio port, as Asterisk is told it.

    Raises SwitchError, MediaError.
    """
    host, port = address
    audio = f"UnicastRTP/{host}:{port}/c({PCMU.asterisk_format})"
    call_id = f"{ID_PREFIX}{uuid.uuid4()}"
    legs: list[MediaLeg] = []
    try:
        legs += [media.open_leg(PCMU), media.open_leg(PCMU)]
        fields = {"Channel": audio, "ChannelId": call_id, "Application": "Dial", "Async": "true"}
        await link.act("Originate", {**fields, "Data": f"{audio},{_LEGS_S:.0f}"})
        async with asyncio.timeout(_LEGS_S):
            for leg, remote in zip(legs, await _remotes(link, call_id), strict=True):
                leg.connect(remote)
        heard = await asyncio.gather(*(leg.wait_heard(_HEARD_S) for leg in legs))
    except TimeoutError:
        return Finding("audio", False, "Asterisk did not connect a test call: is chan_rtp loaded?")
    finally:
        for leg in legs:
            leg.close()
        with contextlib.suppress(SwitchError):
            await link.act("Hangup", {"Channel": call_id})
    if all(heard):
        return Finding("audio", True, f"a test call was heard both ways, at {host}:{port}")
    return Finding(
        "audio",
        False,
        f"nothing of a test call came back: Asterisk sends audio to {host}:{port}, and we to it. "
        "Mend rtp.advertise and rtp.bind, or a firewall between the two",
    )


async def _remotes(link: AmiLink, call_id: str) -> list[tuple[str, int]]:
    """Where Asterisk's ends of both legs are, once they are there."""
    while True:
        answers = await link.act("CoreShowChannels", listing=True)
        # Asterisk lists a channel twice that changes meanwhile.
        ours = {one["Channel"] for one in answers if one.get("Linkedid") == call_id}
        remotes = [await _remote(link, channel) for channel in ours]
        if len(remotes) == 2 and all(port.isdigit() for _, port in remotes):
            return [(host, int(port)) for host, port in remotes]
        await asyncio.sleep(0.05)


async def _remote(link: AmiLink, channel: str) -> tuple[str, str]:
    """Host and port, each empty as long as it is not told."""
    host, port = [
        (await link.act("Getvar", {"Channel": channel, "Variable": name}))[0].get("Value", "")
        for name in ("UNICASTRTP_LOCAL_ADDRESS", "UNICASTRTP_LOCAL_PORT")
    ]
    return host, port
