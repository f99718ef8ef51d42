"""What a PBX is told to dial: an operator's template, with room for a number and a trunk's name.

Whoever fills it in cannot reach beyond the two: a template names one channel of one technology, and
neither value can hold a character that means something to a PBX (`pbx.values`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

PbxKind = Literal["asterisk", "freeswitch"]

LONGEST: Final = 200
_NUMBER: Final = "{number}"
_TRUNK: Final = "{trunk}"
_LITERAL: Final = re.compile(r"[A-Za-z0-9_.:@/*#+;= -]*")
#: By the word before the first slash.
_TECHNOLOGIES: Final[Mapping[str, PbxKind]] = {
    "PJSIP": "asterisk",
    "SIP": "asterisk",
    "IAX2": "asterisk",
    "DAHDI": "asterisk",
    "Local": "asterisk",
    "sofia": "freeswitch",
    "loopback": "freeswitch",
    "user": "freeswitch",
}
#: Without `/n` Asterisk takes the Local channel away at the answer, and the call's limit with it.
_LOCAL: Final = re.compile(r"Local/[^@/]+@([^@/]+)/n")
_PJSIP: Final = re.compile(r"PJSIP/([^@/]+)@([^@/]+)")
_PROFILE: Final = re.compile(r"(sofia/[^@/]+)/[^/]+")
_GATEWAY: Final = re.compile(r"sofia/gateway/([^@/]+)/[^/]+")

#: A SIP URI, of a user and a host only: nothing in it means more to a PBX.
_URI: Final = re.compile(
    r"(?=.{,128}$)sips?:[0-9A-Za-z_.~*+-]{1,64}@[0-9A-Za-z][0-9A-Za-z.-]*(?::[0-9]{1,5})?"
)
_DIALLED_PJSIP: Final = re.compile(r"PJSIP/([^@]+)@([^@/]+)")

#: What is dialled where nobody says otherwise (`way_over`).
DEFAULTS: Final[Mapping[PbxKind, str]] = {
    "asterisk": "PJSIP/{number}@{trunk}",
    "freeswitch": "sofia/gateway/{trunk}/{number}",
}


def check_dial_string(template: str) -> PbxKind:
    """Which PBX dials so. Raises ValueError with what is wrong, as a predicate to the template."""
    technology, slash, rest = template.partition("/")
    if not slash or technology not in _TECHNOLOGIES:
        raise ValueError(f"must begin with one of {', '.join(f'{one}/' for one in _TECHNOLOGIES)}")
    if len(template) > LONGEST:
        raise ValueError(f"must have at most {LONGEST} characters")
    if template.count(_NUMBER) != 1:
        raise ValueError(f"must hold {_NUMBER} once")
    literal = rest.replace(_NUMBER, "").replace(_TRUNK, "")
    if "{" in literal or "}" in literal:
        raise ValueError(f"may hold no placeholders but {_NUMBER} and {_TRUNK}")
    if not _LITERAL.fullmatch(literal):
        raise ValueError("must be one channel: letters, digits, spaces and _ . : @ / * # + ; = -")
    if technology == "Local" and not _LOCAL.fullmatch(template):
        raise ValueError(f"must be Local/{_NUMBER}@context/n, in this form")
    kind = _TECHNOLOGIES[technology]
    if kind == "freeswitch" and " " in template:
        raise ValueError("may hold no space, at which FreeSWITCH takes it apart")
    return kind


@dataclass(frozen=True)
class Way:
    """How a PBX dials numbers over one trunk."""

    trunk: str
    """Its name, checked by `pbx.values`."""
    dial_string: str
    """A template, checked by `check_dial_string`."""

    def fill(self, number: str) -> str:
        """What the PBX is to dial for a number, or a SIP URI, that `pbx.values` has checked.
        Raises ValueError for a URI that cannot be dialled so, as a predicate to the dial string.
        """
        return self._fill_uri(number) if is_uri(number) else self._filled.replace(_NUMBER, number)

    def _fill_uri(self, uri: str) -> str:
        """A URI goes by the trunk's endpoint, gateway or profile, to the URI's own host."""
        if self.endpoint is not None:
            return f"PJSIP/{self.endpoint}/{uri}"
        if self.gateway is not None:
            if uri.startswith("sips:"):
                raise ValueError("takes no sips: URI, as its gateway has one transport")
            return f"sofia/gateway/{self.gateway}/{uri.removeprefix('sip:')}"
        if (profile := _PROFILE.fullmatch(self._filled)) is not None:
            return f"{profile[1]}/{uri}"
        raise ValueError("takes no SIP URI: PJSIP/{number}@… and sofia/… do")

    @property
    def context(self) -> str | None:
        """The context of Asterisk's dialplan that a Local channel goes to; None of others."""
        found = _LOCAL.fullmatch(self._filled)
        return None if found is None else found[1]

    @property
    def endpoint(self) -> str | None:
        """The PJSIP endpoint; None by another way, or where the number tells it."""
        found = _PJSIP.fullmatch(self._filled)
        return None if found is None or _NUMBER in found[2] else found[2]

    @property
    def gateway(self) -> str | None:
        """FreeSWITCH's gateway; None by another way."""
        found = _GATEWAY.fullmatch(self._filled)
        return None if found is None or _NUMBER in found[1] else found[1]

    @property
    def _filled(self) -> str:
        return self.dial_string.replace(_TRUNK, self.trunk)


def way_over(trunk: str, own: str | None, configured: str | None, kind: PbxKind) -> Way:
    """How numbers are dialled over a trunk.

    Args:
        trunk: its name.
        own: its own dial string, if it has one.
        configured: that of trunks without one (`pbx.dial_string`), if there is one.
        kind: of its PBX.
    """
    return Way(trunk, own or configured or DEFAULTS[kind])


def is_uri(number: str) -> bool:
    """Whether what is to be dialled is a SIP URI, of a user and a host only."""
    return _URI.fullmatch(number) is not None


def pjsip_parts(dialled: str) -> tuple[str, str] | None:
    """What stands before and behind the `@` of `PJSIP/number@endpoint` or
    `PJSIP/endpoint/sip:user@host`; None of any other dial string."""
    found = _DIALLED_PJSIP.fullmatch(dialled)
    return None if found is None else (found[1], found[2])
