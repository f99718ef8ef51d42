"""The figures of a run: as a table for people, as JSON for programs, as files to keep."""

import wave
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from api.lab.figures import Figures, Spread, Tally, total
from api.lab.picture import picture_of
from api.lab.trace import CallTrace
from models.recordings import RATE

#: What is shown of the figures, in order: field, title.
_SHOWN: Final = (
    ("holds_cut", "false cut-offs"),
    ("turns_cut", "turns cut"),
    ("end_of_turn_ms", "end of turn, ms"),
    ("responded", "R_R answered"),
    ("response_ms", "L_R response, ms"),
    ("wire_ms", "wire, ms"),
    ("yielded", "R_Y yielded"),
    ("yield_ms", "L_Y yield, ms"),
    ("backchannels_ignored", "S_BC ignored"),
    ("backchannels_without_gap", "  without a gap"),
    ("tics_ignored", "S_VT ignored"),
    ("asides_ignored", "S_ND ignored"),
    ("spoke_over", "spoken over"),
    ("self_interruptions", "self-interruptions"),
    ("false_starts", "false starts"),
    ("false_starts_per_min", "  a minute"),
    ("phantom_turns", "phantom turns"),
    ("words_heard", "words heard"),
    ("dictations_whole", "dictations whole"),
    ("unheard_words_kept", "unheard words kept"),
    ("unplaced", "steps left out"),
)


def by_scenario(traces: Sequence[CallTrace]) -> Mapping[str, Figures]:
    """The figures of each scenario, and of all where there are several."""
    names = list(dict.fromkeys(trace.scenario for trace in traces))
    found = {name: total(one for one in traces if one.scenario == name) for name in names}
    return found | ({"all": total(traces)} if len(names) > 1 else {})


def rows(figures: Mapping[str, Figures]) -> Iterator[tuple[str, ...]]:
    """A row of each figure that at least one of them has: its title, then one cell for each."""
    for name, title in _SHOWN:
        cells = [_cell(one, name) for one in figures.values()]
        if any(cells):
            yield (title, *cells)


def _cell(figures: Figures, name: str) -> str:
    value: Any = figures.told()[name] if name.endswith("_per_min") else getattr(figures, name)
    match value:
        case Tally():
            return f"{value.hits} of {value.of}" if value.of else ""
        case Spread():
            told = value.told()
            return f"{told['p50']:.0f} / {told['p95']:.0f}" if told["n"] else ""
    return "" if value is None else f"{value:g}"


def document(facts: Mapping[str, Any], traces: Sequence[CallTrace]) -> dict[str, Any]:
    """A whole run as JSON: what was run, the figures, and each call."""
    figures = by_scenario(traces)
    return {
        **facts,
        "scenarios": {name: one.told() for name, one in figures.items() if name != "all"},
        "all": total(traces).told(),
        "calls": [_call(trace) for trace in traces],
    }


def _call(trace: CallTrace) -> dict[str, Any]:
    """One call without its audio."""
    return {
        "scenario": trace.scenario,
        "call_id": trace.call_id,
        "status": trace.status,
        "seconds": round(trace.length_s, 2),
        "figures": total([trace]).told(),
        "spoken": [
            {
                "kind": one.kind,
                "text": one.text,
                "words": one.words,
                "turn": one.turn,
                "voiced": [_rounded(span) for span in one.voiced],
            }
            for one in trace.spoken
        ],
        "agent_speaks": [_rounded(span) for span in trace.agent_speaks],
        "decisions": [{**asdict(one), "at": round(one.at, 3)} for one in trace.decisions],
        "turns": [{**asdict(one), "span": _rounded(one.span)} for one in trace.turns],
    }


def _rounded(span: tuple[float, float]) -> list[float]:
    return [round(span[0], 3), round(span[1], 3)]


def keep_picture(trace: CallTrace, folder: Path, name: str) -> Path:
    """Write the call's picture into a folder; gives its file. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.svg"
    path.write_text(picture_of(trace), encoding="utf-8")
    return path


def keep_audio(trace: CallTrace, folder: Path, name: str) -> Path:
    """Write both channels, the caller left as it was sent, the agent right. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.wav"
    length = max(trace.line.size, trace.agent.size)
    both = np.zeros((length, 2), dtype="<i2")
    both[: trace.line.size, 0] = trace.line
    both[: trace.agent.size, 1] = trace.agent
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(both.tobytes())
    return path
