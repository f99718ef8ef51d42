"""Who calls, and what an INVITE carries along: seen by the far end, on the wire."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pytest

from pbx.media import MediaServer
from pbx.switch import Dial, Switch, SwitchRefused
from tests.pbx.calls import cause, new_id, until_over
from tests.pbx.kinds import Pbx, Reception
from tests.pbx.sipp import SippLab

#: The far end refuses it at once, with 486.
REFUSED: Final = "+99902486"
OURS: Final = "+15550199"
#: What each PBX's own syntax, or SIP's, takes for more than text.
STRANGE: Final[Mapping[str, str]] = {
    "variable": "${CHANNEL(name)} $[1+1] ${SHELL(id)}",
    "lists": 'a,b;c|d&e "quoted, too" (x,y) [z]',
    "slashes": r"C:\dir\x, \, \" and /etc/passwd",
    "uri": "<sip:+1@evil.example;tag=1?X-Y=2>",
    "words": "Zoë Ångström 例え 🎧 = 100 % ^1^",
    "json": '{"id": 7, "tags": ["a", \'b\']}',
    "longest": "x" * 256,
}


def headers(messages: str) -> Mapping[str, list[str]]:
    """Those of the first INVITE in a trace, by name in lower case."""
    invite = messages[re.search(r"^INVITE ", messages, re.MULTILINE).start() :]  # type: ignore[union-attr]
    found: dict[str, list[str]] = {}
    for line in re.split(r"\r?\n", invite)[1:]:
        if not line:
            break
        name, _, value = line.partition(":")
        found.setdefault(name.lower(), []).append(value.strip())
    return found


async def invited(
    lab: SippLab, switch: Switch, extra: str = "", **wish: Any
) -> Mapping[str, list[str]]:
    """The headers of the INVITE of a call that is refused."""
    async with lab.answering("24_code", extra=extra) as far:
        dial = Dial(new_id(), REFUSED, OURS, trunk=far.trunk)
        end = cause(await until_over(await switch.originate(replace(dial, **wish))))
        assert end.sip_code == 486
        found = headers(far.messages())
    assert found["call-id"] == [end.sip_call_id]
    return found


async def test_name_and_number(sipp: SippLab, reception: Reception) -> None:
    seen = await invited(sipp, reception.switch, caller_name='Zoë\'s "Dental"')
    shown = rf'"Zoë\'s \\"Dental\\"" <sip:{re.escape(OURS)}@'
    assert re.match(shown, seen["from"][0])
    assert re.match(shown, seen["p-asserted-identity"][0])
    assert "privacy" not in seen
    assert "diversion" not in seen


async def test_a_hidden_number_is_for_the_carrier_alone(
    sipp: SippLab, reception: Reception
) -> None:
    seen = await invited(sipp, reception.switch, caller_name="Ann", hide_number=True)
    assert re.match(r'"Anonymous" <sip:anonymous@anonymous\.invalid>', seen["from"][0])
    assert re.match(rf'"Ann" <sip:{re.escape(OURS)}@', seen["p-asserted-identity"][0])
    assert seen["privacy"] == ["id"]


async def test_remote_party_id_where_the_trunk_wants_that(
    sipp: SippLab, reception: Reception
) -> None:
    seen = await invited(sipp, reception.switch, "send_rpid = yes", hide_number=True)
    assert "privacy=full" in seen["remote-party-id"][0]
    assert OURS in seen["remote-party-id"][0]


async def test_a_call_that_is_passed_on_says_whose_it_was(
    sipp: SippLab, reception: Reception
) -> None:
    seen = await invited(sipp, reception.switch, forwarded_from="+15550100777")
    assert re.match(r"<sip:\+15550100777@.*;reason=deflection", seen["diversion"][0])
    assert OURS in seen["from"][0]


async def test_headers_of_a_call(sipp: SippLab, reception: Reception) -> None:
    given = {f"X-Offhook-{name}": value for name, value in STRANGE.items() if name != "longest"}
    seen = await invited(sipp, reception.switch, headers=given)
    assert {name: seen[name.lower()] for name in given} == {
        name: [value] for name, value in given.items()
    }
    longest = {f"X-{index}": STRANGE["longest"] for index in range(3)}
    seen = await invited(sipp, reception.switch, headers=longest)
    assert [seen[name.lower()] for name in longest] == [[STRANGE["longest"]]] * 3


@pytest.mark.parametrize(
    "given",
    [
        {"X-Case": "1\r\nX-Evil: 2"},
        {"X-Case": "1\nAction: Command"},
        {"X-Case": "\0"},
        {"X-Case": " "},
        {"X-Case": "x" * 257},
        {"X-Case: 1\r\nX-Evil": "2"},
        {"X-Case,Evil": "1"},
        {"X-": "1"},
        {"From": "<sip:+1@x>"},
        {"X-Case": "1", "x-case": "2"},
        {f"X-{index}": "1" for index in range(11)},
        {f"X-{index}": "x" * 250 for index in range(5)},
    ],
    ids=str,
)
async def test_what_is_no_header_is_refused(reception: Reception, given: Mapping[str, str]) -> None:
    with pytest.raises(SwitchRefused) as refused:
        await reception.switch.originate(Dial(new_id(), REFUSED, OURS, headers=given))
    assert refused.value.field == "headers"


async def test_headers_are_refused_where_the_dialplan_does_not_add_them(
    sipp: SippLab, pbx: Pbx, media: MediaServer
) -> None:
    """An older one, say: they would be left out without a word."""
    ours = sipp.bed.ours
    file = ours.etc / "extensions.conf"
    shipped = file.read_text()
    file.write_text(shipped.replace("exten => headers,", "exten => others,"))
    await ours.cli("dialplan reload")
    switch = pbx.make(media)
    try:
        await switch.start()
        with pytest.raises(SwitchRefused, match="offhook-dial") as refused:
            await switch.originate(Dial(new_id(), REFUSED, OURS, headers={"X-Case": "1"}))
        assert refused.value.field == "headers"
        assert not await ours.channels()
    finally:
        await switch.close()
        file.write_text(shipped)
        await ours.cli("dialplan reload")


async def test_no_number_is_shown_that_is_to_be_hidden(sipp: SippLab, reception: Reception) -> None:
    ours = sipp.bed.ours
    await ours.cli("module unload func_callerid.so")
    try:
        with pytest.raises(SwitchRefused, match="func_callerid") as refused:
            await reception.switch.originate(Dial(new_id(), REFUSED, OURS, hide_number=True))
    finally:
        await ours.cli("module load func_callerid.so")
    assert refused.value.field == "hide_number"
