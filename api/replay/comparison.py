"""What is different between a recording and its replay."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final

from api.blackbox.archive import Box, BoxError
from api.replay.replaying import Replayed
from voice_loop.audio import FRAME_MS

#: Who goes on so soon after their turn was taken for over had not finished.
_CUT_MS: Final = 600


@dataclass(frozen=True)
class Figures:
    """Of one conversation."""

    decisions: int
    turn_ends: int
    """Turns of the person's that were taken for over."""
    cut_off: int
    """Of those, after which the person went on within 600 ms."""
    interruptions: int
    """Turns of the agent's that the person interrupted."""
    wire_ms: float | None
    """From the person's last sound to the agent's first on the wire: the median."""
    wire_ms_max: float | None
    words: tuple[str, ...]
    """Each turn as `speaker: text`."""


def figures(decisions: Iterable[Mapping[str, Any]]) -> Figures:
    """Those of decisions as a box has them. Raises BoxError for what are none."""
    try:
        return _figures(list(decisions))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BoxError(f"the black box is broken: {error!r}") from error


def _figures(decisions: Sequence[Mapping[str, Any]]) -> Figures:
    signals = [one["on"] for one in decisions if isinstance(one["on"], Mapping)]
    ends = [one["last_speech_frame"] for one in signals if one["is"] == "TurnEnded"]
    starts = [one["onset_frame"] for one in signals if one["is"] == "SpeechStarted"]
    cut = sum(any(0 < (start - end) * FRAME_MS <= _CUT_MS for start in starts) for end in ends)
    turns = [
        command["turn"]
        for one in decisions
        for command in one["commands"]
        if command["is"] == "Report"
    ]
    waits = [
        turn["timings"]["wire_ms"]
        for turn in turns
        if turn["timings"] is not None and turn["timings"]["wire_ms"] is not None
    ]
    return Figures(
        decisions=len(decisions),
        turn_ends=len(ends),
        cut_off=cut,
        interruptions=sum(
            turn["speaker"] == "agent" and bool(turn["interrupted"]) for turn in turns
        ),
        wire_ms=round(median(waits), 1) if waits else None,
        wire_ms_max=max(waits, default=None),
        words=tuple(f"{turn['speaker']}: {turn['text']}" for turn in turns),
    )


def report(box: Box, replayed: Replayed, changed: Sequence[str]) -> dict[str, Any]:
    """All that is told of a replay, for programs. Raises BoxError."""
    recorded = [one.fields for one in box.entries if one.kind == "decision"]
    first = replayed.first_difference
    return {
        "call_id": box.header.get("call_id"),
        "build": box.header.get("build"),
        "identical": first is None,
        "changed": list(changed),
        "first_difference": None
        if first is None
        else {"at_ms": first.frame * FRAME_MS, **asdict(first)},
        "recorded": asdict(figures(recorded)),
        "replayed": asdict(figures(replayed.decisions)),
        "unrecorded_requests": dict(replayed.strange),
        "detector": asdict(replayed.detector),
        "frames_without_audio": replayed.unheard,
        "cut_short": [one.fields["why"] for one in box.entries if one.kind == "cut"],
        "ended_by": replayed.reason,
    }
