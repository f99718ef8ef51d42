"""The figures, on calls made by hand."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from api.lab.figures import digits_of, figures_of, total
from api.lab.picture import picture_of
from api.lab.report import by_scenario, document, rows
from api.lab.spans import Span
from api.lab.trace import CallTrace, Decision, HeardTurn, Kind, Spoken
from models.recordings import RATE
from voice_loop.audio import Samples

LENGTH_S = 20.0


def voice(spans: Iterable[tuple[float, float]]) -> Samples:
    """Twenty seconds, loud in these spans."""
    samples = np.zeros(int(LENGTH_S * RATE), dtype=np.int16)
    random = np.random.default_rng(3)
    for start, end in spans:
        size = int(end * RATE) - int(start * RATE)
        samples[int(start * RATE) : int(end * RATE)] = random.integers(-4000, 4000, size)
    return samples


def said(
    kind: Kind, *voiced: tuple[float, float], turn: int = 0, text: str = "", dictated: str = ""
) -> Spoken:
    words = tuple(text.split()) if dictated else ()
    return Spoken(kind, text, words, tuple(Span(*one) for one in voiced), turn, dictated)


def call(
    agent: Sequence[tuple[float, float]] = (),
    spoken: Sequence[Spoken] = (),
    decisions: Sequence[tuple[float, str]] = (),
    turns: Sequence[HeardTurn] = (),
    letter_ms: float | None = 125.0,
) -> CallTrace:
    person = voice(span for one in spoken for span in one.voiced)
    made = [Decision(at, name) for at, name in decisions]
    return CallTrace(
        "made", "1", "completed", voice(agent), person, person, spoken, 0, made, turns, letter_ms
    )


def person(start: float, end: float, text: str = "yes") -> HeardTurn:
    return HeardTurn("person", text, Span(start, end))


def agent(start: float, end: float, text: str, interrupted: bool = False) -> HeardTurn:
    return HeardTurn("agent", text, Span(start, end), interrupted)


def test_a_turn_that_is_let_finish_and_answered() -> None:
    order = said("say", (1.0, 2.0), (2.6, 3.5))
    trace = call([(4.1, 6.0)], [order], [(3.9, "TurnEnded")], [person(1.0, 3.5)])
    found = figures_of(trace)
    assert (found.holds_cut.hits, found.holds_cut.of) == (0, 1)
    assert (found.turns_cut.hits, found.turns_cut.of) == (0, 1)
    assert found.end_of_turn_ms.values == pytest.approx([400.0])
    assert (found.responded.hits, found.responded.of) == (1, 1)
    assert found.response_ms.values == pytest.approx([600.0], abs=20)
    assert found.spoke_over.hits == 0
    assert found.phantom_turns == 0


def test_an_inner_pause_that_is_taken_for_the_end() -> None:
    order = said("say", (1.0, 2.0), (2.6, 3.5), (4.0, 5.0))
    trace = call([(2.9, 4.5)], [order], [(2.4, "TurnEnded"), (5.5, "TurnEnded")])
    found = figures_of(trace)
    assert (found.holds_cut.hits, found.holds_cut.of) == (1, 2)
    assert (found.turns_cut.hits, found.turns_cut.of) == (1, 1)
    assert found.spoke_over.hits == 1
    assert found.responded.hits == 0


@pytest.mark.parametrize(
    ("decisions", "cut"),
    [
        ([(3.0, "TurnEnded")], [1, 2]),
        ([(2.7, "SpeechResumed"), (3.3, "TurnEnded")], [0, 2]),
        ([(2.7, "SpeechResumed"), (4.4, "TurnEnded")], [1, 2]),
        ([(2.7, "SpeechResumed"), (4.1, "SpeechResumed"), (4.9, "TurnEnded")], [0, 2]),
    ],
    ids=["unheard", "heard", "the last unheard", "the last heard"],
)
def test_a_turn_that_ends_while_its_voice_goes_unheard_is_cut(
    decisions: Sequence[tuple[float, str]], cut: list[int]
) -> None:
    order = said("say", (1.0, 2.0), (2.6, 3.5), (4.0, 5.0))
    holds = figures_of(call([], [order], [(1.1, "SpeechStarted"), *decisions])).holds_cut
    assert [holds.hits, holds.of] == cut


def test_a_gap_of_less_than_a_tenth_of_a_second_is_no_pause() -> None:
    order = said("say", (1.0, 2.0), (2.08, 3.5))
    assert figures_of(call([], [order])).holds_cut.of == 0


def test_a_turn_that_nobody_answers() -> None:
    turns = [said("say", (1.0, 2.0), turn=1), said("say", (8.0, 9.0), turn=2)]
    found = figures_of(call([(9.8, 11.0)], turns))
    assert (found.responded.hits, found.responded.of) == (1, 2)


@pytest.mark.parametrize(("stops", "yields"), [(5.2, True), (6.9, True), (7.5, False)])
def test_an_interruption_is_yielded_to_within_two_seconds(stops: float, yields: bool) -> None:
    found = figures_of(call([(2.0, stops)], [said("interrupt", (5.0, 5.4))]))
    assert (found.yielded.hits, found.yielded.of) == (int(yields), 1)
    if yields:
        assert found.yield_ms.values == pytest.approx([(stops - 5.0) * 1000], abs=20)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("backchannel", "backchannels_ignored"),
        ("tic", "tics_ignored"),
        ("aside", "asides_ignored"),
    ],
)
def test_what_asks_for_nothing_must_not_stop_the_agent(kind: Kind, name: str) -> None:
    ignored = figures_of(call([(2.0, 9.0)], [said(kind, (5.0, 5.4))]))
    stopped = figures_of(call([(2.0, 5.3), (6.0, 9.0)], [said(kind, (5.0, 5.4))]))
    for found, hits in ((ignored, 1), (stopped, 0)):
        assert (getattr(found, name).hits, getattr(found, name).of) == (hits, 1)
        assert found.yielded.of == 0


def test_a_short_gap_is_told_apart_from_a_stop() -> None:
    found = figures_of(call([(2.0, 5.3), (5.4, 9.0)], [said("backchannel", (5.0, 5.4))]))
    assert found.backchannels_ignored.hits == 1
    assert (found.backchannels_without_gap.hits, found.backchannels_without_gap.of) == (0, 1)
    none = figures_of(call([(2.0, 5.3), (5.32, 9.0)], [said("backchannel", (5.0, 5.4))]))
    assert none.backchannels_without_gap.hits == 1


def test_an_agent_that_has_finished_has_not_been_stopped() -> None:
    turns = [agent(2.0, 5.3, "one two six ten two one")]
    found = figures_of(call([(2.0, 5.3)], [said("backchannel", (5.0, 5.2))], turns=turns))
    assert found.backchannels_ignored.hits == 1


def test_a_tic_while_the_agent_is_silent_must_not_be_answered() -> None:
    tic = said("tic", (5.0, 5.4))
    assert figures_of(call([(6.5, 8.0)], [tic])).tics_ignored.hits == 0
    assert figures_of(call([(7.6, 8.0)], [tic])).tics_ignored.hits == 1


def test_starts_and_turns_of_nobodys_words() -> None:
    order = said("say", (10.0, 12.0))
    decisions = [(3.0, "SpeechStarted"), (7.0, "SpeechStarted"), (10.1, "SpeechStarted")]
    turns = [person(2.8, 3.5, "the rest of the"), person(10.0, 12.0)]
    found = figures_of(call([(2.0, 4.0)], [order], decisions, turns))
    assert found.false_starts == 2
    assert found.self_interruptions == 1
    assert found.phantom_turns == 1
    assert found.told()["false_starts_per_min"] == pytest.approx(2 / (18 / 60), abs=0.1)


def test_the_callers_words_in_the_transcript() -> None:
    number = said("say", (1, 2), (3, 4), (5, 6), text="four one five", dictated="415")
    whole = figures_of(call([], [number], turns=[person(1, 6, "415.")]))
    assert (whole.dictations_whole.hits, whole.dictations_whole.of) == (1, 1)
    halves = figures_of(call([], [number], turns=[person(1, 4, "Four one"), person(5, 6, "five")]))
    assert (halves.dictations_whole.hits, halves.dictations_whole.of) == (0, 1)
    assert (halves.words_heard.hits, halves.words_heard.of) == (3, 3)


@pytest.mark.parametrize(
    ("words", "text", "heard"),
    [
        ("twelve ounce", "A 12-ounce latte, please.", True),
        ("double shot", "with double-shots", True),
        ("double shot", "a shot, double", False),
        ("light roast", "a light coffee roast", False),
    ],
)
def test_words_are_heard_however_they_are_written(words: str, text: str, heard: bool) -> None:
    order = Spoken("say", "", (words,), (Span(1, 3),), 0)
    found = figures_of(call([], [order], turns=[person(1, 3, text)])).words_heard
    assert (found.hits, found.of) == (int(heard), 1)


def test_digits_are_read_from_words_and_figures() -> None:
    assert digits_of("Four one five, 555-0132!") == "4155550132"
    assert digits_of("hello") == ""


def test_words_kept_that_were_never_heard() -> None:
    """Two seconds of half a second each are four words."""
    kept = [agent(2.0, 4.0, "one two six ten two one", interrupted=True)]
    found = figures_of(call([(2.0, 4.0)], turns=kept)).unheard_words_kept
    assert (found.hits, found.of) == (2, 6)
    right = [agent(2.0, 4.0, "one two six ten", interrupted=True)]
    assert figures_of(call([(2.0, 4.0)], turns=right)).unheard_words_kept.hits == 0
    real = figures_of(call([(2.0, 4.0)], turns=kept, letter_ms=None))
    assert real.unheard_words_kept.of == 0


def test_figures_of_calls_add_up() -> None:
    trace = call([(4.1, 6.0)], [said("say", (1.0, 3.5))], [(3.9, "TurnEnded")])
    other = replace(trace, scenario="other")
    both = total([trace, other])
    assert both.calls == 2
    assert both.responded.of == 2
    assert len(both.end_of_turn_ms.values) == 2
    assert set(by_scenario([trace, other])) == {"made", "other", "all"}


def test_a_run_is_told_as_a_table_and_as_json() -> None:
    trace = call([(4.1, 6.0)], [said("say", (1.0, 3.5))], [(3.9, "TurnEnded")])
    shown = {title.strip(): cell for title, cell in rows(by_scenario([trace]))}
    assert shown["R_R answered"] == "1 of 1"
    assert "R_Y yielded" not in shown
    told = document({"part": "closed"}, [trace])
    assert told["part"] == "closed"
    assert told["scenarios"]["made"]["responded"] == {"count": 1, "of": 1, "share": 1.0}
    assert told["all"]["yield_ms"]["n"] == 0
    assert told["calls"][0]["decisions"] == [{"at": 3.9, "name": "TurnEnded"}]


def test_a_picture_has_both_channels_and_what_was_decided() -> None:
    turns = [person(1.0, 3.5, "yes <please>"), agent(4.1, 6.0, "thank you", interrupted=True)]
    order = said("say", (1.0, 3.5), text="yes please")
    decisions = [(1.1, "SpeechStarted"), (3.9, "TurnEnded"), (4.0, "Transcribe")]
    drawn = picture_of(call([(4.1, 6.0)], [order], decisions, turns))
    root = ElementTree.fromstring(drawn)
    told = [one.text or "" for one in root.iter() if one.tag.endswith(("title", "text"))]
    assert "say: yes please" in told
    assert "kept: yes <please>" in told
    assert "turn over at 3.90 s" in told
    assert not any("Transcribe" in one for one in told)
    assert len([one for one in root.iter() if one.tag.endswith("polygon")]) == 3
