"""Values on their way to a PBX, checked whatever its protocol; and what one writes, read."""

import re
from typing import Final

from pbx.dial_string import PbxKind, Way, check_dial_string
from pbx.switch import MAX_TEXT_BYTES, Dial, SwitchRefused

ID_PREFIX: Final = "offhook-"
_ID: Final = re.compile(r"offhook-[0-9A-Za-z_-]{1,100}")
_CHANNEL_ID: Final = re.compile(r"[0-9A-Za-z._-]{1,150}")
_CHANNEL_NAME: Final = re.compile(r"[0-9A-Za-z](?:[\x20-\x7e]{0,148}[\x21-\x7e])?")
_NUMBER: Final = re.compile(r"\+?[0-9]{1,20}")
#: What a dial plan makes of a number: keys of a telephone, after a plus sign at most.
_DIALLED: Final = re.compile(r"\+?[0-9*#]{1,40}")
_TRUNK: Final = re.compile(r"[0-9A-Za-z_.-](?:[0-9A-Za-z_. -]{0,62}[0-9A-Za-z_.-])?")
_DIGITS: Final = re.compile(r"[0-9A-Da-d*#]{1,64}")
_NAME_LENGTH: Final = 80
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
        raise SwitchRefused("the id must be offhook- and letters, digits, - or _", "id")


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
    """Raises SwitchRefused for what is no number."""
    if not _DIALLED.fullmatch(number):
        raise SwitchRefused("the number must be digits, * and #, or a plus sign first", "number")


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


def check_dial(dial: Dial) -> None:
    """Refuse what could be more than a value to a PBX: `&`, `,`, `@`, line breaks, …

    Raises SwitchRefused with the field's name.
    """
    check_id(dial.id)
    check_number(dial.number)
    if dial.caller_number is not None and not _DIALLED.fullmatch(dial.caller_number):
        raise SwitchRefused("the caller number must be a plus sign and digits", "caller_number")
    if dial.caller_name is not None:
        refuse_control_characters("caller_name", dial.caller_name)
        if len(dial.caller_name) > _NAME_LENGTH:
            raise SwitchRefused(
                f"the caller name has more than {_NAME_LENGTH} characters", "caller_name"
            )
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
