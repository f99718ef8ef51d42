"""Values on their way to a PBX, checked whatever its protocol; and what one writes, read."""

import re
from collections.abc import Mapping
from typing import Final

from pbx.dial_string import PbxKind, Way, check_dial_string, is_uri
from pbx.switch import MAX_TEXT_BYTES, Dial, SwitchRefused

ID_PREFIX: Final = "offhook-"
_ID: Final = re.compile(r"offhook-[0-9A-Za-z._-]{1,140}")
_CHANNEL_ID: Final = re.compile(r"[0-9A-Za-z._-]{1,150}")
_CHANNEL_NAME: Final = re.compile(r"[0-9A-Za-z](?:[\x20-\x7e]{0,148}[\x21-\x7e])?")
_NUMBER: Final = re.compile(r"\+?[0-9]{1,20}")
#: What a dial plan makes of a number: keys of a telephone, after a plus sign at most.
_DIALLED: Final = re.compile(r"\+?[0-9*#]{1,40}")
_TRUNK: Final = re.compile(r"[0-9A-Za-z_.-](?:[0-9A-Za-z_. -]{0,62}[0-9A-Za-z_.-])?")
_DIGITS: Final = re.compile(r"[0-9A-Da-d*#]{1,64}")
_NAME_LENGTH: Final = 80
_HEADER: Final = re.compile(r"[Xx]-[0-9A-Za-z-]{1,60}")
_ACCOUNT: Final = re.compile(r"[0-9A-Za-z._:-]{1,64}")
#: Headers of a call, and the UTF-8 bytes of one's value and of all: an INVITE goes in one datagram.
MAX_HEADERS: Final = 10
MAX_HEADER_BYTES: Final = 256
MAX_HEADERS_BYTES: Final = 1024
_LONGEST_S: Final = 7 * 86_400
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


def refuse_control_characters(field: str, value: str) -> None:
    """Raise SwitchRefused, naming `field`, if a line break or the like is in `value`."""
    if _CONTROL.search(value) or any("\ud800" <= char <= "\udfff" for char in value):
        raise SwitchRefused(f"{field} holds a line break or another control character", field)


def is_id(channel_id: str) -> bool:
    """Whether that is an id of ours."""
    return _ID.fullmatch(channel_id) is not None


def check_id(channel_id: str) -> None:
    """Raises SwitchRefused for what is no id of ours."""
    if not is_id(channel_id):
        raise SwitchRefused("the id must be offhook- and letters, digits, dots, - or _", "id")


def check_channel_id(channel_id: str) -> None:
    """Raises SwitchRefused for what is no channel's id, neither ours nor the PBX's own."""
    if not _CHANNEL_ID.fullmatch(channel_id):
        raise SwitchRefused("a channel's id is letters, digits, dots, - and _", "id")


def is_channel_name(name: str) -> bool:
    """Whether that can only be one Asterisk channel's name or id, or a dial string of one.

    To AMI's `Hangup`, `/…/` is a pattern over all channels; to `Setvar`, no name is a global
    variable.
    """
    return _CHANNEL_NAME.fullmatch(name) is not None


def check_digits(digits: str) -> None:
    """Raises SwitchRefused for what are no DTMF keys."""
    if not _DIGITS.fullmatch(digits):
        raise SwitchRefused("digits must be 1 to 64 of 0-9, A-D, * and #", "digits")


def check_number(number: str) -> None:
    """Raises SwitchRefused for what is no number, and no SIP URI."""
    if not _DIALLED.fullmatch(number) and not is_uri(number):
        detail = "the number must be digits, * and #, or a plus sign first, or a SIP URI"
        raise SwitchRefused(detail, "number")


def check_limit(seconds: int) -> None:
    """Raises SwitchRefused for what is no time after which a call ends."""
    if not 1 <= seconds <= _LONGEST_S:
        raise SwitchRefused(f"a call's limit must be 1 to {_LONGEST_S} seconds", "limit_s")


def check_way(way: Way, kind: PbxKind) -> None:
    """Raises SwitchRefused for what a PBX of that kind does not dial by."""
    if not _TRUNK.fullmatch(way.trunk) or (kind == "freeswitch" and " " in way.trunk):
        raise SwitchRefused("the trunk must be the name of a trunk of the PBX", "trunk")
    try:
        dialled_by = check_dial_string(way.dial_string)
    except ValueError as error:
        raise SwitchRefused(f"the trunk's dial string {error}", "trunk") from error
    if dialled_by != kind:
        detail = f"the trunk's dial string {way.dial_string!r} is one of another kind of PBX"
        raise SwitchRefused(detail, "trunk")


def check_dialled(way: Way, number: str) -> None:
    """Raises SwitchRefused for a number that cannot be dialled that way."""
    try:
        way.fill(number)
    except ValueError as error:
        raise SwitchRefused(f"the dial string {way.dial_string!r} {error}", "number") from error


def check_caller_name(name: str) -> None:
    """Raises SwitchRefused for what is no display name."""
    refuse_control_characters("caller_name", name)
    if len(name) > _NAME_LENGTH:
        raise SwitchRefused(
            f"the caller name has more than {_NAME_LENGTH} characters", "caller_name"
        )


def check_account(code: str) -> None:
    """Raises SwitchRefused for what is no account code."""
    if not _ACCOUNT.fullmatch(code):
        raise SwitchRefused(
            "an account code is 1 to 64 letters, digits, dots, colons, - and _", "account"
        )


def check_headers(headers: Mapping[str, str]) -> None:
    """Raises SwitchRefused for what are no headers of one's own for an INVITE."""
    for name, value in headers.items():
        if not _HEADER.fullmatch(name):
            raise SwitchRefused(
                f"{name[:70]!r} is no header: X- and 1 to 60 letters, digits and -", "headers"
            )
        refuse_control_characters("headers", value)
        if value != value.strip() or not 1 <= len(value.encode()) <= MAX_HEADER_BYTES:
            raise SwitchRefused(
                f"{name} must have 1 to {MAX_HEADER_BYTES} bytes, without spaces around them",
                "headers",
            )
    if len({name.lower() for name in headers}) != len(headers):
        raise SwitchRefused("a header is there twice", "headers")
    total = sum(len(name) + len(value.encode()) for name, value in headers.items())
    if len(headers) > MAX_HEADERS or total > MAX_HEADERS_BYTES:
        raise SwitchRefused(
            f"a call has at most {MAX_HEADERS} headers, of {MAX_HEADERS_BYTES} bytes in all",
            "headers",
        )


def check_dial(dial: Dial) -> None:
    """Refuse what could be more than a value to a PBX: `&`, `,`, `@`, line breaks, …

    Raises SwitchRefused with the field's name.
    """
    check_id(dial.id)
    check_number(dial.number)
    if dial.caller_number is not None and not _DIALLED.fullmatch(dial.caller_number):
        raise SwitchRefused("the caller number must be a plus sign and digits", "caller_number")
    if dial.caller_name is not None:
        check_caller_name(dial.caller_name)
    check_headers(dial.headers)
    if dial.account is not None:
        check_account(dial.account)
    if dial.forwarded_from is not None and not _NUMBER.fullmatch(dial.forwarded_from):
        raise SwitchRefused("who forwards must be a plus sign and digits", "forwarded_from")
    if not 1 <= dial.ring_timeout_s <= 600:
        raise SwitchRefused("the ring timeout must be 1 to 600 seconds", "ring_timeout_s")
    check_limit(dial.limit_s)


def check_text_message(number: str, caller_number: str, text: str, trunk: str) -> None:
    """Raises SwitchRefused, with the field's name, for what no text message can be made of."""
    for field, value in (("number", number), ("caller_number", caller_number)):
        if not _NUMBER.fullmatch(value):
            raise SwitchRefused(f"the {field} must be a plus sign and digits", field)
    if not _TRUNK.fullmatch(trunk):
        raise SwitchRefused("the trunk must be the name of a trunk of the PBX", "trunk")
    size = len(text.encode(errors="replace"))
    if not 1 <= size <= MAX_TEXT_BYTES:
        raise SwitchRefused(f"a text message has 1 to {MAX_TEXT_BYTES} bytes, not {size}", "text")


def whole_number(text: str) -> int | None:
    """The number in a header of a PBX, of nine digits at most; 0 is how it writes that it knows
    none."""
    return int(text) or None if text.isascii() and text.isdigit() and len(text) < 10 else None
