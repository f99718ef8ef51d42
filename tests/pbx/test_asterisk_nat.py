"""Which addresses of a call tell of a NAT."""

import pytest

from pbx.asterisk.nat import behind_nat, host_of

INSIDE, OUTSIDE, OTHER = "192.168.1.20:4000", "93.184.215.14:4000", "8.8.8.8:5060"


@pytest.mark.parametrize(
    ("media", "signalling", "local", "told"),
    [
        (INSIDE, OTHER, INSIDE, "behind its NAT, while its SIP is at 8.8.8.8:5060"),
        (INSIDE, "", OUTSIDE, "behind its NAT, while we are outside"),
        (OUTSIDE, OTHER, INSIDE, "external_media_address"),
        (OUTSIDE, "", INSIDE, "external_media_address"),
    ],
)
def test_an_address_of_the_wrong_network(
    media: str, signalling: str, local: str, told: str
) -> None:
    assert told in (behind_nat(media, signalling, local) or "")


@pytest.mark.parametrize(
    ("media", "signalling", "local"),
    [
        (INSIDE, INSIDE, INSIDE),
        (OUTSIDE, OTHER, OUTSIDE),
        (INSIDE, "", INSIDE),
        ("", OTHER, INSIDE),
        (INSIDE, "sbc.example:0", INSIDE),
        ("", "", ""),
    ],
)
def test_where_nothing_speaks_for_a_nat(media: str, signalling: str, local: str) -> None:
    assert behind_nat(media, signalling, local) is None


@pytest.mark.parametrize(
    ("uri", "host"),
    [
        ("sip:sipp@127.0.1.1:33416", "127.0.1.1:0"),
        ("<sip:8.8.8.8;transport=tcp>", "8.8.8.8:0"),
        ("sips:a@[2001:db8::1]:5061", "[2001:db8::1]:0"),
        ("sip:+1555@sbc.example", "sbc.example:0"),
        ("tel:+1555", ""),
        ("", ""),
    ],
)
def test_the_host_of_a_uri(uri: str, host: str) -> None:
    assert host_of(uri) == host
