"""Engines as the API tells them: never where they are, nor with which key."""

from typing import Literal

from pydantic import BaseModel, Field

from api.base.fields import Body

MAX_PREVIEW = 2_000


class ModelObject(BaseModel):
    """A language model that agents can have."""

    name: str = Field(description="What `llm.model` can be.", examples=["local"])
    kind: Literal["local", "endpoint"] = Field(
        description="Part of the loaded set, or a server on the deployment's network.",
        examples=["local"],
    )
    aliases: list[str] = Field(description="Its other names.", examples=[["gpt-4.1"]])


class TranscriberObject(BaseModel):
    """Speech recognition that agents can have."""

    name: str = Field(description="What `transcriber.model` can be.", examples=["local"])
    kind: Literal["local", "endpoint"] = Field(description="As of a model.", examples=["local"])
    aliases: list[str] = Field(description="Its other names.", examples=[["nova-2"]])
    languages: list[str] = Field(description="Codes of what it hears.", examples=[["en", "es"]])


class VoiceObject(BaseModel):
    """A voice that agents can have."""

    name: str = Field(description="What `voice.id` can be.", examples=["en"])
    kind: Literal["local", "endpoint"] = Field(description="As of a model.", examples=["local"])
    aliases: list[str] = Field(description="Its other names.", examples=[["cartesia/a0e99841"]])
    languages: list[str] = Field(description="Codes of what it speaks.", examples=[["en"]])
    rate: int = Field(description="Samples per second of what it speaks.", examples=[22_050])


class VoicePreview(Body):
    """What is to be heard."""

    free_text = frozenset({"text"})

    text: str = Field(
        min_length=1,
        max_length=MAX_PREVIEW,
        description="What is said.",
        examples=["Hello, this is Ada of the Lopez dental practice."],
    )
    voice: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="One of `/v1/voices`, or an alias; default the voice of the language.",
        examples=["en"],
    )
    language: str | None = Field(
        default=None,
        max_length=35,
        description="Without `voice`: whose voice; default `calls.default_language`.",
        examples=["en"],
    )
    speed: float | None = Field(
        default=None,
        ge=0.6,
        le=1.5,
        description="Speaking rate; 1 is the voice's own.",
    )
    volume: float | None = Field(
        default=None,
        ge=0.5,
        le=2.0,
        description="Loudness; 1 is the voice's own.",
    )
