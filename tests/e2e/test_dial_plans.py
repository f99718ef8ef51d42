"""A trunk's dial plan through the public API, and what the carrier is asked for then."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pbx.testbed import persona
from tests.e2e.conftest import Phone
from tests.pbx.operator_dialplan import extended

#: A carrier that takes international numbers after 011 or a tech prefix, and national ones.
_CARRIER = """
[from-customer]
exten => _011X!,1,Log(NOTICE,dialled ${EXTEN} ${CHANNEL(pjsip,call-id)} from ${CALLERID(num)} named)
 same => n,Goto(personas,+${EXTEN:3},1)
exten => _555X!,1,Log(NOTICE,dialled ${EXTEN} ${CHANNEL(pjsip,call-id)} from ${CALLERID(num)} named)
 same => n,Goto(personas,+1${EXTEN},1)
exten => _77#X!,1,Log(NOTICE,dialled ${EXTEN} ${CHANNEL(pjsip,call-id)} from ${CALLERID(num)} named)
 same => n,Goto(personas,+${EXTEN:3},1)
"""
DIAL_PLAN = ("dial_string", "number_rules", "caller_rules")


@pytest.fixture(scope="module", autouse=True)
async def carrier(bed: Any) -> AsyncIterator[None]:
    async with extended(bed.carrier, _CARRIER):
        yield


@pytest.fixture
async def planning(phone: Phone) -> AsyncIterator[Phone]:
    """Its trunk has a dial plan for the test only."""
    before = (await phone.client.get_trunk(phone.bed.trunk)).model_dump(include=set(DIAL_PLAN))
    yield phone
    await phone.client.change_trunk(phone.bed.trunk, before)


def dialled(phone: Phone) -> list[tuple[str, str]]:
    """(number, caller number) of every call that reached the carrier."""
    pattern = r"NOTICE.*: dialled (\S+) \S+ from (\S+) named"
    return re.findall(pattern, phone.bed.carrier.log())


@pytest.mark.parametrize(
    ("plan", "asked_for"),
    [
        ({"number_rules": [{"prefix": "+1", "prepend": ""}]}, "{national}"),
        (
            {
                "number_rules": [
                    {"prefix": "+49", "prepend": "0"},
                    {"prefix": "+", "match": "1NXXXXXXXX", "prepend": "011"},
                ]
            },
            "011{digits}",
        ),
        (
            {
                "dial_string": "PJSIP/77#{number}@{trunk}",
                "number_rules": [{"prefix": "+", "match": "X!"}],
            },
            "77#{digits}",
        ),
    ],
    ids=["national", "011", "tech prefix"],
)
async def test_the_carrier_is_asked_as_it_wants(
    planning: Phone, plan: dict[str, Any], asked_for: str
) -> None:
    caller = [{"prefix": "+1"}]
    await planning.client.change_trunk(planning.bed.trunk, plan | {"caller_rules": caller})
    number = persona("hasty").number
    before = len(dialled(planning))

    call = await planning.call("hasty")

    assert (call["status"], call["to_number"], call["sip_code"]) == ("completed", number, 200)
    wanted = asked_for.format(national=number[2:], digits=number[1:])
    assert dialled(planning)[before:] == [(wanted, call["from_number"][2:])]
