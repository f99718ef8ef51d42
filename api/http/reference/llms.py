"""`/llms.txt`: the reference in the form of llmstxt.org, for language models that call the API."""

from collections.abc import Mapping
from typing import Any


def llms_text(document: Mapping[str, Any]) -> str:
    """Markdown: a title, a summary, and a list of links for each tag."""
    info = document["info"]
    (scheme,) = document["components"]["securitySchemes"].values()
    lines = [
        f"# {info['title']}",
        "",
        f"> {info['summary']}",
        "",
        f"Send `Authorization: Bearer sk_…`. {scheme['description']}",
        "",
        info["description"],
    ]
    for tag in document["tags"]:
        lines += ["", f"## {tag['x-displayName']}", ""]
        lines += [
            _item(method.upper(), path, operation)
            for path, item in document["paths"].items()
            for method, operation in item.items()
            if tag["name"] in operation["tags"]
        ]
    lines += [
        "",
        "## Optional",
        "",
        "- [OpenAPI document](/openapi.json): every field, type, answer and example",
        "- [Reference](/docs): the same for people",
    ]
    return "\n".join(lines) + "\n"


def _item(method: str, path: str, operation: Mapping[str, Any]) -> str:
    scopes = [scope for one in operation["security"] for scope in one["key"]]
    told = " ".join(f"{operation['summary']}. {operation.get('description', '')}".split())
    needs = f" Scope `{scopes[0]}`." if scopes else " No key needed."
    return f"- [{method} {path}](/docs#{operation['operationId']}): {told.strip()}{needs}"
