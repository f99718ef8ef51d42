"""The life of a call as a table: which status may follow which, and what each is announced as."""

from collections.abc import Mapping
from typing import Final, Literal, get_args

CallStatus = Literal[
    "queued",
    "initiated",
    "ringing",
    "in_progress",
    "completed",
    "no_answer",
    "busy",
    "canceled",
    "failed",
]
STATUSES: Final[tuple[CallStatus, ...]] = get_args(CallStatus)

#: Where a call may go from each status. A missing entry is the error: `check_move` raises.
MOVES: Final[Mapping[CallStatus, frozenset[CallStatus]]] = {
    # From here it may end in any way: with the status of its last attempt.
    "queued": frozenset({"initiated", "no_answer", "busy", "canceled", "failed"}),
    # Back to the queue: its retry policy wants another attempt.
    "initiated": frozenset(
        {"ringing", "in_progress", "no_answer", "busy", "canceled", "failed", "queued"}
    ),
    "ringing": frozenset({"in_progress", "no_answer", "busy", "canceled", "failed", "queued"}),
    # An answered call that turns out to be a voicemail ends as no_answer.
    "in_progress": frozenset({"completed", "no_answer", "failed", "queued"}),
    "completed": frozenset(),
    "no_answer": frozenset(),
    "busy": frozenset(),
    "canceled": frozenset(),
    "failed": frozenset(),
}

TERMINAL: Final[frozenset[CallStatus]] = frozenset(s for s, after in MOVES.items() if not after)

#: Of calls that the PBX has.
LIVE: Final[tuple[CallStatus, ...]] = ("initiated", "ringing", "in_progress")

#: The event that tells of each status (`call.initiated` is our own).
EVENT_OF: Final[Mapping[CallStatus, str]] = {
    status: "call.answered" if status == "in_progress" else f"call.{status}" for status in STATUSES
}

#: What becomes of an answered call's audio.
AudioEvent = Literal["call.held", "call.resumed", "call.audio_lost", "call.audio_restored"]

#: What webhooks are told: CallingBox's eight lifecycle events.
WEBHOOK_EVENTS: Final[frozenset[str]] = frozenset(EVENT_OF.values()) - {"call.initiated"}

#: Every event of a call; a webhook endpoint may ask for any of them.
CALL_EVENTS: Final[frozenset[str]] = frozenset(EVENT_OF.values()) | {
    "call.early_media",
    "call.digit",
    *get_args(AudioEvent),
    "call.audio_problem",
    "call.quality",
    "call.turn",
    "call.transfer_started",
    "call.transferred",
    "call.transfer_failed",
    "call.controlled",
    "call.listening_started",
    "call.listening_ended",
    "call.ended",
    "call.attempt_ended",
    "call.recording.announced",
    "call.recording.paused",
    "call.recording.resumed",
    "call.recording.objected",
    "call.recording.available",
    "call.transcript.final",
    "call.analyzed",
}


class IllegalMoveError(Exception):
    """A call was asked to go where its status does not lead."""

    def __init__(self, call_id: str, current: str, to: str) -> None:
        super().__init__(f"call {call_id} is {current} and cannot become {to}")
        self.current = current
        self.to = to


def check_move(call_id: str, current: CallStatus, to: CallStatus) -> None:
    """Raise IllegalMoveError unless `to` may follow `current`."""
    if to not in MOVES[current]:
        raise IllegalMoveError(call_id, current, to)


AnsweredBy = Literal["human", "machine", "ivr", "screening", "unknown"]
