"""Turn-taking, frame by frame. A verdict string has one sign per 20 ms: `#` speech, `.` none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_loop.audio import FRAME_MS, Samples
from voice_loop.floor import (
    Floor,
    FloorConfig,
    FloorEvent,
    NobodySpeaks,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    TurnEnded,
)
from voice_loop.phrases import phrases
from voice_loop.ports import Transcript
from voice_loop.turn_detection import RuleTurnDetector

CONFIG = FloorConfig()
PAUSE = CONFIG.pause_ms // FRAME_MS
END = CONFIG.end_of_turn_ms // FRAME_MS
UNFINISHED = CONFIG.unfinished_turn_ms // FRAME_MS
SILENCE = CONFIG.silence_ms // FRAME_MS
UNFINISHED_WORDS = Transcript("on tuesday and", 0.9)


def floor_of(config: FloorConfig = CONFIG) -> Floor:
    """A floor with the turn detection that needs no model."""
    return Floor(config, RuleTurnDetector(config, phrases("en")))


def run(verdicts: str, agent: str = "", floor: Floor | None = None) -> list[tuple[int, FloorEvent]]:
    """Events with the index of the frame that brought them; `agent` marks where it speaks."""
    floor = floor or floor_of()
    events = []
    for index, verdict in enumerate(verdicts):
        agent_speaks = agent[index : index + 1] == "#"
        events += [(floor.frame, event) for event in floor.push(verdict == "#", agent_speaks)]
    return events


def test_a_turn_from_its_start_to_its_end() -> None:
    assert run("....#####" + "." * 40) == [
        (6, SpeechStarted(4, barge_in=False)),
        (8 + PAUSE, SpeechPaused(4, 8)),
        (8 + END, TurnEnded(4, 8)),
    ]


@pytest.mark.parametrize("verdicts", ["#.##", "##..#", "#.#.#"])
def test_a_ragged_start_counts_from_its_first_frame(verdicts: str) -> None:
    assert run(verdicts) == [(len(verdicts) - 1, SpeechStarted(0, barge_in=False))]


@pytest.mark.parametrize("verdicts", ["##", "#" + "." * 5 + "##", "#....#...#....#....#"])
def test_clicks_are_no_start(verdicts: str) -> None:
    assert run(verdicts + "." * 20) == []


def test_a_short_pause_is_part_of_the_turn() -> None:
    assert run("####" + "." * (PAUSE - 1) + "####") == [(2, SpeechStarted(0, barge_in=False))]


def test_speech_after_a_pause_resumes_the_turn() -> None:
    rest = "." * PAUSE + ".." + "###" + "." * END
    assert run("####" + rest) == [
        (2, SpeechStarted(0, barge_in=False)),
        (3 + PAUSE, SpeechPaused(0, 3)),
        (8 + PAUSE, SpeechResumed()),
        (8 + 2 * PAUSE, SpeechPaused(0, 8 + PAUSE)),
        (8 + PAUSE + END, TurnEnded(0, 8 + PAUSE)),
    ]


def test_a_click_in_a_pause_does_not_prolong_it() -> None:
    ended = run("####" + "." * (PAUSE + 2) + "#" + "." * 30)[-1]
    assert ended == (3 + END, TurnEnded(0, 3))


def test_unfinished_words_hold_longer_for_this_pause_only() -> None:
    floor = floor_of()
    run("####" + "." * PAUSE, floor=floor)
    floor.transcribed(UNFINISHED_WORDS)
    assert run("." * (UNFINISHED - PAUSE - 1), floor=floor) == []
    assert [event for _, event in run(".###", floor=floor)] == [TurnEnded(0, 3), SpeechStarted(
        4 + UNFINISHED, barge_in=False)]  # fmt: skip
    last = floor.frame
    assert run("." * END, floor=floor)[-1] == (last + END, TurnEnded(4 + UNFINISHED, last))


def test_resuming_after_unfinished_words_forgets_that_they_were() -> None:
    floor = floor_of()
    run("####" + "." * PAUSE, floor=floor)
    floor.transcribed(UNFINISHED_WORDS)
    run("###", floor=floor)
    last = floor.frame
    assert run("." * END, floor=floor)[-1] == (last + END, TurnEnded(0, last))


def test_finished_words_hold_no_longer() -> None:
    floor = floor_of()
    run("####" + "." * PAUSE, floor=floor)
    floor.transcribed(Transcript("and on tuesday", 0.9))
    assert run("." * END, floor=floor)[-1] == (3 + END, TurnEnded(0, 3))


class Detector:
    """A turn detector that has its verdict after so much silence."""

    def __init__(self, over_ms: float) -> None:
        self.over_ms = over_ms
        self.told: list[str] = []

    def hear(self, frame: Samples) -> None:
        raise AssertionError("the floor has no audio")

    def paused(self) -> None:
        self.told.append("paused")

    def transcribed(self, transcript: Transcript) -> None:
        self.told.append(transcript.text)

    def turn_over(self, silent_ms: int) -> bool:
        return silent_ms >= self.over_ms


@pytest.mark.parametrize(
    ("over_ms", "frames"),
    [(0, PAUSE + 1), (600, 30), (float("inf"), UNFINISHED)],
    ids=["at once", "later", "never"],
)
def test_the_turn_detector_ends_the_turn_within_the_longest_pause(
    over_ms: float, frames: int
) -> None:
    floor = Floor(CONFIG, Detector(over_ms))
    assert run("####" + "." * 100, floor=floor)[-1] == (3 + frames, TurnEnded(0, 3))


def test_the_turn_detector_is_told_of_pauses_and_words() -> None:
    detector = Detector(600)
    floor = Floor(CONFIG, detector)
    run("####" + "." * PAUSE, floor=floor)
    floor.transcribed(UNFINISHED_WORDS)
    run("####" + "." * PAUSE, floor=floor)
    assert detector.told == ["paused", "on tuesday and", "paused"]


def test_a_turn_ends_at_its_longest_and_another_may_begin() -> None:
    floor = floor_of(FloorConfig(max_turn_ms=1_000))
    assert run("#" * 120, floor=floor) == [
        (2, SpeechStarted(0, barge_in=False)),
        (50, TurnEnded(0, 50)),
        (53, SpeechStarted(51, barge_in=False)),
        (101, TurnEnded(51, 101)),
        (104, SpeechStarted(102, barge_in=False)),
    ]


def test_interrupting_takes_more_than_starting() -> None:
    agent = "#" * 100
    assert run("#" * 7 + "." * 12, agent) == []
    assert run("#" * 8, agent) == [(7, SpeechStarted(0, barge_in=True))]
    assert run("##.##.##.##.", agent) == [(10, SpeechStarted(0, barge_in=True))]
    assert run("#.#." * 12, agent) == []


def test_speech_that_outlasts_the_agent_is_an_ordinary_start() -> None:
    assert run("######", "####..") == [(4, SpeechStarted(0, barge_in=False))]


def test_silence_is_told_again_and_again() -> None:
    assert run("." * (2 * SILENCE + 1)) == [
        (SILENCE, NobodySpeaks()),
        (2 * SILENCE, NobodySpeaks()),
    ]


def test_silence_counts_from_the_end_of_the_last_speech_of_either() -> None:
    assert run("." * (SILENCE + 30), "#" * 20) == [(19 + SILENCE, NobodySpeaks())]
    events = run("####" + "." * (SILENCE + END))
    assert events[-1] == (3 + END + SILENCE, NobodySpeaks())


def test_nobody_is_asked_within_a_turn() -> None:
    floor = floor_of(FloorConfig(unfinished_turn_ms=9_000, silence_ms=1_000))
    run("####" + "." * PAUSE, floor=floor)
    floor.transcribed(UNFINISHED_WORDS)
    assert run("." * 400, floor=floor) == []


def test_who_speaks_is_known_at_any_time() -> None:
    floor = floor_of()
    states = []
    for verdict in "..####" + "." * END:
        floor.push(verdict == "#", agent_speaks=False)
        states.append((floor.person_speaks, floor.talking))
    quiet, talking, paused = (False, False), (True, True), (True, False)
    assert states == [quiet] * 4 + [talking] * (PAUSE + 1) + [paused] * (END - PAUSE) + [quiet]
    assert floor.onset_frame == 2


SPANS = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.booleans(), st.integers(1, 40)), max_size=40
)


@given(SPANS)
def test_whatever_is_heard_starts_and_ends_alternate(
    spans: list[tuple[bool, bool, bool, int]],
) -> None:
    floor = floor_of(FloorConfig(max_turn_ms=3_000))
    open_turn: int | None = None
    paused = False
    ended_at = -1
    heard: list[bool] = []
    for is_speech, agent_speaks, unfinished, frames in spans:
        if unfinished:
            floor.transcribed(UNFINISHED_WORDS)
        for _ in range(frames):
            heard.append(is_speech)
            for event in floor.push(is_speech, agent_speaks):
                match event:
                    case SpeechStarted(onset, barge_in):
                        assert open_turn is None
                        assert ended_at < onset <= floor.frame
                        assert heard[onset]
                        assert barge_in is agent_speaks
                        open_turn, paused = onset, False
                    case SpeechPaused(onset, last):
                        assert not paused
                        assert onset == open_turn
                        assert onset <= last < floor.frame
                        assert heard[last]
                        paused = True
                    case SpeechResumed():
                        assert paused
                        paused = False
                    case TurnEnded(onset, last):
                        assert onset == open_turn
                        assert onset <= last <= floor.frame
                        assert heard[last]
                        open_turn, ended_at = None, last
                    case NobodySpeaks():
                        assert open_turn is None
                        assert not agent_speaks
            assert floor.person_speaks is (open_turn is not None)
            assert floor.talking is (open_turn is not None and not paused)
    for _ in range(UNFINISHED + 1):
        floor.push(is_speech=False, agent_speaks=False)
    assert not floor.person_speaks, "silence ends every turn"
