"""What the log tells of an attempt: a line when it is placed, rings, is answered, ends; its end is
counted, too.

No numbers, no words; `docs/calls.md` has their form.
"""

import json
import logging
from typing import Final

from api.resources.attempt import Ended
from api.resources.claim import Claim
from api.telemetry.meter import Meter

log = logging.getLogger(__name__)

#: What of the media's figures is told, and by which name.
_MEDIA: Final = {
    "received": "packets_received",
    "sent": "packets_sent",
    "lost": "lost",
    "jitter_ms": "jitter_ms",
    "concealed_frames": "concealed",
}


class CallLog:
    """Tells the steps of one attempt, each of them once."""

    def __init__(self, claim: Claim, meter: Meter) -> None:
        self._call = claim.call
        self._attempt = claim.attempt
        self._meter = meter
        self._rang = False
        self._sip_call_id = claim.attempt.sip_call_id

    def placed(self) -> None:
        """The PBX is about to be told, or has brought it."""
        self._tell(
            "placed",
            direction=self._call.direction,
            trunk=self._attempt.trunk,
            channel=self._attempt.channel_id,
        )
        if self._call.direction != "outbound":
            self.ringing(None)

    def ringing(self, sip_call_id: str | None) -> None:
        """It rings, or the network plays audio; the second time, nothing is told."""
        self._sip_call_id = sip_call_id or self._sip_call_id
        if not self._rang:
            self._rang = True
            self._tell("ringing", trunk=self._attempt.trunk, sip_call_id=self._sip_call_id)

    def answered(self, sip_call_id: str | None) -> None:
        """Somebody, or something, picked up."""
        self._sip_call_id = sip_call_id or self._sip_call_id
        self._tell("answered", trunk=self._attempt.trunk, sip_call_id=self._sip_call_id)

    def ended(self, ended: Ended, answered_at: float | None) -> None:
        """It is over, and on disk."""
        direction, placed_at = self._call.direction, self._attempt.created_at
        self._meter.attempt_over(direction, ended, placed_at, answered_at)
        cause, media = ended.cause, ended.media or {}
        talked_s = 0.0 if answered_at is None else max(0.0, ended.at - answered_at)
        self._tell(
            "ended",
            status=cause.state,
            end_reason=ended.end_reason,
            cause=cause.name,
            q850=cause.q850,
            sip_code=cause.sip_code,
            trunk=self._attempt.trunk,
            sip_call_id=cause.sip_call_id or self._sip_call_id,
            answered_s=round(talked_s, 2),
            **{name: media.get(field) for field, name in _MEDIA.items()},
        )

    def _tell(self, step: str, **facts: str | float | None) -> None:
        told = " ".join(f"{name}={_written(value)}" for name, value in facts.items())
        log.info("call %s: %s attempt=%d %s", self._call.id, step, self._attempt.number, told)


def _written(value: str | float | None) -> str:
    """A value of one word: what comes from a far end may be anything."""
    if value is None:
        return "-"
    text = str(value)
    return text if text.isprintable() and not set(text) & set(' "') else json.dumps(text)
