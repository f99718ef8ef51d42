"""Clauses and tool calls come out the same, wherever the stream of tokens was cut."""

import itertools
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_loop.clauses import Clause, ClauseSplitter, ToolCall
from voice_loop.prompts import END_CALL, TOOL_CALL_CLOSE, TOOL_CALL_OPEN
from voice_loop.reasoning import Retracted

Parts = Sequence[Clause | ToolCall | Retracted]


def split(*pieces: str) -> Parts:
    splitter = ClauseSplitter()
    parts: list[Clause | ToolCall | Retracted] = []
    for piece in pieces:
        parts += splitter.push(piece)
    return [*parts, *splitter.close()]


def clauses(text: str) -> list[str]:
    return [part.text for part in split(text) if isinstance(part, Clause)]


SAMPLES = {
    "hello, this is the clinic. do you want a visit?": [
        Clause("hello, this is the clinic."),
        Clause("do you want a visit?"),
    ],
    "i can offer you tuesday at ten, wednesday at noon, or friday. which one?": [
        Clause("i can offer you tuesday at ten,"),
        Clause("wednesday at noon, or friday."),
        Clause("which one?"),
    ],
    "well, yes": [Clause("well, yes")],
    "dr. smith is here at 3.30 p.m. on mondays, e.g. today.": [
        Clause("dr. smith is here at 3.30 p.m. on mondays,"),
        Clause("e.g. today."),
    ],
    "it costs 1,250.50 dollars! fine?": [
        Clause("it costs 1,250.50 dollars!"),
        Clause("fine?"),
    ],
    '"really?" she asked... (yes.) ok': [
        Clause('"really?"'),
        Clause("she asked..."),
        Clause("(yes.)"),
        Clause("ok"),
    ],
    "first\n\nsecond\n": [Clause("first"), Clause("second")],
    "**one** `two` # three": [Clause("one two three")],
    "say <b>yes</b> or <i>no</i>": [Clause("say yes or no")],
    " ... - !": [],
    "": [],
    "¿qué día? ¡muy bien! adiós": [Clause("¿qué día?"), Clause("¡muy bien!"), Clause("adiós")],
    f"goodbye. {END_CALL}": [Clause("goodbye."), ToolCall("end_call")],
    f"goodbye.{END_CALL}": [Clause("goodbye."), ToolCall("end_call")],
    f"one. two, and a good deal more, three {END_CALL} four. five": [
        Clause("one."),
        Clause("two, and a good deal more,"),
        Clause("three"),
        ToolCall("end_call"),
        Clause("four."),
        Clause("five"),
    ],
    f"{END_CALL}{END_CALL}": [ToolCall("end_call"), ToolCall("end_call")],
    f'{TOOL_CALL_OPEN}{{"name": "look", "arguments": {{"day": "a. b"}}}}{TOOL_CALL_CLOSE}': [
        ToolCall("look", {"day": "a. b"})
    ],
    f"wait. {TOOL_CALL_OPEN}not json{TOOL_CALL_CLOSE} ok": [
        Clause("wait."),
        ToolCall("", f"{TOOL_CALL_OPEN}not json{TOOL_CALL_CLOSE}"),
        Clause("ok"),
    ],
    f"{TOOL_CALL_OPEN}[1]{TOOL_CALL_CLOSE}": [
        ToolCall("", f"{TOOL_CALL_OPEN}[1]{TOOL_CALL_CLOSE}")
    ],
    f'{TOOL_CALL_OPEN}{{"name": 3}}{TOOL_CALL_CLOSE}': [
        ToolCall("", f'{TOOL_CALL_OPEN}{{"name": 3}}{TOOL_CALL_CLOSE}')
    ],
    f'{TOOL_CALL_OPEN}{{"name": "x", "arguments": [1]}}{TOOL_CALL_CLOSE}': [ToolCall("x", "[1]")],
    f'bye. {TOOL_CALL_OPEN}{{"name": "end_': [
        Clause("bye."),
        ToolCall("", f'{TOOL_CALL_OPEN}{{"name": "end_'),
    ],
    "bye. <tool_c": [Clause("bye.")],
    "done </tool_call> now": [Clause("done now")],
}


@pytest.mark.parametrize("text", SAMPLES)
def test_clauses_of_samples(text: str) -> None:
    assert split(text) == SAMPLES[text]


@pytest.mark.parametrize("text", SAMPLES)
def test_samples_split_the_same_wherever_they_are_cut(text: str) -> None:
    assert split(*text) == SAMPLES[text], "character by character"
    for cut in range(len(text)):
        assert split(text[:cut], text[cut:]) == SAMPLES[text], f"cut at {cut}"
    for first, second in itertools.combinations(range(0, len(text), 3), 2):
        assert split(text[:first], text[first:second], text[second:]) == SAMPLES[text]


FRAGMENTS = st.sampled_from(
    [
        "a",
        "hello",
        "no",
        "dr",
        " ",
        " ",
        " ",
        ".",
        ",",
        "?",
        "\n",
        "x" * 60,
        "<",
        "<tool_",
        "tool",
        END_CALL,
        TOOL_CALL_OPEN,
        TOOL_CALL_CLOSE,
        ">",
        "{",
        '"',
        "…",
        " – ",
    ]
)


@given(st.lists(FRAGMENTS, max_size=40))
def test_any_text_splits_the_same_in_one_piece_and_in_many(fragments: list[str]) -> None:
    text = "".join(fragments)
    assert split(text) == split(*fragments) == split(*text)


@given(st.lists(FRAGMENTS, max_size=40))
def test_no_clause_is_longer_than_a_voice_can_take(fragments: list[str]) -> None:
    for text in clauses("".join(fragments)):
        assert 0 < len(text) <= 220


def test_a_clause_is_given_as_soon_as_it_is_whole() -> None:
    splitter = ClauseSplitter()
    assert list(splitter.push("yes. ")) == [Clause("yes.")]
    assert list(splitter.push("what day suits you?")) == []
    assert list(splitter.push(" ")) == [Clause("what day suits you?")]


def test_words_without_end_are_cut_between_words() -> None:
    long = " ".join(["word"] * 100)
    parts = clauses(long)
    assert " ".join(parts) == long
    assert all(len(part) <= 220 for part in parts)


def test_a_boundary_that_comes_too_late_does_not_count() -> None:
    late = " ".join(["word"] * 50) + ". next"
    assert split(late) == split(*late)
    assert len(clauses(late)[0]) <= 220


@pytest.mark.parametrize(
    "value",
    [
        *("NaN", "-Infinity", "1e400", "9" * 400, "9" * 5000),
        *('"\\ud800"', '"\\u0000"', '{"\\udfff": 1}'),
    ],
)
def test_a_tool_call_with_what_nothing_can_hold_is_malformed(value: str) -> None:
    body = f'{{"name": "look", "arguments": {{"n": [{value}]}}}}'
    text = f"{TOOL_CALL_OPEN}{body}{TOOL_CALL_CLOSE}"
    assert split(text) == [ToolCall("", text)]


def test_a_deeply_nested_tool_call_is_malformed() -> None:
    deep = "[" * 100_000
    begun = f"{TOOL_CALL_OPEN}{deep}"[:16_384]
    assert split(f"{TOOL_CALL_OPEN}{deep}{TOOL_CALL_CLOSE}") == [ToolCall("", begun)]


GROWING = [
    *('{"a": "', '{"a": [', "<tool_call>", "```", "[TOOL_CALLS]"),
    *("book(", "", "action: ", "call "),
]


@pytest.mark.parametrize("begin", GROWING)
@pytest.mark.parametrize("more", ["x ", "[],", "a.", " ", "\n", "a", "</", "}"])
def test_a_text_that_grows_is_not_read_anew_with_every_piece(begin: str, more: str) -> None:
    def took_s(size: int) -> float:
        text = (begin + more * size)[:size]
        started = time.process_time()
        splitter = ClauseSplitter(["book"])
        for at in range(0, size, 4):
            list(splitter.push(text[at : at + 4]))
        return time.process_time() - started

    # Eight times as much text takes eight times as long, or, where all of it is read with every
    # piece, 64 times.
    assert min(took_s(6400) for _ in range(2)) < 28 * max(took_s(800) for _ in range(3))


@pytest.mark.parametrize("begin", ['{"a": "', "<tool_call>", "```", "[TOOL_CALLS]", "end_call("])
def test_what_does_not_end_is_malformed(begin: str) -> None:
    text = f"Yes. {begin}{'x' * 20_000}"
    for end in ("", '"})</tool_call>``` Hello.'):
        told = [Clause("Yes."), ToolCall("", text.removeprefix("Yes. ")[:16_384])]
        assert split(text + end) == told
        assert split(*(text + end)) == told
