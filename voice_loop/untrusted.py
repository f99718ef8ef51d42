"""What models, tools and servers write, brought to what everything behind here can hold.

Python's JSON reader takes `NaN`, makes infinity of `1e400`, and lets a text hold half a character
or U+0000. No JSON that we send, no UTF-8 and no PostgreSQL can hold these.
"""

import json
import re
import sys
from typing import Any, Final

_UNHOLDABLE: Final = re.compile(r"[\0\ud800-\udfff]")


def holdable(text: str) -> str:
    """`text` with U+FFFD for each lone surrogate and each U+0000."""
    return _UNHOLDABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def read_json(text: str | bytes, *, strict: bool = True) -> Any:
    """The value that `text` says (RFC 8259); line breaks may stand in texts unless `strict`.

    Raises ValueError for what is no JSON, is nested too deeply, or holds a number that is not
    finite or a text with a lone surrogate or U+0000.
    """
    try:
        value = json.loads(text, strict=strict)
        _check(value)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value


def _check(value: Any) -> None:
    if isinstance(value, str):
        if _UNHOLDABLE.search(value):
            raise ValueError("a text holds a lone surrogate or U+0000")
    elif isinstance(value, dict):
        for key, item in value.items():
            _check(key)
            _check(item)
    elif isinstance(value, list):
        for item in value:
            _check(item)
    elif isinstance(value, int | float) and not abs(value) <= sys.float_info.max:
        raise ValueError("a number is out of range")
