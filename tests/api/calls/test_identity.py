"""Who a call shows itself as, and what its INVITE carries along: what the API takes, and what the
PBX is told."""

from pathlib import Path
from typing import Any

import pytest

from api.agents.identity import Identity
from api.resources.number import NewNumber
from api.resources.transfer import TransferWish
from api.resources.trunk import NewTrunk
from api.store import Store
from pbx.switch import Dial
from tests.api.calls.test_runner import running
from tests.api.calls.test_transferring import THIRD, in_conversation
from tests.api.conftest import Bench, benching
from tests.api.orders.test_agent_calls import place
from tests.api.story import BUSY, OURS
from tests.api.switchboard import Office

WHOLE: dict[str, Any] = {
    "caller_name": "Lopez {{branch}}",
    "hide_caller_number": True,
    "sip_headers": {"X-Case": "{{case}}", "X-Nothing": "{{nothing}}", "X-Plain": "a,b;c"},
    "account_code": "clinic-{{case}}",
    "variables": {"case": 123, "branch": "Zoë\r\nX-Evil: 1", "nothing": None},
}


def shown(dial: Dial) -> Identity:
    return Identity(dial.caller_name, dial.hide_number, dial.headers, dial.account)


WANTED = Identity("Lopez Zoë X-Evil: 1", True, {"X-Case": "123", "X-Plain": "a,b;c"}, "clinic-123")


async def test_the_pbx_is_told(office: Office) -> None:
    agent = {name: value for name, value in WHOLE.items() if name != "variables"}
    call = await running(office, agent=agent, variables=WHOLE["variables"])
    attempt = await call.dialed()
    assert shown(attempt.dial) == WANTED
    assert attempt.dial.forwarded_from is None
    attempt.end(BUSY)
    await call.over()


async def test_it_is_told_nothing_of_a_call_that_says_nothing(office: Office) -> None:
    call = await running(office)
    attempt = await call.dialed()
    assert shown(attempt.dial) == Identity()
    attempt.end(BUSY)
    await call.over()


@pytest.mark.parametrize(("own", "shown_name"), [(None, "Berlin office"), ("Ada", "Ada")])
async def test_a_number_has_a_name_for_calls_that_have_none(
    office: Office, own: str | None, shown_name: str
) -> None:
    await office.store.trunks.create(NewTrunk("carrier"))
    await office.store.numbers.create(NewNumber(OURS, caller_name="Berlin office"))
    call = await running(office, agent={} if own is None else {"caller_name": own})
    attempt = await call.dialed()
    assert (attempt.dial.caller_number, attempt.dial.caller_name) == (OURS, shown_name)
    attempt.end(BUSY)
    await call.over()


async def test_whom_a_call_is_transferred_to_is_shown_the_same(office: Office) -> None:
    call = await in_conversation(office, agent={"sip_headers": {"X-Case": "123"}})
    await call.transfer(TransferWish(THIRD))
    third = await call.third()
    assert shown(third.dial) == Identity(headers={"X-Case": "123"})
    assert third.dial.forwarded_from is None  # we called
    third.end()
    call.person.end()
    await call.over()


async def test_a_call_takes_it(bench: Bench) -> None:
    call = await place(bench, **WHOLE)
    assert {name: call["agent"][name] for name in WHOLE} == WHOLE


async def test_headers_are_merged_name_by_name(bench: Bench) -> None:
    call = await place(
        bench,
        agent={"sip_headers": {"X-A": "agent", "X-B": "agent"}},
        sip_headers={"X-B": "call", "X-C": "call"},
    )
    assert call["agent"]["sip_headers"] == {"X-A": "agent", "X-B": "call", "X-C": "call"}


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({"caller_name": "x" * 81}, "/caller_name"),
        ({"caller_name": "{{who}}", "variables": {"who": "x" * 81}}, "/caller_name"),
        ({"caller_name": "Ann\r\nX-Evil: 1"}, "/caller_name"),
        ({"caller_name": "{{nobody}}"}, "/caller_name"),
        ({"account_code": "a b"}, "/account_code"),
        ({"account_code": "{{code}}", "variables": {"code": "a,b"}}, "/account_code"),
        ({"sip_headers": {"From": "<sip:+1@example.org>"}}, "/sip_headers/From"),
        ({"sip_headers": {"P-Asserted-Identity": "1"}}, "/sip_headers/P-Asserted-Identity"),
        ({"sip_headers": {"X-Case": "1\r\nX-Evil: 1"}}, "/sip_headers/X-Case"),
        ({"sip_headers": {"X-Case\r\nX-Evil": "1"}}, "/sip_headers/X-Case\r\nX-Evil"),
        ({"sip_headers": {"X-Case: 1": "1"}}, "/sip_headers/X-Case: 1"),
        ({"sip_headers": {"X-Case": "é" * 129}}, "/sip_headers/X-Case"),
        (
            {"sip_headers": {"X-Case": "{{v}}"}, "variables": {"v": "x" * 257}},
            "/sip_headers/X-Case",
        ),
        ({"sip_headers": {f"X-{index}": "1" for index in range(11)}}, "/sip_headers"),
        ({"sip_headers": {f"X-{index}": "x" * 250 for index in range(5)}}, "/sip_headers"),
        ({"sip_headers": {"X-Case": "1", "x-case": "2"}}, "/sip_headers"),
        ({"sip_headers": {"X-Case": 1}}, "/sip_headers/X-Case"),
        ({"hide_caller_number": "yes"}, "/hide_caller_number"),
    ],
    ids=str,
)
async def test_what_no_invite_can_hold_is_refused(
    bench: Bench, body: dict[str, Any], at: str
) -> None:
    answer = await place(bench, 422, **body)
    assert [one["pointer"] for one in answer["errors"]] == [at]


async def test_the_operator_says_which_headers(store: Store, tmp_path: Path) -> None:
    more = {"OFFHOOK_PBX__HEADERS_OUT": "X-Case,X-CRM-*"}
    taken = {"x-case": "1", "X-CRM-Id": "2"}
    async with benching(store, tmp_path, more) as bench:
        assert (await place(bench, sip_headers=taken))["agent"]["sip_headers"] == taken
        refused = await place(bench, 422, sip_headers={"X-Case": "1", "X-Other": "2"})
    assert [one["pointer"] for one in refused["errors"]] == ["/sip_headers/X-Other"]
    assert "pbx.headers_out" in refused["errors"][0]["detail"]
