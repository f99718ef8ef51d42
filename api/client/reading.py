"""From JSON to the server's own models, tolerantly: the server may be of another release."""

import json
from collections.abc import Mapping
from types import UnionType
from typing import Any, Final, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from api.client.errors import AnswerError

M = TypeVar("M", bound=BaseModel)

#: What may differ between releases: a status or field that is new here, a field that is not there
#: yet.
_OF_RELEASES: Final = frozenset({"literal_error", "missing", "extra_forbidden"})


def parse(text: str | bytes) -> Any:
    """The JSON of an answer. Raises AnswerError."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise AnswerError(f"the answer is not JSON: {error}") from error


def read(model: type[M], found: Any) -> M:
    """The object in an answer.

    Unknown fields are left out. Choices that this release does not know stay as they are, and a
    field that an older server does not tell is missing from the object. Raises AnswerError.
    """
    try:
        return model.model_validate(found)
    except ValidationError as error:
        kinds = {item["type"] for item in error.errors(include_url=False, include_input=False)}
        if not isinstance(found, Mapping) or not kinds <= _OF_RELEASES:
            raise AnswerError(f"the answer is no {model.__name__}: {error}") from error
    made: M = _built(model, found)
    return made


def _built(wanted: Any, found: Any) -> Any:
    """`found` in the shape of `wanted`, unchecked: our objects keep JSON's values as they are."""
    if isinstance(wanted, type) and issubclass(wanted, BaseModel) and isinstance(found, Mapping):
        given = {
            name: _built(field.annotation, found[name])
            for name, field in wanted.model_fields.items()
            if name in found
        }
        return wanted.model_construct(**given)
    origin, parts = get_origin(wanted), get_args(wanted)
    if origin is list and isinstance(found, list):
        return [_built(parts[0], one) for one in found]
    if origin is dict and isinstance(found, dict):
        return {key: _built(parts[1], one) for key, one in found.items()}
    if origin in (Union, UnionType):
        made = (_built(part, found) for part in parts)
        return next((one for one in made if one is not found), found)
    return found
