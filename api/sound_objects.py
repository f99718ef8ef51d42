"""Sounds as the API tells them."""

from pydantic import BaseModel, Field

from api.sounds import Sound


class SoundObject(BaseModel):
    """A sound that an agent can have beside its voice."""

    id: Sound = Field(examples=["office-ambience.ogg"])
    duration_ms: int = Field(
        description="How long it is before it begins anew, without a seam.", examples=[6000]
    )


class SoundList(BaseModel):
    """Every sound."""

    data: list[SoundObject]
    has_more: bool = Field(examples=[False])
    next_cursor: str | None = Field(examples=[None])
