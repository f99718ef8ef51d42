"""The PBX, and the audio between it and Offhook."""

import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, IPvAnyNetwork, SecretStr, model_validator

from api.settings.section import Certificates, Host, Port, Section
from pbx.addresses import is_loopback_name
from pbx.dial_string import check_dial_string

#: Names of SIP headers of one's own, `*` for any characters.
HeaderPattern = Annotated[str, Field(pattern=r"^[Xx]-[0-9A-Za-z*-]{1,60}$")]
_PATH_PART: Final = re.compile(r"[A-Za-z0-9_-]{16,128}")


def _kind_of(dial_string: str) -> str:
    """Which PBX dials so. Raises ValueError."""

    return check_dial_string(dial_string)


def _dial_string(template: str) -> str:
    _kind_of(template)
    return template


def _agi_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if text and not _PATH_PART.fullmatch(text):
        raise ValueError("make it of 16 to 128 letters, digits, - and _")
    return secret


class Ami(Section):
    """The Asterisk Manager Interface of the PBX."""

    host: Host = Field(default="127.0.0.1", description="Host of Asterisk's manager interface.")
    port: Port = Field(
        default=5038, description="Its TCP port; for TLS that of `tlsbindaddr`, mostly 5039."
    )
    tls: Literal["off", "verified", "unverified"] = Field(
        default="off",
        description="`verified`: over TLS, to a manager whose certificate names `host` and holds. "
        "`unverified`: encrypted, to whoever answers. `off`: in the clear, for loopback and for "
        "networks that encrypt.",
    )
    ca_file: Certificates | None = Field(
        default=None,
        description="Certificates (PEM) to trust, such as the manager's own if nobody else signed "
        "it; unset means those that the system trusts.",
    )
    username: str = Field(default="offhook", description="Manager user, as in manager.conf.")
    secret: SecretStr = Field(default=SecretStr(""), description="The manager user's secret.")
    timeout_s: float = Field(
        default=5.0, gt=0, description="Seconds to wait for a connection, a login or an answer."
    )
    audio_host: Host | None = Field(
        default=None,
        description="Asterisk's own IP address for its end of the audio, where it names one that "
        "only its own network knows (a NAT that hands its ports on, a cloud's public address); "
        "unset means the one that it names.",
    )


class FastAgi(Section):
    """Where Asterisk's dialplan asks about inbound calls."""

    host: Host = Field(
        default="127.0.0.1",
        description="Local address that FastAGI listens on. Keep it where only Asterisk gets to.",
    )
    port: Port = Field(
        default=4573, description="Its TCP port, as in the `AGI` line of extensions.conf."
    )
    secret: Annotated[SecretStr, AfterValidator(_agi_secret)] = Field(
        default=SecretStr(""),
        description="What the path in that line must end in, as "
        "`AGI(agi://127.0.0.1:4573/incoming/SECRET)`: 16 to 128 letters, digits, `-` and `_`. "
        "Unset asks for none, which is for loopback only.",
    )
    allowed_networks: tuple[IPvAnyNetwork, ...] = Field(
        default=(),
        description="Networks (CIDR) whose connections are taken; unset means loopback and the "
        "host of `pbx.ami`.",
    )

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine gets to it."""
        return is_loopback_name(self.host)


class Esl(Section):
    """The Event Socket of the PBX."""

    host: Host = Field(default="127.0.0.1", description="Host of FreeSWITCH's event socket.")
    port: Port = Field(default=8021, description="Its TCP port.")
    password: SecretStr = Field(
        default=SecretStr(""), description="Its password, as in event_socket.conf.xml."
    )
    timeout_s: float = Field(
        default=5.0, gt=0, description="Seconds to wait for a connection, a login or an answer."
    )
    unicast_host: Host | None = Field(
        default=None,
        description="FreeSWITCH's own IP address for its end of the audio; unset means the one "
        "that its event socket is reached at.",
    )
    unicast_port_min: int = Field(
        default=20000,
        ge=1024,
        le=65535,
        description="First UDP port that FreeSWITCH may take for its end of the audio; apart from "
        "its own RTP ports.",
    )
    unicast_port_max: int = Field(
        default=21999, ge=1024, le=65535, description="Last one of that range."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.unicast_port_min > self.unicast_port_max:
            raise ValueError("unicast_port_min must not be greater than unicast_port_max")
        return self


class Pbx(Section):
    """The operator's PBX."""

    kind: Literal["asterisk", "freeswitch"] = Field(
        default="asterisk", description="Which PBX it is."
    )
    trunk: str = Field(
        default="trunk",
        pattern=r"^[A-Za-z0-9_.-]([A-Za-z0-9_. -]{0,62}[A-Za-z0-9_.-])?$",
        description="Name of the SIP trunk: Asterisk's PJSIP endpoint, FreeSWITCH's gateway. It is "
        "added to `/v1/trunks` where it is not there.",
    )
    dial_string: Annotated[str, AfterValidator(_dial_string)] | None = Field(
        default=None,
        description="What the PBX dials, where a trunk has no `dial_string` of its own, as "
        "`Local/{number}@from-internal/n`; unset is `PJSIP/{number}@{trunk}`, over FreeSWITCH "
        "`sofia/gateway/{trunk}/{number}`.",
    )
    codec: Literal["auto", "ulaw", "alaw"] = Field(
        default="auto",
        description="Asterisk: the codec between it and Offhook; `auto` is the trunk's own, so "
        "that nothing is transcoded. FreeSWITCH: the codec that the trunk is offered first; `auto` "
        "is `ulaw`.",
    )
    wideband: bool = Field(
        default=False,
        description="Whether calls are heard and spoken at 16 kHz where the trunk speaks G.722; "
        "others keep `pbx.codec`.",
    )
    invite_timeout_s: float = Field(
        default=32.0,
        ge=1,
        le=64,
        description="For how many seconds the PBX sends an INVITE that nobody answers (SIP's timer "
        "B), as it is set there: Asterisk's `timer_b`, FreeSWITCH's `timer-T1X64`. No other trunk "
        "is tried before.",
    )
    advertise: Host | None = Field(
        default=None,
        description="In place of `rtp.advertise`, for this PBX alone.",
    )
    inbound: bool = Field(
        default=True,
        description="Whether calls that the trunk brings are taken: by the inbound agent of the "
        "number that was dialled.",
    )
    headers_out: tuple[HeaderPattern, ...] = Field(
        default=("X-*",),
        description="SIP headers that a call may have (`sip_headers`), by names or patterns with "
        "`*`, all beginning with `X-`; `[]` is none.",
    )
    headers_in: tuple[HeaderPattern, ...] = Field(
        default=("X-*",),
        description="SIP headers of inbound calls that the agent, webhooks and the call object are "
        "told, in the same way.",
    )
    ami: Ami = Ami()
    fastagi: FastAgi = FastAgi()
    esl: Esl = Esl()

    @model_validator(mode="after")
    def _dials_so(self) -> Self:
        if self.dial_string is not None and _kind_of(self.dial_string) != self.kind:
            raise ValueError(f"dial_string is none of {self.kind}")
        return self

    @model_validator(mode="after")
    def _agi_is_ours_alone(self) -> Self:
        asked = self.kind == "asterisk" and self.inbound
        if asked and not self.fastagi.on_loopback and not self.fastagi.secret.get_secret_value():
            raise ValueError(
                f"fastagi.host {self.fastagi.host} is not loopback: set fastagi.secret, and end "
                "the path in the `AGI` line of extensions.conf with it, or set inbound to false"
            )
        return self


class Rtp(Section):
    """Audio between Offhook and the PBX."""

    bind: Host | None = Field(
        default=None,
        description="Local IP address that RTP is received on; `0.0.0.0` is every one of IPv4, "
        "`::` of both. Unset means the one that the PBX is reached from, so loopback where it is "
        "on this machine.",
    )
    advertise: Host | None = Field(
        default=None,
        description="Address that the PBX sends RTP to, where another one than `rtp.bind` leads "
        "here: a NAT, a container's host. Unset means `rtp.bind`, or the address that the PBX is "
        "reached from where that is every one.",
    )
    latch: Literal["off", "host", "any"] = Field(
        default="off",
        description="Whether audio that comes from elsewhere than the PBX said is taken for that "
        "of a call (symmetric RTP, as behind a NAT): from another port of the same `host`, or from "
        "`any` host of `rtp.sources`. Each call then has a port of its own in the range. Only what "
        "was not heard for half a second where it should be is looked for elsewhere; the first "
        "source of its audio wins, and keeps it until, after a second of silence, its stream "
        "(SSRC, sequence, time) goes on elsewhere.",
    )
    sources: tuple[IPvAnyNetwork, ...] = Field(
        default=(),
        description='Networks (CIDR) from which `rtp.latch = "any"` takes audio, as '
        "`192.0.2.7/32`; unset means every one, which is for networks without strangers.",
    )
    port_min: Port = Field(
        default=12000,
        description="First UDP port of the range: one is taken, or with `rtp.latch` one for each "
        "call.",
    )
    port_max: Port = Field(default=12999, description="Last UDP port of the range.")
    max_legs: int = Field(default=200, ge=1, description="Most media legs open at one time.")
