"""The call's typed result: one JSON object that the model takes from the transcript."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any, Final, Literal

import jsonschema

from voice_loop.lenient_json import coerced, values
from voice_loop.ports import LanguageModel, ReplyTooLong
from voice_loop.prompts import JsonValue, Message, extraction_messages
from voice_loop.reasoning import said_in
from voice_loop.untrusted import read_json

#: Tokens that a result may take, whatever its schema.
_LEAST_TOKENS: Final = 512
#: Tokens that values usually take at most.
_TEXT_TOKENS: Final = 40
_VALUE_TOKENS: Final[Mapping[str, int]] = {"boolean": 4, "null": 4, "integer": 12, "number": 12}
_TIME_TOKENS: Final = 24
_ITEMS: Final = 3
#: Of any schema.
_MOST_TOKENS: Final = 8_192
#: Characters of JSON that a token stands for, where a small model is held to names new to it.
_CHARACTERS_PER_TOKEN: Final = 1.4


class ExtractionError(Exception):
    """The model gave no result of the wanted form."""


async def extract(
    llm: LanguageModel,
    returns: Mapping[str, JsonValue],
    schema: Mapping[str, Any],
    turns: Iterable[tuple[Literal["agent", "person"], str]],
    instructions: str | None = None,
    *,
    began: datetime | None = None,
) -> dict[str, Any]:
    """Ask the model for the call's result, constrained to the schema.

    Args:
        llm: the language model.
        returns: what is to be found out, in the client's own words.
        schema: the JSON Schema of the result; its properties are those of `returns`.
        turns: who spoke and what was heard.
        instructions: the operator's own, in place of ours.
        began: when the call did, where the person is.

    Returns:
        The result, its keys in the order of `returns`.

    Raises:
        ExtractionError: what came does not match the schema.
        EngineError: the engine failed.
    """
    said = list(turns)

    async def find(names: Sequence[str]) -> dict[str, Any]:
        """These fields; half of them at a time where all are too long for the model."""
        properties = {name: schema["properties"][name] for name in names}
        ordered = {**schema, "properties": properties, "required": list(properties)}
        asked = {name: wanted for name, wanted in returns.items() if name in properties}
        messages = extraction_messages(asked, said, instructions, began)
        try:
            return await ask(llm, messages, ordered, "`returns`")
        except ReplyTooLong:
            if len(names) == 1:
                raise
        half = len(names) // 2
        return await find(names[:half]) | await find(names[half:])

    # A fixed order makes equal schemas equal prompts and equal grammars.
    result = await find(sorted(schema["properties"]))
    return {name: result[name] for name in returns}


async def ask(
    llm: LanguageModel, messages: Sequence[Message], schema: Mapping[str, Any], wanted: str
) -> dict[str, Any]:
    """Ask the model for one JSON object.

    Args:
        llm: the language model.
        messages: the question.
        schema: the JSON Schema of the answer, an object.
        wanted: what the schema is, for the error's text.

    Raises:
        ExtractionError: what came does not match the schema.
        EngineError: the engine failed.
    """
    text = ""
    most = max(_LEAST_TOKENS, tokens_for(schema))
    async with aclosing(llm.stream(messages, max_tokens=most, schema=schema)) as pieces:
        async for piece in pieces:
            text += piece
    error: ValueError | jsonschema.ValidationError = ValueError("there is no JSON object in it")
    # After its thoughts, a model may say what it is about to answer with.
    for answer in reversed(list(_objects(said_in(text)))):
        if isinstance(answer, ValueError):
            error = error if isinstance(error, jsonschema.ValidationError) else answer
            continue
        meant: dict[str, Any] = coerced(answer, schema)
        try:
            jsonschema.validate(meant, schema)
        except jsonschema.ValidationError as wrong:
            error = wrong
        else:
            return meant
    # A validator's own text repeats what was said, and errors are logged.
    reason = (
        f"{error.json_path} breaks `{error.validator}`"
        if isinstance(error, jsonschema.ValidationError)
        else str(error)
    )
    raise ExtractionError(f"the model's answer does not match {wanted}: {reason}")


def tokens_for(schema: Mapping[str, Any]) -> int:
    """About how many tokens the JSON of a schema takes, its texts being short.

    At most 8,192: a model's context must hold them beside the question.
    """
    return min(_tokens_for(schema), _MOST_TOKENS)


def _tokens_for(schema: Mapping[str, Any]) -> int:
    if "enum" in schema:
        longest = max((len(json.dumps(value)) for value in schema["enum"]), default=0)
        return round(longest / _CHARACTERS_PER_TOKEN) + 4
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return max(map(_tokens_for, schema[choice]), default=0)
    kinds = schema.get("type", "string")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return max((_tokens_of(kind, schema) for kind in kinds), default=0)


def _tokens_of(kind: str, schema: Mapping[str, Any]) -> int:
    if kind == "object":
        return 4 + sum(
            round((len(name) + 6) / _CHARACTERS_PER_TOKEN) + _tokens_for(one)
            for name, one in schema.get("properties", {}).items()
        )
    if kind == "array":
        return 4 + _ITEMS * _tokens_for(schema.get("items", {}))
    if kind == "string" and "format" in schema:
        return _TIME_TOKENS
    if kind == "string":
        most = schema.get("maxLength")
        return _TEXT_TOKENS if most is None else round(most / _CHARACTERS_PER_TOKEN) + 4
    return _VALUE_TOKENS.get(kind, _TEXT_TOKENS)


def _objects(text: str) -> Iterator[dict[str, Any] | ValueError]:
    """The JSON objects in a text, or what is wrong with it."""
    try:
        whole = read_json(text)
    except ValueError as error:
        yield error
        yield from (value for _, _, value in values(text, "{"))
    else:
        answers = whole if isinstance(whole, list) else [whole]
        yield from (answer for answer in answers if isinstance(answer, dict))
