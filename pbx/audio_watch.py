"""Whether audio comes from an answered far end: the packets that came, and `now`, in. No I/O.

A far end that suppresses silence may send comfort noise only (RFC 3389), which a PBX need not hand
on: before anything is called lost, the PBX is asked how much it has had from the trunk. Comfort
noise comes seldom; what comes as often as audio, and is never heard, is audio that gets lost
between the PBX and us.
"""

from typing import Final, Literal

#: Seconds without a packet after which the PBX is asked, and after which audio is lost.
ASK_S: Final = 2.0
LOST_S: Final = 5.0
#: Packets a second: with 60 ms each, as long as they are made, audio has 16.7.
_NOISE: Final = 12.0


class AudioWatch:
    """Looked at about once a second.

    Args:
        now: seconds of a steady clock, as in every method; when the far end answered.
    """

    def __init__(self, now: float) -> None:
        self._received = 0
        self._since = now
        self._asked: tuple[int, float] | None = None
        self._grew = False
        self._renewed = False
        self.lost = False
        self.comfort_noise = False
        """Whether there was such."""

    @property
    def since(self) -> float:
        """When there was a sign of the far end last."""
        return self._since

    def pause(self, now: float) -> None:
        """Nothing is expected now: it is on hold, or talks with somebody else."""
        self._heard(now)
        self.lost = False

    def look(self, received: int, now: float) -> Literal["ask", "restored"] | None:
        """Note how many packets of audio have come in all; "ask" for `trunk_received()`."""
        if received != self._received:
            self._received = received
            return self._heard(now)
        return "ask" if now - self._since >= ASK_S else None

    def trunk_received(
        self, packets: int | None, now: float
    ) -> Literal["renew", "lost", "restored"] | None:
        """Note how many the PBX has had from the trunk in all; None where it cannot tell.

        "renew": what comes as often as audio, and is not handed on, may be stuck in the PBX.
        """
        before, self._asked = self._asked, None if packets is None else (packets, now)
        grew = packets is not None and before is not None and packets > before[0]
        if grew and before is not None and packets is not None:
            often = packets - before[0] >= _NOISE * (now - before[1])
            if often and self._received and not self._renewed:
                self._renewed = True
                return "renew"
            if (not often or self._received) and self._grew:  # not audio that only just begins
                self.comfort_noise = True
                self._since = now
                return self._restored()
        self._grew = grew
        if self.lost or now - self._since < LOST_S:
            return None
        self.lost = True
        return "lost"

    def _heard(self, now: float) -> Literal["restored"] | None:
        self._since = now
        self._asked = None
        self._grew = self._renewed = False
        return self._restored()

    def _restored(self) -> Literal["restored"] | None:
        was_lost, self.lost = self.lost, False
        return "restored" if was_lost else None
