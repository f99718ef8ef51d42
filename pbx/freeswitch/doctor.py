"""What `offhook doctor` asks of FreeSWITCH: each finding says how to mend what is wrong."""

import asyncio
from collections.abc import Sequence
from typing import Final

from pbx.audio_port import MediaError
from pbx.dial_string import Way
from pbx.freeswitch.config import FreeSwitchConfig
from pbx.freeswitch.gateway import look_at_way
from pbx.freeswitch.link import EslLink
from pbx.freeswitch.loopback_call import make_loopback_call
from pbx.media import MediaServer
from pbx.switch import Finding, SwitchError

_MODULES: Final = ("mod_sofia", "mod_commands", "mod_dptools")
_IN_THE_CLEAR: Final = (
    "what is said to {} is not encrypted, as ESL knows no TLS: who is on the way can read the "
    "password and drive the PBX. Lead it through a tunnel"
)


#: Trunks that are looked at side by side.
_AT_A_TIME: Final = 8


async def examine(
    config: FreeSwitchConfig, link: EslLink, media: MediaServer, ways: Sequence[Way]
) -> Sequence[Finding]:
    """Findings on the ESL link, FreeSWITCH's modules, the gateways and the audio.

    Args:
        config: see there.
        link: to FreeSWITCH.
        media: see there.
        ways: the trunks, by how they are dialled.
    """
    findings = [media.look()]
    try:
        version = (await link.api("version")).split(" ~")[0].removeprefix("FreeSWITCH ")
    except SwitchError as error:
        return [Finding("esl", False, str(error)), *findings]
    address = f"{config.host}:{config.port}"
    findings.insert(0, Finding("esl", True, f"logged in at {address}, FreeSWITCH {version}"))
    if link.leaves_the_host:
        findings.insert(1, Finding("esl", True, _IN_THE_CLEAR.format(address), warning=True))
    try:
        findings.append(await _modules(link))
    except SwitchError as error:
        findings.append(Finding("esl", False, str(error)))
    turn = asyncio.Semaphore(_AT_A_TIME)
    findings += await asyncio.gather(*(_trunk(link, way, turn) for way in ways))
    try:
        findings.append(await make_loopback_call(config, link, media))
    except (SwitchError, MediaError) as error:
        findings.append(Finding("audio", False, str(error)))
    return findings


async def _modules(link: EslLink) -> Finding:
    missing = [one for one in _MODULES if await link.job("module_exists", one) != "true"]
    if missing:
        names = ", ".join(missing)
        return Finding("modules", False, f"not loaded: {names}; see modules.conf.xml")
    return Finding("modules", True, "every module that calls need is loaded")


async def _trunk(link: EslLink, way: Way, turn: asyncio.Semaphore) -> Finding:
    try:
        async with turn:
            gateway = await look_at_way(link, way)
    except SwitchError as error:
        return Finding("trunk", False, str(error))
    if gateway.problem is not None:
        return Finding("trunk", False, gateway.problem)
    if way.gateway is None:
        return Finding("trunk", True, f"{way.trunk!r} dials {way.fill('NUMBER')}")
    return Finding(
        "trunk",
        True,
        f"{gateway.name!r} at {gateway.host} ({gateway.status}, registration {gateway.state})",
    )
