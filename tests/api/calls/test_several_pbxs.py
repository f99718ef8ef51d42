"""Several PBXs as one: which of them a call goes over, and what the others suffer of its outage."""

import asyncio
from collections.abc import Sequence

import pytest

from api.base.refusals import NotFound
from api.calls.several_pbxs import SeveralPbxs
from api.settings import FIRST_PBX
from pbx.dial_string import Way
from pbx.incoming import IncomingCall
from pbx.switch import Dial, Finding, SwitchError, SwitchRefused, SwitchUnavailable
from tests.api.switchboard import PlayedAttempt, PlayedSwitch

TRUNKS = {"near": None, "far": "berlin", "lost": "nowhere"}


class Pbx(PlayedSwitch):
    """One that can be away when it is asked to start."""

    def __init__(self, *, away: int = 0) -> None:
        super().__init__()
        self.connected = False
        self.away = away
        self.closed = False

    async def start(self) -> None:
        self.away -= 1
        if self.away >= 0:
            raise SwitchUnavailable("it does not answer")
        self.connected = True

    async def close(self) -> None:
        self.connected, self.closed = False, True

    async def check(self, ways: Sequence[Way] = ()) -> list[Finding]:
        return [Finding("trunk", True, "fine")]


async def pbx_of(trunk: str) -> str | None:
    if trunk not in TRUNKS:
        raise NotFound("trunk")
    return TRUNKS[trunk]


def several(first: Pbx, berlin: Pbx) -> SeveralPbxs:
    return SeveralPbxs({FIRST_PBX: first, "berlin": berlin}, pbx_of)


def wish(trunk: str | None) -> Dial:
    return Dial("offhook-1", "+15550100", trunk=trunk)


async def test_each_call_goes_over_the_pbx_of_its_trunk() -> None:
    first, berlin = Pbx(), Pbx()
    group = several(first, berlin)
    await group.start()
    for trunk in ("near", None, "far"):
        await group.originate(wish(trunk))
    assert [one.dial.trunk for one in first.attempts] == ["near", None]
    assert [one.dial.trunk for one in berlin.attempts] == ["far"]
    assert [one.check for one in await group.check()] == ["trunk", "berlin trunk"]
    await group.close()
    assert first.closed
    assert berlin.closed


async def test_one_that_is_away_leaves_the_other_alone() -> None:
    first, berlin = Pbx(), Pbx(away=1)
    first.living, berlin.living = ["offhook-a"], ["offhook-b"]
    group = several(first, berlin)
    await group.start()
    assert group.connected
    assert await group.living_channels() == ["offhook-a"]
    await group.hang_up_channel("offhook-a")
    await group.hang_up_channel("1796081264.2")
    assert (first.hung_up, berlin.hung_up) == (["offhook-a", "1796081264.2"], [])
    with pytest.raises(SwitchRefused, match="no connection to the PBX 'berlin'"):
        await group.hang_up_channel("berlin:1796081264.2")
    await group.originate(wish("near"))
    with pytest.raises(SwitchRefused, match="no connection to the PBX 'berlin'") as refusal:
        await group.originate(wish("far"))
    assert refusal.value.field == "trunk", "another trunk may carry it, and this one rests"

    async with asyncio.timeout(5):  # it is tried again by itself
        while not berlin.connected:
            await asyncio.sleep(0.05)
    await group.originate(wish("far"))
    await group.hang_up_channel("berlin:1796081264.2")
    assert (len(first.hung_up), berlin.hung_up) == (2, ["1796081264.2"])
    assert sorted(await group.living_channels()) == ["offhook-a", "offhook-b"]
    await group.close()


async def test_where_all_are_away_there_is_no_start() -> None:
    group = several(Pbx(away=1), Pbx(away=1))
    with pytest.raises(SwitchError, match="does not answer"):
        await group.start()
    await group.start()
    assert group.connected
    await group.close()


@pytest.mark.parametrize(("trunk", "told"), [("lost", "nowhere"), ("gone", "no trunk 'gone'")])
async def test_a_trunk_of_no_pbx_is_refused(trunk: str, told: str) -> None:
    group = several(Pbx(), Pbx())
    await group.start()
    with pytest.raises(SwitchRefused, match=told) as refusal:
        await group.originate(wish(trunk))
    assert refusal.value.field == "trunk"
    await group.close()


async def test_channels_that_two_pbxs_number_alike_are_told_apart() -> None:
    attempt = PlayedAttempt(Dial("1796081264.2", "+15550100"))
    calls = [IncomingCall(attempt, "+15550100", None, None, pbx=pbx) for pbx in (None, "berlin")]
    assert [one.channel_id for one in calls] == ["1796081264.2", "berlin:1796081264.2"]
