"""Campaigns and their contacts as the store takes and gives them: frozen records.

Times are Unix seconds, money is milli-cents.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from api.lifecycle import CallStatus
from api.records import Dialect, JsonObject

CampaignStatus = Literal["draft", "running", "paused", "completed", "canceled"]
PausedReason = Literal["requested", "budget", "template"]
ContactStatus = Literal["pending", "ordered", "refused"]
Action = Literal["start", "pause", "resume", "cancel"]

CONTACT_STATUSES: Final[tuple[ContactStatus, ...]] = get_args(ContactStatus)
OPEN: Final[frozenset[CampaignStatus]] = frozenset({"draft", "running", "paused"})

#: Where each action leads from each status; it is refused from any other. Asked for twice, it is
#: done once.
MOVES: Final[Mapping[Action, Mapping[CampaignStatus, CampaignStatus]]] = {
    "start": {"draft": "running", "running": "running"},
    "pause": {"running": "paused", "paused": "paused"},
    "resume": {"paused": "running", "running": "running"},
    "cancel": dict.fromkeys((*sorted(OPEN), "canceled"), "canceled"),
}


@dataclass(frozen=True)
class NewContact:
    """Somebody to call, already checked."""

    to_number: str
    context: JsonObject = field(default_factory=dict)
    metadata: JsonObject = field(default_factory=dict)
    variables: JsonObject = field(default_factory=dict)


@dataclass(frozen=True)
class NewCampaign:
    """A campaign as it comes in, already checked."""

    name: str
    template: JsonObject
    """The body of an order without `to`; sealed."""
    max_concurrent: int
    launch: bool = False
    """Whether it runs at once."""
    api_key_id: str | None = None
    """Of the key that made it; its orders bear it too."""
    dialect: Dialect | None = None
    """That it was made in; its orders bear it too."""


@dataclass(frozen=True)
class Campaign:
    """A campaign as it stands."""

    id: str
    name: str
    status: CampaignStatus
    paused_reason: PausedReason | None
    template: JsonObject
    max_concurrent: int
    api_key_id: str | None
    dialect: Dialect | None
    created_at: float
    started_at: float | None
    completed_at: float | None
    updated_at: float


@dataclass(frozen=True)
class Report:
    """A campaign with what has come of it."""

    campaign: Campaign
    contacts: Mapping[ContactStatus, int]
    calls: Mapping[CallStatus, int]
    """Only statuses that some call has."""
    spent: int
    """Milli-cents that its calls have cost."""


@dataclass(frozen=True)
class Contact:
    """A contact as it stands."""

    campaign_id: str
    seq: int
    """1 for the campaign's first."""
    to_number: str
    context: JsonObject
    metadata: JsonObject
    variables: JsonObject
    status: ContactStatus
    call_id: str | None
    error: str | None
    """Why it was refused."""


@dataclass(frozen=True)
class Standing:
    """What the pacer has to know of a campaign to do its next step."""

    campaign: Campaign
    in_flight: int
    """Calls that are live, or queued with nothing to wait for but a slot."""
    unfinished: bool
    """Whether a call has not had its last event."""
    contact: Contact | None
    """The next to be ordered."""
