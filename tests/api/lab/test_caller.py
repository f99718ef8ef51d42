"""A caller against an agent that is played: who speaks when, and what is on the line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from api.lab.caller import (
    Caller,
    Cue,
    Listen,
    Pause,
    Press,
    Pressed,
    Said,
    Script,
    Told,
    Utter,
)
from api.lab.clip import Clip, dictation, recorded
from api.lab.library import Library, LibraryError
from api.lab.scenario import LineConditions
from api.lab.spans import Span, spoken_spans
from models.recordings import RATE
from voice_loop.audio import Samples, level_dbfs

FRAME = RATE // 50
LONGEST_S = 30.0
WORD = Clip(np.full(RATE // 2, 3000, dtype=np.int16), "one two", (), (Span(0.0, 0.5),))


def tone(at: float) -> Samples:
    """A frame of an agent that speaks."""
    times = at + np.arange(FRAME) / RATE
    return (4000 * np.sin(2 * np.pi * 300 * times)).astype(np.int16)


def play(
    *cues: Cue,
    agent: Callable[[float], bool] = lambda _: False,
    conditions: LineConditions | None = None,
    backdrop: Samples | None = None,
    tell: Callable[[Told], None] = lambda _: None,
) -> Caller:
    """Have a caller talk with an agent that speaks when `agent` says so, on a perfect line."""
    caller = Caller(Script(cues, conditions or LineConditions(), backdrop), tell=tell)
    while not caller.done and caller.now < LONGEST_S:
        at = caller.now
        caller.hear(tone(at) if agent(at) else np.zeros(FRAME, dtype=np.int16), at)
        caller.speak()
    return caller


def test_it_speaks_once_the_agent_is_silent() -> None:
    caller = play(Listen(700, 9000), Utter("say", WORD), agent=lambda at: 1 <= at < 3)
    (said,) = caller.spoken
    assert said.span.start == pytest.approx(3.7, abs=0.1)
    assert caller.done


def test_it_speaks_where_the_agent_says_nothing() -> None:
    caller = play(Listen(700, 2000), Utter("say", WORD))
    assert caller.spoken[0].span.start == pytest.approx(2.0, abs=0.05)


def test_pauses_are_within_a_turn_and_listening_ends_it() -> None:
    caller = play(
        Utter("say", WORD), Pause(800), Utter("say", WORD), Listen(500, 1000), Utter("say", WORD)
    )
    first, second, third = caller.spoken
    assert second.span.start - first.span.end == pytest.approx(0.8, abs=0.03)
    assert first.turn == second.turn != third.turn


def test_it_interrupts_so_long_after_the_agent_has_begun() -> None:
    caller = play(Utter("interrupt", WORD, 1500, 9000), agent=lambda at: 2 <= at < 8)
    assert caller.spoken[0].span.start == pytest.approx(3.5, abs=0.1)
    assert caller.unplaced == 0


def test_a_moment_that_does_not_come_is_told() -> None:
    caller = play(Utter("interrupt", WORD, 1500, 4000), agent=lambda at: 1 <= at < 2)
    assert caller.spoken == []
    assert caller.unplaced == 1
    assert caller.now == pytest.approx(4.0, abs=0.05)


def test_an_agent_that_takes_breath_has_not_begun_anew() -> None:
    def breathes(at: float) -> bool:
        return 1 <= at < 8 and not 2.0 <= at < 2.3

    caller = play(Utter("backchannel", WORD, 2500, 9000), agent=breathes)
    assert caller.spoken[0].span.start == pytest.approx(3.5, abs=0.1)


def test_what_it_says_is_told_by_time() -> None:
    told: list[Told] = []
    play(Pause(1000), Utter("say", WORD), Press("12#"), tell=told.append)
    said, pressed = told
    assert isinstance(said, Said)
    assert [word for _, word in said.words] == ["one", "two"]
    assert [at for at, _ in said.words] == pytest.approx([1.125, 1.375], abs=0.03)
    assert pressed == Pressed("12#")


def test_the_agents_voice_comes_back_later_and_quieter() -> None:
    conditions = LineConditions(echo_db=-20, echo_ms=200)
    caller = play(Pause(3000), agent=lambda at: 1 <= at < 2, conditions=conditions)
    level = level_dbfs(caller.agent.cut(RATE, 2 * RATE))
    line = caller.line.whole
    assert level_dbfs(line[int(1.21 * RATE) : int(2.2 * RATE)]) == pytest.approx(level - 20, abs=1)
    assert level_dbfs(line[: int(1.2 * RATE)]) < -90
    assert level_dbfs(caller.person.whole) < -90


def test_noise_is_there_all_the_time_and_not_in_the_voice() -> None:
    noise = np.random.default_rng(1).integers(-300, 300, RATE, dtype=np.int16)
    caller = play(Pause(2500), Utter("say", WORD), backdrop=noise)
    assert level_dbfs(caller.line.whole[-FRAME * 200 : -FRAME * 100]) > -50
    assert level_dbfs(caller.person.whole[: 2 * RATE]) < -90


# What it says ----------------------------------------------------------------------------


def test_pauses_of_a_recording_are_made_longer() -> None:
    library = Library("closed")
    as_it_is = recorded(library, "orders", 0, -20)
    longer = recorded(library, "orders", 0, -20, [900])
    gaps = [b.start - a.end for a, b in zip(longer.voiced, longer.voiced[1:], strict=False)]
    assert max(gaps) == pytest.approx(0.9, abs=0.06)
    assert longer.samples.size > as_it_is.samples.size
    assert level_dbfs(longer.samples) == pytest.approx(level_dbfs(as_it_is.samples), abs=2)


def test_a_dictation_has_its_gaps() -> None:
    clip = dictation(Library("closed"), "415", 0, -20, 400)
    assert clip.text == "four one five"
    gaps = [b.start - a.end for a, b in zip(clip.voiced, clip.voiced[1:], strict=False)]
    assert gaps == pytest.approx([0.4, 0.4])
    for one in clip.voiced:
        digit = clip.samples[int(one.start * RATE) : int(one.end * RATE)]
        assert level_dbfs(digit) == pytest.approx(-20, abs=1.5)


def test_a_level_is_that_of_the_speech() -> None:
    for level in (-20.0, -40.0):
        clip = recorded(Library("tune"), "orders", 1, level)
        voiced = [clip.samples[int(a * RATE) : int(b * RATE)] for a, b in clip.voiced]
        assert level_dbfs(np.concatenate(voiced)) == pytest.approx(level, abs=1)


def test_speech_is_found_in_the_middle_of_silence() -> None:
    random = np.random.default_rng(2)
    samples = random.normal(0, 10, 3 * RATE)
    samples[RATE : RATE + RATE // 2] += random.normal(0, 3000, RATE // 2)
    samples[2 * RATE : 2 * RATE + RATE // 4] += random.normal(0, 1500, RATE // 4)
    first, second = spoken_spans(samples.astype(np.int16))
    assert first == pytest.approx((1.0, 1.5), abs=0.02)
    assert second == pytest.approx((2.0, 2.25), abs=0.02)


def test_a_folder_without_a_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match=r"no manifest\.csv"):
        Library("closed", tmp_path).check("orders")
