"""Whether a trunk can be dialled through, from what Asterisk tells of it before it dials."""

import re
from dataclasses import dataclass
from typing import Final

from pbx.asterisk.link import AmiLink
from pbx.dial_string import Way
from pbx.switch import SwitchRefused

#: By the option of an endpoint, as `PJSIPShowEndpoint` calls it.
_IDENTITY: Final = {"SendPai": "P-Asserted-Identity", "SendRpid": "Remote-Party-ID"}
_YES: Final = ("true", "yes")


@dataclass(frozen=True)
class Trunk:
    """A trunk as Asterisk sees it now: mostly a PJSIP endpoint."""

    name: str
    contacts: tuple[tuple[str, str], ...] | None = None
    """(SIP URI, status): `Reachable`, `Unreachable`, or not asked (yet). None of what is no PJSIP
    endpoint: how its calls fare is told only by them."""
    context: str = ""
    """Of the dialplan, where its calls come in."""
    formats: tuple[str, ...] = ()
    """What it may speak, best first, by Asterisk's names."""
    identity_headers: tuple[str, ...] = ()
    """The headers in which it tells the carrier who calls, beside From."""
    tells_hidden: bool = False
    """Whether it tells the carrier, too, who calls where that is to be hidden from the callee."""

    @property
    def problem(self) -> str | None:
        """Why it cannot carry a call, and how to mend that; None when nothing is known."""
        if self.contacts is None:
            return None
        if not self.contacts:
            return (
                f"the trunk {self.name!r} has no contact: give its aor in pjsip.conf one, "
                "or let the far end register"
            )
        if all(status == "Unreachable" for _, status in self.contacts):
            return (
                f"the trunk {self.name!r} does not answer OPTIONS at {self.contacts[0][0]}: "
                "check that address and the firewall"
            )
        return None


async def dialplan_has(link: AmiLink, context: str, extension: str = "") -> bool:
    """Whether Asterisk's dialplan has that context, and that in it. Raises SwitchUnavailable."""
    where = {"Context": context} | ({"Extension": extension} if extension else {})
    try:
        await link.act("ShowDialPlan", where, listing=True)
    except SwitchRefused:
        return False
    return True


async def look_at_way(link: AmiLink, way: Way) -> Trunk:
    """The trunk of a way to dial. Raises as `look_at_trunk`, and so for a missing context."""
    if way.endpoint is not None:
        return await look_at_trunk(link, way.endpoint)
    if way.context is not None and not await dialplan_has(link, way.context):
        raise SwitchRefused(
            f"Asterisk's dialplan has no context {way.context!r}: mend the dial string of the "
            f"trunk {way.trunk!r} or extensions.conf",
            "trunk",
        )
    return Trunk(way.trunk)


async def look_at_trunk(link: AmiLink, name: str) -> Trunk:
    """Ask Asterisk. Raises SwitchRefused for an endpoint that it does not know, SwitchError."""
    try:
        answers = await link.act("PJSIPShowEndpoint", {"Endpoint": name}, listing=True)
    except SwitchRefused as error:
        raise SwitchRefused(
            f"Asterisk knows no PJSIP endpoint {name!r}: mend pbx.trunk or pjsip.conf", "trunk"
        ) from error
    endpoint = next((one for one in answers if one.get("Event") == "EndpointDetail"), {})
    return Trunk(
        name,
        tuple(
            (one.get("URI", ""), one.get("Status", ""))
            for one in answers
            if one.get("Event") == "ContactStatusDetail"
        ),
        endpoint.get("Context", ""),
        formats_of(endpoint.get("Allow", "")),
        tuple(name for option, name in _IDENTITY.items() if endpoint.get(option) in _YES),
        endpoint.get("TrustIdOutbound") in _YES,
    )


def formats_of(text: str) -> tuple[str, ...]:
    """The names of formats as Asterisk lists them: `(alaw|ulaw)`."""
    return tuple(re.findall(r"[0-9a-z]+", text))
