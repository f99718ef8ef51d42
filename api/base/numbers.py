"""E.164 numbers and their prefixes."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

#: ITU-T E.164: country code and subscriber number, at most 15 digits, no leading zero.
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
#: What a telephone of the house dials within it.
_EXTENSION = re.compile(r"[0-9*#]{2,8}")
_PREFIX = re.compile(r"\+([1-9][0-9]{0,14})?")


def is_e164(number: str) -> bool:
    """Whether `number` is a plus sign and 7 to 15 ASCII digits, not starting with 0."""
    return _E164.fullmatch(number) is not None


def is_extension(number: str) -> bool:
    """Whether `number` is short enough for an extension or a short code: 2 to 8 keys."""
    return _EXTENSION.fullmatch(number) is not None


def is_prefix(text: str) -> bool:
    """Whether `text` is how E.164 numbers may begin; `+` alone is how all of them do."""
    return _PREFIX.fullmatch(text) is not None


def _e164(number: str) -> str:
    if not is_e164(number):
        raise PydanticCustomError("e164", E164_WANTED)
    return number


def _prefix(prefix: str) -> str:
    if not is_prefix(prefix):
        raise PydanticCustomError("prefix", PREFIX_WANTED)
    return prefix


DESTINATION: Final = (
    "E.164; as people write it, in `calls.default_country` or with the country code; an "
    "extension that a trunk takes (`extensions`), or a SIP URI that one takes (`sip_uris`)."
)
E164_WANTED: Final = "must be in E.164 form: a plus sign and 7 to 15 digits, as +15551234567"
PREFIX_WANTED: Final = "must be a plus sign and up to 15 digits, as +4930"

E164_SCHEMA: Final = {"type": "string", "pattern": r"^\+[1-9][0-9]{6,14}$"}
PREFIX_SCHEMA: Final = {"type": "string", "pattern": r"^\+([1-9][0-9]{0,14})?$"}

E164 = Annotated[str, AfterValidator(_e164), WithJsonSchema(E164_SCHEMA)]
Prefix = Annotated[str, AfterValidator(_prefix), WithJsonSchema(PREFIX_SCHEMA)]
"""`+` alone is every number."""
