"""The OpenAPI 3.1 document, made from the route table and the pydantic models."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.endpoint import Answer, Endpoint, FileBody, Parameter
from api.problems import MEDIA_TYPE, ProblemObject

_REF = "#/components/schemas/{model}"

IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key",
    "header",
    "The same key and body get the same answer for 24 hours.",
    {"type": "string", "maxLength": 255},
)


def openapi_document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """Describe `endpoints`."""
    endpoints = tuple(endpoints)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Offhook",
            "version": _version(),
            "summary": "AI phone calls on your own PBX, with local models.",
            "license": {"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"},
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(endpoints),
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key, `sk_…` (`offhook keys create`).",
                }
            },
        },
    }


def _version() -> str:
    try:
        return version("offhook")
    except PackageNotFoundError:
        return "0"


def _schemas(endpoints: tuple[Endpoint, ...]) -> dict[str, Any]:
    bodies = {
        endpoint.body
        for endpoint in endpoints
        if endpoint.body is not None and not isinstance(endpoint.body, FileBody)
    }
    answers = {
        answer.model
        for endpoint in endpoints
        for answer in endpoint.answers.values()
        if answer.model is not None
    }
    wanted: list[tuple[type[BaseModel], Any]] = [(model, "validation") for model in bodies]
    wanted += [(model, "serialization") for model in answers | {ProblemObject}]
    wanted.sort(key=lambda item: item[0].__name__)
    _, schemas = models_json_schema(wanted, ref_template=_REF)
    definitions: dict[str, Any] = schemas["$defs"]
    return definitions


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    answers = dict(endpoint.answers)
    parameters = list(endpoint.parameters)
    if not endpoint.public:
        answers[401] = Answer("No live API key was given.")
        answers[403] = Answer(f"The key's scope is not `{endpoint.needed_scope}` or above.")
        wait = {"Retry-After": "Seconds until a request may come again."}
        answers[429] = Answer("Too many requests.", headers=wait)
    if endpoint.method == "POST":
        parameters.append(IDEMPOTENCY_KEY)
        answers.setdefault(409, Answer("A request with this Idempotency-Key is under way."))
        answers.setdefault(422, Answer("The Idempotency-Key was used with another body."))
    if endpoint.method in {"POST", "PATCH"}:
        answers.setdefault(413, Answer("The body is too large."))
        answers[408] = Answer("The body did not arrive in time.")
    answers[500] = Answer("A fault of the server; its log has the request id.")
    answers.setdefault(503, Answer("The store is busy; try again."))
    operation: dict[str, Any] = {
        "operationId": endpoint.operation_id,
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "security": [] if endpoint.public else [{"key": [endpoint.needed_scope]}],
        "responses": {
            str(status): _response(status, answer) for status, answer in sorted(answers.items())
        },
    }
    if parameters:
        operation["parameters"] = [
            {
                "name": parameter.name,
                "in": parameter.place,
                "required": parameter.place == "path",
                "description": parameter.description,
                "schema": dict(parameter.schema),
            }
            for parameter in parameters
        ]
    if endpoint.body is not None:
        operation["requestBody"] = {
            "required": endpoint.body_required,
            "content": _body(endpoint.body),
        }
    return operation


def _body(body: type[BaseModel] | FileBody) -> dict[str, Any]:
    if isinstance(body, FileBody):
        return {body.media_type: {"schema": {"type": "string"}, "example": body.example}}
    return {"application/json": {"schema": _reference(body)}}


def _response(status: int, answer: Answer) -> dict[str, Any]:
    response: dict[str, Any] = {"description": answer.description}
    if answer.headers:
        response["headers"] = {
            name: {"description": text, "schema": {"type": "string"}}
            for name, text in answer.headers.items()
        }
    if status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
        return response
    schema: Mapping[str, Any] = {}
    media_type = answer.media_type
    if answer.model is not None:
        schema = _reference(answer.model)
    elif status >= 400 and media_type == "application/json":
        media_type, schema = MEDIA_TYPE, _reference(ProblemObject)
    elif media_type.startswith("audio/"):
        schema = {"type": "string", "contentMediaType": media_type}
    response["content"] = {media_type: {"schema": schema}}
    return response


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}
