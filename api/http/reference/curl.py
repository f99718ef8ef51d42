"""An operation as a command that can be pasted."""

import json
import shlex
from collections.abc import Mapping
from typing import Any


def curl(method: str, path: str, operation: Mapping[str, Any]) -> str:
    """The command, with the document's examples; `$URL` and `$OFFHOOK_API_KEY` are the reader's."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(parameter["example"]))
    answers = [media for status, media in _media_types(operation) if status.startswith("2")]
    flags = "-N" if "text/event-stream" in answers else "-s"
    lines = [f'curl {flags} "$URL{path}"']
    if method not in {"GET", "POST"} or (method == "POST" and "requestBody" not in operation):
        lines[0] += f" -X {method}"
    if operation["security"]:
        lines.append('-H "Authorization: Bearer $OFFHOOK_API_KEY"')
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        if method == "POST" and lines[0].endswith("POST"):
            break
        lines.append(f'-H "Content-Type: {media_type}"')
        example = content.get("example", {})
        if isinstance(example, str):
            lines.append(f"--data-binary {shlex.quote(example)}")
        else:
            lines.append(f"-d {shlex.quote(json.dumps(example, ensure_ascii=False, indent=2))}")
    if any(media.startswith("audio/") for media in answers):
        lines.append("-o recording.wav")
    return " \\\n  ".join(lines)


def _media_types(operation: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (status, media)
        for status, response in operation["responses"].items()
        for media in response.get("content", {})
    ]
