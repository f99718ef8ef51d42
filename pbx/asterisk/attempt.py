"""One attempt as Asterisk's manager events tell it: events and `now` in, progress out. No I/O.

An outbound attempt is a UnicastRTP channel (the *media leg*, whose unique id we choose) that runs
Dial; Dial makes the *far leg*, a PJSIP channel, under the same Linkedid. An inbound attempt is
the other way round: the far leg is there first and dials the media leg. Both end when both legs
have hung up. Asterisk tells what the network answered in `HangupRequest` and `Hangup` of the far
leg (`Cause` is Q.850, `TechCause` the SIP response), the rest in `DialBegin`, `DialState` and
`DialEnd`. Whatever the PBX fails to say in time is forced by deadlines, so that every attempt
ends exactly once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pbx import causes
from pbx.attempt import CloseMedia, ConnectMedia
from pbx.switch import (
    Answered,
    Cause,
    Dialing,
    Digit,
    EarlyMedia,
    Ended,
    Progress,
    Ringing,
)

Event = Mapping[str, str]
"""One manager event: header to value."""

#: Seconds from the originate until Dial must have begun.
_START_S: Final = 10.0
#: Seconds that Dial may take beyond the ring timeout that it was given.
_RING_GRACE_S: Final = 5.0
#: Seconds for a hang-up to take effect before it is asked for again, and how often.
_HANG_UP_S: Final = 4.0
_HANG_UP_TRIES: Final = 3
#: Seconds to wait for the far leg's own word when the media leg is gone already.
_LAST_WORD_S: Final = 1.0


@dataclass(frozen=True)
class HangUpChannel:
    """Ask the PBX to hang that channel up."""

    channel: str


@dataclass(frozen=True)
class AskCallId:
    """Ask the PBX for the SIP Call-ID of that channel; answer with `call_id()`."""

    channel: str


Output = Progress | ConnectMedia | CloseMedia | HangUpChannel | AskCallId
Phase = Literal["starting", "dialing", "answered", "over"]


class AttemptCore:
    """The life of one attempt.

    Args:
        id: unique id of the channel that began it, and the Linkedid of all of its channels.
        now: seconds of a steady clock, as in every method.
        epoch: what to add to that clock for Unix seconds.
        ring_timeout_s: what Dial was told.
        far_channel: for an inbound attempt, the caller's channel name.
    """

    def __init__(
        self,
        id: str,  # noqa: A002 - the interface's word
        now: float,
        epoch: float,
        *,
        ring_timeout_s: float = 30,
        far_channel: str | None = None,
    ) -> None:
        self.id = id
        self._epoch = epoch
        self._ring_timeout_s = ring_timeout_s
        self._inbound = far_channel is not None
        self._outputs: list[Output] = []
        self._phase: Phase = "starting"
        self._deadline: float | None = now + _START_S
        self._media_channel: str | None = None
        self._media_host: str | None = None
        self._media_gone = False
        self._far_id: str | None = id if self._inbound else None
        self._far_channel = far_channel
        self._far_gone = False
        self._ringing = False
        self._early = False
        self._dial_status: str | None = None
        self._q850: int | None = None
        self._sip_code: int | None = None
        self._call_id: str | None = None
        self._hang_ups = 0
        self._wanted_over = False
        self._complaint: str | None = None
        if far_channel is not None:
            self._outputs.append(AskCallId(far_channel))

    @property
    def over(self) -> bool:
        return self._phase == "over"

    @property
    def answered(self) -> bool:
        """Whether the far end talks to us now."""
        return self._phase == "answered" and not self._far_gone

    @property
    def far_channel(self) -> str | None:
        """Name of the trunk's channel, once there is one."""
        return self._far_channel

    @property
    def far_gone(self) -> bool:
        return self._far_gone

    @property
    def deadline(self) -> float | None:
        """When to call `on_deadline`, or None."""
        return self._deadline

    def take(self) -> list[Output]:
        """What has come of the calls since the last `take()`."""
        outputs, self._outputs = self._outputs, []
        return outputs

    def on_event(self, event: Event, now: float) -> None:
        """Digest one event of this attempt's Linkedid; others' are not for here."""
        if self.over:
            return
        match event.get("Event"):
            case "Newchannel" | "VarSet":
                self._on_media_leg(event)
            case "DialBegin":
                self._on_dial_begin(event, now)
            case "DialState":
                self._on_dial_state(event, now)
            case "DialEnd":
                self._on_dial_end(event, now)
            case "Newstate":
                if event.get("ChannelStateDesc") == "Up" and self._is_far(event):
                    self._answer(now)
            case "DTMFEnd":
                self._on_digit(event, now)
            case "HangupRequest" if self._is_far(event):
                self._note_cause(event)
            case "Hangup":
                self._on_hang_up(event, now)
            case _:
                pass

    def call_id(self, value: str) -> None:
        """The answer to `AskCallId`."""
        self._call_id = value or self._call_id

    def hang_up(self, now: float) -> None:
        """End it: cancels while ringing. Does nothing once it was asked for, or is over."""
        if not self.over and not self._wanted_over:
            self._wanted_over = True
            self._force(now)

    def fail(self, message: str, now: float) -> None:
        """Hang it up because of something on our side; `message` says what."""
        if not self.over and self._complaint is None:
            self._complaint = message
            self._force(now)

    def lose(self, message: str, now: float) -> None:
        """It is gone and nobody can tell how; `message` says what is known."""
        if not self.over:
            self._end(causes.lost(message, self._call_id), now)

    def reconcile(self, channels: Iterable[Event], now: float) -> None:
        """Catch up after a lost link.

        Args:
            channels: `CoreShowChannel` events of this Linkedid: what lives now.
            now: as always.
        """
        if self.over or self._media_gone:
            return
        living = list(channels)
        media = [one for one in living if one.get("Channel", "").startswith("UnicastRTP/")]
        far = [one for one in living if one not in media]
        if not media and far and self._inbound and self._media_channel is None:
            return  # the caller's channel has not dialled us yet
        if not media:
            self.lose("The call ended on the PBX while its manager link was down.", now)
            for one in far:
                self._outputs.append(HangUpChannel(one.get("Channel", "")))
            return
        self._media_channel = media[0].get("Channel")
        if far:
            self._adopt_far(far[0].get("Uniqueid"), far[0].get("Channel"), now)
            if far[0].get("ChannelStateDesc") == "Ringing":
                self._ring(now)
            elif far[0].get("ChannelStateDesc") == "Up":
                self._answer(now)
        if self._wanted_over:
            self._hang_ups = 0
            self._force(now)

    def on_deadline(self, now: float) -> None:
        """Force what did not come by itself."""
        if self.over or self._deadline is None or now < self._deadline:
            return
        if self._media_gone:
            self._finish(now)
        elif self._hang_ups >= _HANG_UP_TRIES:
            self.lose("The PBX did not confirm the hang-up; the call was given up.", now)
        else:
            if self._before_answer and not self._far_gone and self._hang_ups == 0:
                self._complaint = (
                    "Asterisk did not begin to dial in time."
                    if self._phase == "starting"
                    else "Asterisk did not end the dialling in time."
                )
            self._force(now)

    def _on_media_leg(self, event: Event) -> None:
        if not event.get("Channel", "").startswith("UnicastRTP/"):
            return
        self._media_channel = event.get("Channel")
        value = event.get("Value", "")
        if event.get("Variable") == "UNICASTRTP_LOCAL_ADDRESS":
            self._media_host = value
        elif event.get("Variable") == "UNICASTRTP_LOCAL_PORT" and self._media_host:
            self._outputs.append(ConnectMedia(self._media_host, _number(value) or 0))

    def _on_dial_begin(self, event: Event, now: float) -> None:
        # The originate itself is told as a DialBegin of the media leg, without a caller.
        if not self._inbound and event.get("Uniqueid") == self.id:
            self._adopt_far(event.get("DestUniqueid"), event.get("DestChannel"), now)

    def _adopt_far(self, unique_id: str | None, channel: str | None, now: float) -> None:
        if self._far_id is not None or not unique_id or not channel:
            return
        self._far_id, self._far_channel = unique_id, channel
        if self._phase == "starting":
            self._phase = "dialing"
            if not self._wanted_over:
                self._deadline = now + self._ring_timeout_s + _RING_GRACE_S
            self._tell(Dialing(now + self._epoch))
        self._outputs.append(AskCallId(channel))

    def _on_dial_state(self, event: Event, now: float) -> None:
        if not self._is_far(event):
            return
        if event.get("DialStatus") == "RINGING":
            self._ring(now)
        elif event.get("DialStatus") == "PROGRESS" and not self._early and self._before_answer:
            self._early = True
            self._tell(EarlyMedia(now + self._epoch))

    def _on_dial_end(self, event: Event, now: float) -> None:
        if self._is_far(event):
            self._dial_status = event.get("DialStatus")
            if self._dial_status == "ANSWER":
                self._answer(now)

    def _on_digit(self, event: Event, now: float) -> None:
        # It fires for both legs; what came from the far end is `Received` on the far leg.
        digit = event.get("Digit", "")
        if event.get("Direction") == "Received" and self._is_far(event) and len(digit) == 1:
            duration_ms = _number(event.get("DurationMs", "")) or 0
            self._tell(Digit(now + self._epoch, digit, duration_ms))

    def _on_hang_up(self, event: Event, now: float) -> None:
        if event.get("Channel", "").startswith("UnicastRTP/"):
            self._media_gone = True
            self._outputs.append(CloseMedia())
            if self._far_id is None:
                self._note_cause(event)
        elif self._is_far(event):
            self._far_gone = True
            self._note_cause(event)
        else:
            return
        if self._inbound and self._far_gone and self._media_channel is None:
            self._media_gone = True
        if self._media_gone and (self._far_gone or self._far_id is None):
            self._finish(now)
        elif self._media_gone:
            self._deadline = now + _LAST_WORD_S
        elif self._far_gone:
            # Dial ends by itself now; the deadline is for the day when it does not.
            self._deadline = now + _HANG_UP_S

    def _note_cause(self, event: Event) -> None:
        self._q850 = self._q850 or _number(event.get("Cause", ""))
        self._sip_code = self._sip_code or _number(event.get("TechCause", ""))

    def _is_far(self, event: Event) -> bool:
        """Whether the event is about the far leg (as a dialled leg, or by itself)."""
        if self._far_id is None:
            return False
        if "DestUniqueid" in event:
            return event["DestUniqueid"] == self._far_id
        return event.get("Uniqueid") == self._far_id

    @property
    def _before_answer(self) -> bool:
        return self._phase in ("starting", "dialing")

    def _ring(self, now: float) -> None:
        if not self._ringing and self._before_answer:
            self._ringing = True
            self._tell(Ringing(now + self._epoch))

    def _answer(self, now: float) -> None:
        if self._before_answer:
            self._phase = "answered"
            if not self._wanted_over:
                self._deadline = None
            self._tell(Answered(now + self._epoch))

    def _force(self, now: float) -> None:
        # By name where it is known: an id matches a stranger's channel only by design.
        channel = self._far_channel if self._inbound else self._media_channel
        self._outputs.append(HangUpChannel(channel or self.id))
        self._hang_ups += 1
        self._deadline = now + _HANG_UP_S

    def _finish(self, now: float) -> None:
        if self._phase == "answered" and self._complaint is None:
            cause = causes.completed(self._q850, self._call_id)
        elif self._wanted_over or self._inbound:
            cause = causes.canceled(dialled=self._ringing or self._early, sip_call_id=self._call_id)
        elif self._complaint is not None:
            cause = causes.lost(self._complaint, self._call_id)
        else:
            cause = causes.unanswered(
                sip_code=self._sip_code,
                q850=self._q850,
                dial_status=self._dial_status,
                alerted=self._ringing or self._early,
                sip_call_id=self._call_id,
            )
        self._end(cause, now)

    def _end(self, cause: Cause, now: float) -> None:
        self._phase = "over"
        self._deadline = None
        if not self._media_gone:
            self._outputs.append(CloseMedia())
        self._tell(Ended(now + self._epoch, cause))

    def _tell(self, progress: Progress) -> None:
        self._outputs.append(progress)


def _number(text: str) -> int | None:
    """A header's number; 0 is how Asterisk writes that it knows none."""
    return int(text) or None if text.isascii() and text.isdigit() else None
