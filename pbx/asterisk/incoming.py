"""Whether a FastAGI request is of an inbound call, and what it tells of it."""

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pbx.asterisk.fastagi import AgiSession
from pbx.asterisk.link import AmiLink
from pbx.incoming import (
    ALL_HEADERS,
    NAME_LENGTH,
    NUMBER_LENGTH,
    TOLD,
    Brought,
    brought,
    is_allowed,
    is_custom_header,
    one_line,
)
from pbx.switch import SwitchRefused
from pbx.values import is_channel_name

_QUOTED_PAIR: Final = re.compile(r'\\(["\\])')
_UNIQUE_ID: Final = re.compile(r"[0-9A-Za-z._-]{1,150}")
_ARGUMENTS: Final = [f"agi_arg_{number}" for number in range(1, 9)]
#: Names of headers, and headers `Diversion`, that are looked at.
_NAMES: Final = 16
_DIVERSIONS: Final = 8
_PJSIP: Final = re.compile(r"PJSIP/([0-9A-Za-z_. -]{1,64})-[0-9a-f]{8}")


@dataclass(frozen=True)
class Presented:
    """The request's headers, checked."""

    unique_id: str
    channel: str
    number: str
    caller_number: str | None
    caller_name: str | None
    dialled: str | None
    arguments: tuple[str, ...]
    linked_id: str = ""
    """Unique id of the channel that the call came in by: another one where a Local channel
    asks, or a leg that somebody transferred."""


@dataclass(frozen=True)
class SipLeg:
    """The trunk's channel that an inbound call came in by."""

    trunk: str | None
    """Its PJSIP endpoint."""
    call_id: str | None
    dialled: str | None
    """What the trunk dialled, where it is told."""
    brought: Brought
    channel: str | None = None
    """Its name."""


def read_request(headers: Mapping[str, str]) -> Presented | None:
    """What the AGI headers say; None when they are not those of a channel."""
    unique_id, channel = headers.get("agi_uniqueid", ""), headers.get("agi_channel", "")
    if not _UNIQUE_ID.fullmatch(unique_id) or not is_channel_name(channel):
        return None
    return Presented(
        unique_id,
        channel,
        _text(headers.get("agi_extension"), NUMBER_LENGTH) or "",
        _text(headers.get("agi_callerid"), NUMBER_LENGTH),
        _name(headers.get("agi_calleridname")),
        _text(headers.get("agi_dnid"), NUMBER_LENGTH),
        tuple(headers[one] for one in _ARGUMENTS if one in headers),
    )


def knows_secret(path: str, secret: str) -> bool:
    """Whether the path of an `agi://` URL ends in `/secret`; everybody knows an empty one."""
    told = path.rpartition("/")[2]
    return not secret or hmac.compare_digest(told.encode(), secret.encode())


async def confirmed(link: AmiLink, call: Presented) -> Presented | None:
    """That call, with what else Asterisk knows of it; None where Asterisk has no such channel, or
    it is not asking by AGI. Raises SwitchUnavailable."""
    try:
        answers = await link.act("Status", {"Channel": call.channel}, listing=True)
    except SwitchRefused:
        return None
    for one in answers:
        if (
            one.get("Event") == "Status"
            and one.get("Channel") == call.channel
            and one.get("Uniqueid") == call.unique_id
            and one.get("Application") == "AGI"
        ):
            return replace(call, linked_id=one.get("Linkedid", ""))
    return None


async def look_at_leg(
    session: AgiSession, call: Presented, allowed: Sequence[str] = ALL_HEADERS
) -> SipLeg:
    """The trunk's channel of the call that asks. Raises as `AgiSession.command`.

    Args:
        session: its own.
        call: which.
        allowed: as of `brought`.
    """
    # A transferred leg has another one's Linkedid; only a Local channel is to be looked through.
    channel = "" if _PJSIP.fullmatch(call.channel) else call.linked_id
    found = _PJSIP.fullmatch(await session.value("CHANNEL(name)", channel))
    if found is None:
        return SipLeg(None, None, call.dialled, brought({}, (), call.arguments))
    call_id = await session.value("CHANNEL(pjsip,call-id)", channel)
    dialled = call.dialled or _text(await session.value("CALLERID(dnid)", channel), NUMBER_LENGTH)
    told = {name: await session.value(f"PJSIP_HEADER(read,{name})", channel) for name in TOLD}
    # Who passes a call on puts theirs on top (RFC 5806): who was called first is told last.
    for place in range(2, _DIVERSIONS + 1) if told["Diversion"] else ():
        earlier = await session.value(f"PJSIP_HEADER(read,Diversion,{place})", channel)
        if not earlier:
            break
        told["Diversion"] = earlier
    names = (await session.value("PJSIP_HEADERS(X-)", channel)).split(",")
    wanted = [name for name in names if is_custom_header(name) and is_allowed(name, allowed)]
    own = [
        (name, await session.value(f"PJSIP_HEADER(read,{name})", channel))
        for name in wanted[:_NAMES]
    ]
    what = brought(told, own, call.arguments, allowed)
    return SipLeg(found[1], call_id or None, dialled, what, found[0])


def _name(value: str | None) -> str | None:
    """A display name; Asterisk leaves its quoted pairs (RFC 3261 section 25.1) as they are."""
    return _text(None if value is None else _QUOTED_PAIR.sub(r"\1", value), NAME_LENGTH)


def _text(value: str | None, length: int) -> str | None:
    """As `one_line`; Asterisk writes `unknown` for none."""
    return None if value == "unknown" else one_line(value, length)
