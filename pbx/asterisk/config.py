"""What the Asterisk side needs to be told."""

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from ssl import SSLContext
from typing import ClassVar

from pbx.codecs import PCMA, PCMU, Codec
from pbx.config import PbxConfig
from pbx.dial_string import PbxKind


@dataclass(frozen=True)
class AsteriskConfig(PbxConfig):
    """Settings of one Asterisk, whose trunk is a PJSIP endpoint; `host` is `pbx.ami.host`."""

    kind: ClassVar[PbxKind] = "asterisk"

    port: int = 5038
    """`pbx.ami.port`."""
    tls: SSLContext | None = field(default=None, repr=False)
    """`pbx.ami.tls`, `pbx.ami.ca_file`: None speaks in the clear."""
    username: str = "offhook"
    """`pbx.ami.username`."""
    secret: str = field(default="", repr=False)
    """`pbx.ami.secret`."""
    codec: Codec | None = None
    """`pbx.codec`: between Asterisk and us, PCMU or PCMA. None is what the trunk's channel speaks,
    as far as we do, so that packets pass untouched: where Asterisk transcodes, it drops what comes
    out of order, and numbers the rest anew.
    """
    wideband: bool = False
    """`pbx.wideband`: whether that is G.722 where the trunk's channel speaks it, both ways.

    Not linear 16 kHz: UnicastRTP (Asterisk 22.10) sends it as payload type 118 but does not
    understand that type itself, so the far end would hear nothing. G.722 has a type of its own
    in RFC 3551.
    """
    fastagi_host: str = "127.0.0.1"
    """`pbx.fastagi.host`: where FastAGI listens for inbound calls."""
    fastagi_port: int = 4573
    """`pbx.fastagi.port`; 0 takes a free one."""
    fastagi_secret: str = field(default="", repr=False)
    """`pbx.fastagi.secret`: the last part of the path in the dialplan's `agi://` URL; empty asks
    for none."""
    fastagi_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """`pbx.fastagi.allowed_networks`: whose connections are taken; empty means loopback and the
    host of AMI."""
    action_timeout_s: float = 5.0
    """`pbx.ami.timeout_s`: for the answer to an action."""

    def __post_init__(self) -> None:
        if self.codec is not None and self.codec not in (PCMU, PCMA):
            raise ValueError(f"{self.codec.name} works in one direction only; use PCMU or PCMA")
