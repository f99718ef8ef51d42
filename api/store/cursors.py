"""Where the next page of a list starts: after a row's time and id, in a form to hand back."""

import base64
import json

from api.base.refusals import Invalid
from voice_loop.untrusted import read_json


class CursorError(Invalid):
    """This is no cursor of ours."""

    def __init__(self, detail: str = "not a cursor of this API") -> None:
        super().__init__(detail, parameter="cursor")


def encode_cursor(created_at: float, row_id: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([created_at, row_id]).encode()).decode()


def decode_cursor(cursor: str) -> tuple[float, str]:
    """Time and id of the last row of the page before. Raises CursorError."""
    try:
        created_at, row_id = read_json(base64.urlsafe_b64decode(cursor.encode()))
    except (ValueError, TypeError) as error:
        raise CursorError from error
    if not isinstance(created_at, int | float) or not isinstance(row_id, str):
        raise CursorError
    return float(created_at), row_id
