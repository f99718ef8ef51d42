"""Where each dialect is served, and how each one tells errors."""

from collections.abc import Mapping
from typing import Final

from api.compat.errors import (
    CallingBoxError,
    OneInboxError,
    RevoxError,
    callingbox_error,
    oneinbox_error,
    revox_error,
)
from api.http.dialect_style import DialectStyle
from api.resources.dialect import Dialect

CALLINGBOX: Final = DialectStyle(
    "callingbox",
    "CallingBox",
    "/compat/callingbox",
    callingbox_error,
    CallingBoxError,
    {422: 400},
)
ONEINBOX: Final = DialectStyle(
    "oneinbox", "OneInbox", "/compat/oneinbox", oneinbox_error, OneInboxError
)
REVOX: Final = DialectStyle("revox", "Revox", "/api", revox_error, RevoxError)

DIALECTS: Final[Mapping[Dialect, DialectStyle]] = {
    style.name: style for style in (CALLINGBOX, ONEINBOX, REVOX)
}
