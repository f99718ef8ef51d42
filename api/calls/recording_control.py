"""What of one attempt is recorded: from the announcement on, but for pauses, unless the person
objects. Each change is noted at the moment of its effect."""

import time
from collections.abc import Callable
from dataclasses import replace

from api.calls.recording import RecordedPeer
from api.resources.recording import (
    Announcement,
    Objecting,
    Objection,
    Pause,
    Pauser,
    RecordingFacts,
    RecordingWish,
)

Note = Callable[[RecordingFacts, float, str | None], None]
"""Writes down how it is recorded from then on, and the event that tells so, if one does."""


class RecordingControl:
    """Starts, pauses and ends one recording."""

    def __init__(
        self,
        recorder: RecordedPeer,
        announcement: str,
        note: Note,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            recorder: of the attempt.
            announcement: that the person is to hear before; empty for none.
            note: told of every change.
            clock: Unix seconds.
        """
        self._recorder = recorder
        self._note = note
        self._clock = clock
        self._pausing: set[Pauser] = set()
        self._obeyed_at = 0.0
        self.facts = RecordingFacts(Announcement(announcement) if announcement else None)

    def answered(self, at: float) -> None:
        """The call is answered."""
        self._obeyed_at = at
        self._recorder.start(at, listen=not self.facts.awaits_announcement)

    def announced(self) -> None:
        """The person has heard the announcement."""
        announcement = self.facts.announcement
        if announcement is not None and not self.facts.over:
            at = self._clock()
            said = replace(announcement, said_at=at)
            self._become(replace(self.facts, announcement=said), at, "call.recording.announced")

    def pause(self, by: Pauser) -> None:
        """Record nothing until `resume`. Again: nothing happens."""
        if not self.facts.over:
            self._pausing.add(by)
            if not self.facts.paused:
                at = self._clock()
                pauses = (*self.facts.pauses, Pause(at, by))
                self._become(replace(self.facts, pauses=pauses), at, "call.recording.paused")

    def resume(self, by: Pauser) -> None:
        """Go on. The API ends every pause, the agent its own."""
        self._pausing -= {"agent"} if by == "agent" else {"agent", "api"}
        if self.facts.paused and not self.facts.over and not self._pausing:
            at = self._clock()
            self._become(self.facts.unpaused(at), at, "call.recording.resumed")

    def obey(self, wish: RecordingWish) -> None:
        """Do what was asked for over the API, unless that is done, or of an earlier attempt."""
        if wish.at > self._obeyed_at:
            self._obeyed_at = wish.at
            (self.pause if wish.paused else self.resume)("api")

    def object(self, by: Objecting, words: str) -> None:
        """The person does not want it: delete what there is, and record nothing more."""
        if self.facts.objection is None:
            at = self._clock()
            self._recorder.discard()
            objection = Objection(at, by, words)
            self._become(
                replace(self.facts.unpaused(at), objection=objection), at, "call.recording.objected"
            )

    def end(self, at: float) -> None:
        """There is nothing more to record. Again: nothing happens."""
        if not self.facts.over:
            self._recorder.stop(at)
            self._become(self.facts.ended(at), at)

    def _become(self, facts: RecordingFacts, at: float, event: str | None = None) -> None:
        self.facts = facts
        self._recorder.listen(facts.status == "recording")
        self._note(facts, at, event)
