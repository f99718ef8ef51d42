"""SIP URIs as destinations: what is one, and which an operator's rule is of."""

import re

import pytest

from api.base.sip_uris import PATTERN, fits_uri, is_sip_uri, names_sip_uri, read_sip_uri
from pbx.dial_string import is_uri

_PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.~*+-"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("sip:bob@pbx.example", "sip:bob@pbx.example"),
        (" SIP:Bob.Smith@PBX.Example:5070 ", "sip:Bob.Smith@pbx.example:5070"),
        ("sips:a-b_c~d*e+f@10.0.0.5", "sips:a-b_c~d*e+f@10.0.0.5"),
        ("sip:200@localhost", "sip:200@localhost"),
    ],
)
def test_a_uri_of_a_user_and_a_host_is_read(written: str, read: str) -> None:
    assert read_sip_uri(written) == read
    assert names_sip_uri(written)
    assert is_sip_uri(read)
    assert is_uri(read)  # and so says the PBX's side
    assert read_sip_uri(read) == read


@pytest.mark.parametrize(
    "written",
    [
        "sip:pbx.example",
        "sip:@pbx.example",
        "sip:bob@",
        "sip:bob:secret@pbx.example",
        "sip:bob@pbx.example;transport=tcp",
        "sip:bob@pbx.example?Subject=x",
        "sip:bob;maddr=192.0.2.1@pbx.example",
        "sip:bob%0d%0a@pbx.example",
        "sip:bob@pbx.example\r\nAction: Hangup",
        "sip:bo b@pbx.example",
        "sip:bob@a.example@b.example",
        "sip:bob@a.example/n",
        "sip:bob@a.example&PJSIP",
        "sip:bob@a.example,30",
        "sip:bob@a.example|x",
        "sip:${SHELL(id)}@a.example",
        "sip:b'ob@a.example",
        'sip:"bob"@a.example',
        "<sip:bob@a.example>",
        "sip:bob@-a.example",
        "sip:bob@a..example",
        "sip:bob@a.example.",
        "sip:bob@[2001:db8::1]",
        "sip:bob@a.example:0",
        "sip:bob@a.example:65536",
        "sip:b\u00f6b@a.example",
        "sip:bob@\u0430.example",
        "sip:\u0661\u0662@a.example",
        f"sip:{'b' * 65}@a.example",
        f"sip:bob@{'a' * 60}.{'b' * 60}.example",
        "tel:+15551234567",
    ],
)
def test_what_is_more_than_that_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="must"):
        read_sip_uri(written)


@pytest.mark.parametrize("character", sorted(set(map(chr, range(128))) - set(_PLAIN)))
def test_nothing_that_means_more_to_a_pbx_is_in_a_uri(character: str) -> None:
    for written in (f"sip:b{character}b@a.example", f"sip:bob@a.example{character}b"):
        assert not is_uri(written)
        with pytest.raises(ValueError, match="must"):
            read_sip_uri(written)


@pytest.mark.parametrize(
    "user", ["+15551234567", "+1", "0019005551234", "900-555-1234", "*67155512"]
)
def test_a_telephone_number_is_called_as_one(user: str) -> None:
    with pytest.raises(ValueError, match="call it as a number"):
        read_sip_uri(f"sip:{user}@a.example")


@pytest.mark.parametrize(
    ("uri", "rule", "fits"),
    [
        ("sip:bob@pbx.example", "pbx.example", True),
        ("sips:bob@pbx.example", "PBX.example", True),
        ("sip:bob@pbx.example", "*.example", True),
        ("sip:bob@a.b.office.example", "*.office.example", True),
        ("sip:bob@office.example", "*.office.example", False),
        ("sip:bob@evil-office.example", "*.office.example", False),
        ("sip:bob@pbx.example.evil", "pbx.example", False),
        ("sip:bob@pbx.example:5070", "pbx.example", False),
        ("sip:bob@pbx.example:5070", "*.example:5070", True),
        ("sip:bob@pbx.example", "pbx.example:5070", False),
        ("sip:200@pbx.example", "pbx.example", False),
        ("sip:*72@pbx.example", "pbx.example", False),
        ("sip:200@pbx.example", "2XX@pbx.example", True),
        ("sip:300@pbx.example", "2XX@pbx.example", False),
        ("sip:200@other.example", "2XX@pbx.example", False),
        ("sip:bob@pbx.example", "bob@pbx.example", True),
        ("sip:Bob@pbx.example", "bob@pbx.example", False),
        ("sip:200@pbx.example", "*@pbx.example", True),
        ("sip:200@pbx.example", "*@*.example", True),
    ],
)
def test_which_rule_is_of_which_uri(uri: str, rule: str, fits: bool) -> None:
    assert re.match(PATTERN, rule)
    assert fits_uri(read_sip_uri(uri), rule) is fits


@pytest.mark.parametrize("rule", ["*", "", "a b.example", "*x.example", "sip:bob@a.example", "@a"])
def test_what_is_no_rule(rule: str) -> None:
    assert not re.match(PATTERN, rule)
