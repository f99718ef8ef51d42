"""Reading a request's body: bounded in size, time and depth, strict JSON (RFC 8259)."""

import asyncio
import json
import sys
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request

from api.base.problems import FieldError, Problem

#: How much of a body too large is read and thrown away: a client that is still sending when the
#: connection closes may never see the answer.
DISCARD_BYTES = 16 * 1024 * 1024


async def read_body(request: Request, limit: int, timeout_s: float) -> bytes:
    """The body; 413 past `limit` bytes, 408 when it does not come within `timeout_s` seconds."""
    body = bytearray()
    size = 0
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.stream():
                size += len(chunk)
                if size <= limit:
                    body += chunk
                elif size > limit + DISCARD_BYTES:
                    break
    except TimeoutError as error:
        detail = "the request's body did not arrive in time"
        raise Problem(408, "body_timeout", detail, headers={"Connection": "close"}) from error
    except ClientDisconnect as error:
        raise Problem(400, "client_disconnected", "the client went away") from error
    if size > limit:
        raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> Problem:
    # What may be left of the body is not read, so the connection cannot be used again.
    return Problem(
        413,
        "body_too_large",
        f"the body may have up to {limit} bytes (server.max_body_bytes)",
        headers={"Connection": "close"},
    )


def parse_json(body: bytes) -> Any:
    """The JSON value in `body`; 400 unless it is one, strictly."""
    try:
        return json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_int=_integer,
        )
    except RecursionError as error:
        raise _malformed("nested too deeply") from error
    except ValueError as error:
        raise _malformed(str(error)) from error


def _malformed(detail: str) -> Problem:
    return Problem(
        400, "malformed_json", f"the body is not valid JSON: {detail}", [FieldError(detail, "")]
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("an object has the same key twice")
    return result


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _integer(text: str) -> float:
    """The integer; one that is too long to be read, as the infinity that fields refuse."""
    return int(text) if len(text) <= sys.int_info.default_max_str_digits else float(text)
