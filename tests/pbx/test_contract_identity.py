"""Who calls, and what goes along: the same over any PBX, seen by the carrier."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest_asyncio

from pbx.media import MediaServer
from pbx.switch import Answered, Dial, Switch
from pbx.testbed import persona
from tests.pbx.calls import cause, every_kind, new_id, until, until_over
from tests.pbx.kinds import Pbx, Reception

pytestmark = every_kind

OURS = "+15550199"
CASE = '4711; a,b <c> [d] = https://e.example/?f=1&g=^1 "ü" $1 50 %'


@pytest_asyncio.fixture(loop_scope="session")
async def reception(pbx: Pbx, media: MediaServer) -> AsyncIterator[Reception]:
    one = Reception(pbx, media, headers_in=("X-Case",))
    await one.switch.start()
    yield one
    await one.switch.close()


async def refused(pbx: Pbx, switch: Switch, **wish: Any) -> dict[str, str]:
    """What the carrier was told of a call that is busy."""
    dial = replace(Dial(new_id(), persona("busy").number, OURS, "Ann"), **wish)
    end = cause(await until_over(await switch.originate(dial)))
    (call,) = await pbx.dialled()
    assert (end.state, end.sip_call_id) == ("busy", call.call_id)
    return dict(await pbx.carried())


async def test_a_call_tells_who_it_is_and_its_headers(pbx: Pbx, switch: Switch) -> None:
    told = await refused(pbx, switch, headers={"X-Case": CASE + " %20"})
    assert told["From"].startswith(f'"Ann" <sip:{OURS}@')
    assert told["P-Asserted-Identity"].startswith(f'"Ann" <sip:{OURS}@')
    assert told["Privacy"] in ("", "none")
    assert (told["X-Case"], told["Diversion"]) == (CASE + " %20", "")


async def test_a_hidden_number_is_for_the_carrier_alone(pbx: Pbx, switch: Switch) -> None:
    told = await refused(pbx, switch, hide_number=True)
    assert told["From"].startswith('"Anonymous" <sip:anonymous@anonymous.invalid>')
    assert told["P-Asserted-Identity"].startswith(f'"Ann" <sip:{OURS}@127.0.0.1')
    assert told["Privacy"] == "id"


async def test_a_call_that_is_passed_on_says_whose_it_was(pbx: Pbx, switch: Switch) -> None:
    told = await refused(pbx, switch, forwarded_from="+15550777")
    assert told["Diversion"].startswith("<sip:+15550777@")
    assert told["Diversion"].endswith(";reason=deflection")


async def test_a_call_has_an_account_code(pbx: Pbx, switch: Switch) -> None:
    wish = Dial(new_id(), persona("silent").number, OURS, account="clinic-42")
    attempt = await switch.originate(wish)
    await until(attempt, Answered)
    await pbx.settled(attempt)
    assert await pbx.account(attempt) == "clinic-42"
    await attempt.hang_up()
    await until_over(attempt)
    await pbx.until_calls(0)


async def test_what_a_caller_brings_is_told(pbx: Pbx, reception: Reception) -> None:
    headers = (
        "P-Asserted-Identity: <sip:+15550555@192.0.2.1>",
        "Privacy: id",
        "Diversion: <sip:+15550333@192.0.2.1>;reason=unconditional",
        "Diversion: <sip:+15550444@192.0.2.1>;reason=no-answer",
        f"X-Case: {CASE}",
        "X-Other: 1",
    )
    pbx.invite("Zoë M", headers)
    call = await reception.next_call()
    brought = call.brought  # FreeSWITCH's events do not tell %20 from a space
    # Who vouches for what a trunk asserts is decided elsewhere.
    assert (call.caller_name, call.caller_number) == ("Zoë M", "+15550666")
    assert (brought.asserted_number, brought.private) == ("+15550555", True)
    assert brought.diversion == "<sip:+15550444@192.0.2.1>;reason=no-answer"
    assert brought.headers == {"x-case": CASE}
    assert call.sip_call_id
    await call.attempt.hang_up()
    await until_over(call.attempt)
