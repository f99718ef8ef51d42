"""Whether audio comes from an answered far end: the packets that came, and `now`, in. No I/O.

A far end that suppresses silence may send comfort noise only (RFC 3389), which a PBX need not hand
on, or nothing but its reports (RTCP): before anything is called lost, the PBX is asked what it has
had from the trunk. Comfort noise comes seldom; what comes as often as audio, and is never heard, is
audio that gets lost between the PBX and us.
"""

from dataclasses import dataclass
from typing import Final, Literal

#: Seconds without a packet after which a PBX is asked that may be freed of what is stuck in it.
ASK_S: Final = 2.0
#: Seconds after the answer by which audio has come, or something is wrong.
UNHEARD_S: Final = 5.0
#: Seconds without a sign after which audio is lost. Reports come every 5 s, half as much sooner or
#: later (RFC 3550 section 6.2).
LOST_S: Final = 10.0
#: Packets a second: with 60 ms each, as long as they are made, audio has 16.7.
_NOISE: Final = 12.0


@dataclass(frozen=True)
class TrunkAudio:
    """What the PBX has had from the trunk so far."""

    packets: int
    reports: str | None = None
    """Changes with each report (RTCP) of the far end; None where the PBX does not tell of them."""


class AudioWatch:
    """Looked at about once a second.

    Args:
        now: seconds of a steady clock, as in every method; when the far end answered.
        ask_s: seconds without a packet after which the PBX is asked.
    """

    def __init__(self, now: float, ask_s: float = ASK_S) -> None:
        self._ask_s = ask_s
        self._received = 0
        self._since = self._begun = now
        self._asked: tuple[TrunkAudio, float] | None = None
        self._grew = False
        self._renewed = False
        self._unheard_told = False
        self.arriving = False
        """Whether audio came to the PBX, when it was asked last."""
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
        self._begun = now
        self.lost = False

    def look(self, received: int, now: float) -> Literal["ask", "restored"] | None:
        """Note how many packets of audio have come in all; "ask" for `trunk_received()`."""
        if received != self._received:
            self._received = received
            return self._heard(now)
        return "ask" if now - self._since >= self._ask_s else None

    def trunk_received(
        self, had: TrunkAudio | None, now: float
    ) -> Literal["renew", "unheard", "stopped", "lost", "restored"] | None:
        """Note what the PBX says; None where it cannot tell.

        "renew": what comes as often as audio, and is not handed on, may be stuck in the PBX.
        "unheard", or "stopped", once: no audio has come at all, or none any more.
        """
        before, self._asked = self._asked, None if had is None else (had, now)
        grew = often = False
        if had is not None and before is not None:
            last, at = before
            grew = had.packets > last.packets
            often = had.packets - last.packets >= _NOISE * (now - at)
            if often and self._received and not self._renewed:
                self._renewed = True
                return "renew"
            # One that has only just grown may be audio that begins.
            if grew and self._grew and (not often or self._received):
                self.comfort_noise = True
                self._since = now
                return self._restored()
            if had.reports != last.reports and not self.lost:
                self._since = now
        self._grew = grew
        self.arriving = often
        waited = now - max(self._since, self._begun) >= UNHEARD_S
        # A far end that sends comfort noise need not send any for long.
        if waited and (often or not grew) and not (self.comfort_noise or self._unheard_told):
            self._unheard_told = True
            return "stopped" if self._received else "unheard"
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
