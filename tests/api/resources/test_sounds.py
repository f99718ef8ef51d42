"""The sounds of agents: listed, checked when they are ordered, and heard as they were ordered."""

from typing import Any

import pytest

from api.calls.ambience import ambience_of
from api.resources.call import Call
from api.resources.sound import SOUNDS
from models.sounds import load_sound
from tests.api.conftest import Bench
from tests.api.story import new_call
from voice_loop.ambience import AmbienceConfig


async def ordered(bench: Bench, **fields: Any) -> Call:
    told = await bench.create(prompt="Say hello.", **fields)
    return await bench.store.calls.get(told["id"])


@pytest.mark.rows("RV-18", "RV-74…80")
async def test_the_sounds_are_listed_with_how_long_they_are(bench: Bench) -> None:
    answer = (await bench.client.get("/v1/sounds")).json()
    lengths = {sound["id"]: sound["duration_ms"] for sound in answer["data"]}
    assert lengths == dict.fromkeys(SOUNDS, 6_000) | {"hold_music.ogg": 12_000}
    assert (answer["has_more"], answer["next_cursor"]) == (False, None)


@pytest.mark.rows("RV-17", "RV-18", "RV-20", "RV-73…82", "RV-86", "RV-247")
async def test_a_call_has_the_sounds_and_volumes_that_it_is_ordered_with(bench: Bench) -> None:
    for sound in SOUNDS:
        call = await ordered(
            bench,
            background_sound=sound,
            background_sound_volume=0.3,
            thinking_sound=sound,
            thinking_sound_volume=0,
            thinking_sound_probability=0.25,
            voice={"volume": 2},
        )
        loop = load_sound(sound)
        assert ambience_of(call) == AmbienceConfig(loop, 0.3, loop, 0.0, 0.25, 2.0)


@pytest.mark.rows("RV-19", "RV-81", "RV-250")
async def test_a_call_without_sounds_has_none_and_the_voices_own_volume(bench: Bench) -> None:
    for fields in ({}, {"background_sound": None, "thinking_sound": None, "voice": None}):
        ambience = ambience_of(await ordered(bench, **fields))
        assert (ambience.background, ambience.thinking, ambience.voice_volume) == (None, None, 1.0)


async def test_a_sound_without_a_volume_is_at_half_of_it_and_thinks_at_every_turn(
    bench: Bench,
) -> None:
    sounds = {"background_sound": "audio/office.ogg", "thinking_sound": "keyboard-typing.ogg"}
    ambience = ambience_of(await ordered(bench, **sounds))
    assert (ambience.background_volume, ambience.thinking_volume) == (0.5, 0.5)
    assert ambience.thinking_probability == 1.0


@pytest.mark.rows("RV-18", "RV-21", "RV-22", "RV-83", "RV-84", "RV-87", "RV-88", "RV-248", "RV-249")
async def test_unknown_sounds_and_volumes_out_of_range_are_told(bench: Bench) -> None:
    wrong = [
        ("/background_sound", "rain.ogg"),
        ("/thinking_sound", "rain.ogg"),
        ("/background_sound_volume", -0.01),
        ("/background_sound_volume", 1.01),
        ("/thinking_sound_volume", -0.01),
        ("/thinking_sound_volume", 1.01),
        ("/thinking_sound_probability", -0.01),
        ("/thinking_sound_probability", 1.01),
        ("/voice/volume", 0.49),
        ("/voice/volume", 2.01),
    ]
    for pointer, value in wrong:
        *path, name = pointer[1:].split("/")
        body: dict[str, Any] = {name: value}
        for parent in reversed(path):
            body = {parent: body}
        body |= {"to": "+15551234567", "prompt": "Say hello."}
        response = await bench.client.post("/v1/calls", json=body)
        assert response.status_code == 422
        assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
        if value == "rain.ogg":
            assert all(sound in response.text for sound in SOUNDS)


@pytest.mark.rows("RV-251")
async def test_revoxs_volume_has_no_effect_on_a_voice_of_elevenlabs(bench: Bench) -> None:
    volumes = []
    for provider in ("cartesia", "elevenlabs"):
        agent = {"voice": {"id": "en", "provider": provider, "volume": 0.5}}
        for dialect in ("revox", None):
            call = await new_call(bench.store, agent=agent, dialect=dialect)
            volumes.append(ambience_of(call).voice_volume)
    assert volumes == [0.5, 0.5, 1.0, 0.5]
