"""What the Asterisk side needs to be told."""

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

from pbx.codecs import PCMA, PCMU, Codec


@dataclass(frozen=True)
class AsteriskConfig:
    """Settings of one Asterisk; times are in seconds. The setting's name stands beside each."""

    host: str = "127.0.0.1"
    """`pbx.ami.host`."""
    port: int = 5038
    """`pbx.ami.port`."""
    username: str = "offhook"
    """`pbx.ami.username`."""
    secret: str = field(default="", repr=False)
    """`pbx.ami.secret`."""
    trunk: str = "trunk"
    """`pbx.trunk`: the PJSIP endpoint that numbers are dialled through."""
    codec: Codec = PCMU
    """Between Asterisk and us, PCMU or PCMA; Asterisk transcodes where the trunk speaks another.

    Not linear 16 kHz: UnicastRTP (Asterisk 22.10) sends it as payload type 118 but does not
    understand that type itself, so the far end would hear nothing.
    """
    media_host: str | None = None
    """Where Asterisk reaches our audio port; None is the media server's own address, and where
    that is a wildcard, the address that we reach AMI from."""
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
    connect_timeout_s: float = 5.0
    action_timeout_s: float = 5.0
    ping_interval_s: float = 10.0
    reconnect_min_s: float = 0.5
    reconnect_max_s: float = 10.0
    link_grace_s: float = 30.0
    """How long calls outlive a lost link before they are given up."""
    reconcile_interval_s: float = 30.0
    """How often the calls are compared with Asterisk's channels while all is well."""

    def __post_init__(self) -> None:
        if self.codec not in (PCMU, PCMA):
            raise ValueError(f"{self.codec.name} works in one direction only; use PCMU or PCMA")
