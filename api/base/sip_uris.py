"""SIP URIs as destinations (RFC 3261 section 19.1): a user at a host, and nothing else.

Parameters, headers, passwords and escapes are refused: each of them would tell the PBX more than
whom to call.
"""

import re
from typing import Final

from api.base.dial_patterns import fits

#: Characters of a whole URI.
LONGEST: Final = 128
URI_REFUSED: Final = "is no SIP URI that an active trunk takes (`sip_uris`)"

_SCHEME: Final = re.compile(r"sips?:", re.IGNORECASE)
_USER: Final = r"[0-9A-Za-z_.~*+-]{1,64}"
_LABEL: Final = r"[0-9A-Za-z](?:[0-9A-Za-z-]{0,61}[0-9A-Za-z])?"
_HOST: Final = rf"{_LABEL}(?:\.{_LABEL})*(?::[1-9][0-9]{{0,4}})?"
_URI: Final = re.compile(rf"(sips?):({_USER})@({_HOST})", re.IGNORECASE)
#: A telephone number in place of a name: it would pass by all that holds for numbers.
_NUMBER: Final = re.compile(r"\+[0-9.*-]*|[0-9.*-]{9,}")
_MOST_PORT: Final = 65_535

_KEYS: Final = r"(?:[0-9*XZN]|\[(?:[0-9](?:-[0-9])?)+\]){2,8}"
PATTERN: Final = rf"^(?:(?:\*|{_USER}|{_KEYS})@)?(?:\*\.)?{_HOST}$"
"""Of an operator's rule: `pbx.example`, `*.office.example:5070`, `2XX@pbx.example`, `*@…`."""
_KEYS_ONLY: Final = re.compile(_KEYS)


def names_sip_uri(written: str) -> bool:
    """Whether that is meant as a SIP URI, right or wrong."""
    return _SCHEME.match(written.strip()) is not None


def is_sip_uri(destination: str) -> bool:
    """Whether a destination that was read is a SIP URI."""
    return destination.startswith(("sip:", "sips:"))


def read_sip_uri(written: str) -> str:
    """The URI, scheme and host in lower case. Raises ValueError with what is wrong, as a
    predicate to it."""
    text = written.strip()
    found = _URI.fullmatch(text)
    if found is None or len(text) > LONGEST:
        raise ValueError(
            "must be a SIP URI of a user and a host, as sip:bob@pbx.example: letters, digits and "
            f"_ . ~ * + - before the @, no parameters, at most {LONGEST} characters"
        )
    scheme, user, host = found.groups()
    if int(host.partition(":")[2] or "0") > _MOST_PORT:
        raise ValueError(f"must have a port of at most {_MOST_PORT}")
    if _NUMBER.fullmatch(user):
        raise ValueError(f"names the number {user}: call it as a number")
    return f"{scheme.lower()}:{user}@{host.lower()}"


def user_of(uri: str) -> str:
    """Who is called at the host of a URI that was read."""
    return uri.partition(":")[2].partition("@")[0]


def fits_uri(uri: str, pattern: str) -> bool:
    """Whether a rule of the operator's (`PATTERN`) is of a URI that was read.

    A host alone is of the names there, which begin with a letter; what begins with anything else
    may be a number to that host, and wants a rule of its own. A port is of none but its own rule.
    """
    who, at, host = pattern.rpartition("@")
    user, where = user_of(uri), uri.partition("@")[2]
    there = where.endswith(host[1:].lower()) if host.startswith("*.") else where == host.lower()
    if not at:
        return there and user[0].isalpha()
    if who in {"*", user}:
        return there
    return there and _KEYS_ONLY.fullmatch(who) is not None and fits(user, who)
