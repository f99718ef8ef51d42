"""The call's typed result: one JSON object that the model takes from the transcript."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Literal

import jsonschema

from voice_loop.ports import LanguageModel
from voice_loop.prompts import JsonValue, Message, extraction_messages
from voice_loop.untrusted import read_json

#: Tokens that a result may take.
_MAX_RESULT_TOKENS = 512


class ExtractionError(Exception):
    """The model gave no result of the wanted form."""


async def extract(
    llm: LanguageModel,
    returns: Mapping[str, JsonValue],
    schema: Mapping[str, Any],
    turns: Iterable[tuple[Literal["agent", "person"], str]],
    instructions: str | None = None,
) -> dict[str, Any]:
    """Ask the model for the call's result, constrained to the schema.

    Args:
        llm: the language model.
        returns: what is to be found out, in the client's own words.
        schema: the JSON Schema of the result; its properties are those of `returns`.
        turns: who spoke and what was heard.
        instructions: the operator's own, in place of ours.

    Returns:
        The result, its keys in the order of `returns`.

    Raises:
        ExtractionError: what came does not match the schema.
        EngineError: the engine failed.
    """
    # A fixed order makes equal schemas equal prompts and equal grammars.
    properties = {name: schema["properties"][name] for name in sorted(schema["properties"])}
    ordered = {**schema, "properties": properties, "required": list(properties)}
    result = await ask(llm, extraction_messages(returns, turns, instructions), ordered, "`returns`")
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
    async with aclosing(
        llm.stream(messages, max_tokens=_MAX_RESULT_TOKENS, schema=schema)
    ) as pieces:
        async for piece in pieces:
            text += piece
    try:
        answer: dict[str, Any] = read_json(text)
        jsonschema.validate(answer, schema)
    except ValueError as error:
        raise ExtractionError(f"the model's answer does not match {wanted}: {error}") from error
    except jsonschema.ValidationError as error:
        # Its own text repeats what was said, and errors are logged.
        reason = f"{error.json_path} breaks `{error.validator}`"
        raise ExtractionError(f"the model's answer does not match {wanted}: {reason}") from None
    return answer
