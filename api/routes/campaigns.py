"""Campaigns: a list of contacts, each called with the same template, paced to free slots."""

from api.http.endpoint import EndpointTable, Exchange, Parameter
from api.http.paging import page_parameters, read_page_query
from api.orders.place import check_template
from api.resources.answer import Created, Page
from api.resources.campaign import (
    Action,
    CampaignObject,
    CampaignReport,
    ChangeCampaign,
    CreateCampaign,
    NewCampaign,
    new_contacts,
)
from api.resources.masking import sealed, unmasked, unsealed

PATH = "/v1/campaigns"
ONE = PATH + "/{campaign_id}"
CAMPAIGN_ID = Parameter(
    "campaign_id",
    "path",
    "Campaign id.",
    {"type": "string", "format": "uuid"},
    "0f8fad5b-d9cb-469f-a165-70867728950e",
)
_STATUS = {409: "Its status does not allow it."}

route = EndpointTable("campaigns", CAMPAIGN_ID)


@route("POST", PATH, "Make a campaign", scope="call", keeps_answer=True)
async def create_campaign(exchange: Exchange, asked: CreateCampaign) -> Created[CampaignReport]:
    """A draft, unless it is to be launched. Each number is in a campaign once: when it is given
    again, the first contact with it stays.
    """
    services = exchange.services
    api_key_id = None if exchange.key is None else exchange.key.id
    await check_template(services, asked.template, api_key_id)
    contacts = new_contacts(asked.contacts, services.settings.calls.default_country)
    new = NewCampaign(
        asked.name,
        sealed(asked.template, services.seal),
        asked.max_concurrent or services.settings.calls.max_concurrent,
        asked.launch,
        api_key_id,
    )
    report = await services.store.campaigns.create(new, contacts, exchange.idempotent)
    return Created(CampaignReport.of(report), f"{PATH}/{report.id}")


@route("GET", PATH, "List campaigns, newest first", query=page_parameters("Campaigns"))
async def list_campaigns(exchange: Exchange) -> Page[CampaignObject]:
    """Without counts; the path of each tells them."""
    query = read_page_query(exchange)
    page = await exchange.store.campaigns.page(limit=query.limit, cursor=query.cursor)
    return Page[CampaignObject].of(page)


@route("GET", ONE, "Read a campaign, with its counts")
async def get_campaign(exchange: Exchange) -> CampaignReport:
    """With how many contacts and calls are where, and what was spent."""
    return CampaignReport.of(await exchange.store.campaigns.get(exchange.named("campaign_id")))


@route(
    "PATCH",
    ONE,
    "Change a campaign",
    {409: "Only a draft's template can be changed."},
    scope="call",
)
async def change_campaign(exchange: Exchange, asked: ChangeCampaign) -> CampaignReport:
    """What is left out stays; the template may change while the campaign is a draft."""
    services, campaign_id = exchange.services, exchange.named("campaign_id")
    campaigns, changes = services.store.campaigns, asked.changes()
    if "template" in changes:
        kept = (await campaigns.get(campaign_id)).template
        template = unmasked(asked.template, unsealed(kept, services.seal))
        api_key_id = None if exchange.key is None else exchange.key.id
        await check_template(services, template, api_key_id)
        changes["template"] = sealed(template, services.seal)
    return CampaignReport.of(await campaigns.change(campaign_id, changes))


@route("DELETE", ONE, "Delete a draft with its contacts", _STATUS, scope="call")
async def delete_campaign(exchange: Exchange) -> None:
    """Only a draft; what was started has calls, and can be canceled."""
    await exchange.store.campaigns.delete(exchange.named("campaign_id"))


@route("POST", ONE + "/start", "Start a draft", _STATUS, scope="call")
async def start_campaign(exchange: Exchange) -> CampaignReport:
    """Its contacts are ordered in turn, the next one as soon as fewer than `max_concurrent` of its
    calls are live or wait for a free line. A call that waits for its time does not count.
    """
    return await _act(exchange, "start")


@route("POST", ONE + "/pause", "Pause a campaign", _STATUS, scope="call")
async def pause_campaign(exchange: Exchange) -> CampaignReport:
    """At once no more of its calls are dialled. Live calls go on, queued ones wait."""
    return await _act(exchange, "pause")


@route("POST", ONE + "/resume", "Resume a paused campaign", _STATUS, scope="call")
async def resume_campaign(exchange: Exchange) -> CampaignReport:
    """Queued calls are dialled, and the next contacts ordered."""
    return await _act(exchange, "resume")


@route("POST", ONE + "/cancel", "Cancel a campaign", _STATUS, scope="call")
async def cancel_campaign(exchange: Exchange) -> CampaignReport:
    """For good. Its queued calls are canceled, in a moment; live calls go on, and are not tried
    again. Contacts that were not ordered stay `pending`.
    """
    return await _act(exchange, "cancel")


async def _act(exchange: Exchange, action: Action) -> CampaignReport:
    campaign_id = exchange.named("campaign_id")
    return CampaignReport.of(await exchange.store.campaigns.act(campaign_id, action))


ENDPOINTS = route.endpoints
