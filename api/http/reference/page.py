"""The reference as one page of HTML: no script, nothing from elsewhere."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any, Final

from api.http.reference.curl import curl
from api.http.reference.style import CSS

_REF = "#/components/schemas/"

#: Only our own style may apply, and nothing may be fetched, run, framed or sent.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()}'"
)


def reference_page(document: Mapping[str, Any]) -> str:
    """The whole page for an OpenAPI document."""
    info = document["info"]
    schemas = document["components"]["schemas"]
    sections = list(_by_tag(document))
    return "".join(
        (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            f"<title>{escape(info['title'])} API</title>\n<style>{CSS}</style>\n</head>\n<body>\n",
            f"<header><h1>{escape(info['title'])} API</h1>",
            f"<p>{_text(info['summary'])} ",
            f'<span class="note">Version {escape(info["version"])}</span></p></header>\n',
            _navigation(sections),
            "<main>\n",
            _introduction(document),
            *(_section(tag, operations, schemas) for tag, operations in sections),
            _schemas(schemas),
            "</main>\n</body>\n</html>\n",
        )
    )


Operation = tuple[str, str, Mapping[str, Any]]
"""Method, path, operation."""


def _by_tag(
    document: Mapping[str, Any],
) -> Iterator[tuple[Mapping[str, Any], list[Operation]]]:
    for tag in document["tags"]:
        yield (
            tag,
            [
                (method.upper(), path, operation)
                for path, item in document["paths"].items()
                for method, operation in item.items()
                if tag["name"] in operation["tags"]
            ],
        )


def _navigation(sections: Iterable[tuple[Mapping[str, Any], list[Operation]]]) -> str:
    items = []
    for tag, operations in sections:
        links = "".join(
            f'<li><a href="#{operation["operationId"]}">{_text(operation["summary"])}</a></li>'
            for _, _, operation in operations
        )
        name = escape(tag["x-displayName"])
        items.append(f'<li><a href="#{_anchor(tag["name"])}">{name}</a><ul>{links}</ul></li>')
    items.append('<li><a href="#schemas">schemas</a></li>')
    return f"<nav><ul>{''.join(items)}</ul></nav>\n"


def _introduction(document: Mapping[str, Any]) -> str:
    (scheme,) = document["components"]["securitySchemes"].values()
    setup = 'export URL=http://127.0.0.1:8080\nexport OFFHOOK_API_KEY="$(offhook keys create me)"'
    return (
        f"<p>{_text(document['info']['description'])}</p>\n"
        f"<p>{_text(scheme['description'])}</p>\n"
        "<p>The examples below want the address of this server and a key:</p>\n"
        f"<pre>{escape(setup)}</pre>\n"
        '<p>The same for programs: <a href="/openapi.json">openapi.json</a>, '
        '<a href="/llms.txt">llms.txt</a>.</p>\n'
    )


def _section(
    tag: Mapping[str, Any], operations: Iterable[Operation], schemas: Mapping[str, Any]
) -> str:
    name = tag["name"]
    head = f'<section><h2 id="{_anchor(name)}">{escape(tag["x-displayName"])}</h2>\n'
    bodies = "".join(_operation(*operation, schemas) for operation in operations)
    return f"{head}<p>{_text(tag['description'])}</p>\n{bodies}</section>\n"


def _operation(
    method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]
) -> str:
    scopes = [scope for one in operation["security"] for scope in one["key"]]
    needs = f"scope <code>{escape(scopes[0])}</code>" if scopes else "no key needed"
    parts = [
        f'<article><h3 id="{operation["operationId"]}">{_text(operation["summary"])}</h3>\n',
        f'<p class="route"><span class="method {method.lower()}">{method}</span> ',
        f'<code>{escape(path)}</code> <span class="note">{needs}</span></p>\n',
        _paragraphs(operation.get("description", "")),
    ]
    if parameters := operation.get("parameters"):
        parts.append("<h4>Parameters</h4>\n" + _fields(_parameters(parameters)))
    if "requestBody" in operation:
        ((media_type, content),) = operation["requestBody"]["content"].items()
        told = escape(media_type) if media_type != "application/json" else _type(content["schema"])
        parts.append(f"<h4>Body</h4>\n<p>{told}</p>\n")
        parts.append(_fields(_properties(_resolved(content["schema"], schemas))))
    parts.append(f"<h4>Example</h4>\n<pre>{escape(curl(method, path, operation))}</pre>\n")
    parts.append("<h4>Answers</h4>\n" + _fields(_answers(operation["responses"]), "answers"))
    if (example := _good_example(operation["responses"])) is not None:
        parts.append(f"<pre>{escape(example)}</pre>\n")
    return "".join((*parts, "</article>\n"))


Field = tuple[str, str, str]
"""HTML of a name, what is to be said beside it, and its meaning."""


def _parameters(parameters: Iterable[Mapping[str, Any]]) -> Iterator[Field]:
    for one in parameters:
        place = "" if one["in"] == "query" else f", {one['in']}"
        yield (
            f"<code>{escape(one['name'])}</code>",
            _type(one["schema"]) + place,
            _text(one["description"]),
        )


def _answers(responses: Mapping[str, Mapping[str, Any]]) -> Iterator[Field]:
    for status, response in responses.items():
        shapes = [
            _type(content["schema"])
            for content in response.get("content", {}).values()
            if content["schema"]
        ]
        yield f"<code>{status}</code>", "".join(shapes), _text(response["description"])


def _good_example(responses: Mapping[str, Mapping[str, Any]]) -> str | None:
    for status, response in responses.items():
        for content in response.get("content", {}).values():
            if status.startswith("2") and "example" in content:
                example = content["example"]
                if isinstance(example, str):
                    return example
                return json.dumps(example, ensure_ascii=False, indent=2)
    return None


def _schemas(schemas: Mapping[str, Mapping[str, Any]]) -> str:
    parts = ['<section><h2 id="schemas">Schemas</h2>\n']
    for name, schema in schemas.items():
        parts.append(f'<article><h3 id="schema-{escape(name)}">{escape(name)}</h3>\n')
        parts.append(_paragraphs(schema.get("description", "")))
        parts.append(_fields(_properties(schema)))
        parts.append("</article>\n")
    return "".join((*parts, "</section>\n"))


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    return schemas[schema["$ref"].removeprefix(_REF)] if "$ref" in schema else schema


def _properties(schema: Mapping[str, Any]) -> Iterator[Field]:
    required = schema.get("required", ())
    for name, one in schema.get("properties", {}).items():
        told = [_type(one)]
        if name not in required:
            default = one.get("default")
            value = f" <code>{escape(json.dumps(default))}</code>" if default is not None else ""
            told.append(f"default{value}" if value else "optional")
        yield f"<code>{escape(name)}</code>", ", ".join(told), _text(one.get("description", ""))


def _fields(fields: Iterable[Field], kind: str = "fields") -> str:
    rows = "".join(
        f'<dt>{name} <span class="note">{beside}</span></dt><dd>{meaning}</dd>\n'
        for name, beside, meaning in fields
    )
    return f'<dl class="{kind}">\n{rows}</dl>\n' if rows else ""


def _type(schema: Mapping[str, Any]) -> str:
    """A schema in a few words of HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].removeprefix(_REF))
        return f'<a href="#schema-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "const" in schema:
        return f"<code>{escape(json.dumps(schema['const']))}</code>"
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(one))}</code>" for one in schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        return f"array of {_type(schema.get('items', {}))}"
    told = [escape(schema.get("format", kind))]
    for key, word in (
        ("minimum", "from"),
        ("maximum", "to"),
        ("minLength", "at least"),
        ("maxLength", "up to"),
    ):
        if key in schema:
            told.append(f"{word} {schema[key]}{' characters' if 'Length' in key else ''}")
    return " ".join(told)


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{_text(one)}</p>\n" for one in text.split("\n\n") if one.strip())


def _text(text: str) -> str:
    """Plain text with `code` in it."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _anchor(name: str) -> str:
    return "tag-" + name.replace(" ", "-")
