"""Tool calls between our text and OpenAI's messages.

In the voice loop a call is part of the agent's text, `<tool_call>{…}</tool_call>`, and what came
of it part of the next message to it, `<tool_response>…</tool_response>`. A server has fields of
their own for both.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from models.openai.endpoint import STRANGE
from voice_loop.lenient_json import read
from voice_loop.prompts import TOOL_CALL_CLOSE, TOOL_CALL_OPEN, Message
from voice_loop.tools import END_CALL_TOOL, ToolSpec
from voice_loop.untrusted import read_json

_CALL: Final = re.compile(f"{TOOL_CALL_OPEN}(.*?){TOOL_CALL_CLOSE}", re.DOTALL)
_RESPONSE: Final = re.compile(r"<tool_response>(.*?)</tool_response>", re.DOTALL)

_END_CALL: Final = ToolSpec(END_CALL_TOOL, "Ends the phone call.", {"type": "object"})


def tools_param(tools: Sequence[ToolSpec]) -> list[dict[str, Any]]:
    """What the request's `tools` is; the call may always be ended."""
    ending = () if any(tool.name == END_CALL_TOOL for tool in tools) else (_END_CALL,)
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": {"properties": {}, **tool.parameters},
            },
        }
        for tool in (*tools, *ending)
    ]


def tool_call_text(name: str, arguments: str) -> str:
    """A call as our text; arguments that are no object are a text in it.

    Args:
        name: the tool's.
        arguments: as the server gave them, JSON.
    """
    try:
        given = read(arguments) if arguments.strip() else {}
        if isinstance(given, str):  # some servers write the text of the text
            given = read(given)
    except ValueError:
        given = arguments
    body = json.dumps({"name": name, "arguments": given})
    # No argument may end the call early.
    return TOOL_CALL_OPEN + body.replace("<", "\\u003c") + TOOL_CALL_CLOSE


def chat_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The chat in the server's form.

    A call that was never answered is left out: servers refuse it.
    """
    converted: list[dict[str, Any]] = []
    for index, message in enumerate(messages):
        if message["role"] == "assistant":
            following = messages[index + 1]["content"] if index + 1 < len(messages) else ""
            answered = len(_RESPONSE.findall(following))
            converted += _assistant(message["content"], f"call_{index}", answered)
        elif message["role"] == "user" and index > 0:
            converted += _user(message["content"], converted)
        else:
            converted.append(dict(message))
    return converted


def _assistant(content: str, prefix: str, answered: int) -> Iterator[dict[str, Any]]:
    text = _CALL.sub("", content).strip()
    calls = [call for call in map(_call, _CALL.findall(content)) if call is not None][:answered]
    if calls:
        numbered = [
            {"id": f"{prefix}_{number}", "type": "function", "function": function}
            for number, function in enumerate(calls)
        ]
        yield {"role": "assistant", "content": text or None, "tool_calls": numbered}
    elif text:
        yield {"role": "assistant", "content": text}


def _call(text: str) -> dict[str, str] | None:
    """The function of a call; None for one that names none."""
    try:
        call = read_json(text)
        name, arguments = str(call["name"]), json.dumps(call.get("arguments") or {})
    except STRANGE:
        return None
    return {"name": name, "arguments": arguments} if name else None


def _user(content: str, before: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    asked = before[-1].get("tool_calls", ()) if before else ()
    outputs = _RESPONSE.findall(content)
    for call, output in zip(asked, outputs, strict=False):
        yield {"role": "tool", "tool_call_id": call["id"], "content": output.strip()}
    # What answers no call that the server knows of is still told.
    text = _RESPONSE.sub(r"\1", _RESPONSE.sub("", content, count=len(asked)) if asked else content)
    if text.strip():
        yield {"role": "user", "content": text.strip()}
