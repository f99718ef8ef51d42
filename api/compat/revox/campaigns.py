"""Revox's campaigns: `/api/campaigns`."""

import contextlib
from typing import Any, Final, Literal

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from api.base.fields import parse_fields
from api.base.numbers import is_e164
from api.base.problems import FieldError, invalid, pointer
from api.base.refusals import NotFound
from api.base.times import rfc3339, rfc3339_or_none
from api.compat.mapping import REVOX_CAMPAIGN_STATUS, REVOX_ROW_STATUS
from api.compat.revox.config import DEFAULTS, retry_of
from api.compat.revox.fields import RevoxCreateCampaign
from api.compat.revox.members import retry_config
from api.compat.revox.objects import Id, MaybeTime, RevoxRetryConfig, Time
from api.compat.revox.paging import PARAMETERS, read_page
from api.compat.translation import Translation
from api.http.body import parse_json
from api.http.endpoint import Answer, Endpoint, Exchange, Parameter
from api.orders.place import check_template
from api.resources.campaign import Campaign, Contact, NewCampaign, NewContact
from api.resources.masking import sealed

CAMPAIGN_ID: Final = Parameter(
    "campaign_id",
    "path",
    "Campaign id.",
    {"type": "string", "format": "uuid"},
    "0f8fad5b-d9cb-469f-a165-70867728950e",
)
_BATCH: Final = 200


class RevoxCampaign(BaseModel):
    """A campaign."""

    id: str = Id
    assistant_id: str | None = Id
    call_retry_config: RevoxRetryConfig | None
    created_at: str = Time
    from_phone_number: str | None
    is_cancelled: bool
    max_concurrent_calls: int = Field(examples=[5])
    name: str = Field(examples=["Recalls, May"])
    organization_id: str = Id
    scheduled_at: str | None = MaybeTime
    status: Literal["draft", "running", "paused", "completed"]
    updated_at: str = Time


class RevoxCampaignEnvelope(BaseModel):
    """A campaign."""

    campaign: RevoxCampaign


class RevoxCampaignList(BaseModel):
    """Campaigns, newest first."""

    campaigns: list[RevoxCampaign]


class RevoxCampaignRow(BaseModel):
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


async def revox_create_campaign(exchange: Exchange) -> Response:
    """A draft, unless it is to be launched; `POST /v1/campaigns/{id}/start` launches a draft."""
    services = exchange.services
    asked = parse_fields(RevoxCreateCampaign, parse_json(exchange.body))
    template = await _template(exchange, asked)
    contacts = _contacts(asked)
    with template.told():
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
        lambda report: {"campaign": _object(report, organization_id)},
    )
    headers = {"Location": f"/api/campaigns/{campaign.id}"}
    return JSONResponse({"campaign": _object(campaign, organization_id)}, 201, headers)


async def _template(exchange: Exchange, asked: RevoxCreateCampaign) -> Translation:
    """Of its orders."""
    made = Translation()
    made.put("agent_id", asked.assistant_id, ("assistant_id",))
    if asked.from_phone_number is not None:
        made.put("from_number", asked.from_phone_number, ("from_phone_number",))
    if asked.scheduled_at is not None:
        made.put("scheduled_at", asked.scheduled_at, ("scheduled_at",))
    kept: Any = {}
    with contextlib.suppress(NotFound):  # the template is then refused
        kept = (await exchange.services.store.agents.get(asked.assistant_id)).config
    made.body |= {name: value for name, value in DEFAULTS.items() if kept.get(name) is None}
    if asked.call_retry_config is not None:
        retry = retry_of(asked.call_retry_config, ("call_retry_config",))
        made.put("retry", retry, ("call_retry_config",))
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
    if errors:
        raise invalid(errors)
    return [
        NewContact(one.to_phone_number, variables=one.prompt_variables or {})
        for one in asked.contacts
    ]


async def revox_list_campaigns(exchange: Exchange) -> Response:
    """All of them."""
    store = exchange.services.store
    organization_id = await store.organization.id()
    page = await store.campaigns.page(limit=_BATCH)
    found = list(page.items)
    while page.next_cursor is not None:
        page = await store.campaigns.page(limit=_BATCH, cursor=page.next_cursor)
        found += page.items
    return JSONResponse({"campaigns": [_object(one, organization_id) for one in found]})


async def revox_get_campaign(exchange: Exchange) -> Response:
    """Also of one that was made in another way."""
    organization_id = await exchange.services.store.organization.id()
    campaign = await exchange.store.campaigns.get(exchange.named("campaign_id"))
    return JSONResponse({"campaign": _object(campaign, organization_id)})


async def revox_list_campaign_rows(exchange: Exchange) -> Response:
    """Its contacts, each with its call order once there is one."""
    page = read_page(exchange)
    campaigns = exchange.store.campaigns
    campaign = await campaigns.get(exchange.named("campaign_id"))
    found = await campaigns.contacts(campaign.id, limit=page.size, offset=page.offset)
    total = sum(campaign.contacts.values())
    return JSONResponse({"rows": [_row(one) for one in found.items], **page.told(total)})


def _object(campaign: Campaign, organization_id: str) -> dict[str, Any]:
    template = campaign.template
    retry = template.get("retry")
    scheduled_at = template.get("scheduled_at")
    return {
        "id": campaign.id,
        "assistant_id": template.get("agent_id"),
        "call_retry_config": None if retry is None else retry_config(retry),
        "created_at": rfc3339(campaign.created_at),
        "from_phone_number": template.get("from_number"),
        "is_cancelled": campaign.status == "canceled",
        "max_concurrent_calls": campaign.max_concurrent,
        "name": campaign.name,
        "organization_id": organization_id,
        "scheduled_at": scheduled_at
        if isinstance(scheduled_at, str)
        else rfc3339_or_none(scheduled_at),
        "status": REVOX_CAMPAIGN_STATUS[campaign.status],
        "updated_at": rfc3339(campaign.updated_at),
    }


def _row(contact: Contact) -> dict[str, Any]:
    return {
        "to_phone_number": contact.to_number,
        "prompt_variables": dict(contact.variables),
        "status": REVOX_ROW_STATUS[contact.status],
        "call_id": contact.call_id,
        "error": contact.error,
    }


_NONE: Final = Answer("No such campaign.")

ENDPOINTS: Final = (
    Endpoint(
        "POST",
        "/api/campaigns",
        revox_create_campaign,
        "Make a campaign",
        "revox",
        {
            201: Answer("The campaign.", RevoxCampaignEnvelope, headers={"Location": "Its path."}),
            400: Answer("The body is not JSON."),
            422: Answer("A member is wrong."),
        },
        body=RevoxCreateCampaign,
        scope="call",
        keeps_answer=True,
    ),
    Endpoint(
        "GET",
        "/api/campaigns",
        revox_list_campaigns,
        "List campaigns, newest first",
        "revox",
        {200: Answer("All campaigns.", RevoxCampaignList)},
    ),
    Endpoint(
        "GET",
        "/api/campaigns/{campaign_id}",
        revox_get_campaign,
        "Read a campaign",
        "revox",
        {200: Answer("The campaign.", RevoxCampaignEnvelope), 404: _NONE},
        parameters=(CAMPAIGN_ID,),
    ),
    Endpoint(
        "GET",
        "/api/campaigns/{campaign_id}/rows",
        revox_list_campaign_rows,
        "List a campaign's contacts",
        "revox",
        {
            200: Answer("A page of contacts.", RevoxCampaignRows),
            404: _NONE,
            422: Answer("A parameter is wrong."),
        },
        parameters=(CAMPAIGN_ID, *PARAMETERS),
    ),
)
