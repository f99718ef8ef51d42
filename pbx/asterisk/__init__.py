"""Asterisk over AMI (through panoramisk) and FastAGI."""

from pbx.asterisk.config import AsteriskConfig
from pbx.asterisk.incoming import IncomingCall, OnIncoming
from pbx.asterisk.switch import AsteriskSwitch

__all__ = ["AsteriskConfig", "AsteriskSwitch", "IncomingCall", "OnIncoming"]
