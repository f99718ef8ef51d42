"""Transfers of calls as the store takes and gives them: frozen records."""

from dataclasses import asdict, dataclass
from typing import Literal

from api.records import Call, JsonObject

TransferMode = Literal["cold", "warm"]
TransferMethod = Literal["refer", "bridge"]
TransferStatus = Literal["dialing", "completed", "failed"]


@dataclass(frozen=True)
class TransferWish:
    """To whom a call is to be handed over, and how; already checked."""

    number: str
    """E.164."""
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
    """What its second leg costs, as `api.money.Rate` writes it; None: nothing."""
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


def transfer_of(call: Call) -> Transfer | None:
    """The last transfer of the call's latest attempt."""
    return None if call.transfer is None else Transfer(**call.transfer)


def leg_id(channel_id: str, seq: int) -> str:
    """The channel id of the second leg. `whose_leg` of it is the call's own channel id, so that
    after a crash the leg is known for what it is."""
    return f"{channel_id}{_LEG}{seq}"


def whose_leg(channel_id: str) -> str:
    """The channel id of the attempt that the channel belongs to: its own, or that of a leg."""
    return channel_id.partition(_LEG)[0]


#: In no channel id of an attempt: those are hexadecimal behind their prefix.
_LEG = "-transfer-"
