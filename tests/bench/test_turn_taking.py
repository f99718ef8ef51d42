"""Pauses made longer, and the curve of false cut-offs on what is known beforehand."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bench.turn_taking import (
    CONDITIONS,
    LISTENED_MS,
    LONGER,
    Case,
    Condition,
    Curve,
    after_silence,
    area,
    by_odds,
    cases,
    curve,
    people_last,
)
from models.recordings import RATE, Recording
from models.training.turn_data import Floats, Voice, places, stretches, voice_of
from voice_loop.audio import level_dbfs

NOISE_DBFS = -70.0


def sound(rng: np.random.Generator, ms: int, dbfs: float) -> Floats:
    return (10 ** (dbfs / 20) * rng.normal(size=ms * RATE // 1000)).astype(np.float32)


def order(seed: int = 0) -> Voice:
    """Speech, a dip of 150 ms, speech, a gap of 60 ms, speech, and nothing more."""
    rng = np.random.default_rng(seed)
    parts = [(500, 0), (900, 1), (150, 0), (700, 1), (60, 0), (800, 1), (2000, 0)]
    audio = np.concatenate([sound(rng, ms, -25.0 if loud else NOISE_DBFS) for ms, loud in parts])
    recording = Recording("orders", f"{seed}.flac", Path(), "", "en", "", (), "")
    own = voice_of(recording, audio)
    assert own is not None
    return own


def test_speech_is_parted_at_dips() -> None:
    edges = [
        round(one / RATE * 1000, -1) for stretch in stretches(order().audio) for one in stretch
    ]
    assert edges == pytest.approx([500, 1400, 1550, 2250, 2310, 3110], abs=20)


def test_a_dip_is_a_pause_and_the_last_speech_the_end() -> None:
    assert [(one.kind, one.ends) for one in places(order())] == [
        ("pause", False),
        ("dip", False),
        ("end", True),
    ]


def test_nobody_speaks_in_silence() -> None:
    recording = order().recording
    assert voice_of(recording, np.zeros(RATE, np.float32)) is None


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda one: one.name)
def test_a_pause_goes_on_as_the_background_of_the_line(condition: Condition) -> None:
    rng = np.random.default_rng(0)
    noise = {one.noise: sound(rng, 9000, -20.0) for one in CONDITIONS if one.noise}
    for one in cases([order()]):
        heard, at = one.heard(condition, noise)
        spoken, paused = heard[at - RATE // 2 : at], heard[at + RATE // 10 :]
        assert level_dbfs(spoken) == pytest.approx(condition.level_dbfs, abs=1.0)
        under = condition.snr_db if condition.noise else -25.0 - NOISE_DBFS
        assert level_dbfs(spoken) - level_dbfs(paused) == pytest.approx(under, abs=1.5)
        # Without a seam: no 10 ms of it stand out.
        levels = [level_dbfs(part) for part in np.array_split(paused, paused.size // 80)]
        assert max(levels) - np.median(levels) < 4.0


def test_the_same_pauses_at_every_run() -> None:
    first, second = (cases([order(1), order(2)]) for _ in range(2))
    assert [(one.name, one.lasts_ms) for one in first] == [
        (one.name, one.lasts_ms) for one in second
    ]


def test_pauses_last_as_people_s_do() -> None:
    lasts = people_last((np.arange(1000) + 0.5) / 1000)
    for ms, share in LONGER.items():
        assert np.mean(lasts > ms) == pytest.approx(share, abs=0.012)


def made(pauses: int = 400, ends: int = 200) -> list[Case]:
    """Pauses of people's lengths, and ends."""
    end = places(order())[-1]
    lasts = people_last((np.arange(pauses) + 0.5) / pauses)
    return [Case(end, ms, 0) for ms in (*lasts, *[None] * ends)]


def found(score: np.ndarray) -> Curve:
    return curve(made(), partial(by_odds, score), np.geomspace(1e-4, 1e4, 400))


def test_silence_alone_cuts_off_as_many_as_pause_for_longer() -> None:
    silence = curve(made(), partial(after_silence, made()), np.arange(200, 2000, 20))
    assert [silence.cut_at(ms) for ms in (400, 600, 800)] == pytest.approx(
        [0.42, 0.21, 0.14], abs=0.01
    )
    assert [silence.latency_at(share) for share in (0.05, 0.10)] == pytest.approx(
        [1420, 980], abs=25
    )


def test_a_judge_who_knows_cuts_nobody_off() -> None:
    ends = np.array([one.lasts_ms is None for one in made()])
    knows = np.where(ends, 0.999, 0.001)[:, None].repeat(len(LISTENED_MS), axis=1)
    assert found(knows).cut_at(300) < 0.01
    assert area(ends, knows[:, 0]) == 1.0


def test_a_judge_who_knows_nothing_is_no_better_than_silence() -> None:
    guess = np.full((600, len(LISTENED_MS)), 0.5)
    assert found(guess).cut_at(400) == pytest.approx(0.42, abs=0.02)
    assert area(np.arange(600) >= 400, guess[:, 0]) == 0.5


def test_what_is_heard_later_counts_once_it_is_heard() -> None:
    late = np.full((1, len(LISTENED_MS)), 0.001)
    late[0, -1] = 0.999
    assert by_odds(late, 1.0) == pytest.approx([LISTENED_MS[-1]])


def test_a_share_that_is_never_reached_has_no_latency() -> None:
    impatient = curve(made(), partial(after_silence, made()), [200, 400])
    assert impatient.latency_at(0.10) == np.inf
