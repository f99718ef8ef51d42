"""The server about itself: health and the OpenAPI document."""

import asyncio
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST as METRICS_TYPE
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from api.http.endpoint import Answer, EndpointTable, Exchange
from api.http.reference.page import CONTENT_SECURITY_POLICY
from api.http.services import Check
from api.resources.health import HealthObject

HEALTH_TIMEOUT_S = 5
#: The documents are the same for everybody; a cache asks whether they have changed.
_CACHED: Final = {"Cache-Control": "public, no-cache"}

route = EndpointTable("system")


@route(
    "GET",
    "/healthz",
    "Ask how the server is",
    {
        200: Answer("Every part works.", HealthObject),
        503: Answer("A part does not work.", HealthObject),
    },
    public=True,
)
async def get_health(exchange: Exchange) -> Response:
    """Without a key, for probes: 200 if every part works, else 503.

    `checks` says which part does not, and how to mend it.
    """
    try:
        async with asyncio.timeout(HEALTH_TIMEOUT_S):
            checks = dict(await exchange.services.health())
            checks |= await exchange.request.app.state.vitals.checks()
    except TimeoutError:
        checks = {"server": Check(False, f"no answer within {HEALTH_TIMEOUT_S} s")}
    ok = all(check.ok for check in checks.values())
    listed = {name: vars(check) for name, check in checks.items()}
    return JSONResponse({"ok": ok, "checks": listed}, 200 if ok else 503)


@route(
    "GET",
    "/metrics",
    "Read the numbers",
    {
        200: Answer(
            "Prometheus' text format.",
            media_type="text/plain",
            example="offhook_calls_active 3.0\n",
        ),
        404: Answer("`server.metrics` is `off`."),
    },
    local=True,
)
async def get_metrics(exchange: Exchange) -> Response:
    """For Prometheus, which shows a key of any scope; from this machine none is needed where
    `server.metrics` is `loopback`.
    """
    if exchange.services.settings.server.metrics == "off":
        raise HTTPException(404)
    return Response(await exchange.request.app.state.scrape.text(), media_type=METRICS_TYPE)


@route(
    "GET",
    "/openapi.json",
    "Read this document",
    {200: Answer("OpenAPI 3.1.", example={"openapi": "3.1.0", "paths": {}})},
    public=True,
)
async def get_openapi(exchange: Exchange) -> Response:
    """OpenAPI 3.1, made from the table that the server routes by.

    `/docs` shows it to people, `/llms.txt` sums it up for language models.
    """
    return JSONResponse(exchange.request.app.state.openapi, headers=_CACHED)


@route(
    "GET",
    "/docs",
    "Read the reference",
    {200: Answer("HTML.", media_type="text/html", example="<!doctype html>")},
    public=True,
)
async def get_reference(exchange: Exchange) -> Response:
    """What `/openapi.json` holds as one page of HTML, with a `curl` command for each operation.

    It runs no script and fetches nothing.
    """
    return HTMLResponse(
        exchange.request.app.state.reference,
        headers={
            "Content-Security-Policy": CONTENT_SECURITY_POLICY,
            "Referrer-Policy": "no-referrer",
        }
        | _CACHED,
    )


@route(
    "GET",
    "/llms.txt",
    "Read the summary for language models",
    {200: Answer("Markdown.", media_type="text/plain", example="# Offhook")},
    public=True,
)
async def get_llms_text(exchange: Exchange) -> Response:
    """What the API can do, in the form of llmstxt.org."""
    return PlainTextResponse(exchange.request.app.state.llms, headers=_CACHED)


ENDPOINTS = route.endpoints
