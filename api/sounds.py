"""Sounds that can be heard beside the agent's voice."""

from typing import Final, Literal, get_args

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
"""Ids as the hosted services' clients name them (RV-18, RV-74…80)."""

SOUNDS: Final[tuple[Sound, ...]] = get_args(Sound)
