"""A Sofia gateway, the trunk, as `sofia xmlstatus gateway` tells of it."""

import re
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree

from pbx.dial_string import Way
from pbx.freeswitch.link import EslLink
from pbx.switch import SwitchRefused

_HOST: Final = re.compile(r"<?sips?:(?:[^@;>]*@)?([^;>\s]+)")
#: States of a registration that will not carry calls.
_BROKEN: Final = ("FAILED", "FAIL_WAIT", "EXPIRED", "TIMEOUT", "NOAVAIL", "DOWN")


@dataclass(frozen=True)
class Gateway:
    """What FreeSWITCH knows of a trunk now."""

    name: str
    host: str
    """Host (and port) of the carrier's proxy."""
    status: str
    """`UP` or `DOWN`, by the OPTIONS that FreeSWITCH sends (`ping` in the gateway)."""
    state: str
    """Of its registration: `NOREG` where there is none to make, `REGED`, `TRYING`, …"""

    @property
    def problem(self) -> str | None:
        """Why it cannot carry a call, and how to mend that; None when nothing is known."""
        if self.state in _BROKEN:
            return (
                f"the gateway {self.name!r} is not registered at {self.host} ({self.state}): "
                "check its username, password and realm"
            )
        if self.status == "DOWN":
            return (
                f"the gateway {self.name!r} does not answer OPTIONS at {self.host}: "
                "check that address and the firewall"
            )
        return None


async def look_at_way(link: EslLink, way: Way) -> Gateway:
    """The gateway of a way to dial, or one of which nothing is known where it needs none.
    Raises as `look_at_gateway`."""
    if way.gateway is None:
        return Gateway(way.trunk, "", "", "")
    return await look_at_gateway(link, way.gateway)


async def look_at_gateway(link: EslLink, name: str) -> Gateway:
    """Ask FreeSWITCH. Raises SwitchRefused for a gateway that it does not know, SwitchError."""
    text = await link.job("sofia", f"xmlstatus gateway {name}")
    try:
        found = ElementTree.fromstring(text)  # noqa: S314 - FreeSWITCH's own words, of our PBX
    except ElementTree.ParseError as error:
        raise SwitchRefused(
            f"FreeSWITCH knows no gateway {name!r}: mend pbx.trunk or the Sofia profile", "trunk"
        ) from error
    host = _HOST.match(found.findtext("proxy", ""))
    return Gateway(
        name,
        host[1] if host is not None else found.findtext("realm", ""),
        found.findtext("status", ""),
        found.findtext("state", ""),
    )
