"""A call from our audio port into FreeSWITCH and back: whether audio gets both ways."""

import asyncio
import contextlib
import random
import uuid
from typing import Final

from pbx.audio_check import Ends, Heard, TonePeer, judge
from pbx.codecs import UNICAST8
from pbx.freeswitch.config import FreeSwitchConfig
from pbx.freeswitch.link import EslLink, unicast
from pbx.media import MediaServer
from pbx.switch import Finding, SwitchError
from pbx.values import ID_PREFIX

_HEARD_S: Final = 2.0
_LOOK_S: Final = 0.02
_TONE_HZ: Final = 700
#: Should nobody hang it up.
_LONGEST_S: Final = 20


async def make_loopback_call(
    config: FreeSwitchConfig, link: EslLink, media: MediaServer
) -> Finding:
    """Have FreeSWITCH call its own echo, and exchange that call's audio with it.

    FreeSWITCH sends what it has, silence if need be, whether or not it hears us.

    Raises SwitchError, MediaError.
    """
    if await link.job("module_exists", "mod_loopback") != "true":
        return Finding("audio", True, "not tried: load mod_loopback for a test call", warning=True)
    call_id = f"{ID_PREFIX}{uuid.uuid4()}"
    leg = media.open_leg(UNICAST8)
    peer = TonePeer(leg.rate, _TONE_HZ, _TONE_HZ)
    leg.attach(peer)
    theirs = (
        config.audio_host or link.peer_host or config.host,
        random.randint(config.unicast_port_min, config.unicast_port_max),
    )
    ours = media.address_for(config.media_host, link.local_host, leg)
    try:
        with media.noting_strangers() as strangers:
            leg.connect(theirs)
            variables = (
                f"origination_uuid={call_id},execute_on_originate=sched_hangup +{_LONGEST_S}"
            )
            await link.api("originate", f"'{{{variables}}}loopback/app=echo' &park()")
            await link.message(call_id, unicast(theirs, ours))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_HEARD_S):
                    while not peer.heard_tone:  # noqa: ASYNC110
                        await asyncio.sleep(_LOOK_S)
            heard = Heard(leg.heard, peer.heard_sound, peer.heard_tone, tuple(strangers))
    finally:
        leg.close()
        with contextlib.suppress(SwitchError):
            await link.api("uuid_kill", call_id)
    setting = "pbx.esl.unicast_port_min to unicast_port_max"
    return judge(heard, Ends("FreeSWITCH", ours, theirs, link.local_host, link.peer_host, setting))
