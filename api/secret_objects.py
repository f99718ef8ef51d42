"""Secrets as the API tells and takes them."""

from typing import Any, Final

from pydantic import BaseModel, Field

from api.fields import Body
from api.resources import StoredSecret
from api.times import Timestamp, rfc3339

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


class NamedSecretObject(BaseModel):
    """A secret, without its text."""

    name: str = Field(examples=["crm"])
    created_at: Timestamp
    updated_at: Timestamp


class SecretList(BaseModel):
    """Secrets, oldest first."""

    data: list[NamedSecretObject]
    has_more: bool = Field(examples=[False])
    next_cursor: str | None = Field(
        description="Give it as `cursor` to get the next page.", examples=[None]
    )


def secret_object(secret: StoredSecret) -> dict[str, Any]:
    """The JSON object of `secret`."""
    return NamedSecretObject(
        name=secret.name,
        created_at=rfc3339(secret.created_at),
        updated_at=rfc3339(secret.updated_at),
    ).model_dump()
