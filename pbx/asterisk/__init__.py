"""Asterisk over AMI and FastAGI, through panoramisk."""

from pbx.asterisk.config import AsteriskConfig
from pbx.asterisk.switch import AsteriskSwitch

__all__ = ["AsteriskConfig", "AsteriskSwitch"]
