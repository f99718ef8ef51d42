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
    "well, yes": [Clause("well,"), Clause("yes")],
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
    "**one** `two` # three": [Clause("one two # three")],
    "# one\n## two": [Clause("one"), Clause("two")],
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


#: Replies that end in what looks like a tool's name, and is none.
LAST_WORDS = {
    "Your username is john_doe.": "Your username is john_doe.",
    "Your username is john_doe": "Your username is john_doe",
    "It is MAX_VALUE": "It is MAX_VALUE",
    "The file is report_final.pdf": "The file is report_final.pdf",
    "The file is end_report": "The file is end_report",
    "The site is api.example.com": "The site is api.example.com",
    "See functions.example.com.": "See functions.example.com.",
    "The tool: hammer": "The tool: hammer",
    "Action: please wait": "Action: please wait",
    "Thank you _so much_": "Thank you so much",
    "It has many functions.": "It has many functions.",
    "This is the end": "This is the end",
    "Is it mary_ann": "Is it mary_ann",
}


@pytest.mark.parametrize("text", LAST_WORDS)
def test_the_last_word_of_a_reply_is_said(text: str) -> None:
    assert " ".join(clauses(text)) == LAST_WORDS[text]
    assert split(*text) == split(text)


@pytest.mark.parametrize(
    "begun",
    [
        *("end_", "end_c", "functions.end_c", "api.end_ca", "tools.end_c"),
        *("print(functions.en", "Action: end_c", "Tool call: `en", "call end_c", "[end_c"),
    ],
)
def test_of_a_call_that_is_cut_off_nothing_is_said(begun: str) -> None:
    assert split(f"Goodbye. {begun}") == [Clause("Goodbye.")]
    assert split(*f"Goodbye. {begun}") == [Clause("Goodbye.")]


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
        "[",
        "](",
        ")",
        "(",
        "No. ",
        "apt",
        "J",
        "4",
        "。",
        "、",
        "؟",
        "月曜",
        "&amp;",
        "**",
        "#",
        "|",
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
    *("[a](", '{"a": "', '{"a": [', "<tool_call>", "```", "[TOOL_CALLS]"),
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


#: What ends a clause, and what does not, in any script.
ENDS = {
    "はい。月曜日です。どうぞ": ["はい。", "月曜日です。", "どうぞ"],
    "好的！您想预约哪一天？请说。": ["好的！", "您想预约哪一天？", "请说。"],
    "「はい。」と言いました。次": ["「はい。」", "と言いました。", "次"],
    "مرحبا. كيف حالك؟ شكرا": ["مرحبا.", "كيف حالك؟", "شكرا"],
    "नमस्ते। आप कैसे हैं? ठीक": ["नमस्ते।", "आप कैसे हैं?", "ठीक"],
    "جی ہاں۔ شکریہ۔": ["جی ہاں۔", "شکریہ۔"],
    "Τι ώρα είναι; Ευχαριστώ": ["Τι ώρα είναι;", "Ευχαριστώ"],
    "well… yes… no": ["well…", "yes…", "no"],
    "**Really?** Yes.": ["Really?", "Yes."],
    "“Sure.” Then we go.": ["“Sure.”", "Then we go."],
    "No. We are closed.": ["No.", "We are closed."],
    "Take bus no. 5 there. Ok": ["Take bus no. 5 there.", "Ok"],
    "She lives in apt. 4B now. Ok": ["She lives in apt. 4B now.", "Ok"],
    "J. R. R. Tolkien wrote it. Yes": ["J. R. R. Tolkien wrote it.", "Yes"],
    "So do I. And you?": ["So do I.", "And you?"],
    "Milk, eggs, etc. are here. Ok": ["Milk, eggs, etc. are here.", "Ok"],
    "Milk, eggs, etc. Then we go": ["Milk, eggs, etc.", "Then we go"],
    "The U.S. office is open. Ok": ["The U.S. office is open.", "Ok"],
    "It is Fig. 3 there. Ok": ["It is Fig. 3 there.", "Ok"],
    "Come on Oct. 5 then. Ok": ["Come on Oct. 5 then.", "Ok"],
    "Write to a.b@c.example. Ok": ["Write to a.b@c.example.", "Ok"],
    "See https://c.example/a.b?c=d. Ok": ["See https://c.example/a.b?c=d.", "Ok"],
    "It weighs 3.5 kg. Ok": ["It weighs 3.5 kg.", "Ok"],
    "We meet then on March 4, 2026, at noon": ["We meet then on March 4, 2026,", "at noon"],
    "Vive en EE. UU. con ella. Ok": ["Vive en EE. UU. con ella.", "Ok"],
    "Es sind 1,5 Mio. Kunden da. Ok": ["Es sind 1,5 Mio. Kunden da.", "Ok"],
    "Offen Mo. bis Mi. und Sa. um neun. Ok": ["Offen Mo. bis Mi. und Sa. um neun.", "Ok"],
    "Between ten and so on 10 – 12 people": ["Between ten and so on 10 – 12 people"],
    "1. First one.\n2. Second one.": ["1. First one.", "2. Second one."],
    "Look at [our page. It is new](https://a.example/b). Ok": [
        "Look at our page. It is new.",
        "Ok",
    ],
    "We sell tea &amp; coffee here, friend": ["We sell tea & coffee here,", "friend"],
}


@pytest.mark.parametrize("text", ENDS)
def test_clauses_end_where_sentences_do_in_every_script(text: str) -> None:
    wanted = [Clause(clause) for clause in ENDS[text]]
    assert split(text) == wanted
    assert split(*text) == wanted
    for cut in range(len(text)):
        assert split(text[:cut], text[cut:]) == wanted, f"cut at {cut}"


OPENINGS = {
    ("Sure, I can do that for you.", "en"): ["Sure,", "I can do that for you."],
    ("Sure, I'm at it.", "en"): ["Sure,", "I'm at it."],
    ("Of course, that works.", "en"): ["Of course,", "that works."],
    ("Let me see, we have Monday.", "en-GB"): ["Let me see,", "we have Monday."],
    ("**Okay**, so Monday it is.", "en"): ["Okay,", "so Monday it is."],
    ("Yes – that works.", "en"): ["Yes –", "that works."],
    ("Okay, 4 pm it is.", "en"): ["Okay,", "4 pm it is."],
    ("Claro, ¿qué día le va bien?", "es"): ["Claro,", "¿qué día le va bien?"],
    ("Muy bien, le apunto el lunes.", "es-MX"): ["Muy bien,", "le apunto el lunes."],
    ("Sure, that works. Okay, so Monday.", "en"): ["Sure,", "that works.", "Okay, so Monday."],
    # People say these in one go.
    ("Sure, Maria.", "en"): ["Sure, Maria."],
    ("Okay, Ian, so Monday.", "en"): ["Okay, Ian, so Monday."],
    ("Right, Dr. Miller is here.", "en"): ["Right, Dr. Miller is here."],
    ("Monday, at ten.", "en"): ["Monday, at ten."],
    ("Dr. Miller, he is here.", "en"): ["Dr. Miller, he is here."],
    ("No, ", "en"): ["No,"],
    ("One, two, three.", "en"): ["One, two, three."],
}


@pytest.mark.parametrize(("text", "language"), OPENINGS)
def test_a_short_opening_is_a_clause_by_itself(text: str, language: str) -> None:
    wanted = OPENINGS[text, language]
    assert said_in(text, language) == wanted
    for cut in range(len(text)):
        assert said_in(text[:cut], language, text[cut:]) == wanted, f"cut at {cut}"


def test_an_opening_waits_for_the_next_word_only() -> None:
    splitter = ClauseSplitter()
    assert list(splitter.push("Of course, ")) == []
    assert list(splitter.push("we")) == [Clause("Of course,")]


def test_an_opening_that_was_taken_back_is_none() -> None:
    parts = split("Okay, they want Monday. </think>Sure, we do. ")
    assert [part.text for part in parts if isinstance(part, Clause)][-2:] == ["Sure,", "we do."]


def test_who_has_time_gives_longer_clauses() -> None:
    text = "we have monday at ten in the morning, tuesday at noon in the north, or friday. "
    splitter = ClauseSplitter()
    assert [*splitter.push(text, 60)] == [
        Clause("we have monday at ten in the morning, tuesday at noon in the north,"),
        Clause("or friday."),
    ]
    assert list(splitter.push("that is in the afternoon, ", 60)) == []
    assert list(splitter.push("is it", 24)) == [Clause("that is in the afternoon,")]


def test_a_dot_makes_an_ordinal_in_some_languages() -> None:
    assert said_in("Am 24.12. um 9 Uhr. Gut", "de") == ["Am 24.12. um 9 Uhr.", "Gut"]
    text = "Am 3. März geht es. Gut"
    parts = [part for language in ("de-AT", "en") for part in said_in(text, language)]
    assert parts == ["Am 3. März geht es.", "Gut", "Am 3.", "März geht es.", "Gut"]


def said_in(text: str, language: str, more: str = "") -> list[str]:
    splitter = ClauseSplitter(language=language)
    parts = [*splitter.push(text), *splitter.push(more), *splitter.close()]
    return [part.text for part in parts if isinstance(part, Clause)]


def test_wide_characters_make_short_clauses() -> None:
    parts = clauses("今日は天気がいいので散歩に行きましょう" * 20)
    assert "".join(parts) == "今日は天気がいいので散歩に行きましょう" * 20
    assert all(len(part) <= 80 for part in parts)


def test_an_end_is_told_as_soon_as_what_follows_tells() -> None:
    for begin, next_one, told in (
        ("はい。", "月", "はい。"),
        ("See apt. 4B. ", "", "See apt. 4B."),
        ("No. ", "W", "No."),
        ("Yes! ", "", "Yes!"),
    ):
        splitter = ClauseSplitter()
        assert [*splitter.push(begin), *splitter.push(next_one)] == [Clause(told)]


#: Text for the eye, and what is left for the ear.
MARKED = {
    "**Hello** *there*, __you__ and _me_!": "Hello there, you and me!",
    "~~old~~ `new` ==now==": "old new now",
    "## Prices": "Prices",
    "- tea": "tea",
    "* tea": "tea",
    "• tea": "tea",
    "- [x] done": "done",
    "> he said": "he said",
    "| tea | 3 |": "tea, 3",
    "[our page](https://a.example/b_c)": "our page",
    "![a dog](https://a.example/dog.png)": "a dog",
    "[our page][1]": "our page",
    "as was shown[1] before[^2]": "as was shown before",
    "<https://a.example/b>": "https://a.example/b",
    "<a@b.example>": "a@b.example",
    '<a href="https://a.example">here</a>': "here",
    "one<br>two": "one, two",
    '<speak>hello <break time="1s"/> there</speak>': "hello, there",
    '<prosody rate="slow">hello</prosody>': "hello",
    "<!-- not for you -->hello": "hello",
    "tea &amp; milk &lt; 3": "tea & milk < 3",
    "https://a.example/?a=1&copy=2": "https://a.example/?a=1&copy=2",
    "a.example/maria_l": "a.example/maria_l",
    "8) the last": "8) the last",
    "it takes <3 days": "it takes <3 days",
    "If you are <18 or >65 you pay less.": "If you are <18 or >65 you pay less.",
    "x<y and y>z": "x<y and y>z",
    "one<b>two</b>, <i class=x>three</i><br/>": "one two , three",
    "fill in <your name> here": "fill in here",
    "step ① then ⑫, ❸ and Ⓐ": "step 1 then 12, 3 and A",
    "می\u200cخواهم بیایم": "می\u200cخواهم بیایم",
    "ශ්\u200dරී ලංකාව": "ශ්\u200dරී ලංකාව",
    "نامه\u200cای": "نامه\u200cای",
    "שלום\u200f, a\u200e b\u2060c": "שלום, a bc",
    "we love it <3": "we love it",
    "great 😀👍🏽 👨‍👩‍👧 news ⭐": "great news",
    "press 1️⃣ now": "press 1 now",
    "hello :-) there ;)": "hello there",
    "Monday → Friday": "Monday, Friday",
    "press # or * now": "press # or * now",
    "my_name@b.example": "my_name@b.example",
    "dial *67 first": "dial *67 first",
    "3*4 is 12": "3*4 is 12",
    r"it is \*free\*": "it is *free*",
    "Acme™ and Co®": "Acme and Co",
    "**Yes": "Yes",
    "fine**": "fine",
    "it is $5": "it is $5",
}


@pytest.mark.parametrize("text", MARKED)
def test_marks_for_the_eye_are_taken_out_and_signs_with_a_meaning_are_left(text: str) -> None:
    assert " ".join(clauses(text)) == MARKED[text]
    parts = [part.text for part in split(*text) if isinstance(part, Clause)]
    assert " ".join(parts) == MARKED[text]


@pytest.mark.parametrize("text", ["---", "***", "| --- | :-: |", "====", "😀", ":-)", "____"])
def test_what_is_for_the_eye_alone_is_not_said(text: str) -> None:
    assert clauses(f"{text}\nhello") == ["hello"]


@pytest.mark.parametrize(
    "text", ["```python\nprint(1)\n```\nThere.", "```sql\nselect 1\n```There."]
)
def test_neither_a_fence_nor_its_language_is_said(text: str) -> None:
    assert clauses(text) == ["There."]
