"""What an operator may have a PBX dial, and that nothing filled in reaches beyond its place."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.dial_string import DEFAULTS, Way, check_dial_string, is_uri, pjsip_parts
from pbx.switch import Dial, SwitchRefused
from pbx.values import check_dial, check_dialled, check_way

ID = "offhook-00000000-0000-4000-8000-000000000000"
ASTERISK = [
    "PJSIP/{number}@{trunk}",
    "PJSIP/1234#{number}@carrier",
    "PJSIP/{trunk}/sip:{number}@10.0.0.1:5070;transport=tcp",
    "SIP/{trunk}/{number}",
    "IAX2/{trunk}/{number}",
    "DAHDI/g0/{number}",
    "Local/{number}@from-internal/n",
]
FREESWITCH = [
    "sofia/gateway/{trunk}/{number}",
    "sofia/internal/{number}@10.0.0.1",
    "loopback/{number}/default",
    "user/{number}@pbx.example",
]


@pytest.mark.parametrize("template", ASTERISK)
def test_asterisk_dials_so(template: str) -> None:
    assert check_dial_string(template) == "asterisk"
    check_way(Way("My Trunk", template), "asterisk")


@pytest.mark.parametrize("template", FREESWITCH)
def test_freeswitch_dials_so(template: str) -> None:
    assert check_dial_string(template) == "freeswitch"
    with pytest.raises(SwitchRefused, match="another kind"):
        check_way(Way("trunk", template), "asterisk")


@pytest.mark.parametrize(
    "template",
    [
        "",
        "{number}",
        "Console/{number}",
        "PJSIP/1@trunk",
        "PJSIP/{number}{number}@trunk",
        "PJSIP/{number}@{host}",
        "PJSIP/{number}@a&PJSIP/9@a",
        "PJSIP/{number}@a,30,G(x^s^1)",
        "PJSIP/{number}@a|30",
        "PJSIP/${SHELL(id)}{number}@a",
        "PJSIP/{number}@a\nAction: Originate",
        "Local/{number}",
        "Local/{number}@from-internal",
        "Local/{number}@from-internal/n/m",
        "sofia/gateway/{trunk}/{number} &park()",
        "[a=b]sofia/gateway/{trunk}/{number}",
        "sofia/gateway/{trunk}/{number}'",
        "PJSIP/{number}@" + "a" * 200,
    ],
)
def test_what_is_no_dial_string(template: str) -> None:
    with pytest.raises(ValueError, match=r"must|may"):
        check_dial_string(template)


def test_freeswitch_has_no_names_with_spaces() -> None:
    check_way(Way("My Trunk", DEFAULTS["asterisk"]), "asterisk")
    with pytest.raises(SwitchRefused):
        check_way(Way("My Trunk", DEFAULTS["freeswitch"]), "freeswitch")


@given(st.text(alphabet=string.printable, min_size=1, max_size=42), st.sampled_from(ASTERISK))
def test_a_number_stays_a_number(number: str, template: str) -> None:
    """What passes the checks adds no character to the dial string that means something there."""
    try:
        check_dial(Dial(ID, number))
    except SwitchRefused:
        return
    if is_uri(number):
        return
    assert not set(number) - set("+*#0123456789")
    filled = Way("trunk", template).fill(number)
    for char in "&@/,;|()[]{}$ ":
        assert filled.count(char) == Way("trunk", template).fill("").count(char)


BOB = "sip:bob@pbx.example:5070"


@pytest.mark.parametrize(
    ("template", "dialled"),
    [
        ("PJSIP/{number}@{trunk}", f"PJSIP/west/{BOB}"),
        ("PJSIP/77#{number}@carrier", f"PJSIP/carrier/{BOB}"),
        ("sofia/gateway/{trunk}/{number}", "sofia/gateway/west/bob@pbx.example:5070"),
        ("sofia/internal/{number}@10.0.0.1", f"sofia/internal/{BOB}"),
        ("sofia/internal/{number}", f"sofia/internal/{BOB}"),
    ],
)
def test_a_uri_goes_to_its_own_host_by_the_trunk(template: str, dialled: str) -> None:
    check_dial(Dial(ID, BOB))
    assert Way("west", template).fill(BOB) == dialled
    if template.startswith("PJSIP"):
        parts = pjsip_parts(dialled)
        assert parts is not None
        assert f"PJSIP/{'@'.join(parts)}" == dialled


@pytest.mark.parametrize(
    "template",
    [
        "Local/{number}@from-internal/n",
        "SIP/{trunk}/{number}",
        "DAHDI/g0/{number}",
        "PJSIP/{number}",
        "loopback/{number}/default",
        "user/{number}",
    ],
)
def test_a_way_that_takes_no_uri_says_so(template: str) -> None:
    with pytest.raises(SwitchRefused, match="takes no SIP URI"):
        check_dialled(Way("west", template), BOB)
    with pytest.raises(SwitchRefused, match="takes no sips: URI"):
        check_dialled(Way("west", DEFAULTS["freeswitch"]), "sips:bob@pbx.example")


@given(
    st.text(alphabet=string.printable, max_size=20),
    st.text(alphabet=string.printable, max_size=20),
    st.sampled_from(["sip:", "sips:", "SIP:", ""]),
)
def test_a_uri_stays_a_user_at_a_host(user: str, host: str, scheme: str) -> None:
    """What passes the checks adds no character to the dial string that means something there."""
    uri = f"{scheme}{user}@{host}"
    try:
        check_dial(Dial(ID, uri))
    except SwitchRefused:
        return
    assert not set(user + host) & set("&@/,;|()[]{}<>$%?!'\"\\ \r\n\t")
    assert len(uri) <= 128


@given(st.text(alphabet=string.printable, min_size=1, max_size=64))
def test_a_trunk_stays_a_name(name: str) -> None:
    try:
        check_way(Way(name, DEFAULTS["asterisk"]), "asterisk")
    except SwitchRefused:
        return
    assert not set(name) & set("&@/,;|()[]{}$\r\n\t")
    assert pjsip_parts(Way(name, DEFAULTS["asterisk"]).fill("+1")) == ("+1", name)


def test_what_a_way_goes_by() -> None:
    asterisk = Way("My Trunk", "PJSIP/{number}@{trunk}")
    assert (asterisk.endpoint, asterisk.context, asterisk.gateway) == ("My Trunk", None, None)
    other = Way("ours", "PJSIP/00{number}@theirs")
    assert other.endpoint == "theirs"
    local = Way("trunk", "Local/{number}@from-internal/n")
    assert (local.endpoint, local.context) == (None, "from-internal")
    assert Way("trunk", "PJSIP/{number}").endpoint is None
    assert Way("gw", "sofia/gateway/{trunk}/{number}").gateway == "gw"
    assert Way("gw", "user/{number}").gateway is None
