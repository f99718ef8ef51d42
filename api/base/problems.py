"""Errors as RFC 9457 problems: what is wrong, at which field, and how to mend it."""

import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import Response

from api.base.refusals import Capped, Conflict, Invalid, NotFound, Refused, Unaffordable

MEDIA_TYPE = "application/problem+json"


def pointer(*path: str | int) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


@dataclass(frozen=True)
class FieldError:
    """One wrong value of a request."""

    detail: str
    pointer: str | None = None
    """JSON pointer into the body, "" for the body itself."""
    parameter: str | None = None
    """Name of a query parameter or header."""
    code: str | None = None
    """What programs should look at, where `detail` alone would not tell them."""


class Problem(Exception):
    """Raise it anywhere in a handler: it becomes the answer."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    def response(self, request_id: str) -> Response:
        """The answer, `application/problem+json`."""
        body: dict[str, Any] = {
            "type": f"urn:offhook:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
        }
        if self.errors:
            body["errors"] = [
                {key: value for key, value in vars(error).items() if value is not None}
                for error in self.errors
            ]
        # ASCII: what is quoted from a request may hold anything, lone surrogates included.
        return Response(json.dumps(body), self.status, self.headers, MEDIA_TYPE)


def invalid(errors: Iterable[FieldError], code: str | None = None) -> Problem:
    """422 for values that cannot be accepted; the detail is the first of them, and so is the code
    unless one is given."""
    listed = tuple(errors)
    first = listed[0]
    code = code or first.code or "validation_failed"
    place = first.parameter or first.pointer or "body"
    more = f" (and {len(listed) - 1} more)" if len(listed) > 1 else ""
    return Problem(422, code, f"{place}: {first.detail}{more}", listed)


def problem_of(refused: Refused) -> Problem:
    """What the client is told of a refusal."""
    match refused:
        case NotFound():
            return Problem(404, refused.code, refused.detail)
        case Conflict():
            return _later(409, refused, refused.retry_after_s)
        case Unaffordable():
            return Problem(402, refused.code, refused.detail)
        case Capped():
            if refused.free_at is None:
                return Problem(403, refused.code, refused.detail)
            return _later(429, refused, max(1, math.ceil(refused.free_at - time.time())))
        case Invalid():
            place = None if refused.field is None else pointer(refused.field)
            return invalid([FieldError(refused.detail, place, refused.parameter)], refused.code)
    raise TypeError(f"nobody knows the status of {type(refused).__name__}") from refused


def _later(status: int, refused: Refused, seconds: int | None) -> Problem:
    headers = {} if seconds is None else {"Retry-After": str(seconds)}
    return Problem(status, refused.code, refused.detail, headers=headers)


class FieldErrorObject(BaseModel):
    """One wrong value."""

    detail: str = Field(examples=["unknown key; did you mean prompt?"])
    pointer: str | None = Field(
        default=None, description="JSON pointer into the request's body.", examples=["/promt"]
    )
    parameter: str | None = Field(default=None, description="Name of the parameter or header.")
    code: str | None = Field(default=None, description="As the problem's, where it has its own.")


class ProblemObject(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(examples=["urn:offhook:problem:validation_failed"])
    title: str = Field(examples=["Unprocessable Entity"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["/promt: unknown key; did you mean prompt?"])
    code: str = Field(description="What programs should look at.", examples=["validation_failed"])
    request_id: str = Field(
        description="Also in the `X-Request-Id` header and in the log.",
        examples=["req_5b2f7a523a0f4a579f0e6d7f6f6f2c11"],
    )
    errors: list[FieldErrorObject] = []
