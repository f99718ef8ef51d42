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


REALTIME = {
    "type": "realtime",
    "provider": "openai",
    "realtime_model_id": "gpt-realtime",
    "realtime_voice_id": "marin",
}
DEDICATED = {"name": "gpt-4.1", "type": "dedicated-instance"}
SOFIA = {"id": "sofia", "provider": "cartesia", "speed": 1.3, "volume": 0.8}
RACHEL = {"id": "rachel", "provider": "elevenlabs", "speed": 1.1, "volume": 0.7}


@pytest.mark.rows("RV-201")
async def test_a_realtime_voice_speaks_in_place_of_another(equipped: Bench) -> None:
    call = await placed(equipped, assistant={"prompt": "x", "llm_model": REALTIME, "voice": SOFIA})
    assert call["assistant"]["voice"] == SOFIA
    assert await read(equipped, call["id"]) == call
    (native,) = (await equipped.client.get("/v1/calls")).json()["data"]
    assert native["agent"]["voice"] == SOFIA | {"id": "marin", "provider": "openai"}
    assert native["language"] == "en", "that of the voice that speaks"


@pytest.mark.rows("RV-201", "RV-235", "X-RV-2")
async def test_a_realtime_voice_holds_while_the_model_is_realtime(equipped: Bench) -> None:
    """Whatever is told may be sent back, together or alone, and changes nothing."""
    client = equipped.client
    asked = {"name": "A", "prompt": "x", "llm_model": REALTIME}
    made = (await client.post("/api/assistants", json=asked)).json()["assistant"]
    path = f"/api/assistants/{made['id']}"

    async def change(**members: Any) -> dict[str, Any]:
        """The assistant, which is then sent back."""
        answer = await client.patch(path, json=members)
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()["assistant"]
        told = {name: shown[name] for name in ("llm_model", "voice")}
        for again in ({"voice": told["voice"]}, {"llm_model": told["llm_model"]}, told):
            answer = await client.patch(path, json=again)
            assert answer.status_code == 200, answer.text
            back = answer.json()["assistant"]
            assert {**back, "updated_at": shown["updated_at"]} == shown
        return told

    async def speaking() -> tuple[str | None, str | None, float | None, str | None]:
        """Who speaks, how fast and in which language."""
        native = (await client.get(path.replace("/api/assistants", "/v1/agents"))).json()
        voice = native["voice"] or {}
        return (voice.get("provider"), voice.get("id"), voice.get("speed"), native["language"])

    assert await change() == {"llm_model": REALTIME, "voice": VOICE}
    assert (await speaking())[:2] == ("openai", "marin")
    assert await change(voice=SOFIA) == {"llm_model": REALTIME, "voice": SOFIA}
    assert await speaking() == ("openai", "marin", 1.3, None)
    faster = SOFIA | {"speed": 1.4}
    assert await change(voice=faster) == {"llm_model": REALTIME, "voice": faster}
    assert await speaking() == ("openai", "marin", 1.4, None)
    assert await change(llm_model=DEDICATED) == {"llm_model": DEDICATED, "voice": faster}
    assert await speaking() == ("cartesia", "sofia", 1.4, "es")
    assert await change(llm_model=REALTIME) == {"llm_model": REALTIME, "voice": faster}
    assert await speaking() == ("openai", "marin", 1.4, None)
    assert await change(voice=RACHEL) == {"llm_model": REALTIME, "voice": RACHEL}
    assert await change(llm_model=None) == {"llm_model": DEDICATED, "voice": RACHEL}
    assert (await speaking())[:3] == ("elevenlabs", "rachel", 1.1)
    voiceless = {name: REALTIME[name] for name in REALTIME if name != "realtime_voice_id"}
    assert await change(llm_model=REALTIME) == {"llm_model": REALTIME, "voice": RACHEL}
    assert await change(llm_model=voiceless) == {"llm_model": voiceless, "voice": RACHEL}
    assert (await speaking())[:2] == ("elevenlabs", "rachel")
    await change(llm_model=REALTIME)
    assert await change(voice=None) == {"llm_model": REALTIME, "voice": VOICE}
    assert (await speaking())[:2] == ("openai", "marin")
    await change(voice=SOFIA)
    call = await placed(equipped, assistant_id=made["id"])
    assert call["assistant"]["voice"] == SOFIA
    assert (await read(equipped, call["id"]))["assistant"]["voice"] == SOFIA


async def test_a_voice_of_ours_is_told_so_that_it_can_be_sent_back(equipped: Bench) -> None:
    """Also by another provider's name, or by its model alone."""
    for language, voice, shown in (
        ("en", {"id": "marin", "provider": "openai"}, "openai/marin"),
        ("es", {"model": "es"}, "es"),
        ("es", {"id": "es"}, "es"),
    ):
        agent = {"name": "A", "language": language, "voice": voice}
        made = await equipped.client.post("/v1/agents", json=agent)
        path = f"/api/assistants/{made.json()['id']}"
        told = (await equipped.client.get(path)).json()["assistant"]["voice"]
        assert told == VOICE | {"id": shown}
        answer = await equipped.client.patch(path, json={"voice": told})
        assert answer.status_code == 200, answer.text
        assert answer.json()["assistant"]["voice"] == told
