"""Every body, answer and parameter of the OpenAPI document has an example, and each is true."""

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from api.compat.endpoints import ENDPOINTS
from api.http.openapi import openapi_document
from api.http.samples import NoExampleError, sample

DOCUMENT = openapi_document(ENDPOINTS)
SCHEMAS = DOCUMENT["components"]["schemas"]


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def contents() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Name, media type and content of every request body and good answer."""
    for name, operation in operations():
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{name} body", media_type, content
        for status, response in operation["responses"].items():
            for media_type, content in response.get("content", {}).items():
                if status.startswith("2"):
                    yield f"{name} {status}", media_type, content


def check(value: Any, schema: dict[str, Any]) -> None:
    rooted = {"components": DOCUMENT["components"], **schema}
    Draft202012Validator(rooted, format_checker=FormatChecker()).validate(value)


@pytest.mark.parametrize(
    ("content", "media_type"),
    [pytest.param(content, media, id=name) for name, media, content in contents()],
)
def test_bodies_and_good_answers_have_a_true_example(
    content: dict[str, Any], media_type: str
) -> None:
    if media_type.startswith("audio/") or media_type == "application/zip":
        return
    if "example" not in content:
        sample(content["schema"], SCHEMAS)  # raises an error that names the field
        pytest.fail("give its Answer an example")
    check(content["example"], content["schema"])


@pytest.mark.parametrize(
    "parameter",
    [
        pytest.param(parameter, id=f"{name} {parameter['name']}")
        for name, operation in operations()
        for parameter in operation.get("parameters", ())
    ],
)
def test_parameters_have_a_true_example(parameter: dict[str, Any]) -> None:
    assert parameter["description"]
    check(parameter["example"], parameter["schema"])


def test_every_operation_is_described_under_a_described_tag() -> None:
    described = {tag["name"] for tag in DOCUMENT["tags"] if tag["description"]}
    silent = [name for name, operation in operations() if not operation.get("description")]
    assert not silent, "give these handlers a docstring"
    assert {tag for _, operation in operations() for tag in operation["tags"]} <= described


def test_a_problem_is_an_example_too() -> None:
    check(sample(SCHEMAS["ProblemObject"], SCHEMAS), SCHEMAS["ProblemObject"])


def test_an_example_is_made_of_what_the_schema_tells() -> None:
    schema = {
        "type": "object",
        "required": ["id", "many"],
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "many": {"type": "array", "items": {"$ref": "#/components/schemas/One"}},
            "perhaps": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "kind": {"enum": ["a", "b"]},
        },
    }
    one = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    assert sample(schema, {"One": one}) == {
        "id": "6f1c2d3e-4b5a-4c6d-8e7f-901234567890",
        "many": [{"n": 1}],
        "perhaps": None,
        "kind": "a",
    }
    assert set(sample(schema, {"One": one}, whole=False)) == {"id", "many"}


def test_a_text_is_not_made_up() -> None:
    one = {"type": "object", "properties": {"name": {"type": "string"}}}
    with pytest.raises(NoExampleError, match=r"One\.name"):
        sample({"$ref": "#/components/schemas/One"}, {"One": one})
