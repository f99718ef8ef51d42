"""Engines on other machines: a real HTTP server over the starter engines, and a bad one."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import jsonschema
import numpy as np
import pytest

from models.llama import LlamaCpp
from models.openai.chat import OpenAiChat
from models.openai.endpoint import Endpoint, new_client
from models.openai.messages import chat_messages, tool_call_text
from models.openai.speech import OpenAiSpeech, wav_header
from models.openai.sse import EventReader, events
from models.openai.transcription import OpenAiTranscription
from models.piper import Piper
from models.probing import reach
from models.registry import EngineRegistry, Named, Wanted
from models.vad import WebRtcDetector
from models.whisper import FasterWhisper
from tests.models.openai_peer import KEY, RATE, Peer, serving
from tests.models.test_llama import ENDING, SCHEMA, WRONG_NUMBER, chat
from tests.models.test_speech_engines import recorded, words
from tests.voice_loop.scripted import HandSet
from voice_loop.audio import Samples, resample, silence, wav_bytes
from voice_loop.config import ConversationConfig
from voice_loop.conversation import Conversation
from voice_loop.events import Turn
from voice_loop.ports import EngineError
from voice_loop.prompts import TOOL_CALL_OPEN, Message
from voice_loop.tools import ToolSpec

BAD = {
    "fails": r"it answered 500: out of memory; your key was \*+",
    "moved": "it answered 307, a redirect, which is not followed",
    "hangs": r"nothing came for 0\.5 s",
    "picky": "it refused the request with 422$",
}


@pytest.fixture(scope="module")
async def peer(llm: LlamaCpp, stt: FasterWhisper, tts: Piper) -> AsyncIterator[Peer]:
    async with serving(llm, stt, tts) as running:
        yield running


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with new_client() as opened:
        yield opened


def endpoint(peer: Peer, model: str = "starter", **changes: Any) -> Endpoint:
    wait = 0.5 if model in {"hangs", "stalls"} else 30.0
    return replace(Endpoint("models.llms.big", peer.url, model, KEY, wait), **changes)


async def ask(model: OpenAiChat, messages: list[Message], **options: Any) -> str:
    asked = {"max_tokens": 200, **options}
    async with aclosing(model.stream(messages, **asked)) as pieces:
        return "".join([piece async for piece in pieces])


@asynccontextmanager
async def answering(answer: bytes | None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that gives each request the same answer, or none; and the first line of each."""
    asked: list[bytes] = []
    over = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")[0])
        if answer is None:
            await over.wait()
        else:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/", asked
        over.set()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", None),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", None),
        (b"HTTP/1.1 503 Loading\r\nContent-Length: 0\r\n\r\n", "it answered 503"),
        (b"220 mail.example.org ESMTP\r\n", "RemoteProtocolError"),
        (None, "nothing came for 0.2 s"),
    ],
)
async def test_whether_a_server_is_there(
    client: httpx.AsyncClient, answer: bytes | None, problem: str | None
) -> None:
    async with answering(answer) as (url, asked):
        place = Endpoint("models.llms.big", url, "starter", KEY, 0.2)
        for engine in (
            OpenAiChat(place, client),
            OpenAiSpeech(place, client, "en", 16_000),
            OpenAiTranscription(place, client),
        ):
            if problem is None:
                await reach(engine)
            else:
                with pytest.raises(EngineError, match=problem):
                    await reach(engine)
        assert asked == [b"GET /v1/models HTTP/1.1"] * 3
    with pytest.raises(EngineError, match="ConnectError"):
        await place.reach(client)


# The language model


@pytest.mark.rows("RV-184…185", "RV-188", "RV-191", "OI-16")
async def test_a_reply_from_another_machine(
    peer: Peer, client: httpx.AsyncClient, llm: LlamaCpp
) -> None:
    remote = OpenAiChat(endpoint(peer), client, {"chat_template_kwargs": {"think": False}})
    async with aclosing(remote.stream(chat("kevin"), max_tokens=40)) as stream:
        pieces = [piece async for piece in stream]
    async with aclosing(llm.stream(chat("kevin"), max_tokens=40)) as stream:
        assert "".join(pieces) == "".join([piece async for piece in stream])
    assert len(pieces) > 1
    body = peer.asked[-1]
    assert (body["model"], body["temperature"]) == ("starter", 0.0)
    assert body["chat_template_kwargs"] == {"think": False}
    assert "response_format" not in body
    assert [tool["function"]["name"] for tool in body["tools"]] == ["end_call"]


async def test_a_structured_reply_from_there(peer: Peer, client: httpx.AsyncClient) -> None:
    text = await ask(OpenAiChat(endpoint(peer), client), chat("anna", "yes"), schema=SCHEMA)
    jsonschema.validate(json.loads(text), SCHEMA)
    assert peer.asked[-1]["response_format"]["json_schema"]["strict"] is True


@pytest.mark.rows("CB-36", "OI-17")
async def test_a_tool_call_from_there_is_part_of_the_text(
    peer: Peer, client: httpx.AsyncClient, llm: LlamaCpp
) -> None:
    remote = OpenAiChat(endpoint(peer), client)
    text = await ask(remote, WRONG_NUMBER, tools=[ENDING], temperature=0.0)
    said, mark, call = text.partition(TOOL_CALL_OPEN)
    assert said.strip()
    assert mark
    told = json.loads(call.removesuffix("</tool_call>"))
    assert told["name"] == "end_call"
    jsonschema.validate(told["arguments"], dict(ENDING.parameters))


async def test_the_call_can_be_ended_from_there_too(peer: Peer, client: httpx.AsyncClient) -> None:
    other = ToolSpec("book", "Books.", {"type": "object"})
    text = await ask(OpenAiChat(endpoint(peer), client), WRONG_NUMBER, tools=[other])
    assert text.endswith('<tool_call>{"name": "end_call", "arguments": {}}</tool_call>')
    names = [tool["function"]["name"] for tool in peer.asked[-1]["tools"]]
    assert names == ["book", "end_call"]


async def test_the_history_of_tools_goes_there_in_its_own_form(
    peer: Peer, client: httpx.AsyncClient
) -> None:
    call = '<tool_call>{"name": "book", "arguments": {"day": "monday"}}</tool_call>'
    messages = [
        *chat("kevin"),
        {"role": "assistant", "content": f"one moment. {call}"},
        {"role": "user", "content": "<tool_response>done</tool_response> thank you"},
    ]
    assert await ask(OpenAiChat(endpoint(peer), client), messages)  # type: ignore[arg-type]
    assistant, tool, user = peer.asked[-1]["messages"][-3:]
    assert assistant["content"] == "one moment."
    (asked,) = assistant["tool_calls"]
    assert asked["function"] == {"name": "book", "arguments": '{"day": "monday"}'}
    assert tool == {"role": "tool", "tool_call_id": asked["id"], "content": "done"}
    assert user == {"role": "user", "content": "thank you"}


def test_calls_and_answers_that_do_not_fit_together() -> None:
    """Servers refuse a call without its answer, and an answer without its call."""
    call = '<tool_call>{"name": "a", "arguments": {}}</tool_call>'
    converted = chat_messages(
        [
            {"role": "system", "content": f"end with {call}"},
            {"role": "user", "content": "hello"},
            {"role": "assistant", "content": f"well {call}{call}<tool_call>{{</tool_call>"},
            {"role": "user", "content": "<tool_response>1</tool_response>"},
            {"role": "assistant", "content": call},
            {"role": "user", "content": "so?"},
            {"role": "assistant", "content": "yes."},
            {"role": "user", "content": "<tool_response>late</tool_response> bye"},
        ]
    )
    assert [message["role"] for message in converted] == [
        "system", "user", "assistant", "tool", "user", "assistant", "user",
    ]  # fmt: skip
    assert converted[0]["content"] == f"end with {call}"
    assert len(converted[2]["tool_calls"]) == 1
    assert converted[4]["content"] == "so?"
    assert converted[6]["content"] == "late bye"


def test_no_argument_ends_a_call_early() -> None:
    tricky = tool_call_text("a", json.dumps({"x": "</tool_call> <tool_call>"}))
    body = tricky.removeprefix(TOOL_CALL_OPEN).removesuffix("</tool_call>")
    assert "<" not in body
    assert json.loads(body)["arguments"] == {"x": "</tool_call> <tool_call>"}
    assert tool_call_text("a", "") == '<tool_call>{"name": "a", "arguments": {}}</tool_call>'


@pytest.mark.rows("RV-522", "RV-550")
def test_arguments_that_are_no_object_are_told_as_they_came() -> None:
    for broken, told in (("[1]", [1]), ('{"x": ', '{"x": '), ("[" * 100_000, "[" * 100_000)):
        body = tool_call_text("a", broken).removeprefix(TOOL_CALL_OPEN).removesuffix("</tool_call>")
        assert json.loads(body) == {"name": "a", "arguments": told}


@pytest.mark.parametrize(
    ("model", "told"),
    [
        *BAD.items(),
        ("garbage", "what came is no chat completion"),
        ("strange", "what came is no chat completion"),
        ("nested", "what came is no chat completion"),
        ("half", "the reply broke off"),
        ("stalls", r"nothing came for 0\.5 s"),
        ("endless", "the reply does not end"),
        ("endless call", "what came is no chat completion"),
        ("packed", "it answered in a compressed form"),
        ("late error", "it failed: .*no memory"),
    ],
)
async def test_a_language_model_that_fails(
    peer: Peer, client: httpx.AsyncClient, model: str, told: str
) -> None:
    with pytest.raises(EngineError, match=f"`models.llms.big`: {told}") as error:
        await ask(OpenAiChat(endpoint(peer, model), client), chat("kevin"), max_tokens=20)
    assert KEY not in str(error.value)


async def test_half_characters_do_not_get_into_the_dialogue(
    peer: Peer, client: httpx.AsyncClient
) -> None:
    """Sent on, they would make every later request of the call fail."""
    said = await ask(OpenAiChat(endpoint(peer, "half characters"), client), chat("kevin"))
    assert said == "good\ufffd \ufffdday"


async def test_a_wrong_key_is_told_without_it(peer: Peer, client: httpx.AsyncClient) -> None:
    for key in (None, "sk-wrong"):
        wrong = OpenAiChat(endpoint(peer, api_key=key), client)
        with pytest.raises(EngineError, match=r"it answered 401: .*who are you"):
            await ask(wrong, chat("kevin"))
    assert "sk-wrong" not in repr(endpoint(peer, api_key="sk-wrong"))


async def test_nobody_listens_there(client: httpx.AsyncClient) -> None:
    nowhere = Endpoint("models.llms.big", "http://127.0.0.1:9/v1", "x")
    with pytest.raises(EngineError, match=r"`models\.llms\.big`: ConnectError"):
        await ask(OpenAiChat(nowhere, client), chat("kevin"))


async def test_closing_the_stream_closes_the_connection(
    peer: Peer, client: httpx.AsyncClient
) -> None:
    peer.closed.clear()
    slow = OpenAiChat(endpoint(peer, "stalls", timeout_s=30.0), client)
    stream = slow.stream(chat("kevin"), max_tokens=20)
    assert await anext(stream) == "good"
    await stream.aclose()
    async with asyncio.timeout(10):
        await peer.closed.wait()


async def test_event_streams_in_any_pieces() -> None:
    whole = 'data: {"a": "\u2028"}\r\n\r\n: note\n\nevent: x\ndata:{}\n\ndata: [DONE]\n\ndata: no\n'

    async def cut(size: int) -> AsyncIterator[bytes]:
        data = whole.encode()
        for begin in range(0, len(data), size):
            yield data[begin : begin + size]

    for size in (1, 3, 1000):
        assert [event async for event in events(cut(size))] == ['{"a": "\u2028"}', "{}"]


def test_an_error_that_is_nested_too_deeply_is_told_as_text() -> None:
    deep = b"[" * 100_000
    for body in (b"event: error\ndata: " + deep + b"\n\n", b"error: " + deep + b"\n"):
        (told,) = EventReader().push(body)
        assert json.loads(told) == {"error": deep.decode()}


# Speech recognition


@pytest.mark.rows("OI-20…21")
@pytest.mark.parametrize("rate", [8000, 16000])
async def test_an_utterance_is_transcribed_there(
    peer: Peer, client: httpx.AsyncClient, stt: FasterWhisper, rate: int
) -> None:
    speech = resample(recorded("who"), 8000, rate)
    heard = await OpenAiTranscription(endpoint(peer), client).transcribe(speech, rate, "en-US")
    assert words(heard.text) == ["who", "is", "calling"]
    own = await stt.transcribe(speech, rate, "en")
    assert heard.confidence == pytest.approx(own.confidence, abs=1e-6)
    assert peer.asked[-1] | {"model": "starter", "language": "en"} == peer.asked[-1]


async def test_servers_that_tell_no_confidence_are_trusted(
    peer: Peer, client: httpx.AsyncClient
) -> None:
    plain = OpenAiTranscription(endpoint(peer, "plain"), client)
    assert (await plain.transcribe(recorded("yes"), 8000, "en")).confidence == 1.0
    nothing = await plain.transcribe(silence(8000, 500), 8000, "en")
    assert (nothing.text, nothing.confidence) == ("", 0.0)


@pytest.mark.parametrize(
    ("model", "told"),
    [
        *BAD.items(),
        *((model, "what came is no transcript") for model in ("garbage", "nested", "too sure")),
    ],
)
async def test_a_recogniser_that_fails(
    peer: Peer, client: httpx.AsyncClient, model: str, told: str
) -> None:
    engine = OpenAiTranscription(endpoint(peer, model), client)
    with pytest.raises(EngineError, match=told):
        await engine.transcribe(recorded("yes"), 8000, "en")


@pytest.mark.parametrize(
    ("model", "confidence"),
    [
        ("half characters heard", pytest.approx(0.3679, abs=1e-4)),
        ("sure", 1.0),
        ("unsure", 0.0),
        ("senseless", 1.0),
    ],
)
async def test_what_was_heard_and_how_surely_can_be_told(
    peer: Peer, client: httpx.AsyncClient, model: str, confidence: float
) -> None:
    engine = OpenAiTranscription(endpoint(peer, model), client)
    heard = await engine.transcribe(recorded("yes"), 8000, "en")
    assert (heard.text, heard.confidence) == ("good\ufffd day", confidence)


@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("[BLANK_AUDIO]", ""),
        (" *coughs* ", ""),
        ("Untertitel der Amara.org-Community", ""),
        ("(laughs) Yes, speaking.", "Yes, speaking."),
        ("Thank you.", "Thank you."),
    ],
)
async def test_what_nobody_said_is_no_words_from_there_either(
    peer: Peer, client: httpx.AsyncClient, written: str, heard: str
) -> None:
    engine = OpenAiTranscription(endpoint(peer, f"hears {written}"), client)
    transcript = await engine.transcribe(recorded("yes"), 8000, "en")
    assert (transcript.text, transcript.confidence > 0) == (heard, bool(heard))


def segment(text: str, score: float, no_speech: float) -> dict[str, Any]:
    return {
        "text": text,
        "avg_logprob": score,
        "no_speech_prob": no_speech,
        "tokens": [7] * len(text.split()),
    }


NOISE = segment(" Thank you.", -0.7, 0.8)
MONDAY = segment(" Monday at ten.", -0.1, 0.02)


@pytest.mark.parametrize(
    ("segments", "heard", "confidence"),
    [
        ([NOISE], "", 0.0),
        ([NOISE, MONDAY, NOISE], "Monday at ten.", 0.905),
        ([segment(" Thank you.", -0.2, 0.8)], "Thank you.", 0.819),
        ([segment(" Thank you.", -0.7, 0.1)], "Thank you.", 0.497),
        ([segment(" ta" * 30, -0.1, 0.1)], ("ta " * 30).strip(), 0.0),
        (
            [segment("月曜日に", -0.1, 0.1), segment("行きます。", -0.1, 0.1)],
            "月曜日に行きます。",
            0.9,
        ),
    ],
    ids=["noise", "among noise", "sure", "unsure", "a loop", "without spaces"],
)
async def test_segments_from_there_are_judged_as_our_own(
    peer: Peer, client: httpx.AsyncClient, segments: Any, heard: str, confidence: float
) -> None:
    told = json.dumps({"text": "".join(one["text"] for one in segments), "segments": segments})
    engine = OpenAiTranscription(endpoint(peer, f"told {told}"), client)
    transcript = await engine.transcribe(recorded("yes"), 8000, "en")
    assert transcript.text == heard
    assert transcript.confidence == pytest.approx(confidence, abs=0.01)


# The voice


async def speak(voice: OpenAiSpeech, text: str, speed: float = 1.0) -> list[Samples]:
    async with aclosing(voice.stream(text, speed)) as chunks:
        return [chunk async for chunk in chunks]


@pytest.mark.rows("OI-23…25")
@pytest.mark.parametrize("coding", ["pcm", "wav"])
async def test_a_clause_is_spoken_there(
    peer: Peer, client: httpx.AsyncClient, stt: FasterWhisper, coding: Any
) -> None:
    voice = OpenAiSpeech(endpoint(peer), client, "ada", RATE, coding)
    chunks = await speak(voice, "who is calling?")
    spoken = np.concatenate(chunks)
    assert spoken.dtype == np.int16
    heard = await stt.transcribe(resample(spoken, voice.rate, 8000), 8000, "en")
    assert words(heard.text) == ["who", "is", "calling"]
    assert (peer.asked[-1]["voice"], peer.asked[-1]["response_format"]) == ("ada", coding)
    faster = np.concatenate(await speak(voice, "who is calling?", 1.5))
    assert faster.size < 0.8 * spoken.size
    assert await speak(voice, " ") == []


async def test_a_server_that_always_sends_a_wav(peer: Peer, client: httpx.AsyncClient) -> None:
    asked = OpenAiSpeech(endpoint(peer), client, "ada", RATE, "wav")
    unasked = OpenAiSpeech(endpoint(peer, "always wav"), client, "ada", RATE)
    first, second = [np.concatenate(await speak(one, "hello")) for one in (asked, unasked)]
    assert np.array_equal(first, second)


@pytest.mark.parametrize(("model", "told"), list(BAD.items()))
async def test_a_voice_that_fails(
    peer: Peer, client: httpx.AsyncClient, model: str, told: str
) -> None:
    with pytest.raises(EngineError, match=told):
        await speak(OpenAiSpeech(endpoint(peer, model), client, "ada", RATE), "hello")


async def test_a_voice_that_sends_something_else(peer: Peer, client: httpx.AsyncClient) -> None:
    voice = OpenAiSpeech(endpoint(peer, "garbage"), client, "ada", RATE, "wav")
    with pytest.raises(EngineError, match="what came is no WAV"):
        await speak(voice, "hello")
    with pytest.raises(EngineError, match="the speech does not end"):
        await speak(OpenAiSpeech(endpoint(peer, "endless"), client, "ada", 8000), "hello")


def test_wav_headers() -> None:
    whole = wav_bytes(silence(8000), 8000)
    begin = len(whole) - 2 * 160
    assert all(wav_header(whole[:size]) is None for size in range(begin))
    assert wav_header(whole) == wav_header(whole[:begin]) == (begin, 8000)
    extra = whole[:12] + b"LIST\x03\x00\x00\x00abc\x00" + whole[12:]
    assert wav_header(extra) == (begin + 12, 8000)
    with pytest.raises(ValueError, match="no WAV"):
        wav_header(b"RIFX" + whole[4:])
    with pytest.raises(ValueError, match="16 bits and one channel"):
        wav_header(whole[:22] + b"\x02" + whole[23:])


# All three in one call


async def test_a_conversation_over_three_endpoints(peer: Peer, client: httpx.AsyncClient) -> None:
    here = endpoint(peer)
    registry = EngineRegistry(
        [Named("big", OpenAiChat(here, client), "endpoint")],
        [Named("ada", OpenAiSpeech(here, client, "ada", RATE), "endpoint", ("en",))],
        [Named("ears", OpenAiTranscription(here, client), "endpoint", ("en",))],
        new_detector=WebRtcDetector,
        custom=lambda wanted: OpenAiChat(here, client),
    )
    turns: list[Turn] = []
    config = ConversationConfig("confirm the appointment", {"name": "kevin", "day": "monday"})
    call = Conversation("call-1", config, registry.engines(Wanted("en")), 8000, turns.append)
    before = len(peer.asked)
    await call.prepare()
    running = asyncio.create_task(call.run(HandSet()))
    said = recorded("yes")
    frames = [silence(8000)] * 20 + [*said[: said.size // 160 * 160].reshape(-1, 160)]
    # The audio is quicker than real time, the engines are not.
    async with asyncio.timeout(60):
        while len(turns) < 3:
            heard = frames.pop(0) if turns and frames else silence(8000)
            now = time.monotonic()
            call.exchange(heard, now, now)
            await asyncio.sleep(0.002)
    call.hung_up()
    assert await running == "person_hangup"
    assert [turn.speaker for turn in turns] == ["agent", "person", "agent"]
    assert "kevin" in turns[0].text
    assert words(turns[1].text) == ["yes"]
    assert turns[2].text
    kinds = {
        "messages" if "messages" in one else "input" if "input" in one else "language"
        for one in peer.asked[before:]
    }
    assert kinds == {"messages", "input", "language"}
