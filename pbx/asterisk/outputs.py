"""What goes into an attempt's core, a manager event, and what comes out beside its progress."""

from collections.abc import Mapping
from dataclasses import dataclass

from pbx.attempt_core import CloseMedia, ConnectMedia, DisconnectMedia
from pbx.switch import Progress

Event = Mapping[str, str]
"""One manager event: header to value."""


@dataclass(frozen=True)
class HangUpChannel:
    """Ask the PBX to hang that channel up."""

    channel: str


@dataclass(frozen=True)
class AskCallId:
    """Ask the PBX for the SIP Call-ID of that channel; answer with `call_id()`."""

    channel: str


@dataclass(frozen=True)
class AskResponse:
    """Ask the PBX what that channel was answered, 100 included; answer with `responded()`."""

    channel: str


@dataclass(frozen=True)
class Smooth:
    """Have the PBX put that channel's audio in order, if it transcodes it on its way to us."""

    channel: str


@dataclass(frozen=True)
class AskMedia:
    """Ask the PBX where the audio of that media leg is; answer with `media_at()`."""

    channel: str


@dataclass(frozen=True)
class AskBridge:
    """Ask the PBX who is in that bridge; answer with `in_bridge()`."""

    bridge: str


@dataclass(frozen=True)
class Follow:
    """From now on events about that channel or bridge, by its unique id, are this attempt's."""

    unique_id: str


@dataclass(frozen=True)
class ReferAnswered:
    """What became of a REFER; told once after `begin_refer()`, unless the attempt ends first."""

    agreed: bool
    sip_code: int | None = None
    """The far end's reason to refuse, where it gave one."""


Output = (
    Progress
    | ConnectMedia
    | DisconnectMedia
    | CloseMedia
    | HangUpChannel
    | AskCallId
    | Smooth
    | AskMedia
    | AskBridge
    | Follow
    | AskResponse
    | ReferAnswered
)
