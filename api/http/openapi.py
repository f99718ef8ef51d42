"""The OpenAPI 3.1 document, made from the route table and the pydantic models."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from api.base.problems import MEDIA_TYPE, ProblemObject
from api.http.endpoint import Answer, Endpoint, FileBody, Parameter
from api.http.samples import NoExampleError, sample

_REF = "#/components/schemas/{model}"

DESCRIPTION: Final = (
    "Every answer has an `X-Request-Id`, which the server's log has too. Answers to a key have "
    "`RateLimit-Policy` and `RateLimit`: how many requests the key may make in a minute, how many "
    "remain and in how many seconds all of them do. Errors are `application/problem+json` "
    "(RFC 9457): `code` is for programs, `errors` points at each wrong field. Times are RFC 3339 "
    "in UTC, numbers E.164."
)

#: Tag to description, in the order of the reference.
TAGS: Final[Mapping[str, str]] = {
    "calls": "Place calls, follow them, end them, read what came of them.",
    "web calls": "Calls from browsers, listening in on calls, and speaking into them.",
    "agents": "Who calls: kept configurations, with their versions and numbers.",
    "engines": "Language models, transcribers and voices that agents can name.",
    "campaigns": "Many calls from one template, paced.",
    "secrets": "What tools need to know and nobody may read back.",
    "calendars": "Where agents find free slots and book them.",
    "numbers": "Caller numbers.",
    "trunks": "The lines that calls go out on, with their limits.",
    "messages": "Text messages and mails that calls sent.",
    "do not call": "Numbers that are never called.",
    "money": "What calls cost, and how much may be spent.",
    "webhooks": "Who is told of events, and what was delivered.",
    "api keys": "Who may ask for what.",
    "system": "The server about itself.",
    "callingbox": "For clients of CallingBox, as they are: `/compat/callingbox` is their base URL.",
    "oneinbox": "For clients of OneInbox, as they are: `/compat/oneinbox` is their base URL.",
    "revox": "For clients of Revox, as they are: `/api` is their base URL.",
}

IDEMPOTENCY_KEY: Final = Parameter(
    "Idempotency-Key",
    "header",
    "The same key and body get the same answer for 24 hours.",
    {"type": "string", "maxLength": 255, "pattern": "^[!-~]+$"},
    "order-4711",
)
IF_NONE_MATCH: Final = Parameter(
    "If-None-Match",
    "header",
    "`ETag` of an earlier answer: 304 if nothing has changed.",
    example='"9f86d081884c7d659a2feaa0c55ad015"',
)
IF_MATCH: Final = Parameter(
    "If-Match",
    "header",
    "`ETag` of an earlier answer: change nothing if it has changed since.",
    example='"9f86d081884c7d659a2feaa0c55ad015"',
)
#: Headers of answers: name to description and example.
HEADERS: Final[Mapping[str, tuple[str, str]]] = {
    "X-Request-Id": ("The request's own, if it gave one.", "req_5b2f7a523a0f4a579f0e6d7f6f6f2c11"),
    "ETag": ("Changes with the content.", '"9f86d081884c7d659a2feaa0c55ad015"'),
    "RateLimit-Policy": ("Requests per 60 seconds.", '"key";q=6000;w=60'),
    "RateLimit": ("What remains, and seconds until all does.", '"key";r=5999;t=1'),
}


def openapi_document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """Describe `endpoints`."""
    endpoints = tuple(endpoints)
    schemas = _schemas(endpoints)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    used = {endpoint.tag for endpoint in endpoints}
    titles: dict[str, str] = {
        one.dialect.name: one.dialect.title for one in endpoints if one.dialect is not None
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Offhook",
            "version": _version(),
            "summary": "AI phone calls on your own PBX, with local models.",
            "description": DESCRIPTION,
            "license": {"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"},
        },
        "servers": [{"url": "/", "description": "The server that gave you this document."}],
        # `x-displayName` is an extension that Redoc and others read.
        "tags": [
            {
                "name": name,
                "x-displayName": titles.get(name, name.capitalize()),
                "description": TAGS[name],
            }
            for name in TAGS
            if name in used
        ],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": {
                name: {"description": text, "schema": {"type": "string"}, "example": example}
                for name, (text, example) in HEADERS.items()
            },
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key, `sk_…`, as `offhook keys create` and "
                    "`POST /v1/api_keys` make it. Each operation names the scope that it needs: "
                    "`read` reads everything but secrets and keys, `call` also places and ends "
                    "calls, `admin` also configures.",
                }
            },
        },
    }


def _version() -> str:
    try:
        return version("offhook")
    except PackageNotFoundError:
        return "0"


class _Schemas(GenerateJsonSchema):
    """Calls a `Page[TrunkObject]` `TrunkPage`."""

    def normalize_name(self, name: str) -> str:
        return super().normalize_name(re.sub(r"^Page\[(\w+?)(Object)?\]$", r"\1Page", name))


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
    errors = {one.dialect.error_model for one in endpoints if one.dialect is not None}
    wanted += [(model, "serialization") for model in answers | errors | {ProblemObject}]
    wanted.sort(key=lambda item: item[0].__name__)
    _, schemas = models_json_schema(wanted, ref_template=_REF, schema_generator=_Schemas)
    definitions: dict[str, Any] = schemas["$defs"]
    return definitions


def _operation(endpoint: Endpoint, schemas: Mapping[str, Any]) -> dict[str, Any]:
    tagged = _has_tag(endpoint)
    operation: dict[str, Any] = {
        "operationId": endpoint.operation_id,
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "security": [] if endpoint.public else [{"key": [endpoint.needed_scope]}],
        "responses": {
            str(status): _response(
                status, answer, schemas, _headers(endpoint, status, tagged), _error_of(endpoint)
            )
            for status, answer in sorted(_answers(endpoint, tagged).items())
        },
    }
    if endpoint.description:
        operation["description"] = endpoint.description
    parameters = list(endpoint.parameters)
    if endpoint.method == "POST" and not endpoint.public:
        parameters.append(IDEMPOTENCY_KEY)
    elif tagged:
        parameters.append(IF_NONE_MATCH if endpoint.method == "GET" else IF_MATCH)
    if parameters:
        operation["parameters"] = [_parameter(parameter) for parameter in parameters]
    if endpoint.body is not None:
        operation["requestBody"] = {
            "required": endpoint.body_required,
            "content": _body(endpoint.body, schemas),
        }
    return operation


def _has_tag(endpoint: Endpoint) -> bool:
    """Whether its 200 has an ETag; see `api.http.etag`."""
    good = endpoint.answers.get(HTTPStatus.OK)
    return (
        endpoint.method in {"GET", "PUT", "PATCH"}
        and good is not None
        and good.media_type in {"application/json", "text/html", "text/plain"}
    )


def _answers(endpoint: Endpoint, tagged: bool) -> dict[int, Answer]:
    """With those that any route of its kind may give."""
    answers = dict(endpoint.answers)
    if not endpoint.public:
        answers[401] = Answer("No live API key was given.")
        answers[403] = Answer(f"The key's scope is not `{endpoint.needed_scope}` or above.")
        wait = {"Retry-After": "Seconds until a request may come again."}
        answers[429] = Answer("Too many requests.", headers=wait)
    if _has_fields(endpoint):
        answers.setdefault(400, Answer("The body is not JSON."))
        answers.setdefault(415, Answer("The body is not `application/json`."))
        answers.setdefault(422, Answer("A field is wrong."))
    elif any(one.place == "query" for one in endpoint.parameters):
        answers.setdefault(422, Answer("A parameter is wrong."))
    # A PUT makes what its path names.
    if "{" in endpoint.path and not (endpoint.method == "PUT" and endpoint.path.endswith("}")):
        answers.setdefault(404, Answer("There is no such thing."))
    if endpoint.method == "POST" and not endpoint.public:
        answers.setdefault(409, Answer("A request with this Idempotency-Key is under way."))
        answers.setdefault(422, Answer("The Idempotency-Key was used with another body."))
    elif tagged and endpoint.method == "GET":
        answers[304] = Answer("Nothing has changed since `If-None-Match`.")
    elif tagged:
        answers[412] = Answer("It has changed since `If-Match`.")
    if endpoint.method in {"POST", "PUT", "PATCH"}:
        answers[408] = Answer("The body did not arrive in time.")
        answers.setdefault(413, Answer("The body is too large."))
    answers[500] = Answer("A fault of the server; its log has the request id.")
    answers.setdefault(503, Answer("The store is busy; try again."))
    if endpoint.dialect is None:
        return answers
    told: dict[int, Answer] = {}
    for status, answer in sorted(answers.items()):
        theirs = endpoint.dialect.status_of(status)
        if theirs in told:  # several of ours are one of theirs
            both = f"{told[theirs].description} {answer.description}"
            told[theirs] = replace(told[theirs], description=both)
        else:
            told[theirs] = answer
    return told


def _has_fields(endpoint: Endpoint) -> bool:
    """Whether its body is JSON."""
    return endpoint.body is not None and not isinstance(endpoint.body, FileBody)


def _error_of(endpoint: Endpoint) -> tuple[str, type[BaseModel]]:
    """Media type and model of its errors."""
    if endpoint.dialect is None:
        return MEDIA_TYPE, ProblemObject
    return "application/json", endpoint.dialect.error_model


def _headers(endpoint: Endpoint, status: int, tagged: bool) -> list[str]:
    """Names of the common headers of an answer."""
    names = ["X-Request-Id"]
    if tagged and status in {HTTPStatus.OK, HTTPStatus.NOT_MODIFIED}:
        names.append("ETag")
    if not endpoint.public and status != HTTPStatus.UNAUTHORIZED:
        names += ["RateLimit-Policy", "RateLimit"]
    return names


def _parameter(parameter: Parameter) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "description": parameter.description,
        "schema": dict(parameter.schema),
    }
    example = parameter.example
    if example is None:
        example = _sample(parameter.schema, {})
    return described if example is None else described | {"example": example}


def _body(body: type[BaseModel] | FileBody, schemas: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(body, FileBody):
        return {body.media_type: {"schema": {"type": "string"}, "example": body.example}}
    return {
        "application/json": _content(_reference(body), _sample(_reference(body), schemas, False))
    }


def _response(
    status: int,
    answer: Answer,
    schemas: Mapping[str, Any],
    common: list[str],
    error: tuple[str, type[BaseModel]],
) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": answer.description,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in common}
        | {
            name: {"description": text, "schema": {"type": "string"}}
            for name, text in answer.headers.items()
        },
    }
    if status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
        return response
    schema: Mapping[str, Any] = {}
    media_type, example = answer.media_type, answer.example
    if answer.model is not None:
        schema = _reference(answer.model)
        example = _sample(schema, schemas) if example is None else example
        if media_type == "text/event-stream":
            schema, example = _event(schema, example)
    elif status >= 400 and media_type == "application/json":
        media_type, schema = error[0], _reference(error[1])
    elif media_type.startswith("audio/"):
        schema = {"type": "string", "contentMediaType": media_type}
    elif media_type.startswith("text/"):
        schema = {"type": "string"}
    response["content"] = {media_type: _content(schema, example)}
    return response


def _event(data: Mapping[str, Any], example: Any) -> tuple[dict[str, Any], Any]:
    """One Server-Sent Event whose data is JSON, in the manner of OpenAPI 3.2's `itemSchema`."""
    text = {"type": "string"}
    content = {"contentMediaType": "application/json", "contentSchema": data}
    schema = {
        "type": "object",
        "required": ["id", "event", "data"],
        "properties": {"id": text, "event": text, "data": text | content},
    }
    if example is None:
        return schema, None
    return schema, {
        "id": str(example["seq"]),
        "event": example["type"],
        "data": json.dumps(example),
    }


def _content(schema: Mapping[str, Any], example: Any) -> dict[str, Any]:
    return {"schema": schema} if example is None else {"schema": schema, "example": example}


def _sample(schema: Mapping[str, Any], schemas: Mapping[str, Any], whole: bool = True) -> Any:
    """None where a field has no example: a test names it, and the server starts all the same."""
    try:
        return sample(schema, schemas, whole=whole)
    except NoExampleError:
        return None


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=_Schemas().normalize_name(model.__name__))}
