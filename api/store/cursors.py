"""Where the next page of a list starts: after a row's time and id, in a form to hand back."""

import base64
import binascii
import json


class CursorError(ValueError):
    """This is no cursor of ours."""


def encode_cursor(created_at: float, row_id: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([created_at, row_id]).encode()).decode()


def decode_cursor(cursor: str) -> tuple[float, str]:
    """Time and id of the last row of the page before. Raises CursorError."""
    try:
        created_at, row_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        return float(created_at), str(row_id)
    except (ValueError, TypeError, binascii.Error) as error:
        raise CursorError("not a cursor of this API") from error
