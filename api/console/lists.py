"""The lists of things: searched, made, changed, acted upon, in and out as CSV. Each does what its
endpoints do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from pydantic import BaseModel
from starlette.responses import Response

from api.base.problems import Problem, problem_of
from api.base.refusals import Refused
from api.console.inputs import Input, body_of, errors_at, inputs_of
from api.console.listing import filters_of, page_query
from api.console.visit import OPERATIONS, Page, Visit, go


@dataclass(frozen=True)
class Column:
    """Of a list's table."""

    field: str
    heading: str
    kind: str = "text"
    """`text`, `status`, `time`, `money` or `link`: to the thing."""


@dataclass(frozen=True)
class Action:
    """What may be done with a thing, beside changing it."""

    name: str
    label: str
    operation: str
    when: Callable[[Mapping[str, Any]], bool] = lambda _: True
    confirm: str = ""
    gone: bool = False
    """Whether there is no page of it any more."""


@dataclass(frozen=True)
class Listing:
    """One kind of thing."""

    slug: str
    title: str
    one: str
    """What one of them is called."""
    listed: str
    columns: tuple[Column, ...]
    id_field: str = "id"
    id_parameter: str = ""
    read: str = ""
    make: str = ""
    change: str = ""
    actions: tuple[Action, ...] = ()
    export: str = ""
    load: str = ""
    """Takes a CSV file."""
    first: frozenset[str] = field(default_factory=frozenset)
    """Fields of the form that come first; the others are folded. Empty: all are shown."""
    check: bool = False
    """Whether its forms are checked as one types."""
    template: str = "thing.html"
    more: Callable[[Visit, Mapping[str, Any]], Any] | None = None
    """What its own template wants beside the thing."""


def _is(*statuses: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda thing: thing["status"] in statuses


async def show_list(listing: Listing, visit: Visit) -> Response:
    """A page of the list."""
    query = page_query(visit)
    page = await visit.ask(listing.listed, query=query)
    return visit.page(
        "list.html",
        title=listing.title,
        listing=listing,
        things=page["data"],
        next_cursor=page["next_cursor"],
        query=[pair for pair in query if pair[0] != "cursor"],
        filters=filters_of(listing.listed, visit.request.query_params),
        told=None,
    )


async def show_new(listing: Listing, visit: Visit) -> Response:
    """The form of a new one."""
    return _new_page(listing, visit)


def _new_page(
    listing: Listing, visit: Visit, problem: Problem | None = None, status: int = 200
) -> Response:
    return visit.page(
        "new.html",
        status,
        title=f"New {listing.one}",
        listing=listing,
        **form_values(listing, listing.make, visit, None, problem),
    )


def model_of(operation: str) -> type[BaseModel]:
    """Of an endpoint's body."""
    model = OPERATIONS[operation].asked
    assert model is not None
    return model


def form_values(
    listing: Listing,
    operation: str,
    visit: Visit,
    thing: Mapping[str, Any] | None,
    problem: Problem | None,
) -> dict[str, Any]:
    """What the template of a form wants: its inputs, their texts, and what is wrong."""
    inputs = sorted(inputs_of(model_of(operation)), key=_place)
    sent = visit.form.fields if problem is not None else {}
    at, others = ({}, []) if problem is None else errors_at(inputs, problem)

    def first(one: Input) -> bool:
        return not listing.first or one.path[0] in listing.first

    return {
        "first": [one for one in inputs if first(one)],
        "folded": [one for one in inputs if not first(one)],
        "values": {one.name: sent.get(one.name, one.shown(thing)) for one in inputs},
        "errors": at,
        "others": others,
    }


def _place(one: Input) -> bool:
    """What a thing is called, and what it must have, comes first."""
    return not one.required and one.path != ("name",)


async def make(listing: Listing, visit: Visit) -> Response:
    """Make one. A secret that is told once is shown once."""
    try:
        body = body_of(inputs_of(model_of(listing.make)), visit.form.fields, None)
        made = await visit.ask(listing.make, body)
    except (Problem, Refused) as error:
        problem = _problem(error)
        return _new_page(listing, visit, problem, problem.status)
    secret = made.get("key") or made.get("signing_secret")
    if secret is not None:
        return visit.page(
            "secret.html", title=f"New {listing.one}", listing=listing, thing=made, secret=secret
        )
    return go(_path(listing.slug, made[listing.id_field]))


async def show(listing: Listing, visit: Visit) -> Response:
    """One of them."""
    return await _thing_page(listing, visit)


async def _thing_page(
    listing: Listing, visit: Visit, problem: Problem | None = None, status: int = 200
) -> Response:
    thing = await visit.ask(listing.read, **named(listing, visit))
    name = thing.get("name") or thing.get(listing.id_field)
    editable = listing.change and thing.get("status") != "archived"
    form = form_values(listing, listing.change, visit, thing, problem) if editable else None
    return visit.page(
        listing.template,
        status,
        title=f"{listing.one.capitalize()} {name}",
        name=name,
        listing=listing,
        thing=thing,
        form=form,
        actions=[one for one in listing.actions if one.when(thing) and visit.may(one.operation)],
        **({} if listing.more is None else await listing.more(visit, thing)),
    )


def named(listing: Listing, visit: Visit) -> dict[str, Any]:
    """The parameter of an endpoint's path that says which."""
    return {listing.id_parameter: visit.request.path_params["one"]}


async def change(listing: Listing, visit: Visit) -> Response:
    """Change what differs."""
    thing = await visit.ask(listing.read, **named(listing, visit))
    try:
        body = body_of(inputs_of(model_of(listing.change)), visit.form.fields, thing)
        if body:
            await visit.ask(listing.change, body, **named(listing, visit))
    except (Problem, Refused) as error:
        problem = _problem(error)
        return await _thing_page(listing, visit, problem, problem.status)
    return go(_path(listing.slug, thing[listing.id_field]))


async def act(listing: Listing, visit: Visit) -> Response:
    """Do one of the actions."""
    wanted = visit.request.path_params["action"]
    action = next((one for one in listing.actions if one.name == wanted), None)
    if action is None:
        raise Problem(404, "not_found", "there is no such action")
    one = visit.request.path_params["one"]
    made = await visit.ask(action.operation, **named(listing, visit))
    secret = (made or {}).get("signing_secret")
    if secret is not None:
        return visit.page(
            "secret.html", title=action.label, listing=listing, thing=made, secret=secret
        )
    return go(f"/{listing.slug}" if action.gone else _path(listing.slug, one))


async def export(listing: Listing, visit: Visit) -> Response:
    """The list, or what came of a campaign, as its API's CSV."""
    where = named(listing, visit) if "one" in visit.request.path_params else {}
    return visit.stream(await visit.answer(listing.export, **where))


async def load(listing: Listing, visit: Visit) -> Response:
    """Take a CSV file, as its API does; what became of it, line by line."""
    query = [("partial", visit.form.fields.get("partial", "false"))]
    where = named(listing, visit) if "one" in visit.request.path_params else {}
    told = await visit.ask(listing.load, visit.form.file, query, **where)
    return visit.page("imported.html", title="Imported", listing=listing, told=told)


def _problem(error: Problem | Refused) -> Problem:
    return problem_of(error) if isinstance(error, Refused) else error


def _path(slug: str, one: str) -> str:
    return f"/{slug}/{quote(one, safe='')}"


async def _of_campaign(visit: Visit, campaign: Mapping[str, Any]) -> dict[str, Any]:
    """Its contacts."""
    query = page_query(visit)
    page = await visit.ask("list_campaign_contacts", query=query, campaign_id=campaign["id"])
    return {"contacts": page["data"], "next_cursor": page["next_cursor"], "query": query}


_CREATED: Final = Column("created_at", "Created", "time")
_STATUS: Final = Column("status", "Status", "status")

CAMPAIGNS: Final = Listing(
    slug="campaigns",
    title="Campaigns",
    one="campaign",
    listed="list_campaigns",
    columns=(
        Column("name", "Name", "link"),
        _STATUS,
        Column("max_concurrent", "At a time"),
        _CREATED,
        Column("started_at", "Started", "time"),
        Column("completed_at", "Completed", "time"),
    ),
    id_parameter="campaign_id",
    read="get_campaign",
    make="create_campaign",
    change="change_campaign",
    actions=(
        Action("start", "Start", "start_campaign", _is("draft")),
        Action("pause", "Pause", "pause_campaign", _is("running")),
        Action("resume", "Resume", "resume_campaign", _is("paused")),
        Action(
            "cancel",
            "Cancel",
            "cancel_campaign",
            _is("running", "paused"),
            "Cancel this campaign for good?",
        ),
        Action(
            "delete", "Delete", "delete_campaign", _is("draft"), "Delete this draft?", gone=True
        ),
    ),
    export="export_campaign_results",
    load="import_campaign_contacts",
    template="campaign.html",
    more=_of_campaign,
)

LISTINGS: Final = (
    CAMPAIGNS,
    Listing(
        slug="do-not-call",
        title="Do not call",
        one="number never to be called",
        listed="list_do_not_call",
        columns=(
            Column("number", "Number", "link"),
            Column("reason", "Reason"),
            Column("source", "By"),
            _CREATED,
        ),
        id_field="number",
        id_parameter="number",
        read="get_do_not_call",
        make="add_do_not_call",
        actions=(
            Action(
                "delete",
                "Take off the list",
                "delete_do_not_call",
                confirm="Let this number be called again?",
                gone=True,
            ),
        ),
        export="export_do_not_call",
        load="import_do_not_call",
    ),
    Listing(
        slug="numbers",
        title="Numbers",
        one="number",
        listed="list_numbers",
        columns=(
            Column("number", "Number", "link"),
            _STATUS,
            Column("trunk", "Trunk"),
            Column("caller_name", "Shown name"),
            Column("description", "Description"),
        ),
        id_parameter="number_id",
        read="get_number",
        make="create_number",
        change="change_number",
        actions=(
            Action("delete", "Delete", "delete_number", confirm="Delete this number?", gone=True),
        ),
    ),
    Listing(
        slug="trunks",
        title="Trunks",
        one="trunk",
        listed="list_trunks",
        columns=(
            Column("name", "Name", "link"),
            _STATUS,
            Column("channels_in_use", "In use"),
            Column("max_channels", "Channels"),
            Column("priority", "Priority"),
            Column("resting_until", "Rests until", "time"),
            Column("description", "Description"),
        ),
        id_field="name",
        id_parameter="name",
        read="get_trunk",
        make="create_trunk",
        change="change_trunk",
        actions=(
            Action("delete", "Delete", "delete_trunk", confirm="Delete this trunk?", gone=True),
        ),
    ),
    Listing(
        slug="rates",
        title="Rates",
        one="rate",
        listed="list_rates",
        columns=(
            Column("prefix", "Prefix", "link"),
            Column("milli_cents_per_minute", "A minute", "money"),
            Column("increment_seconds", "Increment, s"),
            Column("minimum_seconds", "Minimum, s"),
            Column("description", "Description"),
        ),
        id_field="prefix",
        id_parameter="prefix",
        read="get_rate",
        change="put_rate",
        actions=(
            Action("delete", "Delete", "delete_rate", confirm="Delete this rate?", gone=True),
        ),
        export="export_rates",
        load="import_rates",
    ),
    Listing(
        slug="webhooks",
        title="Webhook endpoints",
        one="webhook endpoint",
        listed="list_webhook_endpoints",
        columns=(
            Column("url", "URL", "link"),
            _STATUS,
            Column("description", "Description"),
            _CREATED,
        ),
        id_parameter="endpoint_id",
        read="get_webhook_endpoint",
        make="create_webhook_endpoint",
        change="change_webhook_endpoint",
        actions=(
            Action("test", "Send a test", "send_test_event"),
            Action(
                "rotate",
                "New secret",
                "rotate_webhook_secret",
                confirm="Give this endpoint a new secret?",
            ),
            Action(
                "delete",
                "Delete",
                "delete_webhook_endpoint",
                confirm="Delete this endpoint with its deliveries?",
                gone=True,
            ),
        ),
    ),
    Listing(
        slug="deliveries",
        title="Webhook deliveries",
        one="delivery",
        listed="list_webhook_deliveries",
        columns=(
            Column("event_type", "Event", "link"),
            Column("url", "To"),
            _STATUS,
            Column("attempt_count", "Tries"),
            Column("last_response_status", "Answer"),
            Column("last_error", "Error"),
            _CREATED,
        ),
        id_parameter="delivery_id",
        read="get_webhook_delivery",
        actions=(Action("redeliver", "Deliver again", "redeliver_webhook"),),
    ),
    Listing(
        slug="keys",
        title="API keys",
        one="API key",
        listed="list_api_keys",
        columns=(
            Column("name", "Name", "link"),
            Column("prefix", "Begins with"),
            Column("scope", "Scope"),
            _CREATED,
            Column("revoked_at", "Revoked", "time"),
        ),
        id_parameter="key_id",
        read="get_api_key",
        make="create_api_key",
        actions=(
            Action(
                "revoke",
                "Revoke",
                "revoke_api_key",
                lambda key: key["revoked_at"] is None,
                "Revoke this key? Whoever uses it is shut out at once.",
            ),
        ),
    ),
)


def pages_of(listing: Listing) -> list[tuple[str, str, Page]]:
    """The routes of one kind of thing."""
    slug = listing.slug
    found: list[tuple[str, str, Any]] = [
        ("GET", f"/{slug}", show_list),
        ("GET", f"/{slug}/{{one}}", show),
        ("POST", f"/{slug}/{{one}}/{{action}}", act),
    ]
    if listing.make:
        found += [("GET", f"/new/{slug}", show_new), ("POST", f"/new/{slug}", make)]
    if listing.change:
        found += [("POST", f"/{slug}/{{one}}", change)]
    return [(method, path, partial(page, listing)) for method, path, page in found] + _files(
        listing
    )


def _files(listing: Listing) -> list[tuple[str, str, Page]]:
    of_one = "/{one}" if listing is CAMPAIGNS else ""
    found: list[tuple[str, str, Page]] = []
    if listing.export:
        found.append(("GET", f"/export/{listing.slug}{of_one}", partial(export, listing)))
    if listing.load:
        found.append(("POST", f"/import/{listing.slug}{of_one}", partial(load, listing)))
    return found


PAGES: Final[tuple[tuple[str, str, Page], ...]] = tuple(
    page for listing in LISTINGS for page in pages_of(listing)
)
