"""Turn-taking, frame by frame. A verdict string has one sign per 20 ms: `#` speech, `.` none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_loop.audio import FRAME_MS
from voice_loop.floor import (
    Floor,
    FloorConfig,
    FloorEvent,
    NobodySpeaks,
    PauseLasts,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    TurnEnded,
)
from voice_loop.ports import Transcript
from voice_loop.turn_detection import TurnDetector

CONFIG = FloorConfig()
DIP = CONFIG.dip_ms // FRAME_MS
PAUSE = CONFIG.pause_ms // FRAME_MS
END = CONFIG.end_of_turn_ms // FRAME_MS
LONGEST = CONFIG.longest_pause_ms // FRAME_MS
SILENCE = CONFIG.silence_ms // FRAME_MS
DICTATED = Transcript("four one five", 0.9)


def floor_of(config: FloorConfig = CONFIG) -> Floor:
    """A floor of a call in English, with recognition that takes no time."""
    floor = Floor(config, TurnDetector(config.end_of_turn_ms, config.longest_pause_ms, "en"))
    floor.recognition_ms = FRAME_MS
    return floor


def run(verdicts: str, agent: str = "", floor: Floor | None = None) -> list[tuple[int, FloorEvent]]:
    """Events with the index of the frame that brought them; `agent` marks where it speaks.

    Judging the sound of pauses is left out.
    """
    floor = floor or floor_of()
    events = []
    for index, verdict in enumerate(verdicts):
        agent_speaks = agent[index : index + 1] == "#"
        events += [(floor.frame, event) for event in floor.push(verdict == "#", agent_speaks)]
    return [(frame, event) for frame, event in events if not isinstance(event, PauseLasts)]


def test_a_turn_from_its_start_to_its_end() -> None:
    assert run("....#####" + "." * 40) == [
        (6, SpeechStarted(4, barge_in=False)),
        (8 + DIP, SpeechPaused(4, 8)),
        (8 + END, TurnEnded(4, 8)),
    ]


@pytest.mark.parametrize("verdicts", ["#.##", "##..#", "#.#.#"])
def test_a_ragged_start_counts_from_its_first_frame(verdicts: str) -> None:
    assert run(verdicts) == [(len(verdicts) - 1, SpeechStarted(0, barge_in=False))]


def test_a_start_waits_until_the_detector_is_convinced() -> None:
    for agent_speaks, known in ((False, 6), (True, 12)):
        floor = floor_of()
        begun = [
            event
            for frame in range(20)
            for event in floor.push(True, agent_speaks, convinced=frame >= 15)
        ]
        # From the earliest frame on that is still known then.
        assert begun == [SpeechStarted(16 - known, barge_in=agent_speaks)]


@pytest.mark.parametrize("verdicts", ["##", "#" + "." * 5 + "##", "#....#...#....#....#"])
def test_clicks_are_no_start(verdicts: str) -> None:
    assert run(verdicts + "." * 20) == []


def test_a_dip_within_a_word_is_part_of_the_turn() -> None:
    assert run("####" + "." * (DIP - 1) + "####") == [(2, SpeechStarted(0, barge_in=False))]


def test_speech_after_a_pause_resumes_the_turn() -> None:
    rest = "." * PAUSE + ".." + "###" + "." * END
    assert run("####" + rest) == [
        (2, SpeechStarted(0, barge_in=False)),
        (3 + DIP, SpeechPaused(0, 3)),
        (8 + PAUSE, SpeechResumed()),
        (8 + PAUSE + DIP, SpeechPaused(0, 8 + PAUSE)),
        (8 + PAUSE + END, TurnEnded(0, 8 + PAUSE)),
    ]


def test_one_frame_soon_after_a_word_still_belongs_to_it() -> None:
    """The burst of a plosive after its closure ("stop"): what was heard before it is not all."""
    assert run("####" + "." * (DIP + 2) + "#" + "." * END)[1:] == [
        (3 + DIP, SpeechPaused(0, 3)),
        (6 + DIP, SpeechResumed()),
        (6 + 2 * DIP, SpeechPaused(0, 6 + DIP)),
        (6 + DIP + END, TurnEnded(0, 6 + DIP)),
    ]


def test_a_click_in_a_pause_does_not_prolong_it() -> None:
    ended = run("####" + "." * (PAUSE + 2) + "#" + "." * 30)[-1]
    assert ended == (3 + END, TurnEnded(0, 3))


def paused_in(verdicts: str, floor: Floor) -> list[int]:
    return [frame for frame, event in run(verdicts, floor=floor) if isinstance(event, SpeechPaused)]


@pytest.mark.parametrize("takes_ms", [20, 100, 200, 400])
def test_dips_in_vain_take_half_of_recognition_at_most(takes_ms: float) -> None:
    floor = floor_of()
    floor.recognition_ms = takes_ms
    asked = paused_in(("####" + "." * DIP) * 200, floor)
    assert len(asked) * takes_ms <= (floor.frame * FRAME_MS) / 2 + 2 * takes_ms
    assert len(asked) > 1
    last = floor.frame - DIP
    paused = paused_in("." * PAUSE, floor) or asked[-1:]
    assert paused[0] <= last + PAUSE, "the end of the turn is not put off for long"


def test_the_words_of_a_turn_that_ends_right_after_a_dip_are_not_put_off() -> None:
    floor = floor_of()
    floor.recognition_ms = 100
    asked = paused_in("#" * 60 + "." * DIP + "#" * 3 + "." * END, floor)
    assert asked == [59 + DIP, 62 + 2 * DIP]


def test_into_the_agents_words_a_dip_is_longer() -> None:
    dip, agent = CONFIG.dip_into_speech_ms // FRAME_MS, "#" * 100
    assert dip > DIP
    barge_in = SpeechStarted(0, barge_in=True)
    assert run("#" * 20 + "." * (dip - 1) + "#" * 20, agent) == [(7, barge_in)]
    assert run("#" * 20 + "." * dip, agent) == [(7, barge_in), (19 + dip, SpeechPaused(0, 19))]


def test_of_slow_recognition_nothing_is_asked_before_a_longer_pause() -> None:
    floor = floor_of()
    floor.recognition_ms = 500
    assert paused_in("####" + "." * END, floor) == [3 + PAUSE]
    floor.recognition_ms = 100
    last = floor.frame + 4
    assert paused_in("####" + "." * END, floor) == [last + DIP]


def test_the_sound_of_a_pause_is_judged_early_and_again() -> None:
    floor = floor_of()
    judged = []
    for verdict in "#" * 4 + "." * 30:
        for event in floor.push(verdict == "#", agent_speaks=False):
            if isinstance(event, SpeechPaused):
                floor.await_words()
            if isinstance(event, PauseLasts):
                assert event == PauseLasts(3)
                judged.append((floor.frame - 3) * FRAME_MS)
    assert judged == [120, 300]


def test_what_sounds_over_ends_at_once_and_what_does_not_lasts_longer() -> None:
    waits = []
    for probability in (0.99, 0.6, 0.01):
        floor = floor_of()
        run("####" + "." * 5, floor=floor)
        floor.heard_end(3, probability)
        (ended,) = run("." * 100, floor=floor)
        waits.append(ended[0] - 3)
    assert waits[0] < END < waits[2] < LONGEST
    assert waits[0] < waits[1] < waits[2]


@pytest.mark.parametrize("resumed", [True, False])
def test_a_judgement_of_another_pause_counts_for_nothing(resumed: bool) -> None:
    floor = floor_of()
    run("####" + "." * DIP + ("####" if resumed else ""), floor=floor)
    floor.heard_end(3 if resumed else 2, 0.01)
    last = floor.frame if resumed else 3
    assert run("." * END, floor=floor)[-1] == (last + END, TurnEnded(0, last))


@pytest.mark.parametrize("answered", [False, True])
def test_who_goes_on_after_turns_that_were_taken_to_be_over_is_given_more_time(
    answered: bool,
) -> None:
    floor = floor_of()
    for _ in range(4):
        agent = "." * (END + 6) + ("#" if answered else ".") * 6
        run("####" + "." * (END + 4) + "." * 4, agent, floor)
    last = floor.frame + 4
    (ended,) = [
        frame
        for frame, event in run("####" + "." * LONGEST, floor=floor)
        if isinstance(event, TurnEnded)
    ]
    assert ended == last + END if answered else ended > last + END


def test_dictated_words_hold_longer_until_others_come() -> None:
    floor = floor_of()
    run("####" + "." * DIP, floor=floor)
    floor.transcribed(DICTATED)
    assert run("." * (900 // FRAME_MS - DIP), floor=floor) == []
    run("###" + "." * DIP, floor=floor)
    assert run("." * (900 // FRAME_MS - DIP), floor=floor) == []
    run("###", floor=floor)
    last = floor.frame
    run("." * DIP, floor=floor)
    floor.transcribed(Transcript("i can not find the rest", 0.9))
    assert run("." * (END - DIP), floor=floor)[-1][1] == TurnEnded(0, last)


def test_words_on_their_way_have_their_say() -> None:
    floor = floor_of()
    run("####" + "." * DIP, floor=floor)
    floor.await_words()
    assert run("." * (END - DIP), floor=floor) == []
    floor.transcribed(Transcript("yes, please.", 0.9))
    assert run(".", floor=floor) == [(4 + END, TurnEnded(0, 3))]


def test_words_that_never_come_hold_no_turn_up() -> None:
    floor = floor_of()
    run("####" + "." * DIP, floor=floor)
    floor.await_words()
    assert run("." * LONGEST, floor=floor) == [(3 + 800 // FRAME_MS, TurnEnded(0, 3))]


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
    floor = floor_of(FloorConfig(end_of_turn_ms=9_000, silence_ms=1_000))
    run("####" + "." * DIP, floor=floor)
    assert run("." * 400, floor=floor) == []


def test_who_speaks_is_known_at_any_time() -> None:
    floor = floor_of()
    states = []
    for verdict in "..####" + "." * END:
        floor.push(verdict == "#", agent_speaks=False)
        states.append((floor.person_speaks, floor.talking))
    quiet, talking, paused = (False, False), (True, True), (True, False)
    assert states == [quiet] * 4 + [talking] * (DIP + 1) + [paused] * (END - DIP) + [quiet]
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
    for is_speech, agent_speaks, dictated, frames in spans:
        if dictated:
            floor.transcribed(DICTATED)
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
    for _ in range(LONGEST + 1):
        floor.push(is_speech=False, agent_speaks=False)
    assert not floor.person_speaks, "silence ends every turn"
