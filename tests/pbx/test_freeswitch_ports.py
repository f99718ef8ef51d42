"""The UDP ports of `unicast`: each is one call's at a time, and rests as long as can be."""

import pytest

from pbx.freeswitch.ports import UnicastPorts
from pbx.switch import SwitchRefused


def test_every_port_is_handed_out_once() -> None:
    ports = UnicastPorts(20000, 20009)
    assert {ports.take("a") for _ in range(10)} == set(range(20000, 20010))
    with pytest.raises(SwitchRefused, match=r"pbx\.esl\.unicast_port_min"):
        ports.take("b")


def test_a_port_that_is_given_back_rests_the_longest() -> None:
    ports = UnicastPorts(20000, 20004)
    first = ports.take("a")
    ports.give_back("a")
    others = [ports.take("b") for _ in range(4)]
    assert first not in others
    assert ports.take("c") == first


def test_only_its_owner_gives_a_port_back() -> None:
    ports = UnicastPorts(20000, 20001)
    kept = ports.take("a")
    ports.take("b")
    ports.give_back("b")
    ports.give_back("nobody")
    assert ports.take("c") != kept
    with pytest.raises(SwitchRefused):
        ports.take("d")


def test_all_ports_of_an_owner_come_back() -> None:
    ports = UnicastPorts(20000, 20001)
    assert {ports.take("a"), ports.take("a")} == {20000, 20001}
    ports.give_back("a")
    assert {ports.take("b"), ports.take("b")} == {20000, 20001}


def test_it_does_not_always_begin_with_the_same_port() -> None:
    assert len({UnicastPorts(20000, 21999).take("a") for _ in range(20)}) > 1
