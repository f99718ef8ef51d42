"""Whom a campaign calls, and what has come of it."""

from collections.abc import AsyncIterator, Awaitable, Sequence
from functools import partial
from typing import cast

from starlette.responses import JSONResponse, Response

from api.base.csv_files import MEDIA_TYPE
from api.base.fields import parse_fields
from api.base.json_object import JsonObject
from api.http.body import parse_json
from api.http.csv_transfer import MAX_FILE_BYTES, PARTIAL, export_csv, import_csv
from api.http.endpoint import Answer, Endpoint, Exchange, FileBody, Parameter
from api.http.paging import bad_cursor, page_parameters, read_page_query
from api.resources.campaign import (
    CONTACT_STATUSES,
    AddContacts,
    Contact,
    ContactList,
    ContactsAdded,
    ContactStatus,
    NewContact,
    contact_object,
    read_contacts,
)
from api.resources.campaign_csv import ResultColumns, read_contacts_csv
from api.resources.csv_import import ImportObject
from api.resources.page import PageOf
from api.routes.campaigns import CAMPAIGN_ID, PATH, named_campaign
from api.store import Store
from api.store.cursors import CursorError
from api.store.pages import each_page

#: Contacts of the results that are read and written at one time.
_PAGE = 100


async def add_campaign_contacts(exchange: Exchange) -> Response:
    """To a draft, or while it runs or is paused. A number that the campaign has already is left
    out, and counted: nobody is called twice by a campaign.
    """
    asked = parse_fields(AddContacts, parse_json(exchange.body))
    contacts = read_contacts(asked.contacts)
    added = await _add(exchange, contacts)
    told = ContactsAdded(added=added, known=len(contacts) - added)
    return JSONResponse(told.model_dump())


async def import_campaign_contacts(exchange: Exchange) -> ImportObject:
    """The first line names the columns: `to` (or `phone`, or `to_number`) is the number, a column
    `metadata.x` becomes `x` in `metadata`, `variables.x` in `variables`, and any other is context.
    Empty cells are left out, and so are numbers that the campaign has already.
    """
    return await import_csv(exchange, read_contacts_csv, partial(_add, exchange))


async def _add(exchange: Exchange, contacts: Sequence[NewContact]) -> int:
    with named_campaign(exchange) as campaign_id:
        return await exchange.services.store.campaigns.add_contacts(campaign_id, contacts)


async def list_campaign_contacts(exchange: Exchange) -> Response:
    """In the order that they are called in, each with its call, or with why it was refused."""
    query = read_page_query(exchange, {"status": CONTACT_STATUSES})
    with named_campaign(exchange) as campaign_id:
        campaign = (await exchange.services.store.campaigns.get(campaign_id)).campaign
    try:
        page = await exchange.services.store.campaigns.contacts(
            campaign.id,
            limit=query.limit,
            cursor=query.cursor,
            status=cast("ContactStatus | None", query.filters.get("status")),
        )
    except CursorError as error:
        raise bad_cursor(error) from error
    return JSONResponse(
        {
            "data": [contact_object(contact) for contact in page.items],
            "has_more": page.next_cursor is not None,
            "next_cursor": page.next_cursor,
        }
    )


async def export_campaign_results(exchange: Exchange) -> Response:
    """A line for each contact: `to`, what was given with it as `context.x`, `metadata.x` and
    `variables.x`, its `contact_status` and `error`, then its call, with each field of `returns` as
    `result.x`. Cells that a spreadsheet would take for a formula are written behind an apostrophe.
    """
    store = exchange.services.store
    with named_campaign(exchange) as campaign_id:
        campaign = (await store.campaigns.get(campaign_id)).campaign
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
    def page(cursor: str | None) -> Awaitable[PageOf[Contact]]:
        return store.campaigns.contacts(campaign_id, limit=_PAGE, cursor=cursor)

    return each_page(page)


_NONE = Answer("No such campaign.")
_REFUSED = Answer("It is over, or would have too many contacts.")

ENDPOINTS = (
    Endpoint(
        "POST",
        PATH + "/{campaign_id}/contacts",
        add_campaign_contacts,
        "Add contacts to a campaign",
        "campaigns",
        {
            200: Answer("What became of them.", ContactsAdded),
            400: Answer("The body is not JSON."),
            404: _NONE,
            409: _REFUSED,
            422: Answer("A field is wrong."),
        },
        body=AddContacts,
        parameters=(CAMPAIGN_ID,),
        scope="call",
    ),
    Endpoint(
        "POST",
        PATH + "/{campaign_id}/contacts.csv",
        import_campaign_contacts,
        "Add a CSV file of contacts to a campaign",
        "campaigns",
        {
            200: Answer("What came of it.", ImportObject),
            404: _NONE,
            409: _REFUSED,
            422: Answer("A line is wrong."),
        },
        body=FileBody(
            MEDIA_TYPE,
            "to,patient,time,metadata.customer\r\n+15551234567,Maria Lopez,8:30,42\r\n",
            MAX_FILE_BYTES,
        ),
        parameters=(CAMPAIGN_ID, PARTIAL),
        scope="call",
    ),
    Endpoint(
        "GET",
        PATH + "/{campaign_id}/contacts",
        list_campaign_contacts,
        "List the contacts of a campaign",
        "campaigns",
        {
            200: Answer("A page of contacts.", ContactList),
            404: _NONE,
            422: Answer("A parameter is wrong."),
        },
        parameters=(
            CAMPAIGN_ID,
            *page_parameters("Contacts"),
            Parameter(
                "status",
                "query",
                "Only these contacts.",
                {"type": "string", "enum": list(CONTACT_STATUSES)},
            ),
        ),
    ),
    Endpoint(
        "GET",
        PATH + "/{campaign_id}/results.csv",
        export_campaign_results,
        "Read what has come of a campaign as a CSV file",
        "campaigns",
        {
            200: Answer(
                "The file.",
                media_type=MEDIA_TYPE,
                example="to,context.patient,contact_status,error,call_id,status,…\r\n",
            ),
            404: _NONE,
        },
        parameters=(CAMPAIGN_ID,),
    ),
)
