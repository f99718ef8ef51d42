"""The PBXs that the settings name, as a `Switch`."""

import ssl
from collections.abc import Awaitable, Mapping
from dataclasses import replace

from api.calls.several_pbxs import PbxOf, SeveralPbxs
from api.settings import FIRST_PBX, Settings
from api.settings.pbx import Ami, Pbx
from pbx.asterisk import AsteriskConfig, AsteriskSwitch
from pbx.codecs import PCMA, PCMU
from pbx.freeswitch import FreeSwitchConfig, FreeSwitchSwitch
from pbx.incoming import IncomingCall, OnIncoming, Refusal
from pbx.media import MediaServer
from pbx.own_address import any_address, local_address
from pbx.switch import Switch

_CODECS = {"auto": None, "ulaw": PCMU, "alaw": PCMA}


def make_switch(
    settings: Settings,
    media: MediaServer,
    on_incoming: OnIncoming | None = None,
    pbx_of: PbxOf | None = None,
) -> Switch:
    """The PBXs that the settings name, as one switch, not started.

    Args:
        settings: all of them.
        media: every attempt opens a leg of it.
        on_incoming: asked about inbound calls, unless the settings want none.
        pbx_of: which PBX has a trunk, where a trunk may be of another one than that of `[pbx]`.
    """
    switches = switches_of(settings, media, on_incoming)
    return switches[FIRST_PBX] if pbx_of is None else SeveralPbxs(switches, pbx_of)


def switches_of(
    settings: Settings, media: MediaServer, on_incoming: OnIncoming | None = None
) -> Mapping[str, Switch]:
    """Each PBX by its name, that of `[pbx]` first; none started. As `make_switch`."""
    first = _one_switch(settings, settings.pbx, media, on_incoming)
    named = {
        name: _one_switch(settings, pbx, media, on_incoming and _of(name, on_incoming))
        for name, pbx in settings.pbxs.items()
    }
    return {FIRST_PBX: first, **named}


def _of(name: str, on_incoming: OnIncoming) -> OnIncoming:
    """As `on_incoming`, for the PBX of that name."""

    def take(call: IncomingCall) -> Awaitable[Refusal | None]:
        return on_incoming(replace(call, pbx=name))

    return take


def _one_switch(
    settings: Settings, pbx: Pbx, media: MediaServer, on_incoming: OnIncoming | None
) -> Switch:
    taker = on_incoming if pbx.inbound else None
    if pbx.kind == "freeswitch":
        return FreeSwitchSwitch(freeswitch_config(settings, pbx), media, taker)
    return AsteriskSwitch(asterisk_config(settings, pbx), media, taker)


def listening_address(settings: Settings) -> str:
    """Where audio is received: as the settings say, else at the one address from which every PBX
    is reached, or at all of ours."""
    if settings.rtp.bind is not None:
        return settings.rtp.bind
    facing = {local_address(*_control_address(pbx)) for pbx in settings.all_pbxs.values()}
    return facing.pop() if len(facing) == 1 else any_address()


def _control_address(pbx: Pbx) -> tuple[str, int]:
    return (
        (pbx.esl.host, pbx.esl.port) if pbx.kind == "freeswitch" else (pbx.ami.host, pbx.ami.port)
    )


def asterisk_config(settings: Settings, pbx: Pbx) -> AsteriskConfig:
    """Asterisk's share of the settings."""
    return AsteriskConfig(
        host=pbx.ami.host,
        port=pbx.ami.port,
        tls=_tls(pbx.ami),
        audio_host=pbx.ami.audio_host,
        username=pbx.ami.username,
        secret=pbx.ami.secret.get_secret_value(),
        trunk=pbx.trunk,
        dial_string=pbx.dial_string or "",
        invite_timeout_s=pbx.invite_timeout_s,
        codec=_CODECS[pbx.codec],
        wideband=pbx.wideband,
        media_host=pbx.advertise or settings.rtp.advertise,
        headers_in=pbx.headers_in,
        connect_timeout_s=pbx.ami.timeout_s,
        action_timeout_s=pbx.ami.timeout_s,
        fastagi_host=pbx.fastagi.host,
        fastagi_port=pbx.fastagi.port,
        fastagi_secret=pbx.fastagi.secret.get_secret_value(),
        fastagi_networks=pbx.fastagi.allowed_networks,
    )


def freeswitch_config(settings: Settings, pbx: Pbx) -> FreeSwitchConfig:
    """FreeSWITCH's share of the settings."""
    return FreeSwitchConfig(
        host=pbx.esl.host,
        port=pbx.esl.port,
        password=pbx.esl.password.get_secret_value(),
        trunk=pbx.trunk,
        dial_string=pbx.dial_string or "",
        invite_timeout_s=pbx.invite_timeout_s,
        codec=_CODECS[pbx.codec],
        wideband=pbx.wideband,
        media_host=pbx.advertise or settings.rtp.advertise,
        audio_host=pbx.esl.unicast_host,
        headers_in=pbx.headers_in,
        unicast_port_min=pbx.esl.unicast_port_min,
        unicast_port_max=pbx.esl.unicast_port_max,
        connect_timeout_s=pbx.esl.timeout_s,
        command_timeout_s=pbx.esl.timeout_s,
    )


def _tls(ami: Ami) -> ssl.SSLContext | None:
    if ami.tls == "off":
        return None
    context = ssl.create_default_context(cafile=ami.ca_file)
    if ami.tls == "unverified":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
