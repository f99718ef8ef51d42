"""Addresses as people and sockets write them."""

import socket

import pytest

from api.settings import load_settings
from pbx.addresses import bracketed, is_private, plain_address, unbracketed
from pbx.own_address import local_address


@pytest.mark.parametrize("host", ["[::1]", "::1"])
def test_settings_take_an_address_with_and_without_brackets(host: str) -> None:
    keys = ("PBX__AMI__HOST", "PBX__FASTAGI__HOST", "PBX__ESL__HOST", "RTP__BIND", "RTP__ADVERTISE")
    settings = load_settings(None, {f"OFFHOOK_{key}": host for key in keys})
    pbx, rtp = settings.pbx, settings.rtp
    told = (pbx.ami.host, pbx.fastagi.host, pbx.esl.host, rtp.bind, rtp.advertise)
    assert told == ("::1",) * 5
    assert pbx.fastagi.on_loopback


def test_a_host_before_a_port() -> None:
    assert bracketed("2001:db8::1") == "[2001:db8::1]"
    assert bracketed("pbx.example.org") == unbracketed("pbx.example.org") == "pbx.example.org"


def test_ipv4_that_came_to_a_socket_of_ipv6_is_ipv4() -> None:
    assert str(plain_address("::ffff:192.0.2.7")) == "192.0.2.7"
    assert str(plain_address("2001:db8::7")) == "2001:db8::7"


def test_the_address_that_faces_the_pbx() -> None:
    assert local_address("127.0.0.1", 5038) == "127.0.0.1"
    assert local_address("localhost", 5038) in ("127.0.0.1", "::1")
    everywhere = "::" if socket.has_dualstack_ipv6() else "0.0.0.0"
    assert local_address("no-such-host.invalid", 5038) == everywhere


@pytest.mark.parametrize(
    ("endpoint", "private"),
    [
        ("192.168.1.20:4000", True),
        ("127.0.0.1:4000", True),
        ("[fd00::1]:4000", True),
        ("93.184.215.14:4000", False),
        ("[2606:4700::1]:4000", False),
        ("", None),
        ("pbx.example:5060", None),
        ("4000", None),
    ],
)
def test_which_addresses_are_behind_a_nat(endpoint: str, private: bool | None) -> None:
    assert is_private(endpoint) is private
