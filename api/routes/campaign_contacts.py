"""Whom a campaign calls, and what has come of it."""

from collections.abc import AsyncIterator
from functools import partial

from starlette.responses import Response

from api.base.csv_files import MEDIA_TYPE
from api.base.json_object import JsonObject
from api.http.csv_transfer import MAX_FILE_BYTES, PARTIAL, export_csv, import_csv
from api.http.endpoint import Answer, EndpointTable, Exchange, FileBody
from api.http.paging import page_parameters, read_page_query
from api.resources.answer import Page
from api.resources.campaign import (
    CONTACT_STATUSES,
    AddContacts,
    Contact,
    ContactObject,
    ContactsAdded,
    new_contacts,
)
from api.resources.campaign_csv import ResultColumns, read_contacts_csv
from api.resources.csv_import import ImportObject
from api.routes.campaigns import CAMPAIGN_ID, ONE
from api.store import Store
from api.store.pages import each_page

#: Contacts of the results that are read and written at one time.
_BATCH = 100
_REFUSED = {409: "It is over, or would have too many contacts."}
_IMPORT = FileBody(
    MEDIA_TYPE,
    "to,patient,time,metadata.customer\r\n+15551234567,Maria Lopez,8:30,42\r\n",
    MAX_FILE_BYTES,
)
_FILE = Answer(
    "The file.",
    media_type=MEDIA_TYPE,
    example="to,context.patient,contact_status,error,call_id,status,…\r\n",
)
_PAGE = page_parameters("Contacts", CONTACT_STATUSES)

route = EndpointTable("campaigns", CAMPAIGN_ID)


@route("POST", ONE + "/contacts", "Add contacts to a campaign", _REFUSED, scope="call")
async def add_campaign_contacts(exchange: Exchange, asked: AddContacts) -> ContactsAdded:
    """To a draft, or while it runs or is paused. A number that the campaign has already is left
    out, and counted: nobody is called twice by a campaign.
    """
    country = exchange.services.settings.calls.default_country
    contacts = new_contacts(asked.contacts, country)
    added = await exchange.store.campaigns.add_contacts(exchange.named("campaign_id"), contacts)
    return ContactsAdded(added=added, known=len(contacts) - added)


@route(
    "POST",
    ONE + "/contacts.csv",
    "Add a CSV file of contacts to a campaign",
    _REFUSED | {422: "A line is wrong."},
    body=_IMPORT,
    query=(PARTIAL,),
    scope="call",
)
async def import_campaign_contacts(exchange: Exchange) -> ImportObject:
    """The first line names the columns: `to` (or `phone`, or `to_number`) is the number, a column
    `metadata.x` becomes `x` in `metadata`, `variables.x` in `variables`, and any other is context.
    Empty cells are left out, and so are numbers that the campaign has already.
    """
    add = partial(exchange.store.campaigns.add_contacts, exchange.named("campaign_id"))
    country = exchange.services.settings.calls.default_country
    return await import_csv(exchange, partial(read_contacts_csv, country=country), add)


@route("GET", ONE + "/contacts", "List the contacts of a campaign", query=_PAGE)
async def list_campaign_contacts(exchange: Exchange) -> Page[ContactObject]:
    """In the order that they are called in, each with its call, or with why it was refused."""
    query = read_page_query(exchange, {"status": CONTACT_STATUSES})
    campaigns = exchange.store.campaigns
    campaign = await campaigns.get(exchange.named("campaign_id"))
    page = await campaigns.contacts(
        campaign.id,
        limit=query.limit,
        cursor=query.cursor,
        status=query.filters.get("status"),
    )
    return Page[ContactObject].of(page)


@route(
    "GET",
    ONE + "/results.csv",
    "Read what has come of a campaign as a CSV file",
    {200: _FILE},
)
async def export_campaign_results(exchange: Exchange) -> Response:
    """A line for each contact: `to`, what was given with it as `context.x`, `metadata.x` and
    `variables.x`, its `contact_status` and `error`, then its call, with each field of `returns` as
    `result.x`. Cells that a spreadsheet would take for a formula are written behind an apostrophe.
    """
    store = exchange.store
    campaign = await store.campaigns.get(exchange.named("campaign_id"))
    columns = ResultColumns(await _returns(store, campaign.template))
    async for contacts in _every(store, campaign.id):
        columns.add(contacts)

    async def parts() -> AsyncIterator[str]:
        async for contacts in _every(store, campaign.id):
            yield columns.lines(contacts, await store.campaigns.calls_of(contacts))

    return export_csv(f"campaign-{campaign.id}.csv", columns.names, parts())


async def _returns(store: Store, template: JsonObject) -> JsonObject:
    """What the calls of a template find out."""
    parts = [template, template.get("overrides"), template.get("agent")]
    if (agent_id := template.get("agent_id")) is not None:
        parts.append((await store.agents.get(agent_id)).config)
    found: JsonObject = next(
        (part["returns"] for part in parts if part and part.get("returns")), {}
    )
    return found


def _every(store: Store, campaign_id: str) -> AsyncIterator[tuple[Contact, ...]]:
    return each_page(
        lambda cursor: store.campaigns.contacts(campaign_id, limit=_BATCH, cursor=cursor)
    )


ENDPOINTS = route.endpoints
