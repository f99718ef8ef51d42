"""FreeSWITCH over its Event Socket (through greenswitch), with audio by `unicast`."""

from pbx.freeswitch.config import FreeSwitchConfig
from pbx.freeswitch.switch import FreeSwitchSwitch

__all__ = ["FreeSwitchConfig", "FreeSwitchSwitch"]
