"""The texts that every language model of Offhook is given, in one place.

The wording is part of the contract with the starter models, which are trained on exactly these
functions (`models/training`), so a change here means training them anew. Nothing said on the
line reaches the system prompt: only the operator's own task and context do.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypedDict

JsonValue = None | bool | int | float | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"]


class Message(TypedDict):
    """One chat message, in the shape that chat templates take."""

    role: Literal["system", "user", "assistant"]
    content: str


LANGUAGE_NAMES: Mapping[str, str] = {"en": "English", "es": "Spanish"}

#: Stands in for the first user turn, so that the agent can open the conversation.
CALL_ANSWERED = "[call answered]"

#: Ends an agent turn in the history when the person interrupted it there.
CUT_OFF = " --"

TOOL_CALL_OPEN = "<tool_call>"
TOOL_CALL_CLOSE = "</tool_call>"
END_CALL = f'{TOOL_CALL_OPEN}{{"name": "end_call", "arguments": {{}}}}{TOOL_CALL_CLOSE}'


def compact_json(value: JsonValue) -> str:
    """One line of JSON with sorted keys, so that equal contexts share a prompt prefix."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def system_prompt(task: str, context: Mapping[str, JsonValue], language: str = "en") -> str:
    """The agent's standing instructions for one call.

    Args:
        task: the call's `prompt`, as the API client wrote it.
        context: facts the agent may use; JSON values.
        language: ISO 639-1 code; one that has no name here is passed on as it is.
    """
    return (
        f"You are an agent on a live phone call. Speak {LANGUAGE_NAMES.get(language, language)}. "
        "Use short plain sentences and ask one thing at a time.\n"
        f"Task: {task.strip()}\n"
        f"Facts: {compact_json(context)}\n"
        f"When the call is finished, say goodbye and end with {END_CALL}"
    )


def extraction_messages(
    returns: Mapping[str, JsonValue], turns: Iterable[tuple[Literal["agent", "person"], str]]
) -> list[Message]:
    """The messages that ask for the call's typed result.

    Args:
        returns: field name to type, as the API client gave it.
        turns: who spoke and what was heard, in order.
    """
    transcript = "\n".join(f"{speaker}: {text}" for speaker, text in turns)
    return [
        {
            "role": "system",
            "content": "Read the phone call and answer with one JSON object of this form, "
            f"null for what was not said: {compact_json(returns)}",
        },
        {"role": "user", "content": transcript},
    ]
