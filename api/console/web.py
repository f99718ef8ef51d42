"""The browser on the line: test calls of agents, listening in, and speaking into live calls."""

from functools import partial
from typing import Final

from starlette.responses import JSONResponse, Response

from api.console.agents import variables_of
from api.console.visit import HOME, Page, Visit, go

#: What is passed on to a live call, by the last part of its page's path: what it says, and of whom.
_CONTROLS: Final = {
    "say": ("say_in_call", "text"),
    "whisper": ("whisper_in_call", "text"),
    "press": ("press_in_call", "digits"),
}


async def call_agent(visit: Visit) -> Response:
    """The browser calls the agent: its offer comes, our answer goes, with where the call is."""
    body = {
        "agent_id": visit.request.path_params["one"],
        "sdp": visit.form.fields.get("sdp", ""),
        "metadata": {"source": "console"},
    }
    if variables := variables_of(visit.form.fields):
        body["variables"] = variables
    made = await visit.ask("create_web_call", body)
    page = f"{HOME}/calls/{made['call']['id']}"
    return JSONResponse({"type": made["type"], "sdp": made["sdp"], "page": page})


async def listen_in(visit: Visit) -> Response:
    """The browser listens to a call: its offer comes, our answer goes."""
    body = {"sdp": visit.form.fields.get("sdp", "")}
    return await visit.answer("listen_to_call", body, call_id=visit.request.path_params["call_id"])


async def control(action: str, visit: Visit) -> Response:
    """Pass words or keys on to a call."""
    operation, field = _CONTROLS[action]
    call_id = visit.request.path_params["call_id"]
    await visit.ask(operation, {field: visit.form.fields.get(field, "")}, call_id=call_id)
    return go(f"/calls/{call_id}")


PAGES: Final[tuple[tuple[str, str, Page], ...]] = (
    ("POST", "/agents/{one}/web-call", call_agent),
    ("POST", "/calls/{call_id}/listen", listen_in),
    *(("POST", f"/calls/{{call_id}}/{action}", partial(control, action)) for action in _CONTROLS),
)
