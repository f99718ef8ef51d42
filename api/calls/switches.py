"""The PBX that the settings name, as a `Switch`."""

import ssl

from api.settings import Settings
from api.settings.pbx import Ami
from pbx.asterisk import AsteriskConfig, AsteriskSwitch
from pbx.codecs import PCMA, PCMU
from pbx.freeswitch import FreeSwitchConfig, FreeSwitchSwitch
from pbx.incoming import OnIncoming
from pbx.media import MediaServer
from pbx.switch import Switch

_CODECS = {"auto": None, "ulaw": PCMU, "alaw": PCMA}


def make_switch(
    settings: Settings, media: MediaServer, on_incoming: OnIncoming | None = None
) -> Switch:
    """The switch that `pbx.kind` names, not started.

    Args:
        settings: all of them.
        media: every attempt opens a leg of it.
        on_incoming: asked about inbound calls, unless the settings want none.
    """
    taker = on_incoming if settings.pbx.inbound else None
    if settings.pbx.kind == "freeswitch":
        return FreeSwitchSwitch(freeswitch_config(settings), media, taker)
    return AsteriskSwitch(asterisk_config(settings), media, taker)


def control_address(settings: Settings) -> tuple[str, int]:
    """Where the PBX is driven."""
    pbx = settings.pbx
    return (
        (pbx.esl.host, pbx.esl.port) if pbx.kind == "freeswitch" else (pbx.ami.host, pbx.ami.port)
    )


def asterisk_config(settings: Settings) -> AsteriskConfig:
    """Asterisk's share of the settings."""
    pbx = settings.pbx
    return AsteriskConfig(
        host=pbx.ami.host,
        port=pbx.ami.port,
        tls=_tls(pbx.ami),
        audio_host=pbx.ami.audio_host,
        username=pbx.ami.username,
        secret=pbx.ami.secret.get_secret_value(),
        trunk=pbx.trunk,
        invite_timeout_s=pbx.invite_timeout_s,
        codec=_CODECS[pbx.codec],
        wideband=pbx.wideband,
        media_host=settings.rtp.advertise,
        connect_timeout_s=pbx.ami.timeout_s,
        action_timeout_s=pbx.ami.timeout_s,
        fastagi_host=pbx.fastagi.host,
        fastagi_port=pbx.fastagi.port,
        fastagi_secret=pbx.fastagi.secret.get_secret_value(),
        fastagi_networks=pbx.fastagi.allowed_networks,
    )


def freeswitch_config(settings: Settings) -> FreeSwitchConfig:
    """FreeSWITCH's share of the settings."""
    pbx = settings.pbx
    return FreeSwitchConfig(
        host=pbx.esl.host,
        port=pbx.esl.port,
        password=pbx.esl.password.get_secret_value(),
        trunk=pbx.trunk,
        invite_timeout_s=pbx.invite_timeout_s,
        codec=_CODECS[pbx.codec],
        wideband=pbx.wideband,
        media_host=settings.rtp.advertise,
        audio_host=pbx.esl.unicast_host,
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
