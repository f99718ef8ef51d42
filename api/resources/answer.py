"""What handlers answer with: the things of the API, made of the records that the store gives."""

from dataclasses import dataclass
from typing import Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T", bound=BaseModel)


class Resource(BaseModel):
    """A thing that the API tells of."""

    # By name: clients read it back from JSON. Errors are logged: they do not repeat what was said.
    model_config = ConfigDict(
        from_attributes=True, populate_by_name=True, hide_input_in_errors=True
    )

    @classmethod
    def of(cls, record: object) -> Self:
        """Made of the attributes of `record` that are named as its own fields, or as their
        `validation_alias`."""
        return cls.model_validate(record)


class Page(Resource, Generic[T]):
    """A part of a list."""

    # Those of the class are not handed on to `Page[…]`.
    model_config = ConfigDict(title="Page", json_schema_extra={"description": "A part of a list."})

    data: list[T] = Field(validation_alias="items")  # as in `PageOf`
    has_more: bool = Field(examples=[False])
    next_cursor: str | None = Field(
        description="Give it as `cursor` to get the next page.", examples=[None]
    )


@dataclass(frozen=True)
class Created(Generic[T]):
    """A thing that was made: 201."""

    made: T
    path: str
    """Where it is read."""


@dataclass(frozen=True)
class Accepted(Generic[T]):
    """A thing that is on its way to what was asked for: 202."""

    begun: T
