"""Secrets as the API tells and takes them."""

from typing import Final

from pydantic import Field

from api.answers import Resource
from api.fields import Body
from api.times import Timestamp

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
