"""Figures of calls by the field's own rules, which `docs/lab.md` tells: pure functions of traces.

A figure of one call is a `Tally` (how many of how many) or a `Spread` (values); those of several
calls are added up, so that each event weighs the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Any, Final

import numpy as np

from api.lab.library import DIGITS
from api.lab.spans import Span
from api.lab.trace import CallTrace, Kind, Spoken
from voice_loop.phrases import plain_words

_TEENS: Final = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen"),
    *("sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_NUMBERS: Final = (*DIGITS, *_TEENS)
#: eot-bench's rule is 100 ms and more; what is shorter than that is no silence of a person's.
_HOLD_S: Final = 0.1
#: τ-voice: an interruption is yielded to within that, a backchannel or tic is not to stop the agent
#: within that, and nobody is to answer a tic within that.
_YIELD_S: Final = 2.0
_NO_YIELD_S: Final = 1.0
_NO_ANSWER_S: Final = 2.0
#: An agent that is silent for a tick of τ-voice's has stopped.
_STOPPED_S: Final = 0.2
#: A gap that a listener notices.
_GAP_S: Final = 0.04
#: Who speaks, or speaks again, is heard from then on: what is decided before is about the silence.
_HEARD: Final = ("SpeechStarted", "SpeechResumed")
#: The way through two PBXs and two jitter buffers, one way, at most.
_PATH_S: Final = 0.25
#: Speech makes a start some time after its first sound.
_ONSET_S: Final = 1.0


@dataclass
class Tally:
    """So many of so many."""

    hits: int = 0
    of: int = 0

    def add(self, hit: bool) -> None:
        """Count one more."""
        self.hits += hit
        self.of += 1

    @property
    def share(self) -> float | None:
        """0 to 1; None of nothing."""
        return self.hits / self.of if self.of else None

    def __iadd__(self, other: "Tally") -> "Tally":
        self.hits += other.hits
        self.of += other.of
        return self

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        share = self.share
        return {
            "count": self.hits,
            "of": self.of,
            "share": None if share is None else round(share, 4),
        }


@dataclass
class Spread:
    """Values, in ms."""

    values: list[float] = field(default_factory=list)

    def __iadd__(self, other: "Spread") -> "Spread":
        self.values += other.values
        return self

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        if not self.values:
            return {"n": 0, "mean": None, "p50": None, "p95": None, "max": None}
        p50, p95 = np.percentile(self.values, [50, 95])
        found = {"mean": np.mean(self.values), "p50": p50, "p95": p95, "max": max(self.values)}
        return {
            "n": len(self.values),
            **{name: round(float(one), 1) for name, one in found.items()},
        }


@dataclass
class Figures:
    """All of them. What each is, `docs/lab.md` tells."""

    holds_cut: Tally = field(default_factory=Tally)
    turns_cut: Tally = field(default_factory=Tally)
    end_of_turn_ms: Spread = field(default_factory=Spread)
    responded: Tally = field(default_factory=Tally)  # R_R
    response_ms: Spread = field(default_factory=Spread)  # L_R
    wire_ms: Spread = field(default_factory=Spread)
    yielded: Tally = field(default_factory=Tally)  # R_Y
    yield_ms: Spread = field(default_factory=Spread)  # L_Y
    backchannels_ignored: Tally = field(default_factory=Tally)  # S_BC
    backchannels_without_gap: Tally = field(default_factory=Tally)
    tics_ignored: Tally = field(default_factory=Tally)  # S_VT
    asides_ignored: Tally = field(default_factory=Tally)  # S_ND
    spoke_over: Tally = field(default_factory=Tally)
    self_interruptions: int = 0
    false_starts: int = 0
    phantom_turns: int = 0
    listened_min: float = 0.0
    words_heard: Tally = field(default_factory=Tally)
    dictations_whole: Tally = field(default_factory=Tally)
    unheard_words_kept: Tally = field(default_factory=Tally)
    unplaced: int = 0
    calls: int = 0

    def __iadd__(self, other: "Figures") -> "Figures":
        for one in fields(self):
            mine = getattr(self, one.name)
            mine += getattr(other, one.name)
            setattr(self, one.name, mine)
        return self

    def told(self) -> dict[str, Any]:
        """As JSON has them."""
        found = {}
        for one in fields(self):
            value = getattr(self, one.name)
            found[one.name] = value.told() if isinstance(value, Tally | Spread) else round(value, 3)
        minutes = self.listened_min
        per_minute = round(self.false_starts / minutes, 3) if minutes else None
        return {**found, "false_starts_per_min": per_minute}


@dataclass(frozen=True)
class PersonTurn:
    """What the caller said before it listened again."""

    voiced: tuple[Span, ...]
    kind: Kind

    @property
    def span(self) -> Span:
        """From its first sound to its last."""
        return Span(self.voiced[0].start, self.voiced[-1].end)

    @property
    def holds(self) -> list[Span]:
        """The silences in it."""
        gaps = [Span(a.end, b.start) for a, b in pairwise(self.voiced)]
        return [one for one in gaps if one.length >= _HOLD_S]


def person_turns(trace: CallTrace, kinds: Sequence[Kind] = ("say",)) -> list[PersonTurn]:
    """The caller's turns that have to be answered."""
    turns: dict[int, list[Spoken]] = {}
    for one in trace.spoken:
        if one.kind in kinds:
            turns.setdefault(one.turn, []).append(one)
    return [
        PersonTurn(tuple(span for one in said for span in one.voiced), said[0].kind)
        for said in turns.values()
    ]


def figures_of(trace: CallTrace) -> Figures:
    """The figures of one call."""
    figures = Figures(calls=1, unplaced=trace.unplaced)
    _turn_taking(trace, figures)
    _interruptions(trace, figures)
    _selectivity(trace, figures)
    _false_alarms(trace, figures)
    _words(trace, figures)
    figures.wire_ms.values += [one.wire_ms for one in trace.turns if one.wire_ms is not None]
    return figures


def total(traces: Iterable[CallTrace]) -> Figures:
    """The figures of several calls."""
    figures = Figures()
    for trace in traces:
        figures += figures_of(trace)
    return figures


# Whose turn it is ------------------------------------------------------------------------


def _turn_taking(trace: CallTrace, figures: Figures) -> None:
    ends = [one.at for one in trace.decisions if one.name == "TurnEnded"]
    heard_at = [one.at for one in trace.decisions if one.name in _HEARD]
    turns = person_turns(trace)
    for index, turn in enumerate(turns):
        cut = False
        holds = turn.holds
        untils = [*(one.start for one in holds[1:]), turn.span.end]
        for hold, until in zip(holds, untils, strict=False):
            heard = next((at for at in heard_at if at > hold.end), until)
            taken = any(hold.start < at < min(heard, until) for at in ends)
            figures.holds_cut.add(taken)
            cut = cut or taken
        figures.turns_cut.add(cut)
        following = turns[index + 1].span.start if index + 1 < len(turns) else trace.length_s
        over = [at for at in ends if turn.span.end <= at < following]
        if over:
            figures.end_of_turn_ms.values.append((over[0] - turn.span.end) * 1000)
        answer = _next_start(trace, turn.span.end, following)
        speaking = _speaks_at(trace, turn.span.end)
        figures.responded.add(answer is not None or speaking)
        if answer is not None and not speaking:
            figures.response_ms.values.append((answer - turn.span.end) * 1000)
        starts = (one.start for one in trace.agent_speaks)
        over_voice = any(voice.start < at < voice.end for at in starts for voice in turn.voiced)
        figures.spoke_over.add(over_voice)


def _next_start(trace: CallTrace, start: float, end: float) -> float | None:
    """When the agent begins to speak in that time."""
    return next((one.start for one in trace.agent_speaks if start <= one.start < end), None)


def _speaks_at(trace: CallTrace, at: float) -> bool:
    return any(one.start < at < one.end for one in trace.agent_speaks)


# Who may go on ---------------------------------------------------------------------------


def _interruptions(trace: CallTrace, figures: Figures) -> None:
    for one in trace.spoken:
        if one.kind == "interrupt":
            stopped = _stop(trace, one.span.start, _YIELD_S)
            figures.yielded.add(stopped is not None)
            if stopped is not None:
                figures.yield_ms.values.append((stopped - one.span.start) * 1000)


def _stop(trace: CallTrace, start: float, within_s: float) -> float | None:
    """When the agent, who speaks, stops in that time."""
    stops = (one.end for one in trace.agent_speaks if one.start <= start + _GAP_S)
    return next((at for at in stops if start < at < start + within_s), None)


def _selectivity(trace: CallTrace, figures: Figures) -> None:
    tallies = {
        "backchannel": figures.backchannels_ignored,
        "tic": figures.tics_ignored,
        "aside": figures.asides_ignored,
    }
    for one in trace.spoken:
        tally = tallies.get(one.kind)
        if tally is None:
            continue
        if _speaks_at(trace, one.span.start):
            tally.add(not _is_stopped_by(trace, one))
            if one.kind == "backchannel":
                figures.backchannels_without_gap.add(not _gaps(trace, one, _GAP_S))
        else:
            answered = _next_start(trace, one.span.start, one.span.end + _NO_ANSWER_S)
            tally.add(answered is None)


def _is_stopped_by(trace: CallTrace, one: Spoken) -> bool:
    """Whether it takes the word from the agent: a silence, and no end of what was being said."""
    return bool(_gaps(trace, one, _STOPPED_S))


def _gaps(trace: CallTrace, one: Spoken, least_s: float) -> list[Span]:
    """The silences that the agent makes because of something said into its words.

    They begin within the window after its first sound, and the agent's own turn does not end
    with them: the transcript tells whether it had more to say.
    """
    window = Span(one.span.start, max(one.span.start + _NO_YIELD_S, one.span.end + _PATH_S))
    silent = trace.agent_gaps if trace.letter_ms is not None else _between(trace.agent_speaks)
    found = [
        gap for gap in silent if gap.length > least_s and window.start < gap.start < window.end
    ]
    return [gap for gap in found if not _is_end(trace, gap.start)]


def _between(spans: Sequence[Span]) -> list[Span]:
    gaps = [Span(a.end, b.start) for a, b in pairwise(spans)]
    return gaps + [Span(one.end, one.end + 10.0) for one in spans[-1:]]


def _is_end(trace: CallTrace, at: float) -> bool:
    """Whether an agent's turn ends there of its own accord."""
    agent = [one for one in trace.turns if one.speaker == "agent" and not one.interrupted]
    return any(abs(one.span.end - at) < _PATH_S for one in agent)


# What was nobody's word ------------------------------------------------------------------


def _false_alarms(trace: CallTrace, figures: Figures) -> None:
    voiced = [span for one in trace.spoken for span in one.voiced]
    figures.listened_min += (trace.length_s - sum(one.length for one in voiced)) / 60
    for one in trace.decisions:
        if one.name == "SpeechStarted":
            heard = Span(one.at - _ONSET_S, one.at)
            if not any(heard.overlaps(span) for span in voiced):
                figures.false_starts += 1
                figures.self_interruptions += _speaks_at(trace, one.at - _GAP_S)
    for turn in trace.turns:
        if turn.speaker == "person":
            real = any(turn.span.overlaps(span, _PATH_S) for span in voiced)
            figures.phantom_turns += not real


# Words -----------------------------------------------------------------------------------


def _words(trace: CallTrace, figures: Figures) -> None:
    kept = [one for one in trace.turns if one.speaker == "person"]
    heard = _numbered(" ".join(one.text for one in kept))
    digits = "".join(digits_of(one.text) for one in kept)
    for said in trace.spoken:
        if said.dictated:
            matcher = SequenceMatcher(None, said.dictated, digits, autojunk=False)
            right = sum(block.size for block in matcher.get_matching_blocks())
            figures.words_heard += Tally(right, len(said.dictated))
            whole = any(said.dictated in digits_of(one.text) for one in kept)
            figures.dictations_whole.add(whole)
        elif said.kind in {"say", "interrupt"}:
            wanted = [_numbered(words) for words in said.words or (said.text,)]
            for words in filter(None, wanted):
                figures.words_heard.add(_contains(heard, words))
    if trace.letter_ms is None:
        return
    agent = [one for one in trace.turns if one.speaker == "agent"]
    # What is sent before the next turn begins belongs to this one, however late it is heard.
    ends = [*(one.span.start for one in agent[1:]), trace.length_s]
    for turn, end in zip(agent, ends, strict=False):
        left = _left(trace, Span(turn.span.start - _PATH_S, end))
        letters = left * 1000 / trace.letter_ms
        before = 0
        for word in turn.text.split():
            figures.unheard_words_kept.add(before + len(word) / 2 > letters)
            before += len(word) + 1


def _left(trace: CallTrace, span: Span) -> float:
    """Seconds of the agent's voice in that time."""
    return sum(
        max(0.0, min(one.end, span.end) - max(one.start, span.start)) for one in trace.agent_speaks
    )


def _numbered(text: str) -> list[str]:
    """The words of a text, numbers up to twenty as figures."""
    words = plain_words(text.replace("-", " ")).split()
    return [str(_NUMBERS.index(one)) if one in _NUMBERS else one for one in words]


def _contains(heard: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether these words are heard one after the other, be it in the plural."""
    starts = range(len(heard) - len(wanted) + 1)
    return any(
        all(a in (b, f"{b}s") for a, b in zip(heard[start:], wanted, strict=False))
        for start in starts
    )


def digits_of(text: str) -> str:
    """The digits of a text, as figures or as words, in order."""
    words = _numbered(text)
    return "".join(one for one in words if one.isdigit())
