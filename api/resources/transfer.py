"""Transfers: a call handed over to somebody else."""

import re
from dataclasses import asdict, dataclass
from typing import Final, Literal

from pydantic import Field

from api.base.fields import Body
from api.base.json_object import JsonObject
from api.base.numbers import DESTINATION
from api.base.sip_uris import LONGEST
from api.base.times import Timestamp
from api.resources.answer import Resource

TransferMode = Literal["cold", "warm"]
TransferMethod = Literal["refer", "bridge"]
TransferStatus = Literal["dialing", "completed", "failed"]


@dataclass(frozen=True)
class TransferWish:
    """To whom a call is to be handed over, and how; already checked."""

    number: str
    """As it is written, until `order_transfer` has read it."""
    mode: TransferMode = "cold"
    """`warm`: whoever answers is briefed first."""
    method: TransferMethod | None = None
    """None: by REFER where the trunk takes it, else, and where that is refused, by bridging."""
    summary_instructions: str | None = None
    """Warm: what the briefing should hold."""


@dataclass(frozen=True)
class Transfer:
    """A transfer as it stands; kept with its call."""

    seq: int
    """1 for the attempt's first."""
    number: str
    mode: TransferMode
    method: TransferMethod
    falls_back: bool
    """Whether a refused REFER is followed by bridging."""
    trunk: str
    """The one that a bridge's second leg goes out by."""
    caller_number: str
    """Shown on it."""
    summary_instructions: str | None
    status: TransferStatus
    at: float
    """When that was so, Unix seconds."""
    reason: str | None = None
    """Why it failed."""
    rate: JsonObject | None = None
    """What its second leg costs, as `api.base.money.Rate` writes it; None: nothing."""
    longest_s: int = 0
    """How long that may last."""
    reserved_milli_cents: int = 0
    """Held for it, within what is held for the call."""
    answered_at: float | None = None
    """When its second leg was answered, Unix seconds."""

    @property
    def takes_channel(self) -> bool:
        """Whether its second leg takes a channel of its trunk, while the call lasts."""
        return self.method == "bridge" and self.status != "failed"

    def json(self) -> JsonObject:
        """As it is stored."""
        return asdict(self)


def leg_id(channel_id: str, seq: int) -> str:
    """The channel id of the second leg. `whose_leg` of it is the call's own channel id, so that
    after a crash the leg is known for what it is."""
    if not channel_id.startswith(_OURS):  # an inbound call's, which the PBX chose
        channel_id = _THEIRS + re.sub(r"[_.:]", lambda one: _WRITTEN[one[0]], channel_id)
    return f"{channel_id}{_LEG}{seq}"


def whose_leg(channel_id: str) -> str:
    """The channel id of the attempt that the channel belongs to: its own, or that of a leg."""
    whose, leg, _ = channel_id.partition(_LEG)
    if leg and whose.startswith(_THEIRS):
        return re.sub(r"_[udc]", lambda one: _READ[one[0]], whose.removeprefix(_THEIRS))
    return whose


#: In no channel id of an attempt: those are hexadecimal behind their prefix, or the PBX's own.
_LEG: Final = "-transfer-"
#: What every channel id begins with that we choose; of legs of calls whose id the PBX chose.
_OURS: Final = "offhook-"
_THEIRS: Final = "offhook-in-"
#: What no channel id of ours may hold.
_WRITTEN: Final = {"_": "_u", ".": "_d", ":": "_c"}
_READ: Final = {written: char for char, written in _WRITTEN.items()}


class TransferObject(Resource):
    """The handing over of a call to somebody else."""

    number: str = Field(
        examples=["+15550100200"], description="To whom: E.164, an extension or a SIP URI."
    )
    mode: TransferMode = Field(description="`warm`: whoever answered was briefed first.")
    method: TransferMethod = Field(
        description="`refer`: the carrier calls them. `bridge`: they are called, and joined."
    )
    status: TransferStatus
    reason: str | None = Field(description="Why it failed.")
    at: Timestamp = Field(description="Since when it has its status.")


class TransferCall(Body):
    """To whom to hand the person on the line over."""

    number: str = Field(max_length=LONGEST, description=DESTINATION, examples=["+15550100200"])
    mode: TransferMode = Field(
        default="cold",
        description="`warm`: whoever answers is told who is on the line, while the person hears it "
        "ring; then the two are joined.",
    )
    method: Literal["auto", "refer", "bridge"] = Field(
        default="auto",
        description="`refer`: the carrier calls them (SIP REFER), if the trunk's `allow_refer` is "
        "set; not for `warm`. `bridge`: they are called, and joined. `auto`: `refer` where that is "
        "allowed, else, and where the carrier refuses, `bridge`.",
    )
    summary_instructions: str | None = Field(
        default=None,
        max_length=4_000,
        description="`warm`: what the briefing is to hold; null or empty: who is on the line, what "
        "they want, and what was agreed.",
    )
