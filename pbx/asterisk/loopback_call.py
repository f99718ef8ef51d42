"""A call from our audio port through Asterisk and back to it: whether audio gets both ways."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from pbx.addresses import unbracketed
from pbx.asterisk.link import AmiLink
from pbx.audio_check import Ends, Heard, TonePeer, judge
from pbx.codecs import Codec
from pbx.media import MediaLeg, MediaServer
from pbx.switch import Finding, SwitchError, SwitchRefused
from pbx.values import ID_PREFIX

#: Seconds for the legs to be there, and then for their audio to arrive.
_LEGS_S: Final = 3.0
_HEARD_S: Final = 2.0
_LOOK_S: Final = 0.02
#: What each of two legs says, and awaits, Hz; Asterisk's own tone is another.
_TONES: Final = ((700, 1500), (1500, 700))

Address = Callable[[MediaLeg], tuple[str, int]]
"""Where Asterisk is told that a leg of ours is."""


async def make_loopback_call(
    link: AmiLink,
    media: MediaServer,
    codec: Codec,
    address: Address,
    audio_host: str | None = None,
) -> Finding:
    """Have Asterisk connect two legs of ours, so that each hears the other through it.

    Where they do not, it plays a tone to each first: that comes even if our way to it is shut, and
    shows us where it comes from.

    Args:
        link: to Asterisk.
        media: started.
        codec: what is spoken.
        address: see there.
        audio_host: where Asterisk's audio is reached; None is where it says.

    Raises SwitchError, MediaError.
    """
    desk = _Desk(link, media, codec, address, audio_host)
    with media.noting_strangers() as strangers:
        try:
            async with _call(desk, 2) as dialled:
                ours = address(dialled.legs[0])
                heard = await _exchange(dialled.legs)
            if not heard.tone and await _has(link, "app_milliwatt"):
                async with (
                    _call(desk, 1) as one,
                    _call(desk, 1) as other,
                ):
                    legs = [*one.legs, *other.legs]
                    await _until(lambda: all(leg.heard for leg in legs))
                    if all(leg.heard for leg in legs):
                        channels = {"Channel1": one.channel, "Channel2": other.channel}
                        await link.act("Bridge", channels)
                    heard = await _exchange(legs)
        except TimeoutError:
            return Finding(
                "audio", False, "Asterisk did not connect a test call: is chan_rtp loaded?"
            )
    ends = Ends(
        "Asterisk",
        (unbracketed(ours[0]), ours[1]),
        dialled.theirs,
        link.local_host,
        link.peer_host,
        "rtp.conf",
    )
    return judge(replace(heard, strangers=tuple(strangers)), ends)


async def _exchange(legs: Sequence[MediaLeg]) -> Heard:
    """Have each of two legs say a tone that the other one is to hear."""
    peers = [TonePeer(leg.rate, *its) for leg, its in zip(legs, _TONES, strict=True)]
    for leg, peer in zip(legs, peers, strict=True):
        leg.attach(peer)
    await _until(lambda: all(peer.heard_tone for peer in peers))
    return Heard(
        packets=any(leg.heard for leg in legs),
        sound=any(peer.heard_sound for peer in peers),
        tone=all(peer.heard_tone for peer in peers),
    )


async def _until(done: Callable[[], bool]) -> None:
    """Wait for that, but not longer than audio takes."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_HEARD_S):
            while not done():  # noqa: ASYNC110
                await asyncio.sleep(_LOOK_S)


async def _has(link: AmiLink, module: str) -> bool:
    try:
        await link.act("ModuleCheck", {"Module": module})
    except SwitchRefused:
        return False
    return True


@dataclass(frozen=True)
class _Desk:
    """What `make_loopback_call` is given."""

    link: AmiLink
    media: MediaServer
    codec: Codec
    address: Address
    audio_host: str | None


@dataclass(frozen=True)
class _Call:
    """A call that Asterisk makes to legs of ours."""

    legs: Sequence[MediaLeg]
    channel: str
    """Asterisk's, of the first leg."""
    theirs: tuple[str, int]
    """Where its audio is, as Asterisk says."""


@asynccontextmanager
async def _call(desk: _Desk, count: int) -> AsyncIterator[_Call]:
    """To two legs, each the other's far end, or to one, which a tone is played to.

    Raises TimeoutError where Asterisk makes none.
    """
    call_id = f"{ID_PREFIX}{uuid.uuid4()}"
    legs: list[MediaLeg] = []
    try:
        legs += [desk.media.open_leg(desk.codec) for _ in range(count)]
        channels = [_channel(desk.address(leg)) for leg in legs]
        dialled = [f"{one}/c({desk.codec.asterisk_format})" for one in channels]
        application = {"Application": "Milliwatt"}
        if count == 2:
            application = {"Application": "Dial", "Data": f"{dialled[1]},{_LEGS_S:.0f}"}
        fields = {"Channel": dialled[0], "ChannelId": call_id, "Async": "true", **application}
        await desk.link.act("Originate", fields)
        async with asyncio.timeout(_LEGS_S):
            remotes = await _remotes(desk.link, call_id, count)
        found: list[tuple[str, tuple[str, int]]] = []
        for leg, channel in zip(legs, channels, strict=True):
            # Where each leg has a port of its own, it matters which channel is whose.
            name = next((one for one in remotes if one.startswith(f"{channel}-")), min(remotes))
            host, port = remotes.pop(name)
            found.append((name, (desk.audio_host or host, port)))
            leg.connect(found[-1][1])
        yield _Call(legs, *found[0])
    finally:
        for leg in legs:
            leg.close()
        with contextlib.suppress(SwitchError):
            await desk.link.act("Hangup", {"Channel": call_id})


def _channel(address: tuple[str, int]) -> str:
    host, port = address
    return f"UnicastRTP/{host}:{port}"


async def _remotes(link: AmiLink, call_id: str, count: int) -> dict[str, tuple[str, int]]:
    """Where Asterisk's ends of the legs are, by channel, once they are there."""
    while True:
        answers = await link.act("CoreShowChannels", listing=True)
        # Asterisk lists a channel twice that changes meanwhile.
        ours = {one["Channel"] for one in answers if one.get("Linkedid") == call_id}
        remotes = {channel: await _remote(link, channel) for channel in ours}
        if len(remotes) == count and all(port.isdigit() for _, port in remotes.values()):
            return {channel: (host, int(port)) for channel, (host, port) in remotes.items()}
        await asyncio.sleep(0.05)


async def _remote(link: AmiLink, channel: str) -> tuple[str, str]:
    """Host and port, each empty as long as it is not told."""
    host, port = [
        (await link.act("Getvar", {"Channel": channel, "Variable": name}))[0].get("Value", "")
        for name in ("UNICASTRTP_LOCAL_ADDRESS", "UNICASTRTP_LOCAL_PORT")
    ]
    return host, port
