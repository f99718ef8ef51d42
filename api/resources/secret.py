"""Secrets that agents may name."""

from dataclasses import dataclass
from typing import Final

from pydantic import Field

from api.base.fields import Body
from api.base.times import Timestamp
from api.resources.answer import Resource

NAME_PATTERN: Final = "[A-Za-z][A-Za-z0-9_-]{0,63}"


class PutSecret(Body):
    """What a secret is."""

    free_text = frozenset({"value"})

    value: str = Field(
        min_length=1,
        max_length=8_192,
        description="Its text; sealed when stored, and never told again.",
        examples=["crm-token-9c1e"],
    )


class NamedSecretObject(Resource):
    """A secret, without its text."""

    name: str = Field(examples=["crm"])
    created_at: Timestamp
    updated_at: Timestamp


@dataclass(frozen=True)
class StoredSecret:
    """A secret, without its text."""

    name: str
    created_at: float
    updated_at: float
