"""Campaigns: a list of contacts, each called with the same template, paced to free slots."""

import contextlib
from collections.abc import Iterator

from starlette.responses import JSONResponse, Response

from api.base.fields import parse_fields
from api.base.problems import FieldError, Problem, invalid, pointer
from api.http.body import parse_json
from api.http.endpoint import Answer, Endpoint, Exchange, Parameter, not_found
from api.http.paging import bad_cursor, page_parameters, read_page_query
from api.orders.place import check_template
from api.resources.campaign import (
    Action,
    CampaignList,
    CampaignReport,
    ChangeCampaign,
    CreateCampaign,
    NewCampaign,
    campaign_object,
    campaign_report,
    read_contacts,
)
from api.resources.masking import sealed, unmasked, unsealed
from api.store.campaigns import (
    MAX_CONTACTS,
    NoContactsError,
    TooManyContactsError,
    UnknownCampaignError,
    WrongStatusError,
)
from api.store.cursors import CursorError

PATH = "/v1/campaigns"
CAMPAIGN_ID = Parameter(
    "campaign_id",
    "path",
    "Campaign id.",
    {"type": "string", "format": "uuid"},
    "0f8fad5b-d9cb-469f-a165-70867728950e",
)


async def create_campaign(exchange: Exchange) -> Response:
    """A draft, unless it is to be launched. Each number is in a campaign once: when it is given
    again, the first contact with it stays.
    """
    services = exchange.services
    asked = parse_fields(CreateCampaign, parse_json(exchange.body))
    api_key_id = None if exchange.key is None else exchange.key.id
    await check_template(services, asked.template, api_key_id)
    contacts = read_contacts(asked.contacts)
    new = NewCampaign(
        asked.name,
        sealed(asked.template, services.seal),
        asked.max_concurrent or services.settings.calls.max_concurrent,
        asked.launch,
        api_key_id,
    )
    try:
        report = await services.store.campaigns.create(new, contacts, exchange.idempotent)
    except NoContactsError as error:
        detail = "must hold someone, for the campaign is to be launched"
        raise invalid([FieldError(detail, pointer("contacts"))]) from error
    headers = {"Location": f"{PATH}/{report.campaign.id}"}
    return JSONResponse(campaign_report(report), 201, headers)


async def list_campaigns(exchange: Exchange) -> Response:
    """Without counts; the path of each tells them."""
    query = read_page_query(exchange, {})
    try:
        page = await exchange.services.store.campaigns.page(limit=query.limit, cursor=query.cursor)
    except CursorError as error:
        raise bad_cursor(error) from error
    return JSONResponse(
        {
            "data": [campaign_object(campaign) for campaign in page.items],
            "has_more": page.next_cursor is not None,
            "next_cursor": page.next_cursor,
        }
    )


async def get_campaign(exchange: Exchange) -> Response:
    """With how many contacts and calls are where, and what was spent."""
    with named_campaign(exchange) as campaign_id:
        report = await exchange.services.store.campaigns.get(campaign_id)
    return JSONResponse(campaign_report(report))


async def change_campaign(exchange: Exchange) -> Response:
    """What is left out stays; the template may change while the campaign is a draft."""
    asked = parse_fields(ChangeCampaign, parse_json(exchange.body))
    changes = asked.model_dump(include=asked.model_fields_set)
    services = exchange.services
    with named_campaign(exchange) as campaign_id:
        if "template" in changes:
            kept = (await services.store.campaigns.get(campaign_id)).campaign.template
            template = unmasked(asked.template, unsealed(kept, services.seal))
            api_key_id = None if exchange.key is None else exchange.key.id
            await check_template(services, template, api_key_id)
            changes["template"] = sealed(template, services.seal)
        report = await services.store.campaigns.change(campaign_id, changes)
    return JSONResponse(campaign_report(report))


async def delete_campaign(exchange: Exchange) -> Response:
    """Only a draft; what was started has calls, and can be canceled."""
    with named_campaign(exchange) as campaign_id:
        await exchange.services.store.campaigns.delete(campaign_id)
    return Response(status_code=204)


async def start_campaign(exchange: Exchange) -> Response:
    """Its contacts are ordered in turn, the next one as soon as fewer than `max_concurrent` of its
    calls are live or wait for a free line. A call that waits for its time does not count.
    """
    return await _act(exchange, "start")


async def pause_campaign(exchange: Exchange) -> Response:
    """At once no more of its calls are dialled. Live calls go on, queued ones wait."""
    return await _act(exchange, "pause")


async def resume_campaign(exchange: Exchange) -> Response:
    """Queued calls are dialled, and the next contacts ordered."""
    return await _act(exchange, "resume")


async def cancel_campaign(exchange: Exchange) -> Response:
    """For good. Its queued calls are canceled, in a moment; live calls go on, and are not tried
    again. Contacts that were not ordered stay `pending`.
    """
    return await _act(exchange, "cancel")


async def _act(exchange: Exchange, action: Action) -> Response:
    with named_campaign(exchange) as campaign_id:
        report = await exchange.services.store.campaigns.act(campaign_id, action)
    return JSONResponse(campaign_report(report))


@contextlib.contextmanager
def named_campaign(exchange: Exchange) -> Iterator[str]:
    """The campaign id in the path; what the store objects to becomes its problem."""
    try:
        yield exchange.request.path_params["campaign_id"]
    except UnknownCampaignError as error:
        raise not_found("campaign") from error
    except WrongStatusError as error:
        raise Problem(409, "wrong_status", f"the campaign {error}") from error
    except NoContactsError as error:
        raise Problem(409, "no_contacts", "the campaign has no contacts; add some first") from error
    except TooManyContactsError as error:
        detail = f"a campaign has up to {MAX_CONTACTS} contacts; make another one"
        raise Problem(409, "too_many_contacts", detail) from error


_NONE = Answer("No such campaign.")
_NOW = Answer("The campaign as it is now.", CampaignReport)
_STATUS = Answer("Its status does not allow it.")
_MALFORMED = Answer("The body is not JSON.")
_WRONG = Answer("A field is wrong.")

ENDPOINTS = (
    Endpoint(
        "POST",
        PATH,
        create_campaign,
        "Make a campaign",
        "campaigns",
        {
            201: Answer("It is made.", CampaignReport, headers={"Location": "Its path."}),
            400: _MALFORMED,
            422: _WRONG,
        },
        body=CreateCampaign,
        scope="call",
        keeps_answer=True,
    ),
    Endpoint(
        "GET",
        PATH,
        list_campaigns,
        "List campaigns, newest first",
        "campaigns",
        {200: Answer("A page of campaigns.", CampaignList), 422: Answer("A parameter is wrong.")},
        parameters=page_parameters("Campaigns"),
    ),
    Endpoint(
        "GET",
        PATH + "/{campaign_id}",
        get_campaign,
        "Read a campaign, with its counts",
        "campaigns",
        {200: Answer("The campaign.", CampaignReport), 404: _NONE},
        parameters=(CAMPAIGN_ID,),
    ),
    Endpoint(
        "PATCH",
        PATH + "/{campaign_id}",
        change_campaign,
        "Change a campaign",
        "campaigns",
        {
            200: _NOW,
            400: _MALFORMED,
            404: _NONE,
            409: Answer("Only a draft's template can be changed."),
            422: _WRONG,
        },
        body=ChangeCampaign,
        parameters=(CAMPAIGN_ID,),
        scope="call",
    ),
    Endpoint(
        "DELETE",
        PATH + "/{campaign_id}",
        delete_campaign,
        "Delete a draft with its contacts",
        "campaigns",
        {204: Answer("It is gone."), 404: _NONE, 409: _STATUS},
        parameters=(CAMPAIGN_ID,),
        scope="call",
    ),
    *(
        Endpoint(
            "POST",
            f"{PATH}/{{campaign_id}}/{handler.__name__.partition('_')[0]}",
            handler,
            summary,
            "campaigns",
            {200: _NOW, 404: _NONE, 409: _STATUS},
            parameters=(CAMPAIGN_ID,),
            scope="call",
        )
        for handler, summary in (
            (start_campaign, "Start a draft"),
            (pause_campaign, "Pause a campaign"),
            (resume_campaign, "Resume a paused campaign"),
            (cancel_campaign, "Cancel a campaign"),
        )
    ),
)
