"""The generator of dialogues that the starter models are trained and scored on."""

import json
import re
from itertools import pairwise

import pytest

from models.training.domain import (
    Dialogue,
    agent_sentences,
    chat,
    dialogues,
    person_sentences,
)
from models.training.phrases import INTENTS, Split
from voice_loop.prompts import CALL_ANSWERED, CUT_OFF, END_CALL, OUTCOMES

WORDS = re.compile(r"[a-z]+( [a-z]+)*")


@pytest.fixture(scope="module")
def train() -> list[Dialogue]:
    return list(dialogues(1, 1500))


@pytest.fixture(scope="module")
def held() -> list[Dialogue]:
    return list(dialogues(1, 600, "heldout"))


def test_the_same_seed_gives_the_same_dialogues(train: list[Dialogue]) -> None:
    assert list(dialogues(1, 1500)) == train
    assert list(dialogues(2, 30)) != train[:30]


def test_the_person_speaks_few_plain_words(train: list[Dialogue], held: list[Dialogue]) -> None:
    said = [t.text for d in [*train, *held] for t in d.turns if t.speaker == "person"]
    assert all(WORDS.fullmatch(text) for text in said)
    assert all(1 <= len(text.split()) <= 14 for text in said)
    assert len({word for text in said for word in text.split()}) <= 180


def test_held_out_sentences_never_occur_in_training() -> None:
    train = set(person_sentences(3, 20_000))
    held = set(person_sentences(4, 4_000, "heldout"))
    assert len(held) > 300
    assert not train & held
    assert {w for text in held for w in text.split()} <= {w for t in train for w in t.split()}


def test_held_out_names_and_pairs_never_occur_in_training(
    train: list[Dialogue], held: list[Dialogue]
) -> None:
    for key in ("name", "company"):
        known = {d.context[key] for d in train if key in d.context}
        assert not known & {d.context[key] for d in held if key in d.context}
    known_pairs = {(d.context.get("day"), d.context.get("time")) for d in train}
    held_pairs = {
        (d.context.get("day"), d.context.get("time")) for d in held if "time" in d.context
    }
    assert not known_pairs & {pair for pair in held_pairs if pair[0] is not None}
    assert not {d.task for d in train} & {d.task for d in held}


def test_the_agent_is_a_function_of_the_call_so_far(
    train: list[Dialogue], held: list[Dialogue]
) -> None:
    answers: dict[str, str] = {}
    for dialogue in [*train, *held]:
        messages = chat(dialogue)
        for index, message in enumerate(messages):
            if message["role"] == "assistant" and not message["content"].endswith(CUT_OFF):
                before = json.dumps(messages[:index])
                assert answers.setdefault(before, message["content"]) == message["content"]


def test_a_chat_alternates_and_ends_with_the_end_of_the_call(train: list[Dialogue]) -> None:
    ended = 0
    for dialogue in train:
        messages = chat(dialogue)
        assert [m["role"] for m in messages[:2]] == ["system", "user"]
        assert messages[1]["content"].startswith(CALL_ANSWERED)
        roles = [m["role"] for m in messages[1:]]
        assert all(a != b for a, b in pairwise(roles))
        ends = [END_CALL in m["content"] for m in messages[1:]]
        assert not any(ends[:-1])
        ended += ends[-1]
    assert ended > 0.9 * len(train)


def test_results_have_the_fields_and_types_that_were_asked_for(train: list[Dialogue]) -> None:
    types = {"boolean": bool, "integer": int, "string": str}
    seen: set[str] = set()
    for dialogue in train:
        assert list(dialogue.result) == sorted(dialogue.returns)
        for key, value in dialogue.result.items():
            if value is not None:
                assert type(value) is types[dialogue.returns[key]]
                seen.add(key)
    assert seen >= {"confirmed", "day", "time", "rating", "recommend", "at_home", "place"}


def test_what_the_agent_agrees_to_is_what_the_result_says(train: list[Dialogue]) -> None:
    checked = 0
    for dialogue in train:
        final = next((t for t in dialogue.turns if t.ends_call), None)
        if final is None or not final.text.startswith("great, see you on"):
            continue
        result = dialogue.result
        assert result.get("confirmed", True) is True
        if result.get("day") and result.get("time"):
            assert f"{result['day']} at {result['time']}" in final.text
            checked += 1
    assert checked > 100


def test_the_demo_call_is_in_the_domain() -> None:
    texts = set(agent_sentences(1, 4000))
    assert any(text.startswith("hello this is north dental") for text in texts)
    assert all(WORDS.fullmatch(text) for text in texts)
    said = set(person_sentences(1, 4000))
    assert {"speaking", "yes", "no", "who is this", "wrong number"} <= said


@pytest.mark.parametrize("split", ["train", "heldout"])
def test_every_outcome_rests_on_a_line_of_the_person(split: Split) -> None:
    outcomes: set[str | None] = set()
    for dialogue in dialogues(1, 900, split, rare_share=0.5):
        outcome, quote = dialogue.analysis["outcome"], dialogue.analysis["quote"]
        said = [turn.text for turn in dialogue.turns if turn.speaker == "person"]
        assert (quote is None) == (outcome is None)
        assert quote is None or quote in said
        assert dialogue.analysis["summary"]
        outcomes.add(outcome)
    assert outcomes == {*OUTCOMES, None}


def test_who_asks_for_no_more_calls_is_not_to_be_called_and_nobody_else() -> None:
    known, held = INTENTS["stop"]
    asked = 0
    for dialogue in dialogues(2, 900, rare_share=0.5):
        said = {turn.text for turn in dialogue.turns if turn.speaker == "person"}
        if dialogue.analysis["outcome"] == "do_not_contact":
            asked += bool(said & set(known))
        else:
            assert not said & {*known, *held}
    assert asked > 50
