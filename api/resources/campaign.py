"""Campaigns and their contacts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, BaseModel, Field

from api.base.fields import Body, Change
from api.base.json_object import JsonObject
from api.base.lifecycle import CallStatus
from api.base.problems import FieldError, invalid, pointer
from api.base.sip_uris import LONGEST
from api.base.times import Timestamp
from api.base.written_numbers import read_number_or_uri
from api.resources.agent_fields import PlainVariable
from api.resources.answer import Resource
from api.resources.dialect import Dialect
from api.resources.masking import masked

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


@dataclass(frozen=True, kw_only=True)
class Report(Campaign):
    """A campaign with what has come of it."""

    contacts: Mapping[ContactStatus, int]
    calls: Mapping[CallStatus, int]
    """Only statuses that some call has."""
    spent_milli_cents: int


@dataclass(frozen=True, kw_only=True)
class Contact(NewContact):
    """A contact as it stands."""

    campaign_id: str
    seq: int
    """1 for the campaign's first."""
    status: ContactStatus
    call_id: str | None
    error: str | None
    """Why it was refused."""

    @property
    def to(self) -> str:
        """As the API calls it."""
        return self.to_number


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


#: Contacts in one JSON body; a CSV file holds more.
MAX_LISTED: Final = 1000

#: Fields whose texts may hold line breaks and tabs. A template is looked at again, as an order.
FREE_TEXT: Final = frozenset({"template", "contacts"})

_ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
_CALL_ID = "6f1c2d3e-4b5a-4c6d-8e7f-901234567890"
_TEMPLATE = {
    "prompt": "Remind the patient of the appointment.",
    "returns": {"confirmed": "boolean"},
    "retry": {"max_attempts": 2, "timezone": "America/New_York"},
}
_CONTEXT = {"patient": "Maria Lopez", "time": "8:30"}
_METADATA = {"customer": "42"}
_VARIABLES = {"practice": "North Dental"}
_REASON = (
    "`requested`; `budget`: it does not cover the next order, and the campaign goes on by itself "
    "once it does; `template`: it makes no order now, for example because its caller number or "
    "its trunk is not active."
)


class ContactFields(Body):
    """Somebody to call."""

    to: str = Field(
        max_length=LONGEST,
        description="Number to call: E.164, or as people write it, in `calls.default_country` or "
        "with the country code; or a SIP URI that a trunk takes (`sip_uris`).",
        examples=["+15551234567"],
    )
    context: dict[str, Any] = Field(
        default={}, description="Goes over the template's, key by key.", examples=[_CONTEXT]
    )
    metadata: dict[str, Any] = Field(
        default={}, description="Goes over the template's, key by key.", examples=[_METADATA]
    )
    variables: dict[str, PlainVariable] = Field(
        default={},
        description="What stands for `{{name}}`; goes over the template's, key by key.",
        examples=[_VARIABLES],
    )


_Name = Annotated[
    str, Field(min_length=1, max_length=200, description="Yours.", examples=["Recalls, May"])
]
_MAX_CONCURRENT = "Most calls of the campaign at one time"


class CreateCampaign(Body):
    """A campaign to make."""

    free_text = FREE_TEXT

    name: _Name
    template: dict[str, Any] = Field(
        description="The body of `POST /v1/calls` without `to`: what each contact is called with. "
        "A `{{variable}}` may be left to the contacts.",
        examples=[_TEMPLATE],
    )
    max_concurrent: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description=_MAX_CONCURRENT + "; default `calls.max_concurrent`.",
        examples=[5],
    )
    contacts: list[ContactFields] = Field(
        default=[],
        max_length=MAX_LISTED,
        description="Whom to call; more can be added.",
        examples=[[{"to": "+15551234567", "context": _CONTEXT}]],
    )
    launch: bool = Field(default=False, description="Start at once; otherwise it is a draft.")


class ChangeCampaign(Change):
    """What to change; the rest stays."""

    free_text = FREE_TEXT

    name: _Name = ""
    template: dict[str, Any] = Field(
        default={}, description="Of a draft only.", examples=[_TEMPLATE]
    )
    max_concurrent: int = Field(
        default=1,
        ge=1,
        le=10_000,
        description=_MAX_CONCURRENT + "; live calls go on.",
        examples=[8],
    )


class AddContacts(Body):
    """Contacts to add."""

    free_text = FREE_TEXT

    contacts: list[ContactFields] = Field(
        min_length=1,
        max_length=MAX_LISTED,
        examples=[[{"to": "+15551234567", "context": _CONTEXT, "metadata": _METADATA}]],
    )


class ContactsAdded(BaseModel):
    """What became of a list of contacts."""

    added: int = Field(examples=[2])
    known: int = Field(
        description="Left out: the campaign, or the list itself, has the number already.",
        examples=[0],
    )


class CampaignObject(Resource):
    """A campaign."""

    id: str = Field(json_schema_extra={"format": "uuid"}, examples=[_ID])
    name: str = Field(examples=["Recalls, May"])
    status: CampaignStatus = Field(examples=["running"])
    paused_reason: PausedReason | None = Field(description=_REASON, examples=[None])
    template: Annotated[dict[str, Any], AfterValidator(masked)] = Field(examples=[_TEMPLATE])
    max_concurrent: int = Field(description=_MAX_CONCURRENT + ".", examples=[5])
    created_at: Timestamp
    started_at: Timestamp | None
    completed_at: Timestamp | None = Field(
        description="When every contact was ordered or refused, and every call over with its "
        "result.",
        examples=[None],
    )
    updated_at: Timestamp


class CampaignReport(CampaignObject):
    """A campaign with what has come of it."""

    contacts: dict[ContactStatus, int] = Field(
        description="Contacts by status. `ordered`: there is a call; `refused`: there cannot be "
        "one, and `error` says why.",
        examples=[{"pending": 120, "ordered": 79, "refused": 1}],
    )
    calls: dict[CallStatus, int] = Field(
        description="Calls by status.", examples=[{"in_progress": 5, "completed": 74}]
    )
    spent_milli_cents: int = Field(description="What its calls have cost.", examples=[98_400])


class ContactObject(Resource):
    """A contact of a campaign."""

    to: str = Field(examples=["+15551234567"])
    context: dict[str, Any] = Field(examples=[_CONTEXT])
    metadata: dict[str, Any] = Field(examples=[_METADATA])
    variables: dict[str, Any] = Field(examples=[_VARIABLES])
    status: ContactStatus = Field(examples=["ordered"])
    call_id: str | None = Field(
        description="Its call; null before there is one.",
        json_schema_extra={"format": "uuid"},
        examples=[_CALL_ID],
    )
    error: str | None = Field(
        description="Why it was refused: a code, and what it means.", examples=[None]
    )


def new_contacts(listed: Sequence[ContactFields], country: str | None) -> list[NewContact]:
    """The contacts of a body. Raises Problem with a pointer to every wrong number.

    Args:
        listed: the body's `contacts`.
        country: whose national forms are understood.
    """
    contacts, errors = [], []
    for index, one in enumerate(listed):
        try:
            number = read_number_or_uri(one.to, country)
        except ValueError as error:
            errors.append(FieldError(str(error), pointer("contacts", index, "to")))
        else:
            contacts.append(NewContact(number, one.context, one.metadata, one.variables))
    if errors:
        raise invalid(errors)
    return contacts


def order_body(template: JsonObject, contact: Contact) -> dict[str, Any]:
    """The body of `POST /v1/calls` for a contact.

    Args:
        template: the campaign's, unsealed.
        contact: whom to call.
    """
    merged = {
        name: {**(template.get(name) or {}), **getattr(contact, name)}
        for name in ("context", "metadata", "variables")
    }
    return {**template, **merged, "to": contact.to_number}
