"""Several PBXs as one `Switch`: each call goes to the one that has its trunk."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from api.base.refusals import NotFound
from api.settings import FIRST_PBX
from pbx.dial_string import Way
from pbx.switch import Attempt, Dial, Finding, Switch, SwitchError, SwitchRefused
from pbx.values import is_id

log = logging.getLogger(__name__)

_RETRY_S: Final = (1.0, 2.0, 5.0, 10.0)

PbxOf = Callable[[str], Awaitable[str | None]]
"""The PBX that has the trunk of that name; None is the first one. Raises NotFound."""


class SeveralPbxs:
    """Implements `pbx.switch.Switch`: what one PBX suffers is nothing to the others.

    Args:
        switches: by name, `FIRST_PBX` among them, none started.
        pbx_of: see there.
    """

    def __init__(self, switches: Mapping[str, Switch], pbx_of: PbxOf) -> None:
        self._switches = switches
        self._pbx_of = pbx_of
        self._starting: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Connect to each; one that cannot be reached is tried again by itself.

        Raises SwitchError of the first where there is none that can.
        """
        outcomes = await asyncio.gather(
            *(one.start() for one in self._switches.values()), return_exceptions=True
        )
        errors = {
            name: outcome
            for name, outcome in zip(self._switches, outcomes, strict=True)
            if outcome is not None
        }
        for error in errors.values():
            if not isinstance(error, SwitchError):
                raise error
        if len(errors) == len(self._switches):
            raise errors[FIRST_PBX]
        for name, error in errors.items():
            log.error("%s: %s", name, error)
            self._starting.append(asyncio.create_task(self._start_later(name)))

    async def _start_later(self, name: str) -> None:
        tries = 0
        while True:
            await asyncio.sleep(_RETRY_S[min(tries, len(_RETRY_S) - 1)])
            tries += 1
            try:
                await self._switches[name].start()
            except SwitchError as error:
                log.debug("%s: %s", name, error)
            else:
                log.info("%s: connected", name)
                return

    async def close(self) -> None:
        """Hang up every attempt that is with us and disconnect from all."""
        for task in self._starting:
            task.cancel()
        await asyncio.gather(*self._starting, return_exceptions=True)
        await asyncio.gather(*(one.close() for one in self._switches.values()))

    @property
    def connected(self) -> bool:
        """Whether there is one that can be dialled over."""
        return any(one.connected for one in self._switches.values())

    @property
    def calls(self) -> int:
        return sum(one.calls for one in self._switches.values())

    @property
    def parts(self) -> Mapping[str, Switch]:
        """Each PBX by its name."""
        return self._switches

    async def originate(self, dial: Dial) -> Attempt:
        """Dial over the PBX of its trunk. Raises SwitchRefused, of the field `trunk`, where that
        is away: another trunk may do."""
        return await (await self._with_trunk(dial.trunk)).originate(dial)

    async def living_channels(self) -> Sequence[str]:
        """Of those PBXs that can be asked; what another one has, its own limit ends."""
        found = await asyncio.gather(*(one.living_channels() for one in self._reachable()))
        return [channel for its in found for channel in its]

    async def hang_up_channel(self, channel_id: str) -> None:
        """On the PBX that has it: as `IncomingCall.channel_id` tells, or whichever has one of
        ours. Raises SwitchRefused where that is away."""
        name, of_named, plain = channel_id.rpartition(":")
        if is_id(channel_id):
            await asyncio.gather(*(one.hang_up_channel(channel_id) for one in self._reachable()))
        else:
            await self._named(name if of_named else FIRST_PBX).hang_up_channel(plain)

    async def send_message(
        self, number: str, caller_number: str, text: str, trunk: str | None = None
    ) -> None:
        """Over the PBX of that trunk."""
        switch = await self._with_trunk(trunk)
        await switch.send_message(number, caller_number, text, trunk)

    async def check(self, ways: Sequence[Way] = ()) -> Sequence[Finding]:
        """What each finds, of its own trunks; of all but the first, its name stands before."""
        theirs: dict[str, list[Way]] = {name: [] for name in self._switches}
        for way in ways:
            theirs.setdefault(await self._pbx_of(way.trunk) or FIRST_PBX, []).append(way)
        found = []
        for name, switch in self._switches.items():
            found += [named(name, one) for one in await switch.check(theirs[name])]
        return found

    def _reachable(self) -> Sequence[Switch]:
        return [one for one in self._switches.values() if one.connected]

    async def _with_trunk(self, trunk: str | None) -> Switch:
        """Raises SwitchRefused."""
        name = FIRST_PBX
        if trunk is not None:
            try:
                name = await self._pbx_of(trunk) or FIRST_PBX
            except NotFound as error:
                raise SwitchRefused(f"there is no trunk {trunk!r}", "trunk") from error
        return self._named(name)

    def _named(self, name: str) -> Switch:
        """Raises SwitchRefused where it is away, or not there."""
        switch = self._switches.get(name)
        if switch is None:
            raise SwitchRefused(f"the settings name no PBX {name!r}", "trunk")
        if not switch.connected:
            raise SwitchRefused(f"there is no connection to the PBX {name!r}", "trunk")
        return switch


def named(pbx: str, finding: Finding) -> Finding:
    """As one of that PBX among several."""
    return finding if pbx == FIRST_PBX else replace(finding, check=f"{pbx} {finding.check}")
