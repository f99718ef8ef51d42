"""Tells problems as each service tells errors, with our code and pointers where the service's form
has room for them."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, Field

from api.base.problems import FieldError, FieldErrorObject, Problem


class CallingBoxError(BaseModel):
    """An error as the service tells it."""

    error: str = Field(examples=["to: must be in E.164 form"])


def callingbox_error(problem: Problem, request_id: str) -> Mapping[str, Any]:  # noqa: ARG001
    """The body of a problem; the id of the request is in the answer's header alone."""
    return {"error": problem.detail}


class OneInboxFieldError(BaseModel):
    """One wrong value."""

    loc: list[str | int] = Field(examples=[["body", "to_number"]])
    msg: str
    type: str = Field(examples=["validation_failed"])


class OneInboxError(BaseModel):
    """An error in FastAPI's form: a list for wrong values, otherwise a sentence."""

    detail: list[OneInboxFieldError] | str


def oneinbox_error(problem: Problem, request_id: str) -> Mapping[str, Any]:  # noqa: ARG001
    """The body of a problem: a list of wrong values, or one sentence where no value is wrong."""
    if not problem.errors:
        return {"detail": problem.detail}
    return {
        "detail": [
            {"loc": _place(error), "msg": error.detail, "type": error.code or problem.code}
            for error in problem.errors
        ]
    }


def _place(error: FieldError) -> list[str | int]:
    if error.parameter is not None:
        return ["query", error.parameter]
    parts = [
        part.replace("~1", "/").replace("~0", "~") for part in (error.pointer or "").split("/")[1:]
    ]
    return ["body", *(int(part) if _is_index(part) else part for part in parts)]


def _is_index(part: str) -> bool:
    return part.isascii() and part.isdigit() and len(part) <= _INDEX_DIGITS


_INDEX_DIGITS: Final = 6


class RevoxErrorBody(BaseModel):
    """What is wrong with the request."""

    message: str
    code: str = Field(examples=["validation_failed"])
    errors: list[FieldErrorObject]


class RevoxError(BaseModel):
    """An error in a form of our own, for the service documents none."""

    error: RevoxErrorBody


def revox_error(problem: Problem, request_id: str) -> Mapping[str, Any]:  # noqa: ARG001
    """The body of a problem, with everything that our own problems tell."""
    errors = [
        {key: value for key, value in vars(error).items() if value is not None}
        for error in problem.errors
    ]
    return {"error": {"message": problem.detail, "code": problem.code, "errors": errors}}
