"""What the FreeSWITCH side needs to be told."""

from dataclasses import dataclass, field
from typing import ClassVar

from pbx.codecs import PCMA, PCMU
from pbx.config import PbxConfig
from pbx.dial_string import PbxKind


@dataclass(frozen=True)
class FreeSwitchConfig(PbxConfig):
    """Settings of one FreeSWITCH: the trunk is a Sofia gateway, offered the codec first.

    `host` is `pbx.esl.host`: a name, or an IPv4 or IPv6 address.
    """

    kind: ClassVar[PbxKind] = "freeswitch"

    port: int = 8021
    """`pbx.esl.port`."""
    password: str = field(default="", repr=False)
    """`pbx.esl.password`."""
    wideband: bool = False
    """`pbx.wideband`: whether a trunk is offered G.722 first, and may be at 16 kHz."""
    unicast_port_min: int = 20000
    """`pbx.esl.unicast_port_min`: first UDP port that FreeSWITCH binds for our audio."""
    unicast_port_max: int = 21999
    """`pbx.esl.unicast_port_max`: the last one."""
    command_timeout_s: float = 5.0
    """`pbx.esl.timeout_s`: for the answer to a command."""

    def __post_init__(self) -> None:
        if self.codec is not None and self.codec not in (PCMU, PCMA):
            raise ValueError(f"a trunk is offered PCMU or PCMA, not {self.codec.name}")
        if not 1024 <= self.unicast_port_min <= self.unicast_port_max <= 65535:
            raise ValueError("unicast ports must be a range within 1024 to 65535")
