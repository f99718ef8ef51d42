"""Asterisk over AMI (through panoramisk) and FastAGI."""

from pbx.asterisk.config import AsteriskConfig
from pbx.asterisk.switch import AsteriskSwitch

__all__ = ["AsteriskConfig", "AsteriskSwitch"]
