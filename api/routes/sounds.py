"""Sounds beside the agent's voice."""

from api.http.endpoint import EndpointTable, Exchange
from api.resources.answer import Page
from api.resources.page import PageOf
from api.resources.sound import SOUNDS, SoundObject
from models.sounds import load_sound

route = EndpointTable("agents")


@route("GET", "/v1/sounds", "List the sounds that agents can have")
async def list_sounds(_: Exchange) -> Page[SoundObject]:
    """What `background_sound` and `thinking_sound` of an agent can be."""
    sounds = (
        SoundObject(id=sound, duration_ms=round(load_sound(sound).seconds * 1000))
        for sound in SOUNDS
    )
    return Page[SoundObject].of(PageOf(tuple(sounds)))


ENDPOINTS = route.endpoints
