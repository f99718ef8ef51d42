"""What an operator may have a real FreeSWITCH dial in place of a gateway: a profile and an address,
a user of its directory, a channel through its own dialplan."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from pbx.media import MediaServer
from pbx.switch import Answered, Attempt, Dial, Dialing, Ended, Ringing, Switch
from pbx.testbed import TestBed
from pbx.testbed.freeswitch import FreeSwitch
from tests.pbx.cable import Cable
from tests.pbx.calls import Ear, cause, heard, kinds, new_id, until, until_over
from tests.pbx.conftest import LiveFreeSwitch, plugged
from tests.pbx.kinds import FreeSwitchPbx

pytestmark = [pytest.mark.bed, pytest.mark.live_freeswitch]

_ECHO: Final = "+1555010021"
_BUSY: Final = "+1555010010"
_NOBODY: Final = "+1555010013"
_DIALPLAN: Final = """<section name="dialplan">
    <context name="operator-out">
      <extension name="out">
        <condition field="destination_number" expression="^(\\+1555\\d+)$">
          <action application="bridge"
            data="{absolute_codec_string=PCMU}sofia/gateway/trunk/$1"/>
          <action application="hangup" data="${originate_disposition}"/>
        </condition>
      </extension>
    </context>"""
_DIRECTORY: Final = """<section name="directory">
    <domain name="pbx.example">{users}</domain>
  </section>
</document>"""
_USER: Final = """<user id="{number}"><params>
      <param name="dial-string" value="sofia/gateway/trunk/${{dialed_user}}"/>
    </params></user>"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def operators(
    bed: TestBed, freeswitch: LiveFreeSwitch | None
) -> AsyncIterator[LiveFreeSwitch]:
    """A FreeSWITCH with a dialplan and a directory of its operator's."""
    if freeswitch is None or not isinstance(freeswitch.server, FreeSwitch):
        pytest.skip("a FreeSWITCH that is installed here, for its files are changed")
    file = Path(freeswitch.server.home) / "etc/freeswitch.xml"
    shipped = file.read_text()
    users = "".join(_USER.format(number=one) for one in (_ECHO, _BUSY, _NOBODY))
    own = shipped.replace('<section name="dialplan">', _DIALPLAN)
    file.write_text(own.replace("</document>", _DIRECTORY.format(users=users)))
    assert "+OK" in await freeswitch.server.api("reloadxml")
    yield freeswitch
    file.write_text(shipped)
    await freeswitch.server.api("reloadxml")


@pytest_asyncio.fixture(loop_scope="session")
async def pbx(operators: LiveFreeSwitch, bed: TestBed) -> AsyncIterator[FreeSwitchPbx]:
    server = operators.server
    async with plugged(Cable(server.host, server.port)) as cable:
        one = FreeSwitchPbx(bed, server, operators.sip, cable)
        yield one
        one.close()


WAYS: Final = {
    "gateway": "sofia/gateway/{trunk}/{number}",
    "profile": "sofia/offhook/{number}@HOST:PORT",
    "user": "user/{number}@pbx.example",
    "loopback": "loopback/{number}/operator-out",
}


class Operator:
    """Places calls in one of these ways."""

    def __init__(self, pbx: FreeSwitchPbx, switch: Switch, way: str) -> None:
        self.pbx = pbx
        carrier = pbx.bed.ports.carrier_sip
        self._way = way.replace("HOST", pbx.bed.host).replace("PORT", str(carrier))
        self._switch = switch

    async def call(self, number: str) -> Attempt:
        wish = Dial(new_id(), number, "+15550199", trunk="trunk", dial_string=self._way)
        return await self._switch.originate(wish)


@pytest_asyncio.fixture(loop_scope="session", params=WAYS)
async def operator(
    request: pytest.FixtureRequest,
    pbx: FreeSwitchPbx,
    operators: LiveFreeSwitch,
    media: MediaServer,
) -> AsyncIterator[Operator]:
    ask = operators.server.api
    if (
        request.param == "loopback"
        and await ask("module_exists mod_loopback") != "true"
        and "-ERR" in await ask("load mod_loopback")
    ):
        pytest.skip("this FreeSWITCH was built without mod_loopback")
    switch = pbx.make(media)
    await switch.start()
    yield Operator(pbx, switch, WAYS[request.param])
    await pbx.until_calls(0)
    await switch.close()
    assert media.open_legs == 0


async def test_a_call_is_heard_and_ends_on_both_sides(operator: Operator) -> None:
    attempt = await operator.call(_ECHO)
    ear = Ear(attempt.rate, 440)
    attempt.attach(ear)
    told = await until(attempt, Answered)
    assert kinds(told)[0] is Dialing
    await heard(ear)
    assert abs(ear.pitch() - 440) < 10
    assert [one.number for one in await operator.pbx.dialled()] == [_ECHO]
    await attempt.hang_up()
    end = cause(await until_over(attempt))
    assert (end.state, end.q850) == ("completed", 16)


@pytest.mark.parametrize(("number", "state", "q850"), [(_BUSY, "busy", 17), (_NOBODY, "failed", 1)])
async def test_a_call_that_is_refused_says_why(
    operator: Operator, number: str, state: str, q850: int
) -> None:
    events = await until_over(await operator.call(number))
    assert set(kinds(events)) <= {Dialing, Ringing, Ended}
    end = cause(events)
    assert (end.state, end.q850) == (state, q850)
