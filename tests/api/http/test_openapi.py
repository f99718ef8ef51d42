"""The OpenAPI document is valid, whole, and true to what the server answers."""

from typing import Any

from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from api.base.fields import parse_fields
from api.compat.endpoints import ENDPOINTS
from api.http.app import create_app
from api.http.openapi import openapi_document
from api.orders.place import read_order
from api.resources.call import CallObject, CreateCall
from api.resources.key import SCOPES
from tests.api.conftest import Bench

#: Asks for a token in place of a key.
BY_TOKEN = "/v1/web_call_offers"
PUBLIC = {
    *("/healthz", "/openapi.json", "/docs", "/llms.txt", "/recordings/{call_id}/{attempt}"),
    BY_TOKEN,
}


async def served(bench: Bench) -> dict[str, Any]:
    response = await bench.client.get("/openapi.json")
    assert response.status_code == 200
    document: dict[str, Any] = response.json()
    return document


async def test_it_is_valid_openapi_3_1(bench: Bench) -> None:
    document = await served(bench)
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


async def test_every_route_is_in_it_and_nothing_else(bench: Bench) -> None:
    routed = {
        (method, route.path)
        for route in create_app(bench.services, ENDPOINTS).routes
        if isinstance(route, Route) and route.include_in_schema
        for method in route.methods or ()
        if method != "HEAD"
    }
    document = await served(bench)
    described = {
        (method.upper(), path) for path, item in document["paths"].items() for method in item
    }
    assert described == routed


def test_every_operation_is_told_completely() -> None:
    document = openapi_document(ENDPOINTS)
    names = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            names.append(operation["operationId"])
            assert operation["summary"]
            in_path = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
            assert in_path == {part[1:-1] for part in path.split("/") if part.startswith("{")}
            if method == "post" and path != BY_TOKEN:
                headers = {p["name"] for p in operation["parameters"] if p["in"] == "header"}
                assert "Idempotency-Key" in headers
            public = path in PUBLIC
            if public:
                assert operation["security"] == []
            else:
                ((scope,),) = (one["key"] for one in operation["security"])
                assert scope in SCOPES
            for status in ("401", "403"):
                needs = (not public, path == BY_TOKEN and status == "401")
                assert (status in operation["responses"]) is any(needs)
            assert public or "429" in operation["responses"]
    assert len(set(names)) == len(names)


def test_a_dialects_answer_tells_all_that_it_stands_for() -> None:
    """CallingBox has 400 where we have 400 and 422."""
    path = openapi_document(ENDPOINTS)["paths"]["/compat/callingbox/v1/agents"]
    answers = path["post"]["responses"]
    assert answers["400"]["description"] == "The body is not JSON. A field is wrong."
    assert "422" not in answers


async def test_the_examples_of_the_seed_are_accepted(bench: Bench) -> None:
    """CB-9, CB-11…17, CB-21: the documented examples make a call."""
    examples = {
        name: (CreateCall.model_fields[name].examples or [None])[0]
        for name in ("to", "prompt", "context", "returns", "language", "from_number")
    }
    services = bench.services
    body = examples | {"webhook_url": "https://your-server.com/callingbox-webhook"}
    new = await read_order(services, parse_fields(CreateCall, body), None)
    assert new.returns == {"confirmed": "boolean", "reschedule_to": "string"}


async def test_answers_have_the_shape_that_is_promised(bench: Bench) -> None:
    call = await bench.create()
    schema = (await served(bench))["components"]["schemas"]["CallObject"]
    assert set(schema["required"]) == set(call) == set(CallObject.model_fields)


def test_times_of_a_dialects_call_are_told_as_times() -> None:
    schemas = openapi_document(ENDPOINTS)["components"]["schemas"]
    fields = schemas["CallingBoxCall"]["properties"]
    for name in ("started_at", "answered_at", "ended_at"):
        time, null = fields[name]["anyOf"]
        assert (time, null["type"]) == ({"type": "string", "format": "date-time"}, "null")
    assert {fields[name]["format"] for name in ("created_at", "updated_at")} == {"date-time"}


def test_an_agents_retry_policy_is_told_in_the_shape_that_is_taken() -> None:
    schemas = openapi_document(ENDPOINTS)["components"]["schemas"]
    taken, *told = (
        schemas[name]["properties"]["retry"]["anyOf"]
        for name in ("NewAgent", "AgentObject", "AgentVersionObject")
    )
    assert told == [taken, taken]
