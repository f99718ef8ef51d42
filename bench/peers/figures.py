"""Figures of turn-taking from outcomes, by one rule for all.

A hold is cut where the turn was over to the framework within it, or so soon after it that nobody
could have heard the person go on; latency counts from the end of the turn to when it was over. A
gap is where the agent, who has more to say, is not heard.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, quantiles

from bench.peers.exchange import About, Case, Kind, Outcome

#: A gap that nobody notices, ms.
UNNOTICED_MS = 40
#: What it takes to hear that a person goes on, ms.
ONSET_MS = 200
#: The last that a framework may come late without having missed the turn, ms.
LATEST_MS = 6000


@dataclass(frozen=True)
class Turns:
    """How turns ended, under one condition."""

    conditions: str
    holds: int
    cut: int
    turns: int
    missed: int
    latencies: tuple[int, ...]
    """Of the turns that were not missed, ms."""

    @property
    def mean(self) -> float | None:
        return fmean(self.latencies) if self.latencies else None


@dataclass(frozen=True)
class Overlaps:
    """What became of words spoken into the agent's."""

    count: int
    silenced: int
    """In how many of them the agent made a gap that one hears."""
    silent_after: tuple[int, ...]
    """From the person's onset to the beginning of that gap, ms."""


def quantile(values: Sequence[float], share: float) -> float | None:
    """A quantile of some values; None of none."""
    if not values:
        return None
    if len(values) == 1:
        return values[0]
    return quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]


def turns(cases: Sequence[Case], outcomes: Mapping[str, Outcome]) -> Sequence[Turns]:
    """Ends of turns, by the cases' conditions."""
    found = []
    for conditions in dict.fromkeys(case.conditions for case in cases if case.kind == "turn"):
        some = [one for one in cases if one.kind == "turn" and one.conditions == conditions]
        late = [latency(case, outcomes[case.file]) for case in some]
        found.append(
            Turns(
                conditions,
                holds=sum(len(case.holds) for case in some),
                cut=sum(len(cut_holds(case, outcomes[case.file])) for case in some),
                turns=len(some),
                missed=late.count(None),
                latencies=tuple(one for one in late if one is not None),
            )
        )
    return found


def cut_holds(case: Case, outcome: Outcome) -> Sequence[int]:
    """Which of the case's holds were taken for the end of the turn: their indices."""
    return [
        index
        for index, (begin, end) in enumerate(case.holds)
        if any(begin <= at < end + ONSET_MS for at in outcome.ends)
    ]


def latency(case: Case, outcome: Outcome) -> int | None:
    """From the end of the turn until it was over to the framework, ms; None if it never was."""
    after = [at - case.end for at in outcome.ends if at >= case.end]
    return min(after) if after and min(after) <= LATEST_MS else None


def overlaps(cases: Sequence[Case], outcomes: Mapping[str, Outcome], kind: Kind) -> Overlaps:
    """What became of the cases of one kind, `backchannel` or `interruption`."""
    some = [case for case in cases if case.kind == kind]
    silent = [silent_after(case, outcomes[case.file]) for case in some]
    heard = tuple(one for one in silent if one is not None)
    return Overlaps(count=len(some), silenced=len(heard), silent_after=heard)


def silent_after(case: Case, outcome: Outcome) -> int | None:
    """From the person's onset to the first gap that one hears, ms; None for no such gap."""
    heard_until = case.onset
    for begin, end in sorted(outcome.agent):
        if begin - heard_until > UNNOTICED_MS:
            break
        heard_until = max(heard_until, end)
    return heard_until - case.onset if case.length - heard_until > UNNOTICED_MS else None


def starts_per_minute(cases: Sequence[Case], outcomes: Mapping[str, Outcome]) -> float:
    """How often noise was taken for a person who begins to speak."""
    noise = [case for case in cases if case.kind == "noise"]
    minutes = sum(case.length for case in noise) / 60_000
    return sum(len(outcomes[case.file].starts) for case in noise) / minutes


def cpu_share(about: About) -> float:
    """CPU seconds per second of audio."""
    return about.cpu_s / about.audio_s
