"""What the side of every PBX needs to be told."""

from dataclasses import dataclass
from typing import ClassVar, Final

from pbx.codecs import Codec
from pbx.dial_string import PbxKind, Way, way_over

#: RFC 3261 section 17.1.1.2: timer B, 64 times T1, which is half a second.
INVITE_TIMEOUT_S: Final = 32.0


@dataclass(frozen=True)
class PbxConfig:
    """Settings of one PBX; times are in seconds. The setting's name stands beside each."""

    kind: ClassVar[PbxKind]

    port: int
    host: str = "127.0.0.1"
    trunk: str = "trunk"
    """`pbx.trunk`: what numbers are dialled through, by the name that the PBX has for it."""
    dial_string: str = ""
    """`pbx.dial_string`: what the PBX dials where the trunk says nothing else."""
    codec: Codec | None = None
    """`pbx.codec`; None leaves it to the trunk."""
    media_host: str | None = None
    """`rtp.advertise`: where the PBX reaches our audio port; None is the media server's own
    address, and where that is a wildcard, the address that we reach the PBX from."""
    audio_host: str | None = None
    """`pbx.ami.audio_host`, `pbx.esl.unicast_host`: the PBX's own address for its end of the audio;
    None is the one that it names, or is reached at."""
    invite_timeout_s: float = INVITE_TIMEOUT_S
    """`pbx.invite_timeout_s`: for how long the PBX sends an INVITE that nobody answers."""
    headers_in: tuple[str, ...] = ("X-*",)
    """`pbx.headers_in`: patterns of the `X-` headers of inbound calls that are handed on."""
    connect_timeout_s: float = 5.0
    """For the connection and the login together."""
    ping_interval_s: float = 10.0
    reconnect_min_s: float = 0.5
    reconnect_max_s: float = 10.0
    link_grace_s: float = 30.0
    """How long calls outlive a lost link before they are given up."""
    reconcile_interval_s: float = 30.0
    """How often the calls are compared with the PBX's channels while all is well."""

    def way(self, trunk: str | None = None, dial_string: str | None = None) -> Way:
        """How numbers are dialled over a trunk; None is as configured."""
        return way_over(trunk or self.trunk, dial_string, self.dial_string, self.kind)
