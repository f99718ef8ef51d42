"""What the FreeSWITCH side needs to be told."""

from dataclasses import dataclass, field

from pbx.codecs import PCMA, PCMU, Codec


@dataclass(frozen=True)
class FreeSwitchConfig:
    """Settings of one FreeSWITCH; times are in seconds. The setting's name stands beside each."""

    host: str = "127.0.0.1"
    """`pbx.esl.host`: a name, or an IPv4 or IPv6 address."""
    port: int = 8021
    """`pbx.esl.port`."""
    password: str = field(default="", repr=False)
    """`pbx.esl.password`."""
    trunk: str = "trunk"
    """`pbx.trunk`: the Sofia gateway that numbers are dialled through."""
    codec: Codec = PCMU
    """`pbx.codec`: PCMU or PCMA, the one that the trunk is offered first."""
    media_host: str | None = None
    """`rtp.advertise`: where FreeSWITCH reaches our audio port; None is the media server's own
    address, and where that is a wildcard, the address that we reach ESL from."""
    unicast_host: str | None = None
    """`pbx.esl.unicast_host`: FreeSWITCH's own address for its end of the audio; None is the
    address that ESL is reached at."""
    unicast_port_min: int = 20000
    """`pbx.esl.unicast_port_min`: first UDP port that FreeSWITCH binds for our audio."""
    unicast_port_max: int = 21999
    """`pbx.esl.unicast_port_max`: the last one."""
    connect_timeout_s: float = 5.0
    """`pbx.esl.timeout_s`: for the connection and the login together."""
    command_timeout_s: float = 5.0
    """`pbx.esl.timeout_s`: for the answer to a command."""
    ping_interval_s: float = 10.0
    reconnect_min_s: float = 0.5
    reconnect_max_s: float = 10.0
    link_grace_s: float = 30.0
    """How long calls outlive a lost link before they are given up."""
    reconcile_interval_s: float = 30.0
    """How often the calls are compared with FreeSWITCH's channels while all is well."""

    def __post_init__(self) -> None:
        if self.codec not in (PCMU, PCMA):
            raise ValueError(f"a trunk is offered PCMU or PCMA, not {self.codec.name}")
        if not 1024 <= self.unicast_port_min <= self.unicast_port_max <= 65535:
            raise ValueError("unicast ports must be a range within 1024 to 65535")
