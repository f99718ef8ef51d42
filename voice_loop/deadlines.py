"""What becomes due in one conversation, by frames since the answer."""

from enum import Enum, auto

from voice_loop.audio import FRAME_MS


class Due(Enum):
    """What may become due; of two in one frame the upper one goes first."""

    OPENING = auto()
    """The person had their time to say hello."""
    ANSWERER = auto()
    """It is to be looked at again who answered."""
    NOBODY_CAME = auto()
    """A queue, a screener or a ringing tone has been waited for long enough."""
    TOOL_SLOW = auto()
    """A tool takes so long that the person should hear of it."""
    TIME_UP = auto()
    """The last words of the longest conversation must begin."""
    MAX_HOLD = auto()
    """The longest hold is over."""
    MAX_DURATION = auto()
    """The longest conversation is over."""


class Deadlines:
    """Keeps one time at most for each."""

    def __init__(self) -> None:
        self._frames: dict[Due, int] = {}

    @property
    def next_frame(self) -> int | None:
        """Index of the frame in which the next deadline lies; None when none is set."""
        return min(self._frames.values(), default=None)

    def set(self, due: Due, ms: int) -> None:
        """Set a deadline to `ms` after the answer, in audio time; replaces an earlier setting."""
        self._frames[due] = ms // FRAME_MS

    def clear(self, due: Due) -> None:
        """Set no deadline for that any more."""
        self._frames.pop(due, None)

    def reached(self, frame: int) -> list[Due]:
        """Take the deadlines that lie in this frame or before it."""
        reached = [due for due in Due if self._frames.get(due, frame + 1) <= frame]
        for due in reached:
            del self._frames[due]
        return reached
