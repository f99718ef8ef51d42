"""The state of the server, as `GET /healthz` tells it."""

from pydantic import BaseModel, Field


class CheckObject(BaseModel):
    """The state of one part."""

    ok: bool
    message: str = Field(
        description="What was seen; where it is wrong, also how to mend it.",
        examples=["logged in"],
    )


class HealthObject(BaseModel):
    """The state of the server."""

    ok: bool
    checks: dict[str, CheckObject] = Field(examples=[{"pbx": {"ok": True, "message": "logged in"}}])
