"""The bench of who answered: its tones are told apart as on a call, and its table adds up."""

import numpy as np
import pytest

from bench.answering import Result, judge, matrix, summary
from bench.answering_cases import Case, toned
from voice_loop.answering.watch import AnswerConfig
from voice_loop.audio import Samples
from voice_loop.ports import Transcript

TONED = {case.name: case for case in toned()}


class Deaf:
    """A recogniser that understands nothing."""

    async def hear(self, samples: Samples, language: str) -> Transcript:
        return Transcript("", 0.0)


@pytest.mark.parametrize(
    "name",
    [
        "ringing/United States",
        "ringing/United Kingdom",
        "busy/Spain",
        "busy/United States",
        "SIT/E.180",
        "fax/2100/2600",
        "music/2",
        "silence/0",
    ],
)
async def test_what_is_heard_as_tone_is_told_apart(name: str) -> None:
    result = await judge(TONED[name], Deaf(), AnswerConfig())
    assert result.who == TONED[name].who


def test_the_table_counts_what_was_taken_for_what() -> None:
    nothing = np.zeros(0, np.int16)
    person = Case("a", "human", "en", "closed", nothing)
    machine = Case("b", "voicemail", "en", "closed", nothing)
    results = [
        Result(person, "human", "", 480),
        Result(person, "voicemail", "", None),
        Result(machine, "voicemail", "", None),
    ]
    assert matrix(results).splitlines()[2:] == [
        "| human | 1 | 1 | 50.0% |",
        "| voicemail | 0 | 1 | 100.0% |",
    ]
    assert "3 cases, 2 right: 66.7%" in summary(results)
    assert "people taken for machines: 1 of 2 (50.0%)" in summary(results)
    assert "480 ms after their first words end" in summary(results)
