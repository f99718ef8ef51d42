"""The life of an attempt, the same whatever the PBX: where it stands, and how it is ended. No I/O.

A PBX's own core translates its events into steps of the table here. PBXs repeat themselves, tell
things late, and in no fixed order: a step that the table does not have is no failure, but nothing
new, and is passed over.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, Literal, TypeVar

from pbx import causes
from pbx.state_machine import StateMachine
from pbx.switch import (
    Answered,
    AudioLost,
    AudioProblem,
    AudioRestored,
    Cause,
    Dialing,
    Digit,
    EarlyMedia,
    Ended,
    Held,
    LikelyCause,
    ProblemName,
    Progress,
    Resumed,
    Ringing,
    Transferred,
    TrunkStats,
)

#: Seconds for a hang-up to take effect before it is asked for again, and how often.
HANG_UP_S: Final = 4.0
_HANG_UP_TRIES: Final = 3
#: Seconds after which a trunk that has said nothing at all, not even 100, is silent: RFC 3261 has
#: an INVITE sent four times by then (section 17.1.1.2), each to be answered within 200 ms.
SILENCE_S: Final = 6.0
#: The share of a shorter ring timeout, or time of an INVITE, after which it is asked about.
SILENCE_SHARE: Final = 0.9
#: Of how long a key is believed that it lasted, as INFO may tell of any length; and what is less
#: than the shortest pause between two (65 ms in ETSI ES 201 235-2), for we may hear of one late.
_KEY_S: Final = 0.16
_KEY_GAP_S: Final = 0.03
#: What may be told more than once.
_REPEATED: Final = frozenset({Digit, Held, Resumed, AudioLost, AudioRestored, AudioProblem})
#: What an answered call ends with that nobody has hung up.
_BY_PBX: Final = "The PBX ended the call by itself: its operator, a limit of its own, or a restart."
#: Seconds to wait for the PBX's last word about what is gone already.
LAST_WORD_S: Final = 1.0


@dataclass(frozen=True)
class ConnectMedia:
    """Send audio there; hear audio from there only."""

    host: str
    port: int


@dataclass(frozen=True)
class DisconnectMedia:
    """Nobody is at the other end for the moment; the leg may be connected again."""


@dataclass(frozen=True)
class CloseMedia:
    """The far end of the audio is gone for good; its port may soon be another call's."""


Phase = Literal[
    "starting",  # we have asked for it; there is no channel yet
    "dialing",
    "offered",  # it came in, and nobody has answered
    "answered",
    "joining",  # its far end is being connected to another one's
    "referring",  # its far end is being asked to call somebody else
    "transferred",
    "over",
]
Step = type[Progress] | Literal["join", "refer", "stay"]

#: What may be told or done in each phase, and the phase that follows.
PHASES: Final[Mapping[Phase, Mapping[Step, Phase]]] = {
    "starting": {Dialing: "dialing", Ended: "over"},
    "dialing": {
        Ringing: "dialing",
        EarlyMedia: "dialing",
        Digit: "dialing",
        Held: "dialing",
        Resumed: "dialing",
        Answered: "answered",
        Ended: "over",
    },
    "offered": {
        Digit: "offered",
        Held: "offered",
        Resumed: "offered",
        Answered: "answered",
        Ended: "over",
    },
    "answered": {
        "join": "joining",
        "refer": "referring",
        Digit: "answered",
        Held: "answered",
        Resumed: "answered",
        AudioLost: "answered",
        AudioRestored: "answered",
        AudioProblem: "answered",
        Transferred: "transferred",
        Ended: "over",
    },
    "joining": {
        "stay": "answered",
        Digit: "joining",
        Held: "joining",
        Resumed: "joining",
        Transferred: "transferred",
        Ended: "over",
    },
    "referring": {
        "stay": "answered",
        Digit: "referring",
        Held: "referring",
        Resumed: "referring",
        Transferred: "transferred",
        Ended: "over",
    },
    "transferred": {Ended: "over"},
    "over": {},
}


OutputT = TypeVar("OutputT")


class AttemptCore(ABC, Generic[OutputT]):
    """The life of one attempt, told by the PBX's events. Times are seconds of a steady clock.

    Args:
        id: of its channel on the PBX.
        epoch: what to add to that clock for Unix seconds.
        deadline: when to call `on_deadline`, should nothing happen until then.
        ring_timeout_s: from the dialling to the answer.
        inbound: whether the channel called us.
    """

    def __init__(
        self,
        id: str,  # noqa: A002 - the interface's word
        epoch: float,
        deadline: float,
        ring_timeout_s: float,
        inbound: bool,
    ) -> None:
        self.id = id
        self._epoch = epoch
        self._ring_timeout_s = ring_timeout_s
        self._inbound = inbound
        self._phases: StateMachine[Phase, Step] = StateMachine(
            id, PHASES, "offered" if inbound else "starting"
        )
        self._told: set[Step] = set()
        self._told_until = epoch
        self._known_until: float | None = None
        self._outputs: list[Any] = []
        self._deadline: float | None = deadline
        self._closed = False
        self._held_from: float | None = None
        self.holds = 0
        self.held_s = 0.0
        """Seconds of those that are over."""
        self._last_key: tuple[str, float] | None = None
        self._lost_from: float | None = None
        self.gaps = 0
        self.gap_s = 0.0
        """Seconds of those that are over."""
        self._hang_ups = 0
        self._wanted_over = False
        self._complaint: str | None = None
        self._silent = False
        self._q850: int | None = None
        self._sip_code: int | None = None
        self._call_id: str | None = None
        self._parting: str | None = None
        """What is to be told of the end of an answered call, in place of the network's cause."""
        self.trunk = TrunkStats()
        """What the PBX counted there, as far as it has told."""
        self.problems: list[AudioProblem] = []
        """Those that were told."""

    @property
    def over(self) -> bool:
        return self._phase == "over"

    @property
    def answered(self) -> bool:
        """Whether the far end talks to us now: answered, not over, not transferred."""
        return self._phase == "answered"

    @property
    def transferred(self) -> bool:
        """Whether the far end talks to somebody else now; then `lose` ends it as completed."""
        return self._phase == "transferred"

    @property
    def deadline(self) -> float | None:
        """When to call `on_deadline`, or None."""
        return self._deadline

    def take(self) -> list[OutputT]:
        """What has come of the calls since the last `take()`: progress, media, commands."""
        outputs, self._outputs = self._outputs, []
        return outputs

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
        ended = self._ended_by(now)
        if self.transferred:  # that succeeded; only the end of it is not known
            self._end(causes.completed(self._q850, self._call_id), ended)
        else:
            self._end(causes.lost(message, self._call_id), ended)

    def unwatched(self, now: float) -> None:
        """The link is lost: an end that comes from now on is not told of."""
        if self._known_until is None:
            self._known_until = now

    def watched(self) -> None:
        """The link is back, and an end that came meanwhile is found."""
        self._known_until = None

    def heard(self, at: float) -> None:
        """It was alive then, for audio came of it."""
        if self._known_until is not None:
            self._known_until = max(self._known_until, at)

    def hold(self, held: bool, now: float) -> None:
        """The far end puts us on hold, or takes us off; PBXs tell either more than once."""
        if held and self._held_from is None:
            if self._tell(Held(now + self._epoch)):
                self._note_gap(now)
                self._held_from = now
                self.holds += 1
        elif not held and self._held_from is not None:
            self._note_hold(now)
            self._tell(Resumed(now + self._epoch))

    @property
    def on_hold(self) -> bool:
        return self._held_from is not None

    def lose_audio(self, since: float, now: float, *, dead: bool) -> None:
        """Nothing has come from the far end since then; `dead` as in `AudioLost`."""
        told = AudioLost(now + self._epoch, since + self._epoch, dead)
        if self._lost_from is None and self._tell(told):
            self._lost_from = since
            self.gaps += 1

    def restore_audio(self, now: float) -> None:
        """There is audio from it again."""
        if self._lost_from is not None:
            self._note_gap(now)
            self._tell(AudioRestored(now + self._epoch))

    def tell_problem(
        self, problem: ProblemName, cause: LikelyCause, message: str, now: float
    ) -> bool:
        """One side is not heard; told once for each. Whether that is news."""
        told = AudioProblem(now + self._epoch, problem, cause, message)
        news = all(one.problem != problem for one in self.problems) and self._tell(told)
        if news:
            self.problems.append(told)
        return news

    def on_deadline(self, now: float) -> None:
        """Force what did not come by itself."""
        if self._deadline is None or now < self._deadline or self._settle(now):
            return
        if self._hang_ups >= _HANG_UP_TRIES:
            self.lose("The PBX did not confirm the hang-up; the call was given up.", now)
            return
        if self._hang_ups == 0:
            self._give_up_waiting()
        self._force(now)

    @abstractmethod
    def reconcile(self, found: Any, now: float) -> None:
        """Catch up after a lost link, or with whatever was missed."""

    @abstractmethod
    def _settle(self, now: float) -> bool:
        """Do at the deadline what needs no hang-up; whether there was such a thing."""

    @abstractmethod
    def _give_up_waiting(self) -> None:
        """Note why the call, which is late, is now to be hung up."""

    @abstractmethod
    def _hang_up_command(self) -> object:
        """What is put out to have the PBX hang up."""

    @abstractmethod
    def _why_unanswered(self) -> Cause:
        """Why it ended before the answer, where neither we nor a caller ended it."""

    @property
    @abstractmethod
    def _by_pbx(self) -> bool:
        """Whether the far end's channel ended without its having asked for that."""

    @property
    def _phase(self) -> Phase:
        return self._phases.state

    @property
    def _before_answer(self) -> bool:
        return self._phase in ("starting", "dialing", "offered")

    @property
    def _unwanted(self) -> bool:
        """Whether it is to end, by our wish or for a reason of ours."""
        return self._wanted_over or self._complaint is not None

    @property
    def _alerted(self) -> bool:
        """Whether the carrier had responded with 180 or 183."""
        return not self._told.isdisjoint((Ringing, EarlyMedia))

    def _ended_by(self, now: float) -> float:
        """When something that is found gone was known to be there last."""
        return now if self._known_until is None else min(self._known_until, now)

    def _tell(self, progress: Progress) -> bool:
        """Tell that, if it is news in this phase; whether it is."""
        kind = type(progress)
        once = kind not in _REPEATED
        if (once and kind in self._told) or not self._phases.step(kind):
            return False
        self._told.add(kind)
        self._told_until = max(self._told_until, progress.at)
        if isinstance(progress, Ringing | EarlyMedia | Answered):
            progress = replace(progress, sip_call_id=self._call_id)
        if kind in (Transferred, Ended):
            self._note_hold(progress.at - self._epoch)
            self._note_gap(progress.at - self._epoch)
            self._close_media()
        self._outputs.append(progress)
        return True

    def _press(self, digit: str, duration_ms: int, now: float) -> None:
        """Tell of a key, but not twice of one.

        A far end may send each both as telephone event and as INFO, and PBXs tell some keys twice
        by themselves: then the second began before, or just as, the first was over.
        """
        last, self._last_key = self._last_key, (digit, now)
        lasted_s = min(duration_ms / 1000, _KEY_S)
        if last is None or digit != last[0] or now - lasted_s >= last[1] + _KEY_GAP_S:
            self._tell(Digit(now + self._epoch, digit, duration_ms))

    def _note_hold(self, now: float) -> None:
        if self._held_from is not None:
            self.held_s += now - self._held_from
            self._held_from = None

    def _note_gap(self, now: float) -> None:
        if self._lost_from is not None:
            self.gap_s += now - self._lost_from
            self._lost_from = None

    def _close_media(self) -> None:
        if not self._closed:
            self._closed = True
            self._outputs.append(CloseMedia())

    def _force(self, now: float) -> None:
        """Ask for the hang-up, and again when it has not taken effect."""
        self._outputs.append(self._hang_up_command())
        self._hang_ups += 1
        self._deadline = now + HANG_UP_S

    def _insist(self, now: float) -> None:
        """Ask anew for a hang-up that may have been lost with the link."""
        if self._unwanted and not self.over:
            self._hang_ups = 0
            self._force(now)

    def _finish(self, now: float) -> None:
        """The PBX has nothing of it any more."""
        if not self._before_answer and self._complaint is None:
            cause = causes.completed(self._q850, self._call_id)
            cause = replace(cause, message=self._parting or cause.message)
            if self._phase == "answered" and not self._unwanted and self._by_pbx:
                cause = replace(cause, message=_BY_PBX, by_pbx=True)
        elif self._wanted_over or (self._inbound and self._complaint is None):
            cause = causes.canceled(dialled=self._alerted, sip_call_id=self._call_id)
        elif self._complaint is not None:
            cause = causes.lost(self._complaint, self._call_id)
        else:
            cause = self._why_unanswered()
        self._end(cause, now)

    def _end(self, cause: Cause, now: float) -> None:
        if self._tell(Ended(max(now + self._epoch, self._told_until), cause)):
            self._deadline = None


CoreT = TypeVar("CoreT", bound=AttemptCore[Any])
