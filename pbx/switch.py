"""The one interface over every PBX: dial, hear how it goes, be heard, hang up.

The rest of Offhook sees a `Switch` and `Attempt`s only; `pbx/asterisk/` implements them.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from pbx.dial_string import Way
from pbx.speech_level import NO_LEVEL, Level
from voice_loop.ports import AudioPeer

#: Terminal states of an attempt.
EndState = Literal["completed", "no_answer", "busy", "canceled", "failed"]
#: How our own trunk kept a call from its number: no answer at all, our credentials or account
#: refused, a failure of the carrier's.
TrunkFault = Literal["trunk_unreachable", "trunk_refused", "trunk_failed"]

#: Why audio does not come through: our address that the PBX is told or has (`rtp.advertise`), no
#: codec in common, an address that is not reachable from the other side, a packet filter, the far
#: end itself, the network on the way to it, or more than one of these.
LikelyCause = Literal["rtp_address", "codec", "nat", "firewall", "far_end", "network", "unknown"]
#: Whose audio does not come through: the far end's to us, or ours to it.
ProblemName = Literal["no_audio_in", "no_audio_out"]

#: UTF-8 bytes of a text message. A SIP MESSAGE should not exceed 1300 bytes in all (RFC 3428
#: section 8), and a line of AMI, in which the text stands as base64, holds 1024 characters.
MAX_TEXT_BYTES: Final = 700

#: Seconds by which the PBX's limit of a call lies past ours: it is for the day when we are gone.
LIMIT_MARGIN_S: Final = 30


@dataclass(frozen=True)
class Dial:
    """One wish to dial one number."""

    id: str
    """The channel id, chosen by us, unique for ever: `offhook-<uuid>`."""
    number: str
    """As the PBX takes it: E.164 with the plus sign, what a dial plan made of it, a SIP URI."""
    caller_number: str | None = None
    """Caller ID number, likewise."""
    caller_name: str | None = None
    ring_timeout_s: int = 30
    trunk: str | None = None
    """Name of the trunk; None is the configured default."""
    dial_string: str | None = None
    """What the PBX dials, as a template (`pbx.dial_string`); None is the configured default."""
    limit_s: int = 14_400
    """Seconds of talk after which the PBX itself hangs up, whatever has become of us; at most a
    week."""
    hide_number: bool = False
    """Whether the carrier is asked not to show name and number to whom we call (CLIR)."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers `X-…` of the INVITE."""
    forwarded_from: str | None = None
    """The number, E.164, whose call this one passes on: the header `Diversion` (RFC 5806)."""
    account: str | None = None
    """Account code of the PBX's call detail record."""


@dataclass(frozen=True)
class Cause:
    """Why an attempt ended, in our words and in the network's."""

    state: EndState
    name: str
    """Q.850 cause in lower snake case (`normal_clearing`, `user_busy`, …)."""
    message: str
    """A sentence for people."""
    q850: int | None = None
    sip_code: int | None = None
    sip_call_id: str | None = None
    trunk_fault: TrunkFault | None = None
    """Only where nothing rang: the number was not reached, and another trunk may be tried."""
    by_pbx: bool = False
    """The PBX hung up by itself, as neither side had asked: its operator, a limit, a restart."""


@dataclass(frozen=True)
class Dialing:
    """The PBX accepted the wish and is dialling."""

    at: float
    """Unix time in seconds, as in every progress event."""


@dataclass(frozen=True)
class Ringing:
    at: float
    sip_call_id: str | None = None
    """Of the trunk's leg, where it is known by now; as in the two that follow."""


@dataclass(frozen=True)
class EarlyMedia:
    """The network plays audio before the answer (SIP 183)."""

    at: float
    sip_call_id: str | None = None


@dataclass(frozen=True)
class Answered:
    at: float
    sip_call_id: str | None = None


@dataclass(frozen=True)
class Digit:
    """A DTMF key that the far end pressed."""

    at: float
    digit: str
    duration_ms: int


@dataclass(frozen=True)
class Held:
    """The far end has put us on hold: it does not hear us, and what it sends is not for us."""

    at: float


@dataclass(frozen=True)
class Resumed:
    """The far end has taken us off hold."""

    at: float


@dataclass(frozen=True)
class AudioLost:
    """No audio has come from the far end for a while: not even comfort noise, nor is it a hold."""

    at: float
    since: float
    """When there was a sign of it last, or the answer."""
    dead: bool
    """Whether it sends no reports (RTCP) either; else that is not known."""


@dataclass(frozen=True)
class AudioRestored:
    """Audio comes from the far end again, or for the first time."""

    at: float


@dataclass(frozen=True)
class AudioProblem:
    """One side is not heard, and why that is likely so. Told once for each direction."""

    at: float
    problem: ProblemName
    """No audio has come for 5 s; what we send does not reach the far end, by its own reports."""
    cause: LikelyCause
    message: str
    """A sentence that says what was seen, and how to mend it."""


@dataclass(frozen=True)
class Transferred:
    """The far end talks to somebody else now, not to us; `Ended` tells when we are out of it."""

    at: float


@dataclass(frozen=True)
class Ended:
    """The last event of every attempt, exactly once."""

    at: float
    cause: Cause


Progress = (
    Dialing
    | Ringing
    | EarlyMedia
    | Answered
    | Digit
    | Held
    | Resumed
    | AudioLost
    | AudioRestored
    | AudioProblem
    | Transferred
    | Ended
)


class SwitchError(Exception):
    """The PBX cannot do what was asked; the message says why and how to mend it."""


class SwitchUnavailable(SwitchError):
    """No working link to the PBX now (down, refused, wrong password)."""


class SwitchNotReachedError(SwitchUnavailable):
    """As that, and nothing was sent: to ask again is safe."""


class SwitchRefused(SwitchError):
    """The PBX, or our own check of a value, refused this request. `field` names the culprit."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class TrunkStats:
    """What the PBX counted on the trunk's leg; None for what it does not tell."""

    codec: str | None = None
    """As the PBX calls it: `alaw`, `PCMU`."""
    received: int | None = None
    """Packets, as in those that follow."""
    lost: int | None = None
    sent: int | None = None
    jitter_ms: float | None = None
    reported_lost: int | None = None
    """Of what was sent, by the far end's reports (RTCP), as in those that follow."""
    reported_jitter_ms: float | None = None
    round_trip_ms: float | None = None


@dataclass(frozen=True)
class MediaStats:
    """What a media leg counted. Packets, except where a unit is named."""

    received: int
    sent: int
    lost: int
    late: int
    reordered: int
    duplicate: int
    concealed_frames: int
    dropped_frames: int
    jitter_ms: float
    excess: int
    """Dropped unread, as the far end sent more than audio."""
    strays: int
    """Datagrams of no call that came to the port of all calls meanwhile, and were dropped."""
    holds: int = 0
    """How often the far end put us on hold."""
    held_s: float = 0.0
    """Seconds on hold."""
    gaps: int = 0
    """How often audio from the far end was lost (`AudioLost`)."""
    gap_s: float = 0.0
    """Seconds without any."""
    comfort_noise: bool = False
    """Whether the trunk brought comfort noise (RFC 3389) that the PBX did not hand on to us."""
    leg_lost: int = 0
    """Of `lost`, what was lost on our own leg, the trunk's included where the PBX hands it on."""
    bursts: int = 0
    """How often packets were missing, one or more at a time."""
    mean_jitter_ms: float = 0.0
    """Over all packets, where `jitter_ms` is of the last."""
    buffer_ms: int = 0
    """What the jitter buffer delays by in the end."""
    frames: int = 0
    """Heard in all, of 20 ms."""
    heard_level: Level = NO_LEVEL
    sent_level: Level = NO_LEVEL
    trunk: TrunkStats = TrunkStats()


class Attempt(Protocol):
    """One dialled or answered call on the PBX; satisfies `voice_loop.ports.Line`."""

    @property
    def id(self) -> str: ...

    @property
    def rate(self) -> int: ...

    def progress(self) -> AsyncIterator[Progress]:
        """Every event from the start, in order, ending after `Ended`. One consumer."""
        ...

    def attach(self, peer: AudioPeer | None) -> None:
        """Connect the audio (early media included) to `peer`; None sends silence."""
        ...

    async def hang_up(self) -> None:
        """End the attempt: cancels while ringing. Does nothing when it is over."""
        ...

    async def limit(self, seconds: int) -> None:
        """Have the PBX itself hang up that long from now, in place of the limit that it had.

        It is what ends an inbound call, which has none before, and a transferred one, should we
        be gone by then. Raises SwitchRefused when it is over, or SwitchUnavailable.
        """
        ...

    async def send_digits(self, digits: str) -> None: ...

    async def refer(self, number: str) -> None:
        """Blind transfer: have the far end call `number` (or a SIP URI) instead of us, by a SIP
        REFER (RFC 3515).

        Returns when it has agreed: `Transferred` and `Ended` (completed) follow, and what becomes
        of that call is no more for us to know. Raises SwitchRefused when the far end will not,
        or SwitchUnavailable; the call then goes on with us. (Not over FreeSWITCH when the far end
        agreed first and the call that it made failed: FreeSWITCH then hangs ours up.)
        """
        ...

    async def join(self, other: "Attempt") -> None:
        """Connect the far ends of two answered attempts to one another, and leave.

        Both are `Transferred`, and `Ended` when their call is over; hanging one up ends it.
        Raises SwitchRefused or SwitchUnavailable; both calls then go on with us. With `other`
        asked first this is an attended transfer; `pbx.transfer.bridge` dials and joins.
        """
        ...

    def media_stats(self) -> MediaStats: ...

    @property
    def problems(self) -> Sequence[AudioProblem]:
        """What was told of its audio so far."""
        ...


@dataclass(frozen=True)
class Finding:
    """One line of `offhook doctor`."""

    check: str
    """What was looked at: `ami`, `trunk`, `rtp`, …"""
    ok: bool
    message: str
    """What was seen; where it is wrong, also how to mend it."""
    warning: bool = False
    """Whether that works, but should be looked at."""


class Switch(Protocol):
    """A PBX that Offhook drives."""

    async def start(self) -> None:
        """Connect and log in; raises SwitchUnavailable. Reconnects by itself afterwards."""
        ...

    async def close(self) -> None:
        """Hang up every attempt that is with us and disconnect; transferred calls go on."""
        ...

    @property
    def connected(self) -> bool: ...

    @property
    def calls(self) -> int:
        """Attempts under way."""
        ...

    async def originate(self, dial: Dial) -> Attempt:
        """Dial. Returns once the PBX has the request; never retries.

        Raises SwitchRefused, SwitchNotReachedError where the PBX has heard of nothing, and
        SwitchUnavailable where it may be dialling.
        """
        ...

    async def living_channels(self) -> Sequence[str]:
        """Ids of the channels on the PBX that bear our `offhook-` prefix, now.

        Without those of transferred calls: people are talking there.
        """
        ...

    async def hang_up_channel(self, channel_id: str) -> None:
        """Hang up a channel that no attempt of this process owns (after a restart): one that we
        made, or an inbound one."""
        ...

    async def send_message(
        self, number: str, caller_number: str, text: str, trunk: str | None = None
    ) -> None:
        """Send a text message (SIP MESSAGE, RFC 3428) over a trunk.

        Returns once the PBX has taken it: whether it arrives is not told.

        Args:
            number: whose it is, E.164.
            caller_number: who sends it, E.164.
            text: what it says, line breaks included; up to `MAX_TEXT_BYTES`.
            trunk: name of the trunk; None is the configured default.

        Raises SwitchRefused, its `field` set where another try is in vain, or SwitchUnavailable.
        """
        ...

    async def check(self, ways: Sequence[Way] = ()) -> Sequence[Finding]:
        """Look at the link, the trunks and the media ports, for `offhook doctor`.

        Args:
            ways: the trunks to look at, by how they are dialled; none: the configured one.
        """
        ...
