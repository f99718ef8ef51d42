"""Whether a trunk can be dialled through, from what `PJSIPShowEndpoint` answers."""

import re
from dataclasses import dataclass

from pbx.asterisk.link import AmiLink
from pbx.switch import SwitchRefused


@dataclass(frozen=True)
class Trunk:
    """A PJSIP endpoint as Asterisk sees it now."""

    name: str
    contacts: tuple[tuple[str, str], ...]
    """(SIP URI, status): `Reachable`, `Unreachable`, or not asked (yet)."""
    context: str
    """Of the dialplan, where its calls come in."""
    formats: tuple[str, ...] = ()
    """What it may speak, best first, by Asterisk's names."""

    @property
    def problem(self) -> str | None:
        """Why it cannot carry a call, and how to mend that; None when nothing is known."""
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
    )


def formats_of(text: str) -> tuple[str, ...]:
    """The names of formats as Asterisk lists them: `(alaw|ulaw)`."""
    return tuple(re.findall(r"[0-9a-z]+", text))
