"""What is known of one call when it is over. Times in seconds since its first moment."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from api.lab.spans import Span, levels, spans_of
from voice_loop.audio import Samples

Kind = Literal["say", "interrupt", "backchannel", "tic", "aside"]

#: Level above which the agent's voice is heard, dBFS; breath and line noise are below.
_VOICED_DBFS: Final = -50.0


@dataclass(frozen=True)
class Spoken:
    """What the caller said in one breath, as the script has it."""

    kind: Kind
    text: str
    """Word for word; empty where that is not known."""
    words: tuple[str, ...]
    """Must be heard; of a dictation, its digits as words."""
    voiced: tuple[Span, ...]
    """In order; never empty."""
    turn: int
    """Those of a number are one turn: nothing but pauses are between them."""
    dictated: str = ""
    """The digits, where it is a dictation."""

    @property
    def span(self) -> Span:
        """From its first voiced moment to its last."""
        return Span(self.voiced[0].start, self.voiced[-1].end)


@dataclass(frozen=True)
class Decision:
    """What the agent's side made of the call at a moment."""

    at: float
    name: str
    """`SpeechStarted`, `SpeechPaused`, `SpeechResumed`, `TurnEnded`, or a command of the director:
    `Play`, `Hold`, `Resume`, `FallSilent`, …"""


@dataclass(frozen=True)
class HeardTurn:
    """A turn of the call's transcript."""

    speaker: str
    text: str
    span: Span
    interrupted: bool = False
    wire_ms: float | None = None


@dataclass(frozen=True)
class CallTrace:
    """One call: both channels, what the caller did, what the agent's side decided and kept."""

    scenario: str
    call_id: str
    status: str
    agent: Samples
    """What reached the caller's ear."""
    person: Samples
    """The caller's own voice, without what else was on the line."""
    line: Samples
    """What the caller's telephone sent: voice, noise, echo."""
    spoken: Sequence[Spoken]
    unplaced: int = 0
    """Steps whose moment did not come: the agent said too little to be interrupted."""
    decisions: Sequence[Decision] = ()
    turns: Sequence[HeardTurn] = ()
    letter_ms: float | None = None
    """How long the agent takes for each letter and space, where that is known (the stub voice)."""
    agent_speaks: tuple[Span, ...] = field(init=False)
    """Where the agent's voice is heard; gaps of 200 ms and more are told."""
    agent_gaps: tuple[Span, ...] = field(init=False)
    """Where nothing at all comes from the agent, from 20 ms on."""

    def __post_init__(self) -> None:
        level = levels(self.agent)
        heard = spans_of(level > _VOICED_DBFS, shortest_gap_s=0.2)
        object.__setattr__(self, "agent_speaks", heard)
        object.__setattr__(self, "agent_gaps", spans_of(_nothing(self.agent), 0.02, 0.02))

    @property
    def length_s(self) -> float:
        """How long it lasted."""
        return max(self.agent.size, self.line.size) / 8000


def _nothing(samples: Samples) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether each 10 ms is digital silence, which A-law sends as a constant."""
    whole = samples[: samples.size // 80 * 80].reshape(-1, 80)
    silent: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.ptp(whole, axis=1) <= 8
    return silent
