"""What a server of somebody else said, without our secrets."""

import json
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, quote_plus

from api.base.text import MASK
from voice_loop.tools import MAX_OUTPUT

_CUT: Final = "… (cut)"
#: What a database, a terminal or a prompt should not get.
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def told(text: str, secrets: Iterable[str]) -> str:
    """`text` without secrets and unprintable characters, cut to what a model is told."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        for form in _forms(secret):
            text = text.replace(form, MASK)
    text = _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n")).strip()
    return text if len(text) <= MAX_OUTPUT else text[: MAX_OUTPUT - len(_CUT)] + _CUT


def _forms(secret: str) -> set[str]:
    """How a text may look when it is sent back: as it is, in a URL, in JSON, in JSON in JSON."""
    once = {json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    twice = {json.dumps(text)[1:-1] for text in once}
    return {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), *once, *twice} - {""}
