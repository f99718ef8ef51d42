"""The texts that every language model of Offhook is given, in one place.

The wording is part of the contract with the starter models, which are trained on exactly these
functions (`models/training`), so a change here means training them anew. Nothing said on the
line reaches the system prompt: only the operator's own task and context do.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, TypedDict, get_args

JsonValue = None | bool | int | float | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"]


class Message(TypedDict):
    """One chat message, in the shape that chat templates take."""

    role: Literal["system", "user", "assistant"]
    content: str


#: What a call came to for the business.
Outcome = Literal[
    "do_not_contact",
    "requested_callback_new_number",
    "requested_callback_later",
    "completed",
    "not_interested",
    "interested",
]
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)

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
    return [
        {
            "role": "system",
            "content": "Read the phone call and answer with one JSON object of this form, "
            f"null for what was not said: {compact_json(returns)}",
        },
        {"role": "user", "content": _transcript(turns)},
    ]


_ANALYSIS = """\
Read the task that an agent had and its phone call. Answer with one JSON object:
"quote": the line of the person that shows the outcome, copied exactly, or null.
"summary": what happened and why that is the outcome, in one to three short sentences.
"outcome": the first of these that fits.
- do_not_contact: the person said that they want no more calls, or want their number deleted. To \
decline, to be annoyed or busy, or to be the wrong person is not that.
- requested_callback_new_number: the person asked to be called on another number.
- requested_callback_later: the person asked to be called at another time, or could not decide yet.
- completed: the task was done: what was to be told, asked or agreed on has been.
- not_interested: the person declined or cancelled what the call was about.
- interested: the person was willing, but the call ended before the task was done.
- null: nothing of that, such as a wrong number, a machine, or a call that broke off."""


def analysis_messages(
    task: str, turns: Iterable[tuple[Literal["agent", "person"], str]]
) -> list[Message]:
    """The messages that ask what the call came to.

    Args:
        task: the call's `prompt`, as the API client wrote it.
        turns: who spoke and what was heard, in order.
    """
    return [
        {"role": "system", "content": _ANALYSIS},
        {"role": "user", "content": f"Task: {task.strip()}\n{_transcript(turns)}"},
    ]


def _transcript(turns: Iterable[tuple[Literal["agent", "person"], str]]) -> str:
    return "\n".join(f"{speaker}: {text}" for speaker, text in turns)
