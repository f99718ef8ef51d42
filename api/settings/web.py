"""Calls from browsers."""

import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, IPvAnyAddress, SecretStr, model_validator

from api.settings.section import Section

_URI: Final = re.compile(
    r"(?:stun:[^\s:?/]+(?::\d{1,5})?|turns?:[^\s:?/]+(?::\d{1,5})?(?:\?transport=(?:udp|tcp))?)"
)


def _uri(uri: str) -> str:
    if not _URI.fullmatch(uri):
        raise ValueError("write it as stun:host:3478, turn:host:3478 or turns:host:5349 (RFC 7064)")
    return uri


Uri = Annotated[str, AfterValidator(_uri)]


class Web(Section):
    """Calls from browsers (WebRTC), and listening in from one."""

    enabled: bool = Field(
        default=True,
        description="Whether browsers may call and listen in. Ports are opened for each that does.",
    )
    addresses: tuple[IPvAnyAddress, ...] = Field(
        default=(),
        description="Addresses of this machine at which browsers find us (ICE host candidates). "
        "Empty: every one but loopback.",
    )
    advertise: IPvAnyAddress | None = Field(
        default=None,
        description="Address that browsers are told in place of those, where a router passes the "
        "ports on to us one to one.",
    )
    port_min: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="First UDP port for them; each browser takes one on every address. 0 leaves "
        "it to the system.",
    )
    port_max: int = Field(default=65535, ge=1, le=65535, description="Last one.")
    stun: Uri | None = Field(
        default=None,
        description="STUN server, as `stun:stun.example.org:3478`, that tells us our public "
        "address. Unset: nobody is asked.",
    )
    turn: Uri | None = Field(
        default=None,
        description="TURN server through which browsers reach us that cannot do so directly, as "
        "`turn:turn.example.org:3478?transport=udp` or `turns:…`. Unset: none.",
    )
    turn_username: str = Field(default="", description="User name there.")
    turn_credential: SecretStr = Field(default=SecretStr(""), description="Password there.")
    codecs: tuple[Literal["opus", "PCMU", "PCMA"], ...] = Field(
        default=("opus", "PCMU", "PCMA"),
        min_length=1,
        description="Codecs that are spoken; which of them is as the browser prefers. Opus is "
        "heard and spoken at 16 kHz.",
    )
    connect_timeout_s: float = Field(
        default=15.0,
        gt=0,
        le=120,
        description="Seconds in which a browser that was answered has to connect; then its call "
        "ends with `not_connected`.",
    )
    max_peers: int = Field(
        default=200, ge=1, description="Most browsers at one time, callers and listeners."
    )
    max_listeners_per_call: int = Field(
        default=4, ge=1, le=100, description="Most browsers that listen to one call."
    )

    @model_validator(mode="after")
    def _ports_are_a_range(self) -> Self:
        if self.port_min > self.port_max:
            raise ValueError("web.port_min lies above web.port_max")
        return self
