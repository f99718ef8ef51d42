"""Sounds that can be heard beside the agent's voice."""

from typing import Final, Literal, get_args

from pydantic import BaseModel, Field

Sound = Literal[
    "audio/office.ogg",
    "city-ambience.ogg",
    "forest-ambience.ogg",
    "office-ambience.ogg",
    "crowded-room.ogg",
    "keyboard-typing.ogg",
    "keyboard-typing2.ogg",
    "hold_music.ogg",
]
"""Ids as the hosted services' clients name them."""

SOUNDS: Final[tuple[Sound, ...]] = get_args(Sound)


class SoundObject(BaseModel):
    """A sound that an agent can have beside its voice."""

    id: Sound = Field(examples=["office-ambience.ogg"])
    duration_ms: int = Field(
        description="How long it is before it begins anew, without a seam.", examples=[6000]
    )
