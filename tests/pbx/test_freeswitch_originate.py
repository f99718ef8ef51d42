"""The originate line: whatever a caller is called, FreeSWITCH takes it apart into the same parts.

`parts` does what FreeSWITCH's documentation says of `originate` and of dial strings.
"""

from collections.abc import Mapping
from urllib.parse import unquote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pbx.codecs import PCMA
from pbx.freeswitch.config import FreeSwitchConfig
from pbx.freeswitch.esl import EslParser, write_command
from pbx.freeswitch.originate import originate_argument
from pbx.switch import Dial, SwitchRefused
from pbx.values import check_dial

WAY = FreeSwitchConfig().way()
ID = "offhook-00000000-0000-4000-8000-000000000000"


def words(line: str) -> list[str]:
    """Cut at spaces, but not within apostrophes; a backslash takes the next character's meaning."""
    found, quoted, position = [""], False, 0
    while position < len(line):
        char = line[position]
        if char == "\\":
            position += 1
            found[-1] += line[position : position + 1]
        elif char == "'":
            quoted = not quoted
        elif char == " " and not quoted:
            found.append("")
        else:
            found[-1] += char
        position += 1
    assert not quoted
    return [word for word in found if word]


def parts(line: str) -> tuple[Mapping[str, str], str, str]:
    """(variables, endpoint, application) of the one leg that it dials."""
    dial_string, application = words(line)
    assert ":_:" not in dial_string, "enterprise originate: more than one dial string"
    assert dial_string.startswith("{^^")
    separator = dial_string[3]
    depth, end = 0, 0
    for end, char in enumerate(dial_string):  # noqa: B007 - the place is what is sought
        depth += {"{": 1, "}": -1}.get(char, 0)
        if depth == 0:
            break
    inside, endpoint = dial_string[4:end], dial_string[end + 1 :]
    assert not set(endpoint) & set(",|{}[]<>"), "several legs, or variables of a leg"
    assert "${" not in line
    assert "$${" not in line
    variables = dict(part.split("=", 1) for part in inside.split(separator))
    return variables, endpoint, application


def argument(caller_name: str | None, caller_number: str | None = "+15550199") -> str:
    wish = Dial(ID, "+15550100", caller_number, caller_name, 30, limit_s=100)
    check_dial(wish)
    return originate_argument(wish, WAY, FreeSwitchConfig())


def test_the_parts() -> None:
    variables, endpoint, application = parts(argument("Ann"))
    assert endpoint == "sofia/gateway/trunk/+15550100"
    assert application == "&park()"
    assert variables == {
        "origination_uuid": ID,
        "offhook": "true",
        "originate_timeout": "35",
        "execute_on_originate": "sched_hangup +135",
        "outbound_redirect_fatal": "true",
        "absolute_codec_string": "PCMU@8000h@20i,PCMA@8000h@20i",
        "hangup_after_bridge": "true",
        "origination_caller_id_number": "+15550199",
        "origination_caller_id_name": "Ann",
    }


def test_what_goes_beside() -> None:
    wish = Dial(
        ID,
        "+15550100",
        "+15550199",
        "Ann",
        hide_number=True,
        headers={"X-Case": 'a,b; [c] https://d.example/?e=%20&f=^g <h> "ü" $1'},
        forwarded_from="+15550777",
        account="clinic-42",
    )
    check_dial(wish)
    line = originate_argument(wish, WAY, FreeSwitchConfig(), "carrier.example")
    variables, endpoint, _ = parts(line)
    assert endpoint == "sofia/gateway/trunk/+15550100"
    assert {name: variables[name] for name in variables.keys() - parts(argument("Ann"))[0]} == {
        "origination_privacy": "screen:hide_name:hide_number",
        "sip_from_uri": "sip:anonymous@anonymous.invalid",
        "sip_from_display": "Anonymous",
        "sip_invite_domain": "carrier.example",
        "sip_h_X-Case": wish.headers["X-Case"],
        "sip_h_Diversion": "<sip:+15550777@carrier.example>;reason=deflection",
        "accountcode": "clinic-42",
    }


@given(st.text(max_size=80))
@example("a'b")
@example("a|sip_h_X-Evil=1")
@example("a:_:{x=y}sofia/gateway/trunk/+1999")
@example("${system(id)}")
@example("a\\nX-Evil: 1")
def test_a_header_is_one_value_or_refused(value: str) -> None:
    wish = Dial(ID, "+15550100", headers={"X-Case": value})
    try:
        check_dial(wish)
        line = originate_argument(wish, WAY, FreeSwitchConfig())
    except SwitchRefused as refusal:
        assume(refusal.field != "headers")
        raise
    variables, endpoint, _ = parts(line)
    assert endpoint == "sofia/gateway/trunk/+15550100"
    assert variables["sip_h_X-Case"] == value


@pytest.mark.parametrize("value", ["a'b", "{a}", "a|b", "a\\b", "a:_:b"])
def test_what_the_line_cannot_carry_is_refused(value: str) -> None:
    wish = Dial(ID, "+15550100", headers={"X-Case": value})
    with pytest.raises(SwitchRefused, match="X-Case") as refused:
        originate_argument(wish, WAY, FreeSwitchConfig())
    assert refused.value.field == "headers"


def test_a_loopback_channel_stays() -> None:
    way = FreeSwitchConfig().way("trunk", "loopback/{number}/default")
    variables, endpoint, _ = parts(originate_argument(Dial(ID, "200"), way, FreeSwitchConfig()))
    assert (endpoint, variables["loopback_bowout"]) == ("loopback/200/default", "false")


def test_the_configured_codec_is_offered_first() -> None:
    config = FreeSwitchConfig(codec=PCMA)
    variables, _, _ = parts(originate_argument(Dial(ID, "+1"), WAY, config))
    assert variables["absolute_codec_string"] == "PCMA@8000h@20i,PCMU@8000h@20i"


def test_wideband_is_offered_before_the_rest() -> None:
    config = FreeSwitchConfig(codec=PCMA, wideband=True)
    variables, _, _ = parts(originate_argument(Dial(ID, "+1"), WAY, config))
    wide = "G722@20i,L16@16000h@20i"
    assert variables["absolute_codec_string"] == f"{wide},PCMA@8000h@20i,PCMU@8000h@20i"


def test_without_a_name_the_number_is_the_name() -> None:
    assert parts(argument(None))[0]["origination_caller_id_name"] == "+15550199"
    assert "origination_caller_id_name" not in parts(argument(None, None))[0]


@given(st.text(max_size=80))
@example("O'Neil")
@example("a\\")
@example("a|sip_h_X-Evil=1")
@example("a}sofia/gateway/trunk/+1999")
@example("a:_:{x=y}sofia/gateway/trunk/+1999")
@example("^^,a,b")
@example("' &system(id) '")
@example("%22 <sip:a@b>")
@example("${system(id)}")
@example("  ")
def test_a_name_is_one_value_whatever_it_holds(name: str) -> None:
    try:
        line = argument(name)
    except SwitchRefused as refusal:
        assume(refusal.field != "caller_name")
        raise

    usual, endpoint, application = parts(argument("Ann"))
    variables, its_endpoint, its_application = parts(line)
    assert (its_endpoint, its_application) == (endpoint, application)
    shown = variables.get("origination_caller_id_name", "")
    assert {**variables, "origination_caller_id_name": "Ann"} == usual
    assert len(shown) == len(name.strip()) or not name
    assert unquote(shown) == shown
    assert not set(shown) & set("/:@\"'\\|{}^%")
    write_command(f"bgapi originate {line}", {"Job-UUID": "1"})


@given(st.text(max_size=80))
def test_a_line_of_any_name_is_one_command(name: str) -> None:
    try:
        raw = write_command(f"bgapi originate {argument(name)}")
    except SwitchRefused:
        return
    assert raw.endswith(b"\n\n")
    assert raw.count(b"\n") == 2
    ((message),) = EslParser().feed(b"Content-Type: " + raw)
    assert message.body == b""


@pytest.mark.parametrize("word", ["reload mod_event_socket", "UNLOAD MOD_EVENT_SOCKET"])
def test_a_name_that_freeswitch_would_take_for_an_order_is_refused(word: str) -> None:
    with pytest.raises(SwitchRefused):
        write_command(f"bgapi originate {argument(word)}")
