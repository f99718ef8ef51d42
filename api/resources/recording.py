"""Recordings: links to them, and their erasure."""

from pydantic import BaseModel, Field

from api.base.times import Timestamp


class RecordingLink(BaseModel):
    """A link to a recording that needs no key."""

    url: str = Field(
        examples=[
            "https://calls.example.org/recordings/6f1c2d3e-4b5a-4c6d-8e7f-901234567890/1"
            "?expires=1803888000&signature=5f0c"
        ]
    )
    expires_at: Timestamp


class Erasing(BaseModel):
    """A call that is erased but for files of it."""

    id: str = Field(examples=["6f1c2d3e-4b5a-4c6d-8e7f-901234567890"])
    nodes: list[str] = Field(
        description="Have yet to delete what they have of it: they are down, or cannot; then their "
        "log tells why. They go on by themselves.",
        examples=[["pbx-north-5d1c0a3e"]],
    )
