"""One attempt as FreeSWITCH's events tell it: events and `now` in, progress out. No I/O.

An attempt is one channel, whose uuid we choose (outbound) or learn (inbound). Originate leaves it
in `park`; only there does `unicast`, which carries the audio, work, and only after CHANNEL_PARK
with Answer-State `answered` or `early`: sent any sooner it crashes FreeSWITCH. So an inbound
channel, which parks unanswered, is answered and parked anew first. Events come in no fixed order
beside that, and whatever FreeSWITCH fails to say in time is forced by deadlines, so that every
attempt ends exactly once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Final, Literal

from pbx import causes
from pbx.attempt_core import LAST_WORD_S, AttemptCore, CloseMedia, DisconnectMedia, Phase
from pbx.state_machine import StateMachine
from pbx.switch import (
    Answered,
    Cause,
    Dialing,
    EarlyMedia,
    Progress,
    Ringing,
    Transferred,
    TrunkStats,
)
from pbx.values import whole_number

Event = Mapping[str, str]
"""One ESL event: header to value."""

#: Seconds from the originate until the channel must be there.
_START_S: Final = 10.0
#: Seconds for a channel to park after it was asked to.
_PARK_S: Final = 5.0
#: SIP and Q.850 of an INVITE that nobody answered; also of a carrier's 408 without a Reason.
_TIMED_OUT: Final = (408, 102)
#: How often the audio is tried, each time on another port.
_AUDIO_TRIES: Final = 3
#: RFC 4733 clock of `DTMF-Duration`, per millisecond.
_DTMF_CLOCK_KHZ: Final = 8
#: Samples per second that the audio must have.
#: RFC 3550's jitter by the deviation of the intervals, of delays that are normally distributed.
_JITTER_OF_DEVIATION: Final = 0.8
#: Bytes: of a packet's header, and of a millisecond of G.711 or G.722.
_RTP_HEADER, _BYTES_PER_MS = 12, 8
_RATE: Final = "8000"
_WIDE: Final = "16000"


@dataclass(frozen=True)
class OpenAudio:
    """Start `unicast` on this channel now; answer with `audio_opened()` or `audio_failed()`."""

    turn: int
    """Which opening this is; the answer names it."""
    rate: int = 8000
    """Of the channel, Hz."""


@dataclass(frozen=True)
class Park:
    """Send the channel to `park`, from wherever it is."""

    answer: bool
    """Whether to answer it first."""


@dataclass(frozen=True)
class HangUp:
    """End the channel."""

    cause: str
    """Name of the hangup cause, as FreeSWITCH calls it."""


Output = Progress | DisconnectMedia | CloseMedia | OpenAudio | Park | HangUp
Audio = Literal["none", "opening", "open"]

#: How the audio fares: `stop` is FreeSWITCH's own word, the rest is what we see of it.
_AUDIO: Final[Mapping[Audio, Mapping[str, Audio]]] = {
    "none": {"begin": "opening"},
    "opening": {"hear": "open", "fail": "none", "stop": "none"},
    "open": {"cease": "none", "stop": "none"},
}
#: What is the matter with a call that comes no further.
_TOO_LATE: Final[Mapping[Phase, str]] = {
    "starting": "FreeSWITCH did not begin to dial in time.",
    "offered": "FreeSWITCH did not answer the call in time.",
}


class FreeSwitchCore(AttemptCore[Output]):
    """The life of one attempt on FreeSWITCH.

    Args:
        id: the channel's uuid.
        now: seconds of a steady clock, as in every method.
        epoch: what to add to that clock for Unix seconds.
        ring_timeout_s: from the originate to the answer; then it is hung up.
        inbound: whether the channel called us.
        wideband: whether it may be at 16 kHz.
    """

    def __init__(
        self,
        id: str,  # noqa: A002 - the interface's word
        now: float,
        epoch: float,
        *,
        ring_timeout_s: float = 30,
        inbound: bool = False,
        wideband: bool = False,
    ) -> None:
        self._rates = (_RATE, _WIDE) if wideband else (_RATE,)
        patience_s = _PARK_S if inbound else _START_S
        super().__init__(id, epoch, now + patience_s, ring_timeout_s, inbound)
        self._audio: StateMachine[Audio, str] = StateMachine(f"{id}, audio", _AUDIO, "none")
        self._turn = 0
        self._failures = 0
        self._timed_out = False
        self._job_failure: str | None = None
        self._gone_by: float | None = None
        self._cause_name: str | None = None
        self._responded = False
        self._disposition: str | None = None
        self._answering = False
        self._bridged = False

    @property
    def answered(self) -> bool:
        return self._talking and not self._wanted_over

    @property
    def bridged(self) -> bool:
        """Whether FreeSWITCH has said that it is bridged; of two channels it says it of one."""
        return self._bridged

    def on_event(self, event: Event, now: float) -> None:
        """Digest one event of this channel; others' are not for here."""
        if self.over:
            return
        self._call_id = event.get("variable_sip_call_id") or self._call_id
        match event.get("Event-Name"):
            case "CHANNEL_CREATE":
                self._start(now)
            case "CHANNEL_PROGRESS":
                self._start(now)
                self._tell(Ringing(now + self._epoch))
            case "CHANNEL_PROGRESS_MEDIA":
                self._start(now)
                self._tell(EarlyMedia(now + self._epoch))
            case "CHANNEL_ANSWER":
                self._start(now)
                self._answer(now)
            case "CHANNEL_PARK":
                self._start(now)
                self._on_park(event, now)
            case "CHANNEL_UNPARK":
                self._end_audio("stop")
            case "CHANNEL_BRIDGE":
                self._bridged = True
                self._transfer(now)
            case "CHANNEL_HOLD" | "CHANNEL_UNHOLD" as what:
                self.hold(what == "CHANNEL_HOLD", now)
            case "DTMF":
                self._on_digit(event, now)
            case "CHANNEL_HANGUP":
                self._note_cause(event)
                self._end_audio("stop")
            case "CHANNEL_HANGUP_COMPLETE" | "CHANNEL_DESTROY":
                self._note_cause(event)
                self.trunk = trunk_stats(event) or self.trunk
                self._finish(now)
            case _:
                pass

    def on_originate(self, failure: str | None, now: float) -> None:
        """The result of the originate: None for success, else the name of the cause."""
        if failure is not None and not self.over:
            # The channel's own events say more; they may come before or after this.
            self._job_failure = failure
            self._deadline = now + LAST_WORD_S

    def awaits_audio(self, turn: int) -> bool:
        """Whether that opening is still to be made; else it would be the parking's second one.

        FreeSWITCH would take that, and free the last one only (`switch_ivr_deactivate_unicast`).
        """
        return turn == self._turn and self._audio.state == "opening" and not self.over

    def audio_opened(self, turn: int) -> None:
        """Audio has come from FreeSWITCH."""
        if turn == self._turn and self._audio.step("hear"):
            self._failures = 0

    def audio_interrupted(self, turn: int) -> None:
        """Nobody knows, for the link was lost; `reconcile` begins anew."""
        if turn == self._turn:
            self._end_audio("fail")

    def audio_stopped(self) -> None:
        """It was open and has ceased, unsaid by FreeSWITCH; `reconcile` begins anew."""
        self._end_audio("cease")

    def audio_failed(self, turn: int, message: str, now: float) -> None:
        """None has; `message` says what is known."""
        if turn != self._turn or self.over or not self._end_audio("fail"):
            return
        self._failures += 1
        if self._failures >= _AUDIO_TRIES:
            self.fail(f"There was no audio: {message}", now)
        else:
            self._outputs.append(Park(answer=False))

    def referring(self, under_way: bool) -> None:
        """Whether the far end is being asked to call somebody else: it may then hang up first."""
        self._phases.step("refer" if under_way else "stay")

    def referred(self, now: float) -> None:
        """The far end has agreed to call somebody else: we are done with it."""
        if self._transfer(now):
            self._force(now)

    def joined(self, now: float) -> None:
        """It is connected to somebody else's channel."""
        self._transfer(now)

    def reconcile(self, channel: Event | None, now: float) -> None:
        """Catch up after a lost link, or with whatever was missed.

        Args:
            channel: `uuid_dump` of the channel: its state now; None when there is none.
            now: as always.
        """
        if self.over:
            return
        if channel is None:
            if self._gone_by is None:  # its last events may be on their way yet
                self._gone_by = self._ended_by(now)
                self._deadline = now + LAST_WORD_S
            return
        self._call_id = channel.get("variable_sip_call_id") or self._call_id
        self._start(now)
        match channel.get("Answer-State"):
            case "ringing" if channel.get("Channel-Call-State") == "RINGING":
                self._tell(Ringing(now + self._epoch))
            case "early":
                self._tell(EarlyMedia(now + self._epoch))
            case "answered":
                self._answer(now)
                self.hold(channel.get("Channel-Call-State") == "HELD", now)
        if self._unwanted:
            self._insist(now)
        elif self.transferred:
            pass
        elif channel.get("Other-Leg-Unique-ID"):
            self._transfer(now)
        elif self._audio.state == "none" and channel.get("Answer-State") in ("early", "answered"):
            self._outputs.append(Park(answer=False))

    def _settle(self, now: float) -> bool:
        if self._gone_by is not None:
            self._finish_unheard(self._gone_by)
        elif self._job_failure is not None:
            self._give_up_originate(now)
        else:
            self._answering = False
            return False
        return True

    def _finish_unheard(self, now: float) -> None:
        if self._cause_name is not None or self._wanted_over or self._job_failure is not None:
            self._finish(now)
        else:
            self.lose("The call ended on the PBX and nobody heard how: was its link down?", now)

    def _give_up_originate(self, now: float) -> None:
        """The originate failed, and the channel says nothing: there may be one all the same."""
        failure, self._job_failure = self._job_failure, None
        if self.answered:
            self.fail(f"FreeSWITCH gave the call up: {failure}.", now)
        elif self._talking:
            self._force(now)
        elif self._phase != "transferred":
            self._job_failure = failure
            if self._phase != "starting":
                self._outputs.append(HangUp("NORMAL_CLEARING"))
            self._finish(now)

    def _give_up_waiting(self) -> None:
        self._timed_out = self._phase == "dialing"
        self._complaint = _TOO_LATE.get(self._phase, self._complaint)

    @property
    def _talking(self) -> bool:
        return self._phase in ("answered", "referring")

    def _start(self, now: float) -> None:
        if self._tell(Dialing(now + self._epoch)):
            if self._unwanted:
                self._force(now)  # the first one may have come before there was a channel
            else:
                self._deadline = now + self._ring_timeout_s

    def _answer(self, now: float) -> None:
        if self._tell(Answered(now + self._epoch)):
            if self._hang_ups == 0 and self._gone_by is None and self._job_failure is None:
                self._deadline = None
            if self._answering:
                self._answering = False
                if self._unwanted:
                    self._force(now)

    def _on_park(self, event: Event, now: float) -> None:
        state = event.get("Answer-State")
        if state == "answered":
            self._answer(now)
        if self._unwanted or self.transferred:
            return
        if state not in ("answered", "early"):
            if self._phase == "offered":
                self._answering = True
                self._deadline = now + _PARK_S
                self._outputs.append(Park(answer=True))
        elif (rate := event.get("Channel-Read-Codec-Rate", _RATE)) not in self._rates:
            hint = "" if _WIDE in self._rates else ", or set pbx.wideband for 16 kHz"
            self.fail(
                f"There was no audio: the trunk speaks at {rate} Hz, not {' or '.join(self._rates)}"
                f"; let it offer PCMU or PCMA only{hint}.",
                now,
            )
        elif self._audio.step("begin"):
            self._turn += 1
            self._outputs.append(OpenAudio(self._turn, int(rate)))

    def _end_audio(self, how: str) -> bool:
        ended = self._audio.step(how)
        if ended:
            self._outputs.append(DisconnectMedia())
        return ended

    def _transfer(self, now: float) -> bool:
        if not self._phases.allows(Transferred):
            return False
        self._end_audio("stop")
        return self._tell(Transferred(now + self._epoch))

    def _on_digit(self, event: Event, now: float) -> None:
        digit = event.get("DTMF-Digit", "")
        if len(digit) == 1:
            clocks = whole_number(event.get("DTMF-Duration", "")) or 0
            self._press(digit, clocks // _DTMF_CLOCK_KHZ, now)

    @property
    def _by_pbx(self) -> bool:
        return self._disposition == "send_bye"

    def _note_cause(self, event: Event) -> None:
        self._disposition = event.get("variable_sip_hangup_disposition") or self._disposition
        self._cause_name = event.get("Hangup-Cause") or self._cause_name
        self._q850 = whole_number(event.get("variable_hangup_cause_q850", "")) or self._q850
        # Where the answer came from, which one of FreeSWITCH's own, such as a timeout's, did not.
        self._responded = self._responded or bool(event.get("variable_sip_network_ip"))
        # A redirection has the latter only.
        told = event.get("variable_sip_term_status") or event.get(
            "variable_proto_specific_hangup_cause", ""
        ).removeprefix("sip:")
        self._sip_code = whole_number(told) or self._sip_code

    def _force(self, now: float) -> None:
        # Killed in the midst of `answer`, FreeSWITCH sends 200 and forgets that it did: the
        # caller would wait for ever. The deadline of the answer still holds.
        if not self._answering:
            super()._force(now)

    def _hang_up_command(self) -> HangUp:
        ring_timeout = self._timed_out and not self._wanted_over
        return HangUp("NO_ANSWER" if ring_timeout else "NORMAL_CLEARING")

    def _finish(self, now: float) -> None:
        if self._phase == "referring" and not self._wanted_over:
            self._transfer(now)
        if (self._cause_name or self._job_failure) == "SYSTEM_SHUTDOWN":
            self._end(causes.lost("FreeSWITCH was shut down during the call.", self._call_id), now)
        else:
            super()._finish(now)

    def _why_unanswered(self) -> Cause:
        cause_name = self._cause_name or self._job_failure
        nobody = self._timed_out or (cause_name == "NO_ANSWER" and self._sip_code is None)
        timed_out = (self._sip_code, self._q850) == _TIMED_OUT and not self._responded
        return causes.unanswered(
            sip_code=None if nobody else self._sip_code,
            q850=None if nobody else self._q850,
            dial_status="NOANSWER" if nobody else None,
            alerted=self._alerted,
            silent=cause_name == "GATEWAY_DOWN" or timed_out,
            sip_call_id=self._call_id,
        )


def trunk_stats(event: Event) -> TrunkStats | None:
    """What FreeSWITCH counted, of an event at the end; None where that does not tell.

    Its share of lost packets counts each that comes out of order as well, and the mean interval
    grows with each pause: what both show was lost. Of jitter it keeps the variance of the intervals
    between its reads, the greatest of all the time: RFC 3550's is about 0.8 of the deviation. It
    tells nothing of the far end's reports.
    """

    def told(name: str) -> float | None:
        try:
            value = float(event[f"variable_rtp_audio_{name}"])
        except (KeyError, ValueError):
            return None
        return value if isfinite(value) and value >= 0 else None

    received, sent = told("in_packet_count"), told("out_packet_count")
    if received is None:
        return None
    size, interval = told("in_media_bytes"), told("in_mean_interval")
    rate, variance = told("in_jitter_loss_rate"), told("in_jitter_max_variance")
    lost = None
    if rate is not None and size is not None and interval and received:
        # Of 64 kbit/s (G.711, G.722): the sizes are those of whole RTP packets.
        packet_ms = (size / received - _RTP_HEADER) / _BYTES_PER_MS
        missed = max(0.0, 1 - packet_ms / interval)
        loss = min(rate, missed, 0.99)
        lost = round(received * loss / (1 - loss))
    return TrunkStats(
        codec=event.get("variable_rtp_use_codec_name"),
        received=int(received),
        lost=lost,
        sent=None if sent is None else int(sent),
        jitter_ms=None if variance is None else _JITTER_OF_DEVIATION * sqrt(variance),
    )
