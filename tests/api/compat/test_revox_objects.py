"""What Revox's document has as an object is one in every answer, with the defaults that hold."""

from typing import Any

import pytest

from tests.api.compat.test_revox import TO, placed, read, refused
from tests.api.conftest import Bench

DEFAULT_RETRY: dict[str, Any] = {
    "allowed_days": ["monday", "tuesday", "wednesday", "thursday", "friday"],
    "call_twice_in_a_row": False,
    "calling_windows": [
        {
            "calling_window_end_time": "18:00",
            "calling_window_start_time": "10:00",
            "retry_delay_seconds": 7200,
        }
    ],
    "max_retry_attempts": 3,
    "timezone": None,
}
VOICE = {"id": "en", "provider": "cartesia", "speed": 1.0, "volume": 1.0}


@pytest.mark.rows("RV-4", "RV-13", "RV-326", "RV-382", "RV-448…456", "RV-554", "RV-568")
async def test_an_order_without_them_tells_the_defaults(equipped: Bench, bench: Bench) -> None:
    for where, name in ((equipped, "gpt-4.1"), (bench, "local")):
        call = await placed(where)
        model = {"name": name, "type": "dedicated-instance"}
        for told in (call, await read(where, call["id"])):
            assert told["call_retry_config"] == DEFAULT_RETRY
            assert told["assistant"]["call_retry_config"] == DEFAULT_RETRY
            assert told["llm_model"] == told["assistant"]["llm_model"] == model
            assert told["assistant"]["voice"] == VOICE


@pytest.mark.rows("RV-233", "X-RV-2")
async def test_an_assistant_without_them_tells_the_defaults_and_takes_them_back(
    bench: Bench,
) -> None:
    made = await bench.client.post("/api/assistants", json={"name": "A", "prompt": "x"})
    assistant = made.json()["assistant"]
    names = ("call_retry_config", "llm_model", "voice")
    told = {name: assistant[name] for name in names}
    model = {"name": "local", "type": "dedicated-instance"}
    assert told == {"call_retry_config": DEFAULT_RETRY, "llm_model": model, "voice": VOICE}
    path = f"/api/assistants/{assistant['id']}"
    for members in (told, dict.fromkeys(names)):
        answer = await bench.client.patch(path, json=members)
        assert answer.status_code == 200, answer.text
        assert {name: answer.json()["assistant"][name] for name in names} == told


@pytest.mark.rows("RV-235", "RV-237")
async def test_the_voice_that_is_told_speaks_the_calls_language(bench: Bench) -> None:
    native = await bench.create(to=TO, prompt="Hola.", language="es")
    assert (await read(bench, native["id"]))["assistant"]["voice"] == {**VOICE, "id": "es"}


async def test_a_call_of_another_api_tells_how_often_it_is_tried(bench: Bench) -> None:
    """Once, at any hour."""
    native = await bench.create(to=TO, prompt="Say hello.")
    assert (await read(bench, native["id"]))["call_retry_config"] == {
        "allowed_days": [*DEFAULT_RETRY["allowed_days"], "saturday", "sunday"],
        "call_twice_in_a_row": False,
        "calling_windows": [
            {
                "calling_window_end_time": "24:00",
                "calling_window_start_time": "00:00",
                "retry_delay_seconds": 7200,
            }
        ],
        "max_retry_attempts": 1,
        "timezone": None,
    }


@pytest.mark.rows("RV-182", "RV-183")
async def test_openrouters_provider_chooses_the_model(equipped: Bench) -> None:
    async def answer(model: str, provider: str) -> set[str]:
        asked = {
            "type": "openrouter",
            "openrouter_model_id": model,
            "openrouter_provider": provider,
        }
        body = {"phone_number": TO, "assistant": {"prompt": "x", "llm_model": asked}}
        response = await equipped.client.post("/api/call", json=body)
        if response.status_code == 201:
            assert response.json()["call"]["llm_model"] == asked
            return set()
        return set(await refused(equipped, body))

    place = "/assistant/llm_model/openrouter_provider"
    # `openai/gpt-4.1` is an alias, and so is `nebius/llama-3/70b`.
    assert await answer("openai/gpt-4.1", "openai") == set()
    assert await answer("openai/gpt-4.1", "OpenAI") == set()
    assert await answer("openai/gpt-4.1", "azure") == {place}
    assert await answer("llama-3/70b", "nebius") == set()
    assert await answer("llama-3/70b", "together") == {place}
    assert await answer("gpt-4.1", "") == set()
    assert await answer("openai/gpt-5", "openai") == {"/assistant/llm_model/openrouter_model_id"}


@pytest.mark.rows("RV-201")
async def test_a_realtime_voice_speaks_in_place_of_another(equipped: Bench) -> None:
    realtime = {
        "type": "realtime",
        "provider": "openai",
        "realtime_model_id": "gpt-realtime",
        "realtime_voice_id": "marin",
    }
    voice = {"id": "sofia", "provider": "cartesia", "speed": 1.3, "volume": 0.8}
    call = await placed(equipped, assistant={"prompt": "x", "llm_model": realtime, "voice": voice})
    assert call["assistant"]["voice"] == voice | {"id": "marin"}
    (native,) = (await equipped.client.get("/v1/calls")).json()["data"]
    assert native["agent"]["voice"] == voice | {"id": "marin", "provider": "openai"}
