"""Sounds beside the agent's voice (RV-18, RV-74…80)."""

from starlette.responses import JSONResponse, Response

from api.http.endpoint import Answer, Endpoint, Exchange
from api.resources.sound import SOUNDS, SoundList, SoundObject
from models.sounds import load_sound


async def list_sounds(_: Exchange) -> Response:
    """What `background_sound` and `thinking_sound` of an agent can be."""
    data = [
        SoundObject(id=sound, duration_ms=round(load_sound(sound).seconds * 1000)).model_dump()
        for sound in SOUNDS
    ]
    return JSONResponse({"data": data, "has_more": False, "next_cursor": None})


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/sounds",
        list_sounds,
        "List the sounds that agents can have",
        "agents",
        {200: Answer("Every sound.", SoundList)},
    ),
)
