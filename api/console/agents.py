"""Agents: a form that says what is wrong as one types, what an agent was, and its prompt filled
in."""

import difflib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from starlette.responses import HTMLResponse, Response

from api.agents.keeping import checked, checked_change
from api.agents.templates import templates
from api.base.fields import parse_fields
from api.base.problems import Problem, problem_of
from api.base.refusals import Refused
from api.base.text import Variables, render
from api.console.inputs import body_of, errors_at, inputs_of
from api.console.lists import Action, Column, Listing, model_of, pages_of
from api.console.visit import OPERATIONS, Page, Visit, security_headers
from api.http.auth import check_scope
from api.resources.agent import ChangeAgent
from api.resources.agent_fields import AgentFields, NewAgent

#: Versions that are shown beside each other at most.
_VERSIONS: Final = "50"
#: Of a preview: the name of a form's field for a variable begins so.
_GIVEN: Final = "variable."


async def _of_agent(visit: Visit, agent: Mapping[str, Any]) -> dict[str, Any]:
    """What it was, what differs from that, and its texts with variables filled in."""
    query = [("limit", _VERSIONS)]
    page = await visit.ask("list_agent_versions", query=query, agent_id=agent["id"])
    versions = page["data"]
    wanted = visit.request.query_params.get("version", "")
    shown = next((one for one in versions if str(one["version"]) == wanted), None)
    if shown is None and len(versions) > 1:
        shown = versions[1]
    return {
        "versions": versions,
        "shown": shown,
        "diff": [] if shown is None else _diff(shown, versions[0]),
        **_preview(visit, agent),
    }


def _diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Line by line, what differs between two versions."""

    def lines(version: Mapping[str, Any]) -> list[str]:
        what = {
            name: value
            for name, value in version.items()
            if value is not None and name not in {"version", "created_at"}
        }
        return json.dumps(what, indent=2, ensure_ascii=False).replace("\\n", "\n").split("\n")

    found = difflib.unified_diff(lines(before), lines(after), n=2, lineterm="")
    return list(found)[2:]


def _preview(visit: Visit, agent: Mapping[str, Any]) -> dict[str, Any]:
    """Its texts, with its variables and those of the query filled in."""
    known = {name: agent[name] for name in AgentFields.model_fields if agent.get(name) is not None}
    fields = AgentFields.model_construct(**known)
    found = [one for one in templates(fields) if len(one.path) == 1]
    own = Variables(agent.get("variables") or {})
    filled_in = variables_of(visit.request.query_params)
    names = sorted({name for one in found for name in one.names})
    given = {name: filled_in.get(name, "") for name in names}
    open_ = {name: f"{{{{{name}}}}}" for name in names}  # what nobody gave stays as it stands
    first = {name: value for name, value in given.items() if value}
    variables = {**open_, **{name: own[name] for name in names if name in own}, **first}
    return {
        "given": given,
        "previewed": [(one.path[0], render(one.text, variables)) for one in found],
    }


def variables_of(fields: Mapping[str, str]) -> dict[str, str]:
    """The variables that somebody filled in, by name."""
    return {
        name.removeprefix(_GIVEN): value
        for name, value in fields.items()
        if name.startswith(_GIVEN) and value
    }


async def check_new(visit: Visit) -> Response:
    """What is wrong with a new agent, for its form."""
    check_scope(visit.key, OPERATIONS["create_agent"])

    async def tried(body: dict[str, Any]) -> None:
        await checked(visit.services, parse_fields(NewAgent, body))

    return await _checked(visit, "create_agent", None, tried)


async def check_changed(visit: Visit) -> Response:
    """What is wrong with a change, for its form."""
    check_scope(visit.key, OPERATIONS["change_agent"])
    agent_id = visit.request.path_params["one"]
    shown = await visit.ask("get_agent", agent_id=agent_id)
    before = await visit.services.store.agents.get(agent_id)

    async def tried(body: dict[str, Any]) -> None:
        await checked_change(visit.services, before, parse_fields(ChangeAgent, body))

    return await _checked(visit, "change_agent", shown, tried)


async def _checked(
    visit: Visit,
    operation: str,
    current: Mapping[str, Any] | None,
    tried: Callable[[dict[str, Any]], Awaitable[None]],
) -> Response:
    inputs = inputs_of(model_of(operation))
    at: dict[str, str] = {}
    others: list[str] = []
    try:
        await tried(body_of(inputs, visit.form.fields, current))
    except (Problem, Refused) as error:
        problem = problem_of(error) if isinstance(error, Refused) else error
        at, others = errors_at(inputs, problem)
    html = visit.fragment("checked.html", inputs=inputs, errors=at, others=others)
    return HTMLResponse(html, headers=security_headers())


AGENTS: Final = Listing(
    slug="agents",
    title="Agents",
    one="agent",
    listed="list_agents",
    columns=(
        Column("name", "Name", "link"),
        Column("type", "Type"),
        Column("status", "Status", "status"),
        Column("version", "Version"),
        Column("language", "Language"),
        Column("updated_at", "Changed", "time"),
    ),
    id_parameter="agent_id",
    read="get_agent",
    make="create_agent",
    change="change_agent",
    actions=(
        Action(
            "archive",
            "Archive",
            "archive_agent",
            lambda agent: agent["status"] == "active",
            "Archive this agent? It makes and answers no more calls.",
        ),
    ),
    first=frozenset(
        {
            *("name", "type", "persona", "instructions", "language", "voice", "first_sentence"),
            *("first_sentence_mode", "variables", "returns", "tools", "number_ids"),
            "max_duration_seconds",
        }
    ),
    template="agent.html",
    more=_of_agent,
    check=True,
)

PAGES: Final[tuple[tuple[str, str, Page], ...]] = (
    *pages_of(AGENTS),
    ("POST", "/check/agents", check_new),
    ("POST", "/check/agents/{one}", check_changed),
)
