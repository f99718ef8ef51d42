"""The engines, and how a conversation is held with them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from api.settings.section import Name, Section


def _endpoint_url(url: str) -> str:
    parts = urlsplit(url)
    plain = not (parts.query or parts.fragment or parts.username or parts.password)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not plain:
        raise ValueError("write it as http://10.0.0.5:8000/v1, without a user name and a query")
    return url.rstrip("/")


class EngineEndpoint(Section):
    """An engine on your own network."""

    url: Annotated[str, AfterValidator(_endpoint_url)] = Field(
        description="Base URL of an OpenAI-compatible server, as `http://10.0.0.5:8000/v1`."
    )
    model: str = Field(min_length=1, description="The model's name there.")
    api_key: SecretStr | None = Field(default=None, description="Sent there as bearer token.")
    timeout_s: float = Field(default=15.0, gt=0, description="Seconds that each wait may take.")


class LlmEndpoint(EngineEndpoint):
    """A language model on your own network (`/chat/completions`), by its name for agents."""

    options: Mapping[str, Any] = Field(
        default_factory=dict,
        description="More keys for each request's body, as "
        "`{ chat_template_kwargs = { enable_thinking = false } }`.",
    )


class TranscriberEndpoint(EngineEndpoint):
    """Speech recognition on your own network (`/audio/transcriptions`), by its name for agents."""

    languages: tuple[str, ...] = Field(
        min_length=1, description="Codes of the languages that it hears, as `en`."
    )


class VoiceEndpoint(EngineEndpoint):
    """A voice on your own network (`/audio/speech`), by its name for agents."""

    voice: str = Field(min_length=1, description="The voice's name there.")
    languages: tuple[str, ...] = Field(
        min_length=1, description="Codes of the languages that it speaks, as `en`."
    )
    rate: int = Field(
        default=24_000, ge=8000, le=48_000, description="Samples per second of what it sends."
    )
    format: Literal["pcm", "wav"] = Field(
        default="pcm",
        description="What it is asked for: bare samples (16 bits, little-endian, mono), or `wav`.",
    )


class Models(Section):
    """The engines: speech recognition, language model, voice."""

    set: str = Field(
        default="starter", description="Name of the model set; see `offhook models list`."
    )
    dir: Path | None = Field(
        default=None, description="Folder of pulled sets; unset means the user's data directory."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where the engines run."
    )
    compute_type: str = Field(
        default="auto",
        description="Arithmetic of speech recognition (ctranslate2's names, as int8).",
    )
    threads: int = Field(
        default=0, ge=0, description="CPU threads per engine; 0 chooses by machine and model."
    )
    cpu_variant: str = Field(
        default="auto",
        description="Which of llama.cpp's variants of CPU code runs: `auto` for the best that the "
        "machine can, or a plainer one by its name (`offhook doctor` names what runs).",
    )
    context_tokens: int = Field(
        default=4096,
        ge=1024,
        le=131_072,
        description="Longest instructions and conversation that the set's language model takes in, "
        "in tokens, as far as it was trained for that many; the memory of a call grows with it.",
    )
    timeout_s: float = Field(
        default=15.0, gt=0, description="Seconds after which one engine request is given up."
    )
    aliases: Mapping[Annotated[str, Field(min_length=1, max_length=256)], str] = Field(
        default_factory=dict,
        description='Other names of engines: `{ "gpt-4.1" = "local", "cartesia/a0e99841" = '
        '"en" }`.',
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(),
        description="If given, only these hosts may be named as a model of one's own "
        "(`llm.api_url`, `*.example.org` too); else those that tools may reach. A key with the "
        "scope `call` names no host that is not listed here.",
    )
    llms: Mapping[Name, LlmEndpoint] = Field(default_factory=dict)
    transcribers: Mapping[Name, TranscriberEndpoint] = Field(default_factory=dict)
    voices: Mapping[Name, VoiceEndpoint] = Field(default_factory=dict)


class Voice(Section):
    """The conversation."""

    end_of_turn_ms: int = Field(
        default=420,
        ge=100,
        le=5000,
        description="Milliseconds of silence that end a person's turn of which nothing else is "
        "known. How it sounds, its words and what was asked make that 180 at least and 1500 at "
        "most (or what is set here); a larger value makes every turn end later.",
    )
    barge_in: bool = Field(default=True, description="Whether the person may interrupt the agent.")
    barge_in_ms: int = Field(
        default=160,
        ge=20,
        le=5000,
        description="Milliseconds of speech that the agent heeds while it speaks.",
    )
    silence_prompt_s: float = Field(
        default=8.0,
        gt=0,
        description="Seconds of silence after which the agent asks if one is there.",
    )
    silence_prompts: int = Field(
        default=1, ge=0, le=10, description="How often it asks before it says goodbye."
    )
    max_hold_s: float = Field(
        default=300.0,
        gt=0,
        description="Seconds that the agent waits while it is on hold; then it hangs up.",
    )
    opening_delay_ms: int = Field(
        default=600,
        ge=0,
        le=10_000,
        description="Milliseconds after the answer in which the person may say hello first.",
    )
