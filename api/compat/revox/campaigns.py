"""Revox's campaigns: `/api/campaigns`."""

from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from api.base.numbers import is_e164
from api.base.problems import FieldError, invalid, pointer
from api.base.times import Timestamp
from api.compat.call_details import frozen_agent
from api.compat.mapping import REVOX_CAMPAIGN_STATUS, REVOX_ROW_STATUS
from api.compat.query import read_query
from api.compat.revox.calls import PAGE, offset_of
from api.compat.revox.config import DEFAULTS, retry_of
from api.compat.revox.fields import RevoxCreateCampaign
from api.compat.revox.members import retry_config
from api.compat.revox.objects import Id, RevoxRetryConfig
from api.compat.revox.times import scheduled_time, zone_for
from api.compat.told import Told
from api.compat.translation import Translation
from api.http.endpoint import EndpointTable, Exchange, Parameter
from api.orders.place import check_template
from api.resources.answer import Created
from api.resources.campaign import Campaign, Contact, NewCampaign, NewContact, Report
from api.resources.masking import sealed
from api.store.pages import each_page

CAMPAIGN_ID: Final = Parameter(
    "campaign_id",
    "path",
    "Campaign id.",
    {"type": "string", "format": "uuid"},
    "0f8fad5b-d9cb-469f-a165-70867728950e",
)
PATH: Final = "/api/campaigns"
ONE: Final = PATH + "/{campaign_id}"
route = EndpointTable("revox", CAMPAIGN_ID)


class RevoxCampaign(Told):
    """A campaign."""

    id: str = Id
    assistant_id: str | None = Id
    call_retry_config: RevoxRetryConfig | None
    created_at: Timestamp
    from_phone_number: str | None
    is_cancelled: bool
    max_concurrent_calls: int = Field(examples=[5])
    name: str = Field(examples=["Recalls, May"])
    organization_id: str = Id
    scheduled_at: Timestamp | None
    status: Literal["draft", "running", "paused", "completed"]
    updated_at: Timestamp


class RevoxCampaignEnvelope(BaseModel):
    """A campaign."""

    campaign: RevoxCampaign


class RevoxCampaignList(BaseModel):
    """Campaigns, newest first."""

    campaigns: list[RevoxCampaign]


class RevoxCampaignRow(Told):
    """A contact of a campaign."""

    to_phone_number: str = Field(examples=["+15551234567"])
    prompt_variables: dict[str, Any] = Field(examples=[{"patient": "Maria Lopez"}])
    status: Literal["pending", "called", "error"] = Field(
        description="`called`: there is a call order; `error`: there cannot be one."
    )
    call_id: str | None = Id
    error: str | None


class RevoxCampaignRows(BaseModel):
    """Contacts, in the order in which they were given."""

    rows: list[RevoxCampaignRow]
    page: int
    page_size: int
    total: int


@route("POST", PATH, "Make a campaign", scope="call", keeps_answer=True)
async def revox_create_campaign(
    exchange: Exchange, asked: RevoxCreateCampaign
) -> Created[RevoxCampaignEnvelope]:
    """Makes a draft unless `launch` is true; `POST /v1/campaigns/{id}/start` launches a draft."""
    services = exchange.services
    template = await _template(exchange, asked)
    contacts = _contacts(asked)
    with template.told("revox"):
        await check_template(services, template.body)
    new = NewCampaign(
        asked.name,
        sealed(template.body, services.seal),
        asked.max_concurrent_calls or services.settings.calls.max_concurrent,
        bool(asked.launch),
        None if exchange.key is None else exchange.key.id,
        "revox",
    )
    organization_id = await services.store.organization.id()
    campaign = await services.store.campaigns.create(
        new,
        contacts,
        exchange.idempotent,
        lambda report: _envelope(report, organization_id).model_dump(),
    )
    return Created(_envelope(campaign, organization_id), f"{PATH}/{campaign.id}")


async def _template(exchange: Exchange, asked: RevoxCreateCampaign) -> Translation:
    """What the campaign's orders have in common, as a body of our own API."""
    made = Translation()
    made.put("agent_id", asked.assistant_id, ("assistant_id",))
    if asked.from_phone_number is not None:
        made.put("from_number", asked.from_phone_number, ("from_phone_number",))
    agent = await frozen_agent(exchange.services, asked.assistant_id, None)
    kept = {} if agent is None else agent.config  # without an agent the template is refused
    made.body |= {name: value for name, value in DEFAULTS.items() if kept.get(name) is None}
    if asked.call_retry_config is not None:
        retry = retry_of(asked.call_retry_config, ("call_retry_config",))
        made.put("retry", retry, ("call_retry_config",))
    if asked.scheduled_at is not None:
        first = asked.contacts[0].to_phone_number if asked.contacts else ""
        default = exchange.services.settings.calls.default_timezone
        where = zone_for(made.body.get("retry", kept.get("retry")), first, default)
        made.put("scheduled_at", scheduled_time(asked.scheduled_at, where), ("scheduled_at",))
    whole = Translation(made.body)
    whole.within(made, ("template",))
    return whole


def _contacts(asked: RevoxCreateCampaign) -> list[NewContact]:
    errors = [
        FieldError(
            "must be in E.164 form: a plus sign and 7 to 15 digits, as +15551234567",
            pointer("contacts", index, "to_phone_number"),
        )
        for index, one in enumerate(asked.contacts)
        if not is_e164(one.to_phone_number)
    ]
    if asked.launch and not asked.contacts:
        detail = "must hold someone, for the campaign is to be launched"
        errors = [FieldError(detail, pointer("contacts"))]
    if errors:
        raise invalid(errors)
    return [
        NewContact(one.to_phone_number, variables=one.prompt_variables or {})
        for one in asked.contacts
    ]


@route("GET", PATH, "List campaigns, newest first")
async def revox_list_campaigns(exchange: Exchange) -> RevoxCampaignList:
    """Lists every campaign, however it was made."""
    store = exchange.store
    organization_id = await store.organization.id()
    found = [
        _told(campaign, organization_id)
        async for page in each_page(lambda cursor: store.campaigns.page(limit=200, cursor=cursor))
        for campaign in page
    ]
    return RevoxCampaignList(campaigns=found)


@route("GET", ONE, "Read a campaign")
async def revox_get_campaign(exchange: Exchange) -> RevoxCampaignEnvelope:
    """Reads any campaign, however it was made."""
    return _envelope(await _find(exchange), await exchange.store.organization.id())


@route("GET", f"{ONE}/rows", "List a campaign's contacts", query=PAGE)
async def revox_list_campaign_rows(exchange: Exchange) -> RevoxCampaignRows:
    """Tells each contact's call order, once the campaign has placed it."""
    page = read_query(exchange, PAGE)
    campaign = await _find(exchange)
    campaigns = exchange.store.campaigns
    found = await campaigns.contacts(campaign.id, limit=page["page_size"], offset=offset_of(page))
    total = sum(campaign.contacts.values())
    return RevoxCampaignRows(rows=[_row(one) for one in found.items], total=total, **page)


async def _find(exchange: Exchange) -> Report:
    """The campaign that the path names; 404 without one."""
    return await exchange.store.campaigns.get(exchange.named("campaign_id"))


def _envelope(campaign: Campaign, organization_id: str) -> RevoxCampaignEnvelope:
    return RevoxCampaignEnvelope(campaign=_told(campaign, organization_id))


def _told(campaign: Campaign, organization_id: str) -> RevoxCampaign:
    template = campaign.template
    retry = template.get("retry")
    own = {
        "assistant_id": template.get("agent_id"),
        "call_retry_config": None if retry is None else retry_config(retry),
        "from_phone_number": template.get("from_number"),
        "is_cancelled": campaign.status == "canceled",
        "max_concurrent_calls": campaign.max_concurrent,
        "organization_id": organization_id,
        "scheduled_at": template.get("scheduled_at"),
        "status": REVOX_CAMPAIGN_STATUS[campaign.status],
    }
    return RevoxCampaign.made_of(vars(campaign), own)


def _row(contact: Contact) -> RevoxCampaignRow:
    own = {
        "to_phone_number": contact.to_number,
        "prompt_variables": contact.variables,
        "status": REVOX_ROW_STATUS[contact.status],
    }
    return RevoxCampaignRow.made_of(vars(contact), own)


ENDPOINTS = route.endpoints
