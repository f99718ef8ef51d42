"""Who may be connected, without a socket."""

from ipaddress import ip_network

import pytest

from api.http.doorkeeper import STRANGERS_PER_MINUTE, Doorkeeper, Visitor, network_of
from api.http.proxies import Proxies

KEY = b"digest of a live key"
PROXY = "10.0.0.1"


class Door:
    """A doorkeeper, and what it closed."""

    def __init__(self, most: int, most_per_address: int) -> None:
        self.keeper = Doorkeeper(most, most_per_address, Proxies([ip_network("10.0.0.0/24")]))
        self.closed: list[Visitor] = []

    def come(self, host: str) -> Visitor:
        visitor = self.keeper.let_in(host)
        assert visitor is not None
        visitor.close = lambda: self.closed.append(visitor)
        return visitor


def test_the_oldest_stranger_of_an_address_makes_room_for_the_next() -> None:
    door = Door(100, 3)
    other = door.come("192.0.2.2")
    first, second, _ = (door.come("192.0.2.1") for _ in range(3))
    door.come("192.0.2.1")
    door.come("192.0.2.1")
    assert door.closed == [first, second]
    assert len(door.keeper) == 4
    door.keeper.leave(first)  # told again when its socket is closed
    assert len(door.keeper) == 4
    assert other not in door.closed


def test_who_has_shown_a_key_makes_room_for_nobody() -> None:
    door = Door(100, 2)
    known, second = door.come("192.0.2.1"), door.come("192.0.2.1")
    door.keeper.vouch(known, KEY)
    door.come("192.0.2.1")
    assert door.closed == [second]
    door = Door(100, 2)
    for visitor in (door.come("192.0.2.1"), door.come("192.0.2.1")):
        door.keeper.vouch(visitor, KEY)
    assert door.keeper.let_in("192.0.2.1") is None
    assert door.closed == []


def test_where_all_is_full_the_most_crowded_address_makes_room() -> None:
    door = Door(4, 3)
    crowd = [door.come("192.0.2.1") for _ in range(3)]
    lone = door.come("192.0.2.2")
    door.come("192.0.2.3")
    assert door.closed == [crowd[0]]
    for visitor in (*crowd, lone):
        door.keeper.leave(visitor)
    door.come("192.0.2.4")
    assert door.closed == [crowd[0]]
    assert len(door.keeper) == 2


def test_connections_of_a_proxy_are_only_counted_in_all() -> None:
    door = Door(5, 1)
    for _ in range(5):
        door.come(PROXY)
    assert door.closed == []
    door.come("192.0.2.1")
    assert len(door.closed) == 1


def test_strangers_are_listened_to_only_so_often() -> None:
    door = Door(10_000, 10_000)
    heard = [door.keeper.hear(door.come("192.0.2.1"), None, 0.0) for _ in range(700)]
    assert heard.count(True) == STRANGERS_PER_MINUTE
    assert door.keeper.hear(door.come("192.0.2.2"), None, 0.0)
    assert door.keeper.hear(door.come(PROXY), None, 0.0)
    assert door.keeper.hear(door.come("192.0.2.1"), None, 1.0)


def test_a_flood_without_keys_or_with_made_up_ones_stops_no_key_that_is_known() -> None:
    door = Door(10_000, 10_000)
    for _ in range(700):
        door.keeper.hear(door.come("192.0.2.1"), None, 0.0)
    newcomer = door.come("192.0.2.1")
    assert door.keeper.hear(newcomer, KEY, 0.0)
    door.keeper.vouch(newcomer, KEY)
    for _ in range(700):
        door.keeper.hear(door.come("192.0.2.1"), b"made up", 0.0)
    assert not door.keeper.hear(door.come("192.0.2.1"), b"another", 0.0)
    assert door.keeper.hear(door.come("192.0.2.1"), KEY, 0.0)
    door.keeper.doubt(KEY)
    assert not door.keeper.hear(door.come("192.0.2.1"), KEY, 0.0)


def test_connections_with_live_keys_do_not_count() -> None:
    door = Door(10_000, 10_000)
    for number in range(2 * STRANGERS_PER_MINUTE):
        visitor, key = door.come("192.0.2.1"), str(number).encode()
        assert door.keeper.hear(visitor, key, 0.0)
        door.keeper.vouch(visitor, key)
        door.keeper.leave(visitor)
    assert len(door.keeper) == 0


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("", ""),
    ],
)
def test_an_ipv6_host_is_its_network(host: str, network: str) -> None:
    assert network_of(host) == network
