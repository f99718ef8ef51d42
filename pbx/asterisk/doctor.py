"""What `offhook doctor` asks of Asterisk: each finding says how to mend what is wrong."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from typing import Final
from urllib.parse import urlsplit

from pbx.addresses import bracketed, is_loopback_name
from pbx.asterisk.config import AsteriskConfig
from pbx.asterisk.incoming import knows_secret
from pbx.asterisk.link import AmiLink
from pbx.asterisk.loopback_call import Address, make_loopback_call
from pbx.asterisk.originate import DIAL_CONTEXT, HEADERS_EXTENSION
from pbx.asterisk.transfers import CONTEXT
from pbx.asterisk.trunk import dialplan_has, look_at_trunk, look_at_way
from pbx.audio_port import MediaError
from pbx.codecs import G722, PCMU
from pbx.dial_string import Way
from pbx.media import MediaServer
from pbx.switch import Finding, SwitchError, SwitchRefused

_MODULES: Final = ("chan_rtp", "chan_pjsip", "app_dial", "app_senddtmf", "res_agi")
_IN_THE_CLEAR: Final = (
    "what is said to {} is not encrypted: who is on the way can read the password and drive the "
    "PBX. Set pbx.ami.tls, or lead it through a tunnel"
)
#: Where an AGI URL without a port leads.
_AGI_PORT: Final = 4573
#: Trunks that are looked at side by side.
_AT_A_TIME: Final = 8


async def examine(
    config: AsteriskConfig,
    link: AmiLink,
    media: MediaServer,
    audio: Address,
    ways: Sequence[Way],
) -> Sequence[Finding]:
    """Findings on the AMI link, Asterisk's modules, the trunks and the audio.

    Args:
        config: see there.
        link: to Asterisk.
        media: see there.
        audio: where Asterisk is told to send that of a leg.
        ways: the trunks, by how they are dialled.
    """
    findings = [media.look()]
    try:
        status = await link.act("CoreSettings")
    except SwitchError as error:
        return [Finding("ami", False, str(error)), *findings]
    version = status[0].get("AsteriskVersion", "of an unknown version")
    address = f"{config.host}:{config.port}"
    findings.insert(0, Finding("ami", True, f"logged in at {address}, Asterisk {version}"))
    if link.leaves_the_host and config.tls is None:
        findings.insert(1, Finding("ami", True, _IN_THE_CLEAR.format(address), warning=True))
    findings += await _told(_modules, config, link)
    turn = asyncio.Semaphore(_AT_A_TIME)

    async def look(way: Way) -> Sequence[Finding]:
        async with turn:
            each = (_trunk, _identity, _inbound)
            return [*chain(*[await _told(check, config, link, way) for check in each])]

    findings += chain.from_iterable(await asyncio.gather(*map(look, ways)))
    for check in (_registrations, _transfer, _messages):
        findings += await _told(check, config, link)
    codec = G722 if config.wideband else config.codec or PCMU
    try:
        findings.append(await make_loopback_call(link, media, codec, audio, config.audio_host))
    except (SwitchError, MediaError) as error:
        findings.append(Finding("audio", False, str(error)))
    return findings


async def _told(
    check: Callable[..., Awaitable[Sequence[Finding]]], *arguments: object
) -> Sequence[Finding]:
    try:
        return await check(*arguments)
    except SwitchError as error:
        return [Finding("ami", False, str(error))]


async def _modules(config: AsteriskConfig, link: AmiLink) -> Sequence[Finding]:  # noqa: ARG001
    missing = []
    for module in _MODULES:
        try:
            await link.act("ModuleCheck", {"Module": module})
        except SwitchRefused:
            missing.append(module)
    if missing:
        names = ", ".join(missing)
        return [Finding("modules", False, f"not loaded: {names}; see Asterisk's modules.conf")]
    return [Finding("modules", True, "every module that calls need is loaded")]


async def _trunk(
    config: AsteriskConfig,  # noqa: ARG001
    link: AmiLink,
    way: Way,
) -> Sequence[Finding]:
    try:
        trunk = await look_at_way(link, way)
    except SwitchRefused as error:
        return [Finding("trunk", False, str(error))]
    if trunk.problem is not None:
        return [Finding("trunk", False, trunk.problem)]
    if trunk.contacts is None:
        return [Finding("trunk", True, f"{trunk.name!r} dials {way.fill('NUMBER')}")]
    contacts = ", ".join(f"{uri} ({status})" for uri, status in trunk.contacts)
    return [Finding("trunk", True, f"{trunk.name!r} at {contacts}")]


async def _identity(config: AsteriskConfig, link: AmiLink, way: Way) -> Sequence[Finding]:
    """No fault: what a carrier wants to be told of who calls, it says."""
    try:
        trunk = await look_at_trunk(link, way.endpoint or way.trunk)
    except SwitchRefused:
        return []
    of_trunk = "" if way.trunk == config.trunk else f"on {way.trunk!r} "
    told = [f"{of_trunk}who calls goes out in {' and '.join(('From', *trunk.identity_headers))}"]
    if not (trunk.identity_headers and trunk.tells_hidden):
        told.append(
            "a call that hides its number tells the carrier nothing either, and many refuse that: "
            "set send_pai (or send_rpid) and trust_id_outbound of its endpoint in pjsip.conf"
        )
    if not await dialplan_has(link, DIAL_CONTEXT, HEADERS_EXTENSION):
        told.append(
            f"calls with sip_headers are refused: for them take the context {DIAL_CONTEXT} from "
            "Offhook's extensions.conf"
        )
    return [Finding("identity", True, "; ".join(told))]


async def _registrations(config: AsteriskConfig, link: AmiLink) -> Sequence[Finding]:  # noqa: ARG001
    try:
        answers = await link.act("PJSIPShowRegistrationsOutbound", listing=True)
    except SwitchRefused:
        return []
    details = [one for one in answers if one.get("Event") == "OutboundRegistrationDetail"]
    return [
        Finding(
            "registration",
            one.get("Status") == "Registered",
            f"{one.get('ObjectName', '?')} is {one.get('Status', 'unknown')}"
            + ("" if one.get("Status") == "Registered" else ": check its server and credentials"),
        )
        for one in details
    ]


async def _inbound(config: AsteriskConfig, link: AmiLink, way: Way) -> Sequence[Finding]:
    """No fault where the dialplan asks nobody: not everyone wants inbound calls."""
    try:
        context = (await look_at_trunk(link, way.endpoint or way.trunk)).context
        lines = await link.act("ShowDialPlan", {"Context": context}, listing=True)
    except SwitchRefused:
        return []
    asked = [
        one.get("AppData", "")
        for one in lines
        if one.get("Application") == "AGI" and one.get("AppData", "").startswith("agi://")
    ]
    ours = link.local_host if link.leaves_the_host else None
    return [judge_inbound(config, way.trunk, context, asked, ours)]


def judge_inbound(
    config: AsteriskConfig, trunk: str, context: str, asked: Sequence[str], ours: str | None
) -> Finding:
    """Whether a trunk's inbound calls get to us.

    Args:
        config: see there.
        trunk: its name.
        context: of the dialplan, where its calls come in.
        asked: the `agi://` URLs there.
        ours: our address as Asterisk sees it, where that is on another host.
    """
    if not asked:
        missing = f"for them take the AGI line of Offhook's extensions.conf into [{context}]"
        return Finding("inbound", True, f"no calls of {trunk!r} come in; {missing}")
    ports = {config.fastagi_port} - {0}
    meant = [one for one in asked if {urlsplit(one).port or _AGI_PORT} >= ports]
    told = f"calls of {trunk!r} ask agi://{urlsplit((meant or asked)[0]).netloc}"
    if not meant:
        fault = f"FastAGI listens on port {config.fastagi_port}: mend pbx.fastagi.port"
    elif not any(knows_secret(urlsplit(one).path, config.fastagi_secret) for one in meant):
        fault = "the path does not end in the secret: mend pbx.fastagi.secret"
    elif not config.fastagi_secret:
        hint = "any program that gets there can bring calls: set pbx.fastagi.secret"
        return Finding("inbound", True, f"{told}; {hint}")
    elif ours is not None and is_loopback_name(config.fastagi_host):
        url = f"agi://{bracketed(ours)}:{config.fastagi_port}/incoming/SECRET"
        reached = (
            f"FastAGI listens on {config.fastagi_host} only, where Asterisk on {config.host} does "
            f"not get to: set pbx.fastagi.host to {ours}, and AGI({url}) in [{context}] of "
            "extensions.conf"
        )
        if is_loopback_name(urlsplit(meant[0]).hostname or ""):
            reached += "; a tunnel between the two, as stunnel, does as well"
            return Finding("inbound", True, f"{told}; {reached}", warning=True)
        return Finding("inbound", False, f"{told}, and {reached}")
    else:
        return Finding("inbound", True, told)
    return Finding("inbound", False, f"{told}, and {fault} or [{context}] in extensions.conf")


async def _transfer(config: AsteriskConfig, link: AmiLink) -> Sequence[Finding]:  # noqa: ARG001
    """No fault either way: without the context, transfers dial and bridge."""
    if not await dialplan_has(link, CONTEXT):
        missing = f"for REFER take the context {CONTEXT} from Offhook's extensions.conf"
        return [Finding("transfer", True, f"by bridging; {missing}")]
    try:
        await link.act("ModuleCheck", {"Module": "app_transfer"})
    except SwitchRefused:
        return [Finding("transfer", True, "by bridging; for REFER load app_transfer")]
    return [Finding("transfer", True, "by bridging and by REFER")]


async def _messages(config: AsteriskConfig, link: AmiLink) -> Sequence[Finding]:  # noqa: ARG001
    """No fault either way: they may go by another way, or not at all."""
    try:
        await link.act("ModuleCheck", {"Module": "res_pjsip_messaging"})
    except SwitchRefused:
        return [Finding("messages", True, "for SIP MESSAGE load res_pjsip_messaging")]
    return [Finding("messages", True, "can send SIP MESSAGE, if the trunk takes it")]
