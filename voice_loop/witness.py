"""Who sees what goes into a conversation, and what it decides: enough to hold it once more."""

from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any, Protocol

from voice_loop.audio import Samples
from voice_loop.commands import Command
from voice_loop.signals import Moment, Signal


class Witness(Protocol):
    """Sees one conversation. Called from the media tick, too: must not block."""

    def now(self) -> float:
        """The conversation's clock, as `time.monotonic()`."""
        ...

    def told(self, name: str, *arguments: Any) -> None:
        """The outside called the conversation's method of that name."""
        ...

    def began(self) -> None:
        """Frames count from now on."""
        ...

    def ended(self) -> None:
        """Frames count no more."""
        ...

    def heard(
        self, frame: Samples, arrived_at: float, now: float, *, expected: bool, away: bool
    ) -> None:
        """A tick has passed.

        Args:
            frame: what came from the line.
            arrived_at: as of `voice_loop.ports.AudioPeer`.
            now: as there.
            expected: the frame was announced (`voice_loop.ports.ForewarnedPeer`).
            away: somebody else had the line.
        """
        ...

    async def admit(self, what: Signal | str, frame: int) -> None:
        """An event, or the end, is about to be decided on; returns when it may be."""
        ...

    def decided(
        self,
        what: Signal | str,
        moment: Moment,
        commands: Sequence[Command],
        evidence: Mapping[str, Any],
    ) -> None:
        """The director has decided.

        Args:
            what: the event; a word at the end of the conversation.
            moment: how things stood on the line.
            commands: what is to be done.
            evidence: what was known of the person's turn.
        """
        ...


class Nobody:
    """A witness that keeps nothing."""

    def now(self) -> float:
        return monotonic()

    def told(self, name: str, *arguments: Any) -> None: ...

    def began(self) -> None: ...

    def ended(self) -> None: ...

    def heard(
        self, frame: Samples, arrived_at: float, now: float, *, expected: bool, away: bool
    ) -> None: ...

    async def admit(self, what: Signal | str, frame: int) -> None: ...

    def decided(
        self,
        what: Signal | str,
        moment: Moment,
        commands: Sequence[Command],
        evidence: Mapping[str, Any],
    ) -> None: ...
