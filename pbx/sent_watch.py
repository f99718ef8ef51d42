"""Whether the far end hears what is sent to it: its reports (RTCP), and `now`, in. No I/O.

Each of its reports has a block for every source that it has heard since the last one, with the
share of packets that it missed (RFC 3550 section 6.4). Where two in a row have none, or say that
nearly all were lost, we talk to nobody.
"""

from dataclasses import dataclass
from typing import Final

#: Seconds after the answer in which reports may be of the time before.
_EARLY_S: Final = 5.0
#: Share of the packets.
_NEARLY_ALL: Final = 0.9
_IN_A_ROW: Final = 2


@dataclass(frozen=True)
class FarEndReport:
    """One report."""

    hears: bool
    """Whether it has a block about what the PBX sends."""
    lost: float | None = None
    """Share of the packets since the last report, 0 to 1."""

    @property
    def unheard(self) -> bool:
        return not self.hears or (self.lost is not None and self.lost >= _NEARLY_ALL)


class SentWatch:
    """Takes an answered far end's reports.

    Args:
        now: seconds of a steady clock, as in every method; when it was answered.
    """

    def __init__(self, now: float) -> None:
        self._begun = now
        self._bad = 0

    def pause(self, now: float) -> None:
        """It is not expected to hear us: it has put us on hold, or talks with somebody else."""
        self._begun = now
        self._bad = 0

    def reported(self, report: FarEndReport, now: float) -> bool:
        """Note a report; whether the far end hears nothing of us."""
        if now - self._begun < _EARLY_S:
            return False
        self._bad = self._bad + 1 if report.unheard else 0
        return self._bad >= _IN_A_ROW
