"""The one `originate` line: every value checked or made harmless before it is written.

FreeSWITCH takes the line apart four times over, with rules of its own each time: at spaces, at
`:_:`, at brackets, at the variables' separator. There is no quoting that survives all four, so
the separator is one that a name cannot hold, and a name's other special characters are written
with their look-alikes. So are those by which it takes a name for a URI, of which it would keep
the end only (`switch_sanitize_number`), or decodes it (`check_decode`, both of mod_sofia).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from pbx.codecs import PCMA, PCMU, Codec
from pbx.dial_string import Way
from pbx.freeswitch.config import FreeSwitchConfig
from pbx.switch import Dial, SwitchRefused

#: Seconds that FreeSWITCH lets it ring beyond what we do, should our word not reach it.
_RING_GRACE_S: Final = 5
#: G.722's rate is 8000 Hz in SDP, so by name only; L16 where the far end is a PBX.
_WIDEBAND: Final = ("G722@20i", "L16@16000h@20i")
_SEPARATOR: Final = "|"
_FULL_WIDTH: Final = 0xFEE0  # from an ASCII character to its full-width form in Unicode
_LOOK_ALIKE: Final = str.maketrans(
    {"'": "’", '"': "”", "{": "(", "}": ")"}
    | {char: chr(ord(char) + _FULL_WIDTH) for char in f"{_SEPARATOR}\\/:@^%"}
)
#: What quotes, delimits or expands in the line, by FreeSWITCH's many rules.
_UNWRITABLE: Final = re.compile(r"['{}|\\]|:_:")


def originate_argument(
    dial: Dial, way: Way, config: FreeSwitchConfig, host: str = "localhost"
) -> str:
    """What follows the word `originate`.

    Args:
        dial: checked by `pbx.values.check_dial`.
        way: checked by `pbx.values.check_way`.
        config: see there.
        host: of the carrier, where our numbers are known.
    """
    longest_s = dial.ring_timeout_s + _RING_GRACE_S + dial.limit_s
    variables = {
        "origination_uuid": dial.id,
        "offhook": "true",
        "originate_timeout": str(dial.ring_timeout_s + _RING_GRACE_S),
        # From the first, for a channel that parks at early media has no ring timeout any more.
        "execute_on_originate": f"sched_hangup +{longest_s}",
        # A callee's 302 is not followed: to wherever it says, past the trunk.
        "outbound_redirect_fatal": "true",
        "absolute_codec_string": _offer(config.codec, wideband=config.wideband),
        "hangup_after_bridge": "true",
        **_caller_id(dial),
        **dict(_beside(dial, host)),
    }
    if way.dial_string.startswith("loopback/"):
        # Or the channel that we know would leave two that it is joined with to themselves.
        variables["loopback_bowout"] = "false"
    written = _SEPARATOR.join(f"{name}={value}" for name, value in variables.items())
    return f"'{{^^{_SEPARATOR}{written}}}{way.fill(dial.number)}' &park()"


def _offer(preferred: Codec | None, *, wideband: bool) -> str:
    """Eight kilohertz and 20 ms, or the datagrams of `unicast` would have another size.

    With `wideband` also what has 16 kHz; FreeSWITCH leaves out what it has no module for.
    """
    codecs = (PCMA, PCMU) if preferred is PCMA else (PCMU, PCMA)
    narrow = [f"{codec.name}@8000h@20i" for codec in codecs]
    return ",".join([*(_WIDEBAND if wideband else ()), *narrow])


def _caller_id(dial: Dial) -> Mapping[str, str]:
    variables = {}
    if dial.caller_number is not None:
        variables["origination_caller_id_number"] = dial.caller_number
    name = plain_name(dial.caller_name or dial.caller_number or "")
    if name:
        variables["origination_caller_id_name"] = name
    return variables


def check_writable(headers: Mapping[str, str]) -> None:
    """Raise SwitchRefused for a header with what the originate line cannot carry as it is."""
    for name, value in headers.items():
        if _UNWRITABLE.search(value):
            raise SwitchRefused(
                f"{name} holds one of ' {{ }} | \\ or :_: which cannot be handed to FreeSWITCH",
                "headers",
            )


def _beside(dial: Dial, host: str) -> Iterator[tuple[str, str]]:
    """What the INVITE and the call detail record are to have beside."""
    check_writable(dial.headers)
    if dial.hide_number:
        # `screen` keeps P-Asserted-Identity from becoming P-Preferred-Identity. From is not hidden
        # by FreeSWITCH itself.
        yield "origination_privacy", "screen:hide_name:hide_number"
        yield "sip_from_uri", "sip:anonymous@anonymous.invalid"
        yield "sip_from_display", "Anonymous"
        yield "sip_invite_domain", host
    if dial.forwarded_from is not None:
        uri = f"sip:{dial.forwarded_from}@{host}"
        yield "sip_h_Diversion", f"<{uri}>;reason=deflection"
    if dial.account is not None:
        yield "accountcode", dial.account
    for name, value in dial.headers.items():
        yield f"sip_h_{name}", value


def plain_name(name: str) -> str:
    """A caller's name without a character that means something on its way to the carrier."""
    return name.translate(_LOOK_ALIKE).strip()
