"""Engines by name, through the public door: lists, previews, and names that there are not."""

import io
import wave
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from api.calls.engines import engine_registry, engines_of, wanted
from api.cli.engine_checks import check_endpoints
from api.egress.sealing import Seal
from api.resources.masking import sealed
from api.settings import Settings, load_settings
from api.store import Store
from models.load import EngineConfig, LoadedEngines, load_engines
from models.registry import CustomModel
from tests.api.conftest import SEAL, Bench
from tests.api.story import new_call
from tests.models.openai_peer import KEY, Peer, serving
from tests.models.test_openai import ask
from voice_loop.audio import Samples
from voice_loop.ports import EngineError


def samples_of(wav: bytes) -> tuple[Samples, int]:
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16), file.getframerate()


@pytest.mark.rows("X-OI-8", "RV-236")
async def test_the_lists_name_what_agents_can_have(bench: Bench) -> None:
    async def listed(path: str) -> Any:
        response = await bench.client.get(path)
        assert response.status_code == 200
        page = response.json()
        assert (page["has_more"], page["next_cursor"]) == (False, None)
        return page["data"]

    assert await listed("/v1/models") == [{"name": "local", "kind": "local", "aliases": []}]
    (ears,) = await listed("/v1/transcribers")
    assert ears["languages"] == ["en", "es"]
    voices = await listed("/v1/voices")
    assert [(one["name"], one["languages"]) for one in voices] == [("en", ["en"]), ("es", ["es"])]
    for one in voices:
        assert (await bench.create(voice={"id": one["name"]}, language=one["name"]))["id"]


@pytest.mark.rows("X-RV-4", "RV-242…251")
async def test_a_preview_is_what_a_call_would_hear(bench: Bench) -> None:
    async def preview(**body: Any) -> Samples:
        response = await bench.client.post("/v1/voices/preview", json={"text": "hello"} | body)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "audio/wav"
        samples, _ = samples_of(response.content)
        return samples

    plain, loud = await preview(), await preview(volume=2.0)
    assert np.array_equal(plain, await preview(voice="en"))
    assert np.array_equal(plain, await preview(voice="elevenlabs/en", language="en"))
    assert np.abs(loud.astype(int)).max() > 1.5 * np.abs(plain.astype(int)).max()
    again = {"Idempotency-Key": "hear-it"}
    for _ in range(2):
        answer = await bench.client.post(
            "/v1/voices/preview", json={"text": "hello"}, headers=again
        )
        assert np.array_equal(samples_of(answer.content)[0], plain)


@pytest.mark.parametrize(
    ("body", "spoken"),
    [
        ({}, "March fourth, twenty twenty-six."),
        ({"language": "en-GB"}, "the third of April, twenty twenty-six."),
        ({"voice": "es"}, "tres de abril de dos mil veintiséis."),
    ],
)
async def test_a_preview_is_read_as_in_a_call(
    bench: Bench, body: dict[str, str], spoken: str
) -> None:
    wanted = body | {"text": "**3/4/2026.**"}
    answer = await bench.client.post("/v1/voices/preview", json=wanted)
    assert answer.status_code == 200, answer.text
    voices = [one.engine for one in bench.services.engines.voices]
    assert [text for voice in voices for text in voice.said] == [spoken]  # type: ignore[attr-defined]


@pytest.mark.rows("RV-243…244", "RV-248…249")
@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"text": ""}, "/text", None),
        ({"text": "x" * 2001}, "/text", None),
        ({"text": "x", "speed": 1.6}, "/speed", None),
        ({"text": "x", "speed": 0.5}, "/speed", None),
        ({"text": "x", "volume": 2.1}, "/volume", None),
        ({"text": "x", "voice": "cartesia/x"}, "/voice", "provider_not_configured"),
        ({"text": "x", "language": "de"}, "/language", "provider_not_configured"),
        ({"text": "x", "voice": "en", "language": "es"}, "/voice", "provider_not_configured"),
    ],
)
async def test_a_preview_that_cannot_be(
    bench: Bench, body: dict[str, Any], pointer: str, code: str | None
) -> None:
    response = await bench.client.post("/v1/voices/preview", json=body)
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert error["pointer"] == pointer
    assert error.get("code") == code


async def test_a_voice_that_fails_is_told(bench: Bench) -> None:
    (voice, _) = bench.services.engines.voices
    voice.engine.fault.error = "the voice is hoarse"  # type: ignore[attr-defined]
    response = await bench.client.post("/v1/voices/preview", json={"text": "x"})
    assert response.status_code == 503
    assert response.json()["code"] == "engine_unavailable"
    assert response.json()["detail"] == "the voice is hoarse"


@pytest.mark.rows("RV-177", "RV-239", "OI-16", "OI-20", "OI-23…24")
@pytest.mark.parametrize(
    ("field", "value", "pointer", "told"),
    [
        ("llm", {"model": "gpt-4.1"}, "/llm/model", "there are: local"),
        ("voice", {"id": "a0e9", "provider": "cartesia"}, "/voice/id", "en (en), es (es)"),
        ("voice", {"provider": "elevenlabs"}, "/voice/id", "no voice 'elevenlabs'"),
        ("voice", {"id": "en", "model": "sonic-2"}, "/voice/model", "no voice 'sonic-2'"),
        ("voice", {"model": "sonic-2"}, "/voice/model", "no voice 'sonic-2'"),
        ("voice", {"id": "es"}, "/voice/id", "the voice 'es' is for es, not for 'en'"),
        ("transcriber", {"model": "nova-2"}, "/transcriber/model", "local (en, es)"),
        ("transcriber", {"language": "fr"}, "/transcriber/language", "for 'fr'"),
        ("transcriber", {"model": "local", "language": "fr"}, "/transcriber/model", "for en, es"),
    ],
)
async def test_an_engine_that_there_is_not_is_told_with_those_that_there_are(
    bench: Bench, field: str, value: Any, pointer: str, told: str
) -> None:
    body = {"to": "+15551234567", field: value}
    response = await bench.client.post("/v1/calls", json=body)
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert (error["pointer"], error["code"]) == (pointer, "provider_not_configured")
    assert told in error["detail"]


@pytest.mark.rows("CB-33", "OI-17", "OI-21", "OI-26", "RV-237")
async def test_engines_that_there_are_are_echoed(bench: Bench) -> None:
    asked = {
        "voice": {"id": "es", "provider": "cartesia", "speed": 1.2, "stability": 0.5},
        "llm": {"model": "local", "temperature": 0.7, "source": {"type": "custom"}},
        "transcriber": {"model": "local", "language": "en-GB"},
    }
    created = await bench.create(language="es", **asked)
    assert {name: created["agent"][name] for name in asked} == asked


# The settings' own, over real engines


@pytest.fixture(scope="module")
def loaded() -> Any:
    engines = load_engines(EngineConfig(max_sequences=2, context_tokens=1024))
    yield engines
    engines.close()


@pytest.fixture(scope="module")
async def peer(loaded: LoadedEngines) -> AsyncIterator[Peer]:
    async with serving(loaded.llm, loaded.stt, loaded.voices["en"]) as running:
        yield running


def settings_of(peer: Peer, *, model: str = "starter", key: str = KEY) -> Settings:
    """One endpoint of each kind, all of them the peer."""
    tables: dict[str, dict[str, str]] = {
        "LLMS__BIG": {},
        "VOICES__ADA": {"VOICE": "ada", "LANGUAGES": "en"},
        "TRANSCRIBERS__LAN": {"LANGUAGES": "en,es"},
    }
    where = {"URL": peer.url, "MODEL": model, "API_KEY": key}
    env = {
        f"OFFHOOK_MODELS__{table}__{name}": value
        for table, own in tables.items()
        for name, value in {**where, **own}.items()
    }
    aliases = '{"gpt-4.1": "big", "cartesia/a0e9": "ada", "nova-2": "lan"}'
    return load_settings(None, env | {"OFFHOOK_MODELS__ALIASES": aliases})


CHAT: Any = [{"role": "user", "content": "wrong number"}]


@pytest.mark.rows("RV-176…178", "RV-180", "RV-239…241", "OI-15", "OI-19", "OI-22")
async def test_a_call_is_held_with_the_engines_that_it_names(
    store: Store, loaded: LoadedEngines, peer: Peer
) -> None:
    call = await new_call(
        store,
        agent={
            "llm": {"model": "gpt-4.1"},
            "voice": {"id": "a0e9", "provider": "cartesia"},
            "transcriber": {"model": "nova-2"},
        },
    )
    async with engine_registry(settings_of(peer), loaded) as registry:
        assert registry.aliases_of("local") == ["starter"]
        chosen = engines_of(registry, call, SEAL)
        assert "end_call" in await ask(chosen.llm, CHAT)  # type: ignore[arg-type]
        assert peer.asked[-1]["model"] == "starter"
        spoken = [chunk async for chunk in chosen.tts.stream("who is calling?")]
        heard = await chosen.stt.transcribe(np.concatenate(spoken), chosen.tts.rate, "en")
        assert "calling" in heard.text
        assert peer.asked[-1]["language"] == "en"


@pytest.mark.rows("RV-186", "RV-188…194")
async def test_a_model_that_an_agent_brings_along_is_reached_by_the_egress_rules(
    store: Store, loaded: LoadedEngines, peer: Peer
) -> None:
    own = {"api_url": peer.url, "model": "starter", "api_key": SEAL.seal(KEY)}
    call = await new_call(store, agent={"llm": own})
    open_here = {
        "OFFHOOK_TOOLS__ALLOW_HTTP": "true",
        "OFFHOOK_TOOLS__ALLOWED_NETWORKS": "127.0.0.0/8",
    }
    async with engine_registry(load_settings(None, open_here), loaded) as registry:
        chosen = engines_of(registry, call, SEAL)
        assert "end_call" in await ask(chosen.llm, CHAT)  # type: ignore[arg-type]
        with pytest.raises(EngineError, match="cannot be opened"):
            engines_of(registry, call, Seal("A" * 43 + "="))
    closed = {"OFFHOOK_TOOLS__ALLOW_HTTP": "true"}
    async with engine_registry(load_settings(None, closed), loaded) as registry:
        chosen = engines_of(registry, call, SEAL)
        with pytest.raises(EngineError, match=r"`llm\.api_url`: .*127\.0\.0\.1 is refused"):
            await ask(chosen.llm, CHAT)  # type: ignore[arg-type]


async def test_keys_may_be_as_long_as_they_may(store: Store) -> None:
    """Sealed they are longer than any key may be."""
    header = {"key": "Authorization", "value": "h" * 4_000}
    tool = {"type": "http", "name": "a", "description": "b", "url": "http://x/"}
    llm = {"api_url": "http://10.0.0.5/v1", "model": "m", "api_key": "k" * 512}
    agent = sealed({"llm": llm, "tools": [tool | {"headers": [header]}]}, SEAL)
    own = wanted(await new_call(store, agent=agent), SEAL).llm
    assert isinstance(own, CustomModel)
    assert own.api_key == llm["api_key"]


async def test_the_doctor_asks_every_endpoint(peer: Peer) -> None:
    found = await check_endpoints(settings_of(peer))
    assert [one.check for one in found] == [
        "models.llms.big",
        "models.voices.ada",
        "models.transcribers.lan",
    ]
    assert all(one.ok for one in found), found
    for sick in (settings_of(peer, model="fails"), settings_of(peer, key="sk-wrong")):
        found = await check_endpoints(sick)
        assert not any(one.ok for one in found)
        assert all(one.message.startswith(f"`{one.check}`: it answered ") for one in found)
        assert not any("sk-" in one.message for one in found)
    assert await check_endpoints(load_settings(None, {})) == []
