"""The UDP ports that we have FreeSWITCH bind for its end of the audio."""

import random

from pbx.switch import SwitchRefused


class UnicastPorts:
    """Hands out each port of a range in turn, so that one given back rests the longest.

    The first is any: an Offhook that ran before this one may have left calls on its own.

    Args:
        first: the lowest port.
        last: the highest.
    """

    def __init__(self, first: int, last: int) -> None:
        self._first = first
        self._count = last - first + 1
        self._next = random.randrange(self._count)
        self._owners: dict[int, str] = {}

    def take(self, owner: str) -> int:
        """A port that nobody has. Raises SwitchRefused when there is none."""
        for _ in range(self._count):
            port = self._first + self._next
            self._next = (self._next + 1) % self._count
            if port not in self._owners:
                self._owners[port] = owner
                return port
        raise SwitchRefused(
            "every port between pbx.esl.unicast_port_min and pbx.esl.unicast_port_max is in use"
        )

    def give_back(self, owner: str) -> None:
        """Take all of the owner's ports back."""
        self._owners = {port: one for port, one in self._owners.items() if one != owner}
