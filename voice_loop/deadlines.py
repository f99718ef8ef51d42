"""What becomes due in one conversation, by frames since the answer."""

from enum import Enum, auto

from voice_loop.audio import FRAME_MS


class Due(Enum):
    """What may become due; of two in one frame the upper one goes first."""

    OPENING = auto()
    """The person had their time to say hello."""
    TOOL_SLOW = auto()
    """A tool takes so long that the person should hear of it."""
    TIME_UP = auto()
    """The last words of the longest conversation must begin."""
    MAX_DURATION = auto()
    """The longest conversation is over."""


class Deadlines:
    """Each with one time at most."""

    def __init__(self) -> None:
        self._frames: dict[Due, int] = {}

    @property
    def next_frame(self) -> int | None:
        """Index of the frame in which the next one is due."""
        return min(self._frames.values(), default=None)

    def set(self, due: Due, ms: int) -> None:
        """Have it due so long after the answer, instead of any time before."""
        self._frames[due] = ms // FRAME_MS

    def reached(self, frame: int) -> list[Due]:
        """Take those that are due in this frame or were earlier."""
        reached = [due for due in Due if self._frames.get(due, frame + 1) <= frame]
        for due in reached:
            del self._frames[due]
        return reached
