"""What forms hold, and reading what they send: bounded, and only with our own token."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from api.base.problems import Problem
from api.egress.sealing import Seal
from api.http.body import read_body
from api.http.csv_transfer import MAX_FILE_BYTES

#: The field with the token.
CSRF_FIELD: Final = "csrf"
#: A form with a file, or with an agent, whose texts are written in up to three times their bytes.
MAX_FORM_BYTES: Final = MAX_FILE_BYTES + 65_536
#: What somebody sends who is not signed in.
MAX_STRANGERS_BYTES: Final = 4096
_MOST_FIELDS: Final = 1000


@dataclass(frozen=True)
class Form:
    """What was sent."""

    fields: Mapping[str, str] = field(default_factory=dict)
    file: bytes = b""


def form_token(seal: Seal, secret: str) -> str:
    """What a form must hold to be ours: nobody else knows it of this session's secret."""
    return seal.signature(f"console form {secret}")


async def read_form(request: Request, limit: int, timeout_s: float, token: str) -> Form:
    """The form in a request's body. Raises Problem: 400, 403 for a token that is not ours, 413.

    Args:
        request: a POST.
        limit: bytes.
        timeout_s: seconds that it may take.
        token: which it has to hold.
    """
    body = await read_body(request, limit, timeout_s)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        form = await _multipart(request, body) if kind == "multipart/form-data" else _plain(body)
    except (ValueError, HTTPException) as error:
        raise Problem(400, "malformed_form", "this is no form of ours") from error
    if not hmac.compare_digest(form.fields.get(CSRF_FIELD, "").encode(), token.encode()):
        raise Problem(403, "form_expired", "the form is not of this session; open the page again")
    return form


def _plain(body: bytes) -> Form:
    pairs = parse_qsl(
        body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
    )
    return Form({name: _lines(value) for name, value in pairs})


async def _multipart(request: Request, body: bytes) -> Form:
    async def replayed() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    fields: dict[str, str] = {}
    file = b""
    async with Request(request.scope, replayed).form(max_files=1, max_fields=20) as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                file = await value.read()
            else:
                fields[name] = _lines(value)
    return Form(fields, file)


def _lines(value: str) -> str:
    """Browsers send line ends as CR LF."""
    return value.replace("\r\n", "\n")


def given(form: Form) -> dict[str, Any]:
    """Its fields but the token, less those that are empty."""
    return {name: value for name, value in form.fields.items() if value and name != CSRF_FIELD}
